#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Judge SCIM servers that others wrote with `conformance server`.

usage: judge.sh [--no-install] [--out DIR] [NAME …]

Each named peer (default: all) is installed, started afresh on a free port, judged, and stopped.
  docs/peers/NAME.md       what failed and what was warned of, one line each (--out DIR: elsewhere)
  bench/results/peers/     the whole reports, as JSON and Markdown, and the log of each peer

peers: scim2-server  scimmy-routers  scimmy-routers-express4  scim-server

  --no-install   what is installed already is used
  --out DIR      where the tables go
  -h, --help     this text

CONFORMANCE  the program (default: target/release/conformance; cargo build --release -p conformance)
CASES        a folder of cases (default: conformance/data/cases)

Needs bash, curl and python3; python3-venv for scim2-server, node and npm for scimmy-routers, cargo for
scim-server. Exit codes: 0 all were judged, whatever they failed; 1 one could not be judged; 2 usage.
TEXT
}

say() { printf 'judge.sh: %s\n' "$*" >&2; }
die() { say "$2"; exit "$1"; }

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
program="${CONFORMANCE:-$root/target/release/conformance}"
cases="${CASES:-$root/conformance/data/cases}"
reports="$root/bench/results/peers"
out="$root/docs/peers"
install=yes
names=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --no-install) install=no ;;
    --out) [ $# -ge 2 ] || die 2 "--out needs a folder"; out="$2"; shift ;;
    -*) die 2 "there is no option $1; see --help" ;;
    scim2-server|scimmy-routers|scimmy-routers-express4|scim-server) names+=("$1") ;;
    *) die 2 "there is no peer $1; see --help" ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || names=(scim2-server scimmy-routers scimmy-routers-express4 scim-server)

for tool in curl python3; do
  command -v "$tool" >/dev/null || die 1 "$tool is needed and is not there"
done
[ -x "$program" ] || die 1 "$program is not there: cargo build --release -p conformance, or set CONFORMANCE"
[ -d "$cases" ] || die 1 "$cases is no folder of cases"
mkdir -p "$reports" "$out"

peer=""
stop() {
  [ -n "$peer" ] || return 0
  kill "$peer" 2>/dev/null || true
  wait "$peer" 2>/dev/null || true
  peer=""
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() { # URL: waits up to a minute
  local i
  for i in $(seq 300); do
    kill -0 "$peer" 2>/dev/null || return 1
    curl --silent --output /dev/null --max-time 2 "$1/ServiceProviderConfig" && return 0
    sleep 0.2
  done
  return 1
}

judge() {
  local name="$1" script path token=(--bearer judged-token) log="$reports/$1.log" port url code=0
  unset EXPRESS
  export TOKEN=judged-token
  case "$name" in
    scim2-server) script=scim2-server.sh path=/v2 token=() ;; # it asks for no credentials
    scimmy-routers) script=scimmy-routers.sh path=/scim; export EXPRESS=5 ;;
    scimmy-routers-express4) script=scimmy-routers.sh path=/scim; export EXPRESS=4 ;;
    scim-server) script=scim-server-judged.sh path=/v2 ;;
  esac
  if [ "$install" = yes ]; then
    "$here/$script" install >"$log" 2>&1 || { tail -n 20 "$log" >&2; say "$name cannot be installed"; return 1; }
  fi
  rm -f "$reports/$name".{json,md,txt}
  port="$(free_port)"
  url="http://127.0.0.1:$port$path"
  "$here/$script" "$port" >>"$log" 2>&1 &
  peer=$!
  answers "$url" || { tail -n 20 "$log" >&2; say "$name does not answer at $url"; stop; return 1; }
  "$program" server "$url" ${token[@]+"${token[@]}"} --cases "$cases" --seed 1 \
    --report "json=$reports/$name.json" --report "markdown=$reports/$name.md" >"$reports/$name.txt" 2>&1 || code=$?
  stop
  # 1 is what the suite says where something failed; that is a result, not an accident.
  [ "$code" -le 1 ] && [ -s "$reports/$name.json" ] || { tail -n 20 "$reports/$name.txt" >&2; say "$name: the suite ended with $code"; return 1; }
  python3 "$here/judged.py" "$name" "$reports/$name.json" "$out/$name.md"
}

bad=0
for name in "${names[@]}"; do
  judge "$name" || { stop; bad=1; }
done
exit "$bad"
