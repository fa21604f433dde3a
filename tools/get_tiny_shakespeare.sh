#!/usr/bin/env bash
# Puts the text where examples/char_gpt/job.yaml looks for it:
# examples/char_gpt/data/input.txt. Takes it from
# $LOCKSTEP_DATA_DIR/tinyshakespeare where that is set and holds it (as a link),
# otherwise from the repository that published it. Checks its SHA-256; a file that
# is there and right is left alone.
#
# Text: plays of William Shakespeare, public domain, collected by
# https://github.com/karpathy/char-rnn
set -euo pipefail

address=https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt
want=86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed
target=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/examples/char_gpt/data
local_copy=${LOCKSTEP_DATA_DIR:+$LOCKSTEP_DATA_DIR/tinyshakespeare/input.txt}
path=$target/input.txt
part=$path.part

sha256_of() { sha256sum <"$1" | cut -d' ' -f1; }

mkdir -p "$target"
if [ -f "$path" ] && [ "$(sha256_of "$path")" = "$want" ]; then
  echo "$path: there already"
  exit
fi
rm -f "$part"
if [ -n "$local_copy" ] && [ -f "$local_copy" ]; then
  ln -s "$(realpath "$local_copy")" "$part"
elif ! curl --fail --location --silent --show-error --retry 3 --connect-timeout 20 \
  --output "$part" "$address"; then
  rm -f "$part"
  echo "cannot download $address; with a copy at hand, set LOCKSTEP_DATA_DIR to the folder" \
    "that holds tinyshakespeare/input.txt" >&2
  exit 1
fi
got=$(sha256_of "$part")
if [ "$got" != "$want" ]; then
  rm -f "$part"
  echo "input.txt: SHA-256, got $got, want $want" >&2
  exit 1
fi
mv -f "$part" "$path"
echo "the text is $path"
