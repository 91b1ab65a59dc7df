#!/usr/bin/env bash
# Build the native kernel with the address and undefined-behaviour sanitizers, apart from the working
# tree, and run the cryptography tests on it. Usage: tests/sanitize.sh [pytest options]
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tests/vfl"
cp -r setup.py setup.cfg pyproject.toml $(git ls-files README.md LICENSE) vfl "$work"
cp -r tests/vfl/crypto "$work/tests/vfl"
cd "$work"
rm -f vfl/crypto/_native*.so
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
VFL_NATIVE=1 CXXFLAGS="$flags" LDFLAGS="$flags" python setup.py -q build_ext --inplace
# Python itself keeps memory until it exits: only errors count, not what it never frees. A report goes
# straight to the terminal (--capture=sys), since the process ends with it.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
  ASAN_OPTIONS=detect_leaks=0 python -m pytest tests/vfl/crypto -q -p no:cacheprovider --capture=sys "$@"
