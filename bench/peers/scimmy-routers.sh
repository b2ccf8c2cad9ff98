#!/usr/bin/env bash
# scimmy-routers (npm) on express, one Node process, handlers in memory.      scimmy-routers.sh install | PORT
# EXPRESS=4 takes the express that scimmy-routers itself is tested with; the default is the newest it allows.
# TOKEN=… lets in only who sends that bearer token; the default lets in everybody.
set -euo pipefail
cd "$(dirname "$0")"
express="${EXPRESS:-5}"
here="$PWD/.installed/scimmy-routers-express$express"
if [ "$1" = install ]; then
  mkdir -p "$here"
  cp scimmy-routers/server.mjs "$here/"
  [ -d "$here/node_modules/scimmy-routers" ] && exit
  cd "$here"
  npm init --yes >/dev/null
  exec npm install --silent --no-audit --no-fund scimmy@1.3.5 scimmy-routers@1.3.2 "express@$express"
fi
exec node "$here/server.mjs" "$1"
