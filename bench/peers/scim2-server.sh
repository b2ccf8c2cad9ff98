#!/usr/bin/env bash
# scim2-server (PyPI) by its own command.      scim2-server.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scim2-server"
if [ "$1" = install ]; then
  [ -x "$here/bin/scim2-server" ] && exit
  python3 -m venv "$here"
  exec "$here/bin/pip" install --quiet scim2-server==0.8.3
fi
exec "$here/bin/scim2-server" --port "$1"
