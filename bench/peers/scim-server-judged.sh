#!/usr/bin/env bash
# The crate scim-server behind a whole axum host, to be judged.      scim-server-judged.sh install | PORT
set -euo pipefail
cd "$(dirname "$0")"
here="$PWD/.installed/scim-server"
if [ "$1" = install ]; then
  exec cargo build --release --locked --bin scim-server-judged --manifest-path scim-server/Cargo.toml --target-dir "$here"
fi
exec "$here/release/scim-server-judged" "$1"
