#!/usr/bin/env bash
# canaille (PyPI), an identity server, with its SQL backend on SQLite under waitress.      canaille.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/canaille"
if [ "$1" = install ]; then
  [ -x "$here/bin/waitress-serve" ] && exit
  python3 -m venv "$here"
  exec "$here/bin/pip" install --quiet 'canaille[scim,oidc,sqlite]==0.3.6' scim2-models==0.9.0 scim2-client==0.7.5 authlib==1.9.10 waitress==3.0.2
fi
exec "$here/bin/python" canaille/host.py "$1"
