# SPDX-License-Identifier: Apache-2.0
"""TFLite models as TFLite's interpreter runs them: op by op against TensorFlow, whole networks against Keras, and beside
what TensorFlow's own converter makes of the same graphs."""
import numpy as np
import pytest

import export_cases
from export_cases import GOLDEN, NETWORKS, cnnfreeze, golden, saved_network, tf

PASSES = "static_shapes fold_batch_norms fold_constants remove_identity"


def new_interpreter(model, feeds):
    """Sized for the feeds, and filled."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    inputs = {d["name"]: d for d in interpreter.get_input_details()}
    for name, d in inputs.items():
        if tuple(d["shape"]) != feeds[name].shape:
            interpreter.resize_tensor_input(d["index"], feeds[name].shape)
    interpreter.allocate_tensors()
    for name, d in inputs.items():
        interpreter.set_tensor(d["index"], feeds[name])
    return interpreter


def run(model, feeds):
    interpreter = new_interpreter(model, feeds)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


# Of no size the interpreter hands out nothing.
FORMAT = export_cases.Format(lambda graph, outputs: graph.tflite(outputs), run, largest=1e20, sized=False)


@pytest.mark.parametrize("op", export_cases.ops_with(cnnfreeze.tflite_has_op))
def test_op(op):
    FORMAT.check_op(op)


# ---- networks ----


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda p: p.name)
def test_golden_model(folder):
    graph, feeds, wanted = golden(folder)
    try:
        model = graph.transform(PASSES).tflite()
    except cnnfreeze.UnsupportedError as e:
        assert e.node, e
        return
    assert FORMAT.largest_difference(model, feeds, wanted) < 1e-4


def operators(model):
    interpreter = tf.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return [d["op_name"] for d in interpreter._get_ops_details()]


# Networks of which the converter makes fewer operators: HARD_SWISH is not made, nor a constant taken into another.
FEWER_THERE = ("MobileNetV3Small", "EfficientNetB0", "NASNetMobile")


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    """Equal numbers, in no more operators than TensorFlow's converter needs."""
    network, graph, x, y = saved_network(name, tmp_path)
    model = graph.transform(PASSES).tflite()
    assert FORMAT.largest_difference(model, {graph.inputs[0]: x}, [y]) < 1e-4
    theirs = tf.lite.TFLiteConverter.from_keras_model(network).convert()
    if name in FEWER_THERE:
        pytest.xfail(f"{len(operators(model))} operators, the converter's {len(operators(theirs))}")
    assert len(operators(model)) <= len(operators(theirs))


def test_signature(tmp_path):
    """Called by Keras' names, for any batch."""
    network, graph, x, y = saved_network("MobileNetV2", tmp_path, batch=3)
    graph = graph.transform(PASSES)
    graph.write_tflite(tmp_path / "model.tflite")
    runner = tf.lite.Interpreter(model_path=str(tmp_path / "model.tflite")).get_signature_runner("serving_default")
    got = runner(**{network.input_names[0]: x})
    assert list(got) == network.output_names
    assert np.abs(got[network.output_names[0]] - y).max() < 1e-4
