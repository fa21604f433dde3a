#!/usr/bin/env bash
# Builds lockstep, lockstep-server and lockstep-worker into build/bin.
#
# Usage: tools/build.sh [BAZEL_OPTION...]     for example --config=asan
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install_dependencies.sh
tools/bazel.sh build "$@" //server:lockstep-server //worker:lockstep-worker //client:lockstep

# Each file is replaced at once, so that a running program keeps its own.
from=$(tools/bazel.sh info "$@" bazel-bin 2>/dev/null)
mkdir -p build/bin
for binary in server/lockstep-server worker/lockstep-worker client/lockstep; do
  name=${binary##*/}
  install -m 755 "$from/$binary" "build/bin/.$name.new"
  mv -f "build/bin/.$name.new" "build/bin/$name"
done
echo "Built build/bin/lockstep, build/bin/lockstep-server and build/bin/lockstep-worker."
