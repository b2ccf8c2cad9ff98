#!/usr/bin/env bash
# django-scim2-server (PyPI) in a Django project with SQLite, under waitress.      django-scim2-server.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/django-scim2-server"
if [ "$1" = install ]; then
  [ -x "$here/bin/waitress-serve" ] && exit
  python3 -m venv "$here"
  exec "$here/bin/pip" install --quiet django-scim2-server==1.1.0 scim2-models==0.12.3 django==5.2.19 waitress==3.0.2
fi
exec "$here/bin/python" django-scim2-server/host.py "$1"
