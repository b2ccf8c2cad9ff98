#!/usr/bin/env bash
# scimmy-routers (npm) on express, one Node process, handlers in memory.      scimmy-routers.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scimmy-routers"
if [ "$1" = install ]; then
  mkdir -p "$here"
  cp scimmy-routers/server.mjs "$here/"
  [ -d "$here/node_modules/scimmy-routers" ] && exit
  cd "$here"
  npm init --yes >/dev/null
  exec npm install --silent --no-audit --no-fund scimmy@1.3.5 scimmy-routers@1.3.2 express@5
fi
exec node "$here/server.mjs" "$1"
