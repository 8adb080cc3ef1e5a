#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# Run by OSS-Fuzz with CC, CFLAGS, LIB_FUZZING_ENGINE, SRC, WORK and OUT set: the targets, each with its seeds and its
# dictionary, and the libraries that the runner's image does not have.
here=$(cd "$(dirname "$0")" && pwd)
root=${SRC:?}/libcnnfreeze
[ -d "$root" ] || root=$(cd "$here/../../.." && pwd)
build=${WORK:?}/build

meson setup "$build" "$root" -Ddefault_library=static -Dbuildtype=plain -Dexamples=disabled -Donednn=disabled \
    -Db_lundef=false -Dfuzzing_engine="${LIB_FUZZING_ENGINE:?}"
ninja -C "$build" fuzz_targets

mkdir -p "${OUT:?}/lib"
for program in "$build"/tests/fuzz/fuzz_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    name=$(basename "$program")
    target=${name#fuzz_}
    cp "$program" "$OUT/$name"
    for library in $(ldd "$program" | awk '/=> \// {print $3}'); do
        case "$library" in
        */libc.so.*|*/libm.so.*|*/libdl.so.*|*/libpthread.so.*|*/librt.so.*) ;;
        *) cp -n "$library" "$OUT/lib/" ;;
        esac
    done
    if command -v patchelf >/dev/null; then patchelf --set-rpath '$ORIGIN/lib' "$OUT/$name"; fi
    python3 "$root/tests/fuzz/seeds.py" --copy "$target" "$root" "$WORK/seeds-$target"
    python3 -c 'import shutil, sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])' "$OUT/${name}_seed_corpus" "$WORK/seeds-$target"
    if [ -f "$root/tests/fuzz/dict/$target.dict" ]; then cp "$root/tests/fuzz/dict/$target.dict" "$OUT/$name.dict"; fi
done
