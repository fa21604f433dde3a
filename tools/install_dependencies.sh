#!/usr/bin/env bash
# Installs what is missing of the Debian 12 packages that Lockstep is built
# from. Where nothing is missing it does nothing, and takes a few milliseconds.
#
# Usage: tools/install_dependencies.sh [--cross]
#   --cross   also what tools/cross_check.sh needs to build for ARM and run that
set -euo pipefail

packages=(
  g++                      # compiler, with OpenMP (libgomp)
  libgrpc++-dev            # RPC
  protobuf-compiler-grpc   # grpc_cpp_plugin: C++ services from .proto files
  libprotobuf-dev          # messages
  protobuf-compiler        # protoc
  libabsl-dev              # status, strings, time, synchronisation
  libhwy-dev               # SIMD with run-time dispatch
  libsqlite3-dev           # the server's state
  libyaml-cpp-dev          # job files
  libssl-dev               # SHA-256
  libcli11-dev             # command lines
  zlib1g-dev               # gzipped data files
  libgtest-dev             # tests
  libgmock-dev             # tests
  libbenchmark-dev         # benchmarks
  iproute2                 # networks of tests' own (network_cut_test)
  bazel-bootstrap          # build: Bazel 4.2.3
  bazel-rules-java         # rules that Bazel itself loads
  bazel-rules-proto        # rules that Bazel itself loads
  clang-format             # tools/format.sh
)
if [ "${1:-}" = --cross ]; then
  packages+=(
    g++-aarch64-linux-gnu  # cross compiler
    qemu-user              # runs programs for ARM
  )
fi

fail() {
  echo "install_dependencies.sh: $1" >&2
  exit 1
}

# Names of the packages that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/^installed //p') || true
  printf '%s\n' "${packages[@]}" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

command -v dpkg-query >/dev/null || fail "no dpkg-query here, want Debian 12"
mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -gt 0 ] || exit 0

# Only now: with all packages there, it does not matter where they came from.
release=$(sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"' || true)
id=$(sed -n 's/^ID=//p; s/^VERSION_ID=//p' /etc/os-release 2>/dev/null | tr -d '"\n' || true)
[ "$id" = debian12 ] || [ "$id" = 12debian ] ||
  fail "${release:-unknown system}, want Debian 12; missing here: ${missing[*]}"
command -v apt-get >/dev/null || fail "no apt-get here, want it to install: ${missing[*]}"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "not root and no sudo here, cannot install: ${missing[*]}"
  as_root=(sudo)
fi
# Waits for another apt (at a machine's first boot) instead of failing.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq
  -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)

install_missing() {
  "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" </dev/null
}
update_lists() {
  echo "Updating the package lists (apt-get update)"
  "${apt[@]}" update </dev/null
}

echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
if apt-get -qq --simulate install "${missing[@]}" >/dev/null 2>&1; then
  # Lists too old to name files that the mirror still has are brought up to date.
  install_missing || { update_lists && install_missing; }
else
  update_lists && install_missing
fi || fail "apt-get could not install: ${missing[*]}"
echo "Installed."
