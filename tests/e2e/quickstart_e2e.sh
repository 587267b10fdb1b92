#!/bin/bash
# timeout: 120
# packaging/quickstart without what takes long: options, refusals, failure, an end in its middle, --remove; what its clients count;
# and the list of files that the package is built from. apt-get and systemctl are stand-ins, /run is a private one: nothing of this
# machine is touched.
set -euo pipefail
[ "${1:-}" = inside ] || exec unshare --mount --propagation private "$0" inside
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
child=
others=()
cleanup() {
  for pid in $child "${others[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "quickstart: FAILED: $*, it said:" >&2; cat "$work/said" >&2; exit 1; }
until_true() {  # until_true WHAT COMMAND...
  local end=$((SECONDS + 20)) what=$1
  shift
  until "$@"; do [ $SECONDS -lt $end ] || fail "still not: $what"; sleep 0.05; done
}

mount -t tmpfs run /run
[ ! -d /etc/wsl4 ] || mount -t tmpfs etc /etc/wsl4      # a balancer of this machine's own is not the one meant here
mkdir -p "$work"/{stand-ins,tree}
chmod -R 755 "$work"
"$source/packaging/source-files" | (cd "$source" && xargs -0 cp --parents -t "$work/tree")
export PATH=$work/stand-ins:$PATH
stand_in() { printf '#!/bin/sh\n%s\n' "$2" >"$work/stand-ins/$1" && chmod 755 "$work/stand-ins/$1"; }
stand_in systemctl '[ -e /run/serving ]'
stand_in apt-get 'echo "$$" >/run/asked; echo "no such luck"; exit 100'

# expect STATUS TEXT COMMAND...: its exit status, and a part of what it says
expect() {
  local status=0
  "${@:3}" >"$work/said" 2>&1 || status=$?
  [ "$status" = "$1" ] || fail "${*:3}: exit status $status instead of $1"
  grep -qF -- "$2" "$work/said" || fail "${*:3}: no word of '$2'"
}
quickstart=$work/tree/packaging/quickstart
untouched() { [ ! -e /run/asked ] && [ ! -e /run/wsl4-demo ]; }

# ---- options and refusals
cd /
expect 0 "--remove" "$quickstart" --help
expect 2 "usage:" "$quickstart" --wrong
expect 2 "usage:" "$quickstart" --keep more
expect 1 "needs root" setpriv --reuid 65534 --regid 65534 --clear-groups "$quickstart"
expect 1 "needs root" setpriv --reuid 65534 --regid 65534 --clear-groups "$quickstart" --remove
expect 0 "removed" "$quickstart" --remove
touch /run/serving
expect 1 "--force" "$quickstart"
untouched || fail "it began in spite of a running wsl4d"

# ---- a failing step: told by its exit status, and nothing is left
expect 1 "exit status 100" "$quickstart" --force
grep -q "no such luck" "$work/said" || fail "it does not show what the failed step said"
[ -e /run/asked ] || fail "apt-get was not asked"
[ ! -e /run/wsl4-demo ] || fail "a failed one left its folder"
rm /run/serving

# ---- an end in the middle of a step, which ends too
stand_in apt-get 'sleep 600 & echo $! >/run/asked; wait'
for signal in TERM:143 HUP:129; do
  rm -f /run/asked
  "$quickstart" >"$work/said" 2>&1 &
  child=$!
  until_true "apt-get asked" [ -s /run/asked ]
  kill -"${signal%:*}" "$child"
  status=0
  wait "$child" || status=$?
  [ $status = "${signal#*:}" ] || fail "SIG${signal%:*}: exit status $status"
  until_true "apt-get ended by SIG${signal%:*}" [ ! -e "/proc/$(cat /run/asked)" ]
  [ ! -e /run/wsl4-demo ] || fail "SIG${signal%:*}: its folder is left"
done

# ---- remains of an earlier one
ip netns add wsl4-demo-a
ip netns exec wsl4-demo-a sleep 600 &
child=$!
disown
rm /run/asked
expect 1 "--remove" "$quickstart"
untouched || fail "it began beside an earlier one"
mkdir /run/wsl4-demo
expect 0 "removed" "$quickstart" --remove
until_true "its process ended" [ ! -e "/proc/$child" ]
[ ! -e /run/netns/wsl4-demo-a ] && [ ! -e /run/wsl4-demo ] || fail "something is left"

# ---- what the clients count: those with an answer live; a reset and ten seconds of silence are losses
ip netns add quickstart-test
inside() { exec ip netns exec quickstart-test "$@"; }
(inside ip link set lo up)
for host in 1 {10..19}; do (inside ip addr add "198.18.1.$host/32" dev lo); done
for port in 8888 8889; do
  (inside /usr/bin/python3 "$work/tree/packaging/quickstart.py" backend one 198.18.1.1 $port) >"$work/said" 2>&1 &
  others+=($!)
  until_true "port $port open" ip netns exec quickstart-test bash -c ": </dev/tcp/198.18.1.1/$port" 2>/dev/null
  (inside /usr/bin/python3 "$work/tree/packaging/quickstart.py" clients "ws://198.18.1.1:$port/" "$work/counts-$port" 20) >"$work/said" 2>&1 &
  others+=($!)
done
disown "${others[@]}"
count() { cut -d' ' -f"$2" "$work/counts-$1" 2>/dev/null || echo; }
counts_are() { [ "$(count "$1" 1-3,5)" = "$2" ]; }      # live, lost, reset, wrong
answered_since() { [ "$(count "$1" 7)" -ge "$2" ] 2>/dev/null; }
began=$(date +%s%3N)
for port in 8888 8889; do
  until_true "20 clients of port $port" counts_are $port "20 0 0 0"
  until_true "an answer to each of port $port" answered_since $port "$began"
done
kill -STOP "${others[2]}"       # the backend of port 8889
silent=$(date +%s%3N)
(inside nft 'table ip refusal { chain input { type filter hook input priority 0; tcp dport 8888 reject with tcp reset; }; }')
until_true "20 reset" counts_are 8888 "0 20 20 0"
counts_are 8889 "20 0 0 0" || fail "counts without answers: $(count 8889 1-)"
! answered_since 8889 "$silent" || fail "answers that nobody gave: $(count 8889 1-)"
until_true "20 lost in silence" counts_are 8889 "0 20 0 0"
kill -9 "${others[@]}" 2>/dev/null || true
others=()
ip netns del quickstart-test

# ---- the list of files is the same without git, and in somebody else's checkout
mkdir -p "$work/tree"/{build/dev,tests/e2e/node_modules/ws}
touch "$work/tree"/{build/dev,tests/e2e/node_modules/ws}/made
files() { "$1/packaging/source-files" | tr '\0' '\n'; }
files "$source" >"$work/expected"
files "$work/tree" | diff "$work/expected" - >"$work/said" || fail "another list without git"
if command -v git >/dev/null; then
  git init -q "$work/tree"
  files "$work/tree" | diff "$work/expected" - >"$work/said" || fail "another list in a new repository"
  chown -R 65534 "$work/tree"
  files "$work/tree" | diff "$work/expected" - >"$work/said" || fail "another list in somebody else's repository"
fi
echo "quickstart: as it should be"
