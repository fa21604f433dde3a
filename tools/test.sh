#!/usr/bin/env bash
# Runs all tests and ends with one line that counts the test cases:
#   N passed, N failed, N skipped
# Exits with 1 where a test or the build failed, or where no test ran.
#
# Usage: tools/test.sh [BAZEL_OPTION|TARGET...]
#   tools/test.sh                              everything
#   tools/test.sh --config=asan                everything, under AddressSanitizer
#   tools/test.sh //engine/...                 one folder
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install_dependencies.sh

targets=(//...)
for argument in "$@"; do
  case $argument in //* | :* | @*) targets=() ;; esac
done

events=$(mktemp)
trap 'rm -f "$events"' EXIT
status=0
tools/bazel.sh test --keep_going --test_output=errors --build_event_json_file="$events" \
  "$@" "${targets[@]}" </dev/null || status=$?
tools/count_tests.sh "$events" "$status"
