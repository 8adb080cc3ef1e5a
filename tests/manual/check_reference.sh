#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Doxygen reads the headers without a warning, and every exported function has its page: check_reference.sh SOURCE_ROOT
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
sed -e "s#@version@#0#; s#@include@#$1/include/cnnfreeze#; s#@out@#$out#" "$1/docs/Doxyfile.in" >"$out/Doxyfile"
doxygen "$out/Doxyfile" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
count=0
for name in $(sed -n 's/^ *\(cnnf_[a-z_0-9]*\);$/\1/p' "$1/lib/cnnfreeze.map"); do
    [ -f "$out/man/man3/$name.3" ] || { echo "no page of $name"; exit 1; }
    count=$((count + 1))
done
[ $count -gt 200 ] || { echo "only $count functions"; exit 1; }
echo "$count functions have their page"
