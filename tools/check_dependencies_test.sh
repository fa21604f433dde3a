#!/usr/bin/env bash
# Checks that the C++ files include only what docs/ARCHITECTURE.md, "Who may
# include whom", allows; names each line that does not keep to it. Bazel sees
# to it that what is included is also a declared dependency.
#
# Usage: tools/check_dependencies_test.sh [FOLDER]
#   FOLDER: a checkout; by default the one that this script is part of.
set -euo pipefail
# Bazel runs the script through a link from its own folders.
cd "${1:-$(dirname "$(readlink -f "$0")")/..}"

# Folder (the longest that a file is in counts), then what its files may
# include. "engine" alone stands for the files of that folder, not for those
# of its subfolders; "engine/**" for all.
readonly rules='
engine           engine
engine/kernels   engine engine/kernels/**
engine/autograd  engine engine/kernels engine/autograd
engine/nn        engine engine/kernels engine/autograd engine/nn
engine/optim     engine engine/kernels engine/autograd engine/nn engine/optim
engine/data      engine engine/data/**
engine/model     engine engine/kernels engine/autograd engine/nn engine/optim engine/data/** engine/model lockstep/v1
proto            proto/** lockstep/v1
proto/shared_memory  engine proto/** lockstep/v1
server           server/** engine/** proto/** lockstep/v1
worker           worker/** engine/** proto/** lockstep/v1
client           client/** engine/** proto/** lockstep/v1
'

# What may use gRPC, protobuf, SIMD and OpenMP pragmas: patterns of files.
readonly grpc_files='/(job_service|fake_job_service|worker_service|parameter_server|server_stream|worker|job_client|transport_arguments|grpc_lifetime|hostile_peer|remote_fake_workers|[a-z_]*_codec)(_test)?\.(h|cc)$'
readonly engine_without_proto='^engine/([a-z_.]*$|kernels/|autograd/|nn/|optim/|data/)'

folders=()
for folder in engine proto server worker client; do [ -d "$folder" ] && folders+=("$folder"); done
[ "${#folders[@]}" -gt 0 ] || { echo "check_dependencies_test.sh: no source folders in $PWD" >&2; exit 2; }

grep -rnE --include='*.h' --include='*.cc' '^[[:space:]]*#[[:space:]]*(include|pragma omp)' "${folders[@]}" |
  awk -v rules="$rules" -v grpc_files="$grpc_files" -v engine_without_proto="$engine_without_proto" '
  function folder_of(path) { return match(path, /\/[^\/]*$/) ? substr(path, 1, RSTART - 1) : "" }

  function report(text) { print place ": " text; bad = 1 }

  # The allowed list of the longest folder that `path` is in.
  function allowed_in(path,    folder) {
    for (folder = folder_of(path); folder != ""; folder = folder_of(folder))
      if (folder in allowed) return allowed[folder]
    return ""
  }

  function may_include(path, header,    n, i, list) {
    n = split(allowed_in(path), list, " ")
    for (i = 1; i <= n; ++i) {
      if (list[i] == folder_of(header)) return 1
      if (sub(/\/\*\*$/, "", list[i]) && index(header, list[i] "/") == 1) return 1
    }
    return 0
  }

  BEGIN {
    count = split(rules, lines, "\n")
    for (i = 1; i <= count; ++i)
      if (match(lines[i], /^[^ ]+ +/))
        allowed[substr(lines[i], 1, index(lines[i], " ") - 1)] = substr(lines[i], RLENGTH + 1)
  }

  {
    split($0, part, ":")
    path = part[1]
    place = part[1] ":" part[2]
    ++lines_seen
    if ($0 ~ /pragma omp/) {
      if (path !~ /^engine\/kernels\//) report("#pragma omp, want it in engine/kernels only")
      next
    }
    header = $0
    if (!match(header, /["<][^">]+[">]/)) next
    header = substr(header, RSTART + 1, RLENGTH - 2)
    if (header ~ /^(engine|proto|server|worker|client|tests|bench|lockstep)\//) {
      if (!may_include(path, header)) report("includes " header ", want only: " allowed_in(path))
      if (header ~ /\.grpc\.pb\.h$/ && path !~ grpc_files) report("includes " header ", which is for files that speak gRPC")
    }
    if (header ~ /^grpc(pp)?\// && path !~ grpc_files) report("includes " header ", which is for files that speak gRPC")
    if (header ~ /^google\/protobuf\// && path ~ engine_without_proto) report("includes " header ", want no protobuf outside engine/model")
    if (header ~ /^hwy\// && path !~ /^engine\/kernels\//) report("includes " header ", want it in engine/kernels only")
  }

  END {
    if (lines_seen == 0) { print "no include lines found"; bad = 1 }
    if (!bad) print "checked " lines_seen " lines"
    exit bad
  }'
