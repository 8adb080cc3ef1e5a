#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tutorial's whole job with libcnnfreeze alone: Keras H5 -> checkpoint and GraphDef -> frozen graph -> accuracy.
# Installs what is missing, builds into build/, runs on examples/data/ and leaves the results in build/tutorial/.
set -eu
cd "$(dirname "$0")/.."
sh tests/install_deps.sh --build
[ -d build ] || meson setup build >/dev/null
ninja -C build >build/ninja.log 2>&1 || { tail -30 build/ninja.log; exit 1; }

cnnfreeze=build/tools/cnnfreeze
out=build/tutorial
mkdir -p "$out/train" "$out/freeze"

run() {
    echo "\$ cnnfreeze $*" | sed "s#$out/##g; s#examples/data/##g"
    "$cnnfreeze" "$@"
    echo
}

run keras2tf examples/data/keras_trained_model.h5 "$out/train/tfchkpt.ckpt" "$out/train"
run freeze_graph --input_graph="$out/train/tf_complete_model.pb" --input_checkpoint="$out/train/tfchkpt.ckpt" \
    --input_binary=true --output_graph="$out/freeze/frozen_graph.pb" --output_node_names=activation_6/Softmax
run evaluate --graph="$out/freeze/frozen_graph.pb" --input_node=input_1 --output_node=activation_6/Softmax \
    --batchsize=32 --dataset=examples/data/digits_test.csv
