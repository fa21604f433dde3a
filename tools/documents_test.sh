#!/usr/bin/env bash
# Checks that docs/layers.md and the tables of docs/job_file.md are what
# tools/generate_job_file_docs.py makes of job.proto.
set -euo pipefail
# Bazel runs the script through a link from its own folders.
cd "$(dirname "$(readlink -f "$0")")/.."
python3 tools/generate_job_file_docs.py --check
