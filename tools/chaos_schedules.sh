#!/usr/bin/env bash
# Trains a job once calmly, then under `lockstep train --chaos` with many seeds, and
# counts how many of those runs end with the calm run's bits and an exact ledger.
# Exit code 0: all did.
#
# Usage: tools/chaos_schedules.sh [-n RUNS] [-s FIRST_SEED] [-j JOB_FILE] [-w WORKERS] [PLAN]
#   Default: 100 runs from seed 1 of examples/digits/chaos.yaml (on two cores about
#   20 s of calm, a minute of chaos) with 3 workers and all five faults. LOCKSTEP: the client,
#   default build/bin/lockstep. However it ends (kill -9 of itself apart), none of
#   its processes is left, nor its folder under TMPDIR.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

runs=100 first=1 job=examples/digits/chaos.yaml workers=3
while getopts n:s:j:w: option; do
  case $option in
    n) runs=$OPTARG ;;
    s) first=$OPTARG ;;
    j) job=$OPTARG ;;
    w) workers=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
plan=${1:-kill-worker=5s,kill-server=20s,stall-worker=7s,drop-connection=3s,corrupt-shard=0.001}
lockstep=${LOCKSTEP:-build/bin/lockstep}
folder=$(mktemp -d)
session=

# The processes of the run in hand: the session's, since each child of `lockstep
# train` is a process group of its own. (Fields of /proc/PID/stat after the name:
# state, parent, group, session.)
members() {
  sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) [0-9]* [0-9]* '"$session"' .*/\1 \2/p' \
    /proc/[0-9]*/stat 2>/dev/null | sed -n 's/ [^ZX]$//p' || true
}

# Ends them all: while one lives it may still write to the folder.
end_run() {
  [ -n "$session" ] || return 0
  local left
  while left=$(members) && [ -n "$left" ]; do
    # shellcheck disable=SC2086
    kill -KILL $left 2>/dev/null || true
    sleep 0.05
  done
  session=
}

trap 'end_run; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# train OUTPUT [ARGUMENT...]: the exit code of `lockstep train`.
train() {
  local output=$1 code=0
  shift
  setsid "$lockstep" train "$job" --workers "$workers" --threads 1 --output "$folder/$output" \
    --overwrite "$@" >"$folder/out" 2>"$folder/err" &
  session=$!
  wait "$session" || code=$?
  end_run
  return "$code"
}

if ! train calm; then
  echo "the calm run failed:" >&2
  tail -n 20 "$folder/err" >&2
  exit 1
fi
calm=$(sed -n 's/^model sha256: //p' "$folder/out")
printf 'calm: %s\n' "$calm"

good=0
for ((seed = first; seed < first + runs; ++seed)); do
  if train run --chaos "$plan" --chaos-seed "$seed" --calm-sha256 "$calm"; then
    good=$((good + 1))
    printf 'seed %d: equal; %s\n' "$seed" "$(sed -n 's/^chaos (seed [0-9]*): //p' "$folder/out")"
  else
    printf 'seed %d: FAILED\n' "$seed"
    tail -n 20 "$folder/err"
  fi
done
printf '%d of %d equal\n' "$good" "$runs"
[ "$good" -eq "$runs" ]
