#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ABI of the headers against the one kept in libcnnfreeze.abi: check_abi.sh SOURCE_ROOT [--write]
# Additions are allowed; anything that breaks a program stops the build (docs/abi.md).
set -eu
root=$1 here=$1/tests/abi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

describe() { # INCLUDE_ROOT FILE
    python3 "$here/make_stub.py" "$1" >"$out/stub.c"
    cc -g -O0 -fPIC -shared -I"$1/include" -Wl,--version-script="$1/lib/cnnfreeze.map" -Wl,-soname,libcnnfreeze.so.0 \
        -o "$out/libcnnfreeze.so.0" "$out/stub.c"
    abidw --no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --type-id-style hash --out-file "$2" "$out/libcnnfreeze.so.0"
}

if [ "${2:-}" = --write ]; then
    describe "$root" "$here/libcnnfreeze.abi"
    exit
fi
describe "$root" "$out/now.abi"
abidiff --no-added-syms "$here/libcnnfreeze.abi" "$out/now.abi"

# That the comparison sees what it is for: a parameter changed, a function taken away.
for edit in 's/cnnf_tensor_dim(const cnnf_tensor \*tensor, int32_t axis)/cnnf_tensor_dim(const cnnf_tensor *tensor, int64_t axis)/' \
    's/^CNNF_API int64_t cnnf_tensor_dim(.*;$//'; do
    rm -rf "$out/tree"
    mkdir -p "$out/tree/lib"
    cp -r "$root/include" "$out/tree/"
    cp "$root/lib/cnnfreeze.map" "$out/tree/lib/"
    sed -i "$edit" "$out/tree/include/cnnfreeze/tensor.h"
    describe "$out/tree" "$out/broken.abi"
    if abidiff --no-added-syms "$here/libcnnfreeze.abi" "$out/broken.abi" >/dev/null; then
        echo "check_abi.sh: a break is not seen" >&2
        exit 1
    fi
done
