#!/usr/bin/env bash
# django-scim2 (PyPI) in a Django project of two models with SQLite, under waitress.      django-scim2.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/django-scim2"
if [ "$1" = install ]; then
  [ -x "$here/bin/waitress-serve" ] && exit
  python3 -m venv "$here"
  exec "$here/bin/pip" install --quiet django-scim2==0.23.0 scim2-filter-parser==0.7.0 django==5.2.19 waitress==3.0.2
fi
exec "$here/bin/python" django-scim2/host.py "$1"
