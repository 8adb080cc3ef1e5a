#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds for another processor or C library on Debian 12 and runs the tests there: cross.sh aarch64|musl [--short] [DIR]
#   aarch64   Debian's cross compiler, its arm64 packages in a folder of their own, the test suite under qemu
#   musl      the command as one static binary, tried on a graph and its checkpoint
#   --short   aarch64 without optional parts and with a few test programs; for CI
# DIR: default build/cross/SYSTEM; what was downloaded stays there.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
system=${1:-} short=no
[ $# -gt 0 ] && shift
if [ "${1:-}" = --short ]; then short=yes && shift; fi
mkdir -p "${1:-build/cross/$system}"
dir=$(cd "${1:-build/cross/$system}" && pwd)
ccache=$(command -v ccache || true) # meson asks it for itself only when it does not cross

fail() {
    echo "cross.sh: $*" >&2
    exit 1
}

# apt with package lists of our own, so that the system's stays as it is: as_of ARCH COMMAND...
as_of() {
    arch=$1
    shift
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$dir/apt/parts"
    : >"$dir/apt/empty"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -f "$list" ] && awk '/^Types:/ { print "Types: deb deb-src"; next } { print } sub(/^deb /, "deb-src ")' "$list" >"$dir/apt/parts/$(basename "$list")"
    done
    apt-get -q -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/apt/parts" -o Dir::State::lists="$dir/apt/lists" \
        -o Dir::State::status="$dir/apt/empty" -o Dir::Cache="$dir/apt" -o Dir::Cache::archives="$dir/apt/archives" "$@" \
        >"$dir/apt.log" 2>&1 || { tail -5 "$dir/apt.log"; return 1; }
}

# A root of the packages and all that they need; links that name absolute places are led inside.
sysroot() { # ARCH PACKAGE...
    [ -e "$dir/root/complete" ] && return
    as_of "$1" update
    arch=$1
    shift
    as_of "$arch" install -y --download-only --no-install-recommends "$@"
    mkdir -p "$dir/root"
    for package in "$dir"/apt/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
    find "$dir/root" -type l -lname '/*' | while read -r link; do ln -sfn "$dir/root$(readlink "$link")" "$link"; done
    touch "$dir/root/complete"
}

setup() { # meson arguments
    [ -f "$dir/build/build.ninja" ] || meson setup "$dir/build" --cross-file "$dir/cross.ini" -Dwerror=true "$@"
    ninja -C "$dir/build" >"$dir/build.log" 2>&1 || { tail -30 "$dir/build.log"; return 1; }
}

aarch64() {
    sh tests/install_deps.sh --cross aarch64
    packages='libc6-dev libgcc-12-dev libprotobuf-c-dev check'
    [ $short = yes ] || packages="$packages libhdf5-dev libjansson-dev zlib1g-dev libsnappy-dev libpng-dev libjpeg-dev"
    # shellcheck disable=SC2086
    sysroot arm64 $packages
    cat >"$dir/pkg-config" <<PC
#!/bin/sh
PKG_CONFIG_LIBDIR=$dir/root/usr/lib/aarch64-linux-gnu/pkgconfig:$dir/root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir/root exec pkg-config "\$@"
PC
    chmod +x "$dir/pkg-config"
    cat >"$dir/cross.ini" <<INI
[binaries]
c = [${ccache:+'$ccache',} 'aarch64-linux-gnu-gcc']
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = '$dir/pkg-config'
pkg-config = '$dir/pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$dir/root']
[built-in options]
c_args = ['--sysroot=$dir/root']
c_link_args = ['--sysroot=$dir/root']
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
INI
    export QEMU_LD_PREFIX="$dir/root"
    if [ $short = yes ]; then
        setup -Dauto_features=disabled -Dtests=enabled
        meson test -C "$dir/build" --no-rebuild --print-errorlogs --timeout-multiplier 10 \
            base crc32c num tensor graph graphdef kernels evaluator checkpoint_read checkpoint_write pass_fold
    else
        setup --buildtype=debugoptimized
        meson test -C "$dir/build" --no-rebuild --print-errorlogs --timeout-multiplier 20 --suite unit --suite limits --suite examples --suite headers
    fi
}

# Debian's source of a package with Debian's patches: DIR/PACKAGE-VERSION
source_of() {
    native=$(dpkg --print-architecture)
    as_of "$native" update
    (cd "$dir" && rm -rf "$1"-* && as_of "$native" source "$1")
}

