#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Outside programs use the installed library, as C and as C++: installed.sh BUILD SOURCE_ROOT
# by pkg-config (shared and static), by CMake, and beside a host that has functions of protobuf-c's names.
set -eu
build=$1 here=$2/tests/consumers graph=$2/tests/golden/oom/graph.pb
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
meson install -C "$build" --no-rebuild --quiet --destdir "$out/root"
pc=$(find "$out/root" -name cnnfreeze.pc)
libdir=$(dirname "$(find "$out/root" -name 'libcnnfreeze.so' -o -name libcnnfreeze.a | head -n 1)")
prefix=$(dirname "$(dirname "$(find "$out/root" -path '*bin/cnnfreeze')")")
export PKG_CONFIG_PATH LD_LIBRARY_PATH="$libdir"
PKG_CONFIG_PATH=$(dirname "$pc")
cp "$here/consumer.c" "$out/consumer.cc"

fail() {
    echo "installed.sh: $*" >&2
    exit 1
}

try() { # COMMAND...: compiles, and runs what came out
    rm -f "$out/consumer"
    "$@" -o "$out/consumer"
    "$out/consumer" "$graph" >/dev/null || fail "what $* made does not work"
}

# The folder of our headers and nothing else: other packages are none of the user's business.
[ "$(pkg-config --cflags cnnfreeze | wc -w)" = 1 ] || fail "--cflags gives $(pkg-config --cflags cnnfreeze)"
[ "$(pkg-config --modversion cnnfreeze)" = "$("$(find "$out/root" -path '*bin/cnnfreeze')" --version | sed 's/.* //')" ] || fail "versions differ"
shared=$(pkg-config --cflags --libs cnnfreeze) static=$(pkg-config --cflags --libs --static cnnfreeze)
# shellcheck disable=SC2086
try cc "$here/consumer.c" $shared
# shellcheck disable=SC2086
try c++ "$out/consumer.cc" $shared
if [ -f "$libdir/libcnnfreeze.a" ]; then
    # shellcheck disable=SC2086
    static=$(echo " $static" | sed 's/ -lcnnfreeze/ -l:libcnnfreeze.a/')
    # shellcheck disable=SC2086
    try cc "$here/consumer.c" $static
    # shellcheck disable=SC2086
    try c++ "$out/consumer.cc" $static
fi
if [ -f "$libdir/libcnnfreeze.so" ] && ! nm -D --undefined-only "$libdir/libcnnfreeze.so" | grep -q protobuf_c_; then
    # shellcheck disable=SC2086
    try cc -rdynamic "$here/host_protobuf.c" "$here/consumer.c" $shared
fi
if command -v cmake >/dev/null; then
    cmake -S "$here/cmake_project" -B "$out/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCONSUMER_SOURCE="$here/consumer.c" >"$out/log" 2>&1 &&
        cmake --build "$out/cmake" >>"$out/log" 2>&1 || { cat "$out/log"; fail cmake; }
    for program in "$out"/cmake/*_c "$out"/cmake/*_cpp; do "$program" "$graph" >/dev/null || fail "$program"; done
fi
# What came along, and that the command starts.
examples=''
if [ -d "$build/examples" ]; then examples=share/doc/cnnfreeze/examples/02_freeze.c; fi
for file in bin/cnnfreeze bin/freeze_graph share/licenses/cnnfreeze/LICENSE $examples; do
    [ -e "$(find "$out/root" -path "*/$file")" ] || fail "no $file"
done
"$(find "$out/root" -path '*bin/freeze_graph')" --help >/dev/null
echo "pkg-config, CMake and the command work"
