#!/usr/bin/env bash
# From a fresh checkout to a trained model: installs what is missing, builds,
# and trains the digits example on two workers. May be run again at any time.
#
# Usage: tools/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
tools/install_dependencies.sh
installed=$SECONDS
tools/build.sh
built=$SECONDS

echo
echo "\$ build/bin/lockstep train examples/digits/job.yaml --workers 2 --output build/digits --overwrite"
build/bin/lockstep train examples/digits/job.yaml --workers 2 --output build/digits --overwrite
trained=$SECONDS

cat <<END

Took: packages $((installed - started)) s, build $((built - installed)) s, training $((trained - built)) s.

Try next:
  # The same job on three workers of one thread: the model sha256 is the same as above.
  build/bin/lockstep train examples/digits/job.yaml --workers 3 --threads 1 --output build/digits-3 --overwrite

  # The hash of the model's parameters.
  build/bin/lockstep hash build/digits/model.safetensors

  # A cluster by hand: a server, as many workers as you like, a job.
  build/bin/lockstep-server --state-dir build/state --listen 127.0.0.1:7070 &
  build/bin/lockstep-worker --server 127.0.0.1:7070 &
  build/bin/lockstep submit examples/digits/job.yaml --server 127.0.0.1:7070 --watch
END
