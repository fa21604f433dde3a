#!/usr/bin/env bash
# The program's drawing has the nodes, edges, numbers and direction that it should.
set -euo pipefail
program=$1
drawing=$("$program")
[ "$(grep -c -- '->' <<<"$drawing")" = 8 ] || { echo "want 8 edges in: $drawing" >&2; exit 1; }
[ "$(grep -c 'label=' <<<"$drawing")" = 9 ] || { echo "want 9 nodes in: $drawing" >&2; exit 1; }
grep -q 'rankdir=LR' <<<"$drawing"
grep -q '{ x | data 1.0000 | grad 2.0000 }' <<<"$drawing"
grep -q '{ y | data 3.0000 | grad 1.0000 }' <<<"$drawing"
"$program" --top-to-bottom | grep -q 'rankdir=TB'
status=0
"$program" --sideways 2>/dev/null || status=$?
[ "$status" = 2 ] || { echo "want exit code 2 for a wrong argument, got $status" >&2; exit 1; }
