#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing needs on Debian 12; the only file that knows the packages.
#   install_deps.sh          what is missing of the Debian packages
#   install_deps.sh --fuzz             what fuzzing needs: clang with libFuzzer
#   install_deps.sh --cross SYSTEM     what tests/cross.sh needs
#   install_deps.sh --wheel            what tests/wheel.sh needs
#   install_deps.sh --conformance DIR   a Python environment with the reference tools in DIR
set -eu

build_packages="gcc libc6-dev meson ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev libhdf5-dev
    libjansson-dev zlib1g-dev libsnappy-dev libpng-dev libjpeg-dev libdnnl-dev check python3"
fuzz_packages="clang-14 libclang-rt-14-dev llvm-14"
test_packages="cmake abigail-tools doxygen bash groff clang-tidy clang-format g++ python3-venv python3-dev python3-numpy binutils"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || printf '%s ' "$package"
    done
}

install_packages() {
    wanted=$(missing "$@")
    [ -z "$wanted" ] && return 0
    command -v apt-get >/dev/null || { echo "please install: $wanted" >&2; return 1; }
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    as_root apt-get install -y -q --no-install-recommends $wanted >/dev/null
}

conformance() {
    # The pages that the command writes are opened in a browser.
    install_packages chromium
    # TensorFlow 2.15 is made for Python 3.9 to 3.11; Debian 12 has 3.11.
    base=$(command -v python3.11 || echo python3)
    [ -x "$1/bin/python" ] || "$base" -m venv "$1"
    "$1/bin/python" -c 'import tensorflow, pytest, onnx, onnxruntime, jsonschema' 2>/dev/null ||
        "$1/bin/pip" install -q tensorflow-cpu==2.15.1 numpy==1.26.4 pytest onnx==1.16.2 onnxruntime==1.20.1 jsonschema==4.23.0
}

case "${1:-}" in
--fuzz) install_packages $build_packages $fuzz_packages ;;
--conformance) conformance "$2" ;;
--build) install_packages $build_packages ;;
--cross)
    case "$2" in
    aarch64) install_packages meson ninja-build pkg-config protobuf-c-compiler python3 gcc libc6-dev gcc-aarch64-linux-gnu qemu-user-static ;;
    musl) install_packages meson ninja-build pkg-config protobuf-c-compiler python3 gcc libc6-dev musl-tools dpkg-dev ;;
    windows) install_packages meson ninja-build pkg-config protobuf-c-compiler python3 gcc libc6-dev dpkg-dev cmake make \
        gcc-mingw-w64-x86-64-posix libz-mingw-w64-dev wine64 ;;
    esac ;;
--wheel) install_packages $build_packages python3-venv make dpkg-dev ;;
*) install_packages $build_packages $test_packages ;;
esac
