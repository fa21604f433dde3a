#!/usr/bin/env bash
# Puts the four Fashion-MNIST files where examples/fashion_mnist/job.yaml looks
# for them: examples/fashion_mnist/data. Takes them from
# $LOCKSTEP_DATA_DIR/fashion-mnist where that is set and holds them (as links),
# otherwise from the authors' repository. Checks every file's SHA-256; a file
# that is there and right is left alone, so it can be run any number of times.
#
# Data: Zalando Research, MIT licence, https://github.com/zalandoresearch/fashion-mnist
set -euo pipefail

address=https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion
target=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/examples/fashion_mnist/data
local_copy=${LOCKSTEP_DATA_DIR:+$LOCKSTEP_DATA_DIR/fashion-mnist}

files="\
3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 train-images-idx3-ubyte.gz
a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 train-labels-idx1-ubyte.gz
346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 t10k-images-idx3-ubyte.gz
67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5 t10k-labels-idx1-ubyte.gz"

sha256_of() { sha256sum <"$1" | cut -d' ' -f1; }

# get NAME WANT: puts one file into place.
get() {
  local name=$1 want=$2 got from
  local path=$target/$name part=$target/$name.part
  if [ -f "$path" ]; then
    got=$(sha256_of "$path")
    if [ "$got" = "$want" ]; then
      echo "$name: there already"
      return
    fi
    echo "$name: there, but its SHA-256 is $got, want $want: fetching it again" >&2
  fi
  rm -f "$part"
  if [ -n "$local_copy" ] && [ -f "$local_copy/$name" ]; then
    ln -s "$(cd "$local_copy" && pwd)/$name" "$part"
    from=$local_copy
  else
    if ! curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 \
      --output "$part" "$address/$name"; then
      rm -f "$part"
      echo "$name: cannot download $address/$name; with a copy of the data set at hand," \
        "set LOCKSTEP_DATA_DIR to the folder that holds fashion-mnist/" >&2
      exit 1
    fi
    from=$address
  fi
  got=$(sha256_of "$part")
  if [ "$got" != "$want" ]; then
    rm -f "$part"
    echo "$name: SHA-256, got $got, want $want; it came from $from" >&2
    exit 1
  fi
  mv -f "$part" "$path"
  echo "$name: from $from"
}

mkdir -p "$target"
while read -r want name; do get "$name" "$want"; done <<<"$files"
echo "Fashion-MNIST is in $target"