# protobuf-c is one file, and Debian has it for no other C library: protobuf_c CC AR FLAGS...
protobuf_c() {
    [ -f "$dir/protobuf-c/libprotobuf-c.a" ] && return
    source_of protobuf-c
    cc=$1 ar=$2
    shift 2
    mkdir -p "$dir/protobuf-c"
    cp -r "$dir"/protobuf-c-*/protobuf-c "$dir/protobuf-c/include"
    mkdir -p "$dir/protobuf-c/include/protobuf-c"
    cp "$dir/protobuf-c/include"/*.h "$dir/protobuf-c/include/protobuf-c/"
    "$cc" -O2 "$@" -DPACKAGE_VERSION='"1.4.1"' -I"$dir"/protobuf-c/include -c -o "$dir/protobuf-c/protobuf-c.o" "$dir/protobuf-c/include/protobuf-c.c"
    "$ar" rcs "$dir/protobuf-c/libprotobuf-c.a" "$dir/protobuf-c/protobuf-c.o"
    cat >"$dir/protobuf-c/libprotobuf-c.pc" <<PC
Name: libprotobuf-c
Description: protobuf-c for $system
Version: 1.4.1
Libs: -L$dir/protobuf-c -lprotobuf-c
Cflags: -I$dir/protobuf-c/include
PC
}

musl() {
    sh tests/install_deps.sh --cross musl
    protobuf_c musl-gcc ar -fPIC
    cat >"$dir/pkg-config" <<PC
#!/bin/sh
PKG_CONFIG_LIBDIR=$dir/protobuf-c exec pkg-config "\$@"
PC
    chmod +x "$dir/pkg-config"
    cat >"$dir/cross.ini" <<INI
[binaries]
c = [${ccache:+'$ccache',} 'musl-gcc']
ar = 'ar'
strip = 'strip'
pkgconfig = '$dir/pkg-config'
pkg-config = '$dir/pkg-config'
[host_machine]
system = 'linux'
cpu_family = '$(uname -m)'
cpu = '$(uname -m)'
endian = 'little'
INI
    setup -Dauto_features=disabled -Dstatic_tool=true -Ddefault_library=static
    tool=$dir/build/tools/cnnfreeze
    ! ldd "$tool" >/dev/null 2>&1 || fail "the command is not static"
    "$tool" --version
    "$tool" freeze_graph --input_meta_graph=tests/golden/oom/model.ckpt.meta --input_checkpoint=tests/golden/oom/model.ckpt \
        --input_binary=true --output_node_names=dense_1/BiasAdd --output_graph="$dir/frozen.pb"
    "$tool" benchmark_model --graph="$dir/frozen.pb" --input_layer=input_1 --output_layer=dense_1/BiasAdd --max_num_runs=10
    if [ -x build/tools/cnnfreeze ]; then # the same bytes, the same accuracy
        build/tools/cnnfreeze freeze_graph --input_meta_graph=tests/golden/oom/model.ckpt.meta --input_checkpoint=tests/golden/oom/model.ckpt \
            --input_binary=true --output_node_names=dense_1/BiasAdd --output_graph="$dir/wanted.pb" >/dev/null
        cmp "$dir/frozen.pb" "$dir/wanted.pb"
        build/tools/cnnfreeze freeze examples/data/keras_trained_model.h5 "$dir/tutorial.pb" >/dev/null
        accuracy=$("$tool" evaluate --graph="$dir/tutorial.pb" --input_node=input_1 --output_node=activation_6/Softmax --dataset=examples/data/digits_test.csv 2>/dev/null)
        echo "$accuracy"
        [ "$accuracy" = "Graph accuracy with validation dataset: 0.9925" ] || fail "another accuracy"
    fi
    strip -o "$dir/cnnfreeze" "$tool"
    ls -l "$dir/cnnfreeze"
}

# What the tests are written with.
check_for_windows() {
    [ -f "$dir/check/lib/libcheck.a" ] && return
    source_of check
    cat >"$dir/toolchain.cmake" <<CMAKE
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_C_COMPILER $mingw-gcc-posix)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
CMAKE
    {
        cmake -S "$dir"/check-0* -B "$dir/check-build" -DCMAKE_TOOLCHAIN_FILE="$dir/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
            -DCHECK_ENABLE_TESTS=OFF -DCHECK_ENABLE_TIMEOUT_TESTS=OFF -DHAVE_FORK=0 -DCMAKE_INSTALL_PREFIX="$dir/check"
        cmake --build "$dir/check-build" --target install
    } >"$dir/check.log" 2>&1 || { tail -30 "$dir/check.log"; return 1; }
    cat >"$dir/check/check.pc" <<PC
Name: check
Description: check for Windows
Version: 0.15.2
Libs: -L$dir/check/lib -lcheck
Cflags: -I$dir/check/include
PC
}

# The core, the evaluator, checkpoints, graphs, text, ONNX and .gz; tests under wine.
windows() {
    mingw=x86_64-w64-mingw32
    sh tests/install_deps.sh --cross windows
    protobuf_c $mingw-gcc-posix $mingw-ar
    check_for_windows
    cat >"$dir/pkg-config" <<PC
#!/bin/sh
PKG_CONFIG_LIBDIR=$dir/protobuf-c:$dir/check:/usr/$mingw/lib/pkgconfig exec pkg-config "\$@"
PC
    cat >"$dir/wine" <<WINE
#!/bin/sh
WINEPREFIX=$dir/prefix WINEDEBUG=-all WINEPATH='$dir/build/lib;/usr/$mingw/lib' exec /usr/lib/wine/wine64 "\$@"
WINE
    chmod +x "$dir/pkg-config" "$dir/wine"
    cat >"$dir/cross.ini" <<INI
[binaries]
c = [${ccache:+'$ccache',} '$mingw-gcc-posix']
ar = '$mingw-ar'
strip = '$mingw-strip'
windres = '$mingw-windres'
pkgconfig = '$dir/pkg-config'
pkg-config = '$dir/pkg-config'
exe_wrapper = '$dir/wine'
[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
INI
    setup -Dauto_features=disabled -Dgzip=enabled -Dtests=enabled -Dexamples=enabled
    "$dir/wine" wineboot --init >/dev/null 2>&1 || true
    meson test -C "$dir/build" --no-rebuild --print-errorlogs --timeout-multiplier 5 --suite unit --suite limits --suite examples
}

case "$system" in
aarch64 | musl | windows) "$system" ;;
*) fail "usage: cross.sh aarch64|musl|windows [--short] [DIR]" ;;
esac
