#!/usr/bin/env bash
# @better-auth/scim (npm) in better-auth with its own adapter in memory, one Node process.      better-auth.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/better-auth"
if [ "$1" = install ]; then
  mkdir -p "$here"
  cp better-auth/server.mjs "$here/"
  [ -d "$here/node_modules/@better-auth/scim" ] && exit
  cd "$here"
  printf '{"name": "peer", "private": true}\n' >package.json
  exec npm install --silent --no-audit --no-fund better-auth@1.7.5 @better-auth/scim@1.7.5 @better-auth/core@1.7.5 @better-auth/utils@0.4.2
fi
exec node "$here/server.mjs" "$1"
