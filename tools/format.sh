#!/usr/bin/env bash
# Formats all C++ files with clang-format 14.
#
# Usage: tools/format.sh [--check]
#   --check: changes nothing; names what is not formatted and exits with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

options=(-i)
case ${1:-} in
  "") ;;
  --check) options=(--dry-run --Werror --ferror-limit=1) ;;
  *)
    echo "format.sh: unknown argument $1, want --check or none" >&2
    exit 2
    ;;
esac

version=$(clang-format --version 2>/dev/null || echo none)
if ! grep -q 'version 14\.' <<<"$version"; then
  echo "format.sh: clang-format is '$version', want version 14 (tools/install_dependencies.sh)" >&2
  exit 1
fi

# Without Git, or in a checkout that belongs to another user, the folder itself is asked.
list_files() {
  git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cc' 2>/dev/null ||
    find . -path ./build -prune -o -name .git -prune -o \
      -type f \( -name '*.h' -o -name '*.cc' \) -print0
}

files=()
while IFS= read -r -d '' file; do
  # Git also lists files that were deleted and not yet committed.
  if [ -f "$file" ]; then files+=("$file"); fi
done < <(list_files)
[ "${#files[@]}" -gt 0 ] || exit 0

if ! printf '%s\0' "${files[@]}" | xargs -0 -n 8 -P "$(nproc)" clang-format "${options[@]}"; then
  echo "format.sh: not formatted; tools/format.sh formats all files" >&2
  exit 1
fi
