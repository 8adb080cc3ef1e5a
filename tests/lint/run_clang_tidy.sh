#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the library and the command, as .clang-tidy says: run_clang_tidy.sh BUILD [FILE...]
set -eu
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
tidy=$(command -v clang-tidy || command -v clang-tidy-14) || { echo "clang-tidy is not here: skipped"; exit 0; }
# Another system's files are not compiled here. -w: the compiler's own warnings are gcc's business, whose the compile commands are.
{ [ $# -gt 0 ] && printf '%s\n' "$@" || find lib tools -name '*.c' ! -name '*_windows.c' | sort; } |
    xargs -P 2 -n 8 "$tidy" -p "$build" --quiet --extra-arg=-w 2>&1 |
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed ' >"$build/clang-tidy.log" || true
if grep -qE '(warning|error): ' "$build/clang-tidy.log"; then
    cat "$build/clang-tidy.log"
    exit 1
fi
echo "clang-tidy has nothing to say"
