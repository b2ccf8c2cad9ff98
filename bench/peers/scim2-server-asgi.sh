#!/usr/bin/env bash
# scim2-server (PyPI) under uvicorn with uvloop, one worker: its best case.      scim2-server-asgi.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scim2-server-asgi"
if [ "$1" = install ]; then
  [ -x "$here/bin/uvicorn" ] && exit
  python3 -m venv "$here"
  exec "$here/bin/pip" install --quiet scim2-server==0.8.3 'uvicorn[standard]'
fi
exec "$here/bin/uvicorn" --app-dir scim2-server-asgi app:app --host 127.0.0.1 --port "$1" --log-level error --no-access-log
