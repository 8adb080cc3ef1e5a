#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An outside program finds the installed library through pkg-config, as C and as C++: installed.sh BUILD SOURCE_ROOT
set -eu
build=$1 root=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
meson install -C "$build" --no-rebuild --quiet --destdir "$out/root"
pc=$(find "$out/root" -name cnnfreeze.pc)
libdir=$(dirname "$(find "$out/root" -name 'libcnnfreeze.so' | head -n 1)")
export PKG_CONFIG_SYSROOT_DIR="$out/root" PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$pc")
# The sysroot is for our files; the system's own headers stay where they are.
flags=$(pkg-config --cflags --libs cnnfreeze | sed "s#-I$out/root/usr/include\\([^l]\\)#-I/usr/include\\1#g")
cat >"$out/consumer.c" <<'C'
#include <cnnfreeze/cnnfreeze.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    cnnf_context *context = 0;
    cnnf_graph *graph = 0;
    if (argc != 2 || cnnf_context_new(&context, 0, 0) || cnnf_load_file(&graph, context, argv[1], 0, 0)) return 1;
    printf("%s: %d nodes\n", cnnf_version_string(), (int)cnnf_graph_node_count(graph));
    cnnf_graph_unref(graph);
    cnnf_context_unref(context);
    return 0;
}
C
cp "$out/consumer.c" "$out/consumer.cc"
for compiler in "cc $out/consumer.c" "c++ $out/consumer.cc"; do
    # shellcheck disable=SC2086
    $compiler -o "$out/consumer" $flags
    LD_LIBRARY_PATH=$libdir "$out/consumer" "$root/examples/data/keras_trained_model.h5"
done
if command -v cmake >/dev/null; then
    cat >"$out/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(cnnfreeze CONFIG REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer cnnfreeze::cnnfreeze)
C
    cmake -S "$out" -B "$out/cmake" -Dcnnfreeze_DIR="$libdir/cmake/cnnfreeze" >/dev/null
    cmake --build "$out/cmake" >/dev/null
    LD_LIBRARY_PATH=$libdir "$out/cmake/consumer" "$root/examples/data/keras_trained_model.h5"
fi
LD_LIBRARY_PATH=$libdir "$(find "$out/root" -path '*bin/cnnfreeze')" --version
