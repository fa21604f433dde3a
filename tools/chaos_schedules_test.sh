#!/usr/bin/env bash
# Runs tools/chaos_schedules.sh with a client that only pretends: it writes down
# its arguments, leaves a process behind that writes to the output folder for ever,
# and fails for seed 2.
set -euo pipefail

chaos_schedules=$PWD/tools/chaos_schedules.sh
export TMPDIR=$TEST_TMPDIR/scratch CALLS=$TEST_TMPDIR/calls LOCKSTEP=$TEST_TMPDIR/lockstep
mkdir "$TMPDIR"
failures=0

cat >"$LOCKSTEP" <<'CLIENT'
#!/usr/bin/env bash
echo "$*" >>"$CALLS"
while [ "$1" != --output ]; do shift; done
output=$2
mkdir -p "$output/state"
writer='n=0; while :; do mkdir -p "$0" && echo x >"$0/$n"; n=$((n + 1)); done'
bash -c "$writer" "$output/state" >/dev/null 2>&1 &
case $* in
  *'--chaos-seed 2 '*) echo 'not the same' >&2; exit 1 ;;
  *'--chaos-seed 3 '*) wait ;;
  *'--chaos-seed'*) echo 'chaos (seed 1): 2 kill-worker' ;;
  *) echo 'model sha256: cafe' ;;
esac
CLIENT
chmod +x "$LOCKSTEP"

# expect WHAT GOT WANTED
expect() {
  [ "$2" = "$3" ] && return
  printf "%s: got '%s', want '%s'\n" "$1" "$2" "$3"
  failures=$((failures + 1))
}

nothing_left() {
  expect "$1: files left" "$(ls -A "$TMPDIR")" ''
  expect "$1: processes left" "$(grep -la "^bash.-c.*$TMPDIR" /proc/[0-9]*/cmdline 2>/dev/null || true)" ''
}

code=0
out=$("$chaos_schedules" -n 2 -w 1) || code=$?
expect 'exit code' "$code" 1
expect 'output' "$out" 'calm: cafe
seed 1: equal; 2 kill-worker
seed 2: FAILED
not the same
1 of 2 equal'
expect 'calm runs' "$(grep -vc -e --chaos "$CALLS")" 1
expect 'runs given the calm hash' "$(grep -c -e '--calm-sha256 cafe$' "$CALLS")" 2
nothing_left 'after failed runs'

# Ended in the middle of seed 3, which hangs.
code=0
"$chaos_schedules" -n 1 -s 3 >/dev/null &
script=$!
until grep -q -e '--chaos-seed 3 ' "$CALLS"; do :; done
kill -TERM "$script"
wait "$script" || code=$?
expect 'exit code when ended' "$code" 143
nothing_left 'when ended'

exit $((failures > 0))
