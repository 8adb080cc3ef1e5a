#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A meson project that has no cnnfreeze but as its subproject: subproject.sh SOURCE_ROOT
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/project"
cp "$1/tests/consumers/meson_project/meson.build" "$1/tests/consumers/consumer.c" "$out/project"
cp "$1/tests/consumers/consumer.c" "$out/project/consumer.cc"
mkdir "$out/project/subprojects"
ln -s "$1" "$out/project/subprojects/cnnfreeze"
{
    PKG_CONFIG_PATH='' meson setup "$out/build" "$out/project" -Doptimization=0 -Ddebug=false --default-library=static \
        -Dcnnfreeze:tests=disabled -Dcnnfreeze:examples=disabled --auto-features=disabled --force-fallback-for=cnnfreeze &&
        ninja -C "$out/build"
} >"$out/log" 2>&1 || { tail -40 "$out/log"; exit 1; }
for program in consumer_c consumer_cpp; do "$out/build/$program" "$1/tests/golden/oom/graph.pb"; done
