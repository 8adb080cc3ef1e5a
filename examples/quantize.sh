#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tutorial goes on: from the Keras model to the graph that the DPU's compiler takes, and its accuracy. Needs build/
# (examples/tutorial.sh makes it) and leaves the results in build/tutorial/quantize/.
set -eu
cd "$(dirname "$0")/.."
cnnfreeze=${CNNFREEZE:-build/tools/cnnfreeze}
out=${1:-build/tutorial}
mkdir -p "$out/quantize"

run() {
    echo "\$ cnnfreeze $*" | sed "s#$out/##g; s#examples/data/##g"
    "$cnnfreeze" "$@"
    echo
}

run freeze examples/data/keras_trained_model.h5 -o "$out/quantize/frozen_graph.pb" --for=vitis-ai
run evaluate --graph="$out/quantize/frozen_graph.pb" --dataset=examples/data/digits_test.csv
run quantize "$out/quantize/frozen_graph.pb" --for=vitis-ai --calibration=examples/data/digits_test.csv \
    --calib_iter=10 --batchsize=32 -o "$out/quantize"
run evaluate --graph="$out/quantize/quantize_eval_model.pb" --output_node=activation_6/Softmax/aquant \
    --dataset=examples/data/digits_test.csv
