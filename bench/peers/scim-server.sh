#!/usr/bin/env bash
# The crate scim-server behind a small axum host.      scim-server.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scim-server"
if [ "$1" = install ]; then
  exec cargo build --release --bin scim-server-host --manifest-path scim-server/Cargo.toml --target-dir "$here"
fi
exec "$here/release/scim-server-host" "$1"
