#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'TEXT'
Judge SCIM servers that others wrote with `conformance server` and `conformance explore`.

usage: judge.sh [--no-install] [--out DIR] [NAME …]

Each named peer (default: all) is installed, started afresh on a free port for each of the two, judged, and stopped.
  docs/peers/NAME.md       what failed and what was warned of, one line each (--out DIR: elsewhere)
  bench/results/peers/     the whole reports, as JSON and Markdown, and the log of each peer

peers: better-auth  canaille  django-scim2  django-scim2-server  scim2-server
       scimgateway  scimmy-routers  scimmy-routers-express4  scim-server

  --no-install   what is installed already is used
  --out DIR      where the tables go
  -h, --help     this text

CONFORMANCE  the program (default: target/release/conformance; cargo build --release -p conformance)
CASES        a folder of cases (default: conformance/data/cases)

Needs bash, curl and python3; python3-venv for the servers in Python, node and npm for
better-auth, scimgateway and scimmy-routers, cargo for scim-server. Exit codes: 0 all were judged, whatever they failed; 1 one could not be judged; 2 usage.
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
sequences=100
peers=(better-auth canaille django-scim2 django-scim2-server scim2-server scimgateway scimmy-routers scimmy-routers-express4 scim-server)
names=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --no-install) install=no ;;
    --out) [ $# -ge 2 ] || die 2 "--out needs a folder"; out="$2"; shift ;;
    -*) die 2 "there is no option $1; see --help" ;;
    *)
      case " ${peers[*]} " in *" $1 "*) names+=("$1") ;; *) die 2 "there is no peer $1; see --help" ;; esac ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || names=("${peers[@]}")

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

start() { # NAME: a fresh server; sets url and options
  local script path log="$reports/$1.log" port
  unset EXPRESS
  export TOKEN=judged-token
  options=(--bearer judged-token --seed 1)
  case "$1" in
    better-auth) script=better-auth.sh path=/api/auth/scim/v2 ;;
    canaille) script=canaille.sh path=/scim/v2; options+=(--template "$here/canaille/user.json") ;;
    django-scim2) script=django-scim2.sh path=/scim/v2 ;;
    django-scim2-server) script=django-scim2-server.sh path=/scim/v2 ;;
    scim2-server) script=scim2-server.sh path=/v2 options=(--seed 1) ;; # it asks for no credentials
    scimgateway) script=scimgateway.sh path= ;;
    scimmy-routers) script=scimmy-routers.sh path=/scim; export EXPRESS=5 ;;
    scimmy-routers-express4) script=scimmy-routers.sh path=/scim; export EXPRESS=4 ;;
    scim-server) script=scim-server-judged.sh path=/v2 ;;
  esac
  if [ "$install" = yes ]; then
    "$here/$script" install >>"$log" 2>&1 || { tail -n 20 "$log" >&2; say "$1 cannot be installed"; return 1; }
  fi
  port="$(free_port)"
  url="http://127.0.0.1:$port$path"
  "$here/$script" "$port" >>"$log" 2>&1 &
  peer=$!
  answers "$url" || { tail -n 20 "$log" >&2; say "$1 does not answer at $url"; return 1; }
}

report() { # NAME COMMAND …: runs a command of the program against a fresh server, with reports NAME.COMMAND.*
  local name="$1" command="$2" file="$reports/$1.$2" code=0
  rm -f "$file".{json,md,txt}
  start "$name" || return 1
  "$program" "$command" "$url" "${options[@]}" "${@:3}" \
    --report "json=$file.json" --report "markdown=$file.md" >"$file.txt" 2>&1 || code=$?
  stop
  # 1 is what the program says where something failed, 3 where a case broke off: results, not accidents.
  { [ "$code" -le 1 ] || [ "$code" -eq 3 ]; } && [ -s "$file.json" ] || { tail -n 20 "$file.txt" >&2; say "$name: $command ended with $code"; return 1; }
}

judge() {
  : >"$reports/$1.log"
  report "$1" server --cases "$cases" || return 1
  report "$1" explore --sequences "$sequences" --findings 1000 || return 1
  python3 "$here/judged.py" "$1" "$reports/$1.server.json" "$reports/$1.explore.json" "$out/$1.md"
}

bad=0
for name in "${names[@]}"; do
  judge "$name" || { stop; bad=1; }
done
exit "$bad"
