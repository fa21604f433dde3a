#!/usr/bin/env bash
# Runs `lockstep train --chaos` under many seeds and counts how many runs end with
# the calm run's bits and an exact ledger. Exit code 0: all did.
#
# Usage: tools/chaos_schedules.sh [-n RUNS] [-s FIRST_SEED] [-j JOB_FILE] [-w WORKERS] [PLAN]
#   Default: 100 runs from seed 1 of examples/digits/chaos.yaml (about 20 s each
#   on two cores) with 3 workers and all five faults.
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
plan=${1:-kill-worker=5s,kill-server=9s,stall-worker=7s,drop-connection=3s,corrupt-shard=0.001}
lockstep=${LOCKSTEP:-build/bin/lockstep}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

good=0
for ((seed = first; seed < first + runs; ++seed)); do
  if "$lockstep" train "$job" --workers "$workers" --threads 1 --output "$folder/run" --overwrite \
      --chaos "$plan" --chaos-seed "$seed" >"$folder/out" 2>"$folder/err"; then
    good=$((good + 1))
    printf 'seed %d: equal; %s\n' "$seed" "$(sed -n 's/^chaos (seed [0-9]*): //p' "$folder/out")"
  else
    printf 'seed %d: FAILED\n' "$seed"
    tail -n 20 "$folder/err"
  fi
done
printf '%d of %d equal\n' "$good" "$runs"
[ "$good" -eq "$runs" ]
