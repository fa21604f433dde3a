#!/usr/bin/env bash
# Proves that 64-bit ARM gives the same bits as this machine: compiles the
# engine by Debian's cross compiler, runs it under qemu's user mode on NEON, SVE
# and SVE2, and compares
#   - the bits of small trainings (tests/determinism) with this machine's, on
#     every instruction set that it has, and
#   - every kernel with its scalar twin (the kernels' tests; --full only, as
#     they take long in an emulator).
# Installs what is missing: the cross compiler and qemu as packages, the
# libraries for ARM into build/cross, where they disturb nothing.
#
# Usage: tools/cross_check.sh [--full] [--steps N]     default: 5 steps
# Exits with 0 when all agree, 1 when not, 2 for a wrong argument.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=5
full=no
while [ $# -gt 0 ]; do
  case "$1" in
    --full) full=yes ;;
    --steps)
      steps=${2:-}
      shift
      ;;
    -h | --help)
      sed -n '2,/^set -e/ { /^set -e/d; s/^# \{0,1\}//; p }' "$0"
      exit 0
      ;;
    *)
      echo "cross_check.sh: got $1, want --full or --steps N" >&2
      exit 2
      ;;
  esac
  shift
done
[[ "$steps" =~ ^[1-9][0-9]*$ ]] || {
  echo "cross_check.sh: --steps: got '$steps', want a number from 1" >&2
  exit 2
}

# What the engine links, for ARM, with what those packages need in turn.
readonly arm_packages=(libabsl-dev libabsl20220623 libhwy-dev libhwy1 libgtest-dev libgmock-dev)
readonly cross=$PWD/build/cross
readonly libraries=$cross/root/usr/lib/aarch64-linux-gnu
readonly runtime=/usr/aarch64-linux-gnu

# Unpacks the libraries for ARM; apt gets lists and folders of its own for it.
fetch_libraries() {
  [ -e "$cross/fetched" ] && return
  echo "Fetching ${#arm_packages[@]} libraries for ARM into build/cross"
  rm -rf "$cross"
  mkdir -p "$cross"/{lists/partial,cache/archives/partial,packages,root}
  : >"$cross/status"
  cat >"$cross/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State::Lists "$cross/lists";
Dir::State::Status "$cross/status";
Dir::Cache "$cross/cache";
CONF
  export APT_CONFIG=$cross/apt.conf
  apt-get -qq update </dev/null
  (cd "$cross/packages" && apt-get -qq download "${arm_packages[@]}" </dev/null)
  unset APT_CONFIG
  for package in "$cross"/packages/*.deb; do dpkg -x "$package" "$cross/root"; done
  touch "$cross/fetched"
}

bazel_arm() {
  local command=$1
  shift
  tools/bazel.sh "$command" --crosstool_top=//third_party/aarch64:toolchain --cpu=aarch64 \
    --symlink_prefix=build/bazel-arm- --linkopt="-L$libraries" \
    --linkopt="-Wl,-rpath-link,$libraries" --noshow_progress --ui_event_filters=-info "$@"
}

# The emulator gets a vector length of its own: SVE's is 128 to 2048 bits.
run_arm() {
  local bits=$1
  shift
  qemu-aarch64 -cpu "max,sve-max-vq=$((bits / 128))" -L "$runtime" \
    -E LD_LIBRARY_PATH="$libraries:$runtime/lib" "$@"
}

tools/install_dependencies.sh --cross
fetch_libraries

tools/bazel.sh build --noshow_progress --ui_event_filters=-info //tests/determinism:small_training
native=$(tools/bazel.sh info bazel-bin 2>/dev/null)/tests/determinism/small_training
"$native" "$steps" >"$cross/here.txt"

bazel_arm build //tests/determinism:small_training
arm_bin=$(bazel_arm info bazel-bin 2>/dev/null)
for bits in 128 256 512; do
  run_arm "$bits" "$arm_bin/tests/determinism/small_training" "$steps" |
    sed "s/ \(sve2\{0,1\}\) / \1-$bits /" >"$cross/arm-$bits.txt"
done

cat "$cross/here.txt" "$cross"/arm-*.txt | sort -u |
  awk '{ if (($1 in hash) && hash[$1] != $4) bad = 1; hash[$1] = $4
         sets[$1] = sets[$1] (index(sets[$1] ",", " " $2 ",") ? "" : (sets[$1] ? ", " : " ") $2) }
       { print > "/dev/stderr" }
       END { if (bad) exit 1
             for (name in hash) print name ":" sets[name] ": " hash[name] }' \
    2>"$cross/all.txt" | sort || {
  echo "cross_check.sh: the bits differ:" >&2
  cat "$cross/all.txt" >&2
  exit 1
}

if [ "$full" = yes ]; then
  tests=$(tools/bazel.sh query --noshow_progress 'kind(cc_test, //engine/kernels:all)' 2>/dev/null)
  # shellcheck disable=SC2086
  bazel_arm build $tests
  for test in $tests; do
    echo "On ARM: $test"
    run_arm 256 "$arm_bin/engine/kernels/${test##*:}" --gtest_brief=1
  done
fi
echo "ARM and this machine agree."
