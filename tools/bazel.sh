#!/usr/bin/env bash
# Runs Bazel with no more jobs at once than this machine, or this container,
# has processors and memory for.
#
# Usage: tools/bazel.sh COMMAND [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

# A compiler run on gRPC's headers takes up to about 1.5 GiB.
readonly bytes_per_job=$((3 << 29))

# The cgroup's limit in bytes, or the machine's free memory where it has none.
memory_bytes() {
  local limit free
  free=$(awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  if [ "$limit" != max ] && [ "$limit" -lt "$free" ]; then echo "$limit"; else echo "$free"; fi
}

# Processors that this process may use, counting the cgroup's quota.
processors() {
  local quota period
  read -r quota period < <(cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo max 100000)
  if [ "$quota" = max ]; then
    nproc
  else
    local allowed=$(((quota + period - 1) / period))
    if [ "$allowed" -lt "$(nproc)" ]; then echo "$allowed"; else nproc; fi
  fi
}

jobs=$(processors)
by_memory=$(($(memory_bytes) / bytes_per_job))
if [ "$by_memory" -lt "$jobs" ]; then jobs=$by_memory; fi
if [ "$jobs" -lt 1 ]; then jobs=1; fi

# A log gets a line of progress now and then, not one a second.
display=()
[ -t 2 ] || display=(--curses=no --color=no --show_progress_rate_limit=60)

command=$1
shift
# Bazel keeps its output under the home folder, and stops without one.
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"
exec bazel "$command" --jobs="$jobs" "${display[@]}" "$@"
