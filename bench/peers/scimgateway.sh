#!/usr/bin/env bash
# scimgateway (npm) with its plugin-loki in memory, under bun.      scimgateway.sh install | PORT
# TOKEN=… is the bearer token that it asks for. SCIMGATEWAY_SOURCE=DIR installs from a folder, where the registry lacks the package:
# git archive of https://github.com/jelhub/scimgateway at v6.1.18.
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scimgateway"
if [ "$1" = install ]; then
  mkdir -p "$here/config"
  cp scimgateway/start.ts "$here/"
  cp scimgateway/plugin-loki.json "$here/config/"
  [ -f "$here/lib/plugin-loki.ts" ] && exit
  cd "$here"
  printf '{"name": "peer", "private": true, "type": "module"}\n' >package.json
  npm install --silent --no-audit --no-fund bun@1.4.5
  # Its own script after the installation copies the plugins here, and is run by bun.
  PATH="$here/node_modules/.bin:$PATH" exec npm install --silent --no-audit --no-fund --install-links "${SCIMGATEWAY_SOURCE:-scimgateway@6.1.18}"
fi
cd "$here"
PORT="$1" TOKEN="${TOKEN:-scimgateway}" exec node_modules/.bin/bun start.ts
