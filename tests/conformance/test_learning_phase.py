# SPDX-License-Identifier: Apache-2.0
"""Training graphs made inference graphs, held against the same network built for inference."""
import contextlib

import numpy as np
import pytest
from tensorflow.python.ops import control_flow_util

from passes_harness import PassError, names, ops, run, tf, tf2, transform, worst

TRAINING = {"Switch", "RefSwitch", "Merge", "RefMerge", "If", "StatelessIf", "Case", "StatelessCase", "PlaceholderWithDefault",
            "RandomUniform", "PartitionedCall", "StatefulPartitionedCall"}
X = np.random.RandomState(0).randn(4, 6, 6, 3).astype(np.float32)


@contextlib.contextmanager
def control_flow(v2):
    before = control_flow_util.ENABLE_CONTROL_FLOW_V2
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = v2
    try:
        yield
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2 = before


def two(make, v2=False, resource=False):
    """make(training) for a fed phase and for inference with the same values: (training graph with Consts, truth)."""
    rng, values, results = np.random.RandomState(3), None, []
    for training in (True, False):
        with control_flow(v2), tf.Graph().as_default() as g, tf.Session(graph=g) as s:
            with tf.variable_scope("", use_resource=resource):
                phase = tf.placeholder_with_default(False, [], name="is_training") if training else False
                make(tf.placeholder(tf.float32, [4, 6, 6, 3], name="x"), phase)
            variables = tf.global_variables()
            if values is None:
                values = {v.name: rng.uniform(0.3, 2, v.shape).astype(np.float32) for v in variables}
            for v in variables:
                v.load(values[v.name], s)
            if training:
                for collection in (tf.GraphKeys.UPDATE_OPS,):
                    assert tf.get_collection(collection) is not None
            results.append(tf.graph_util.convert_variables_to_constants(s, g.as_graph_def(), ["out"]))
    return results


def check(make, passes="set_learning_phase prune", **more):
    training, truth = two(make, **more)
    out, report = transform(training, passes, ["out"])
    assert not ops(out) & TRAINING, ops(out) & TRAINING
    assert worst(run(out, {"x": X}, ["out"])[0], run(truth, {"x": X}, ["out"])[0]) < 1e-5
    again, _ = transform(out, passes, ["out"])
    assert again == out
    return out, report


def layers_net(fused=True):
    def make(x, phase):
        y = tf.layers.conv2d(x, 4, 3, name="conv")
        y = tf.layers.batch_normalization(y, training=phase, fused=fused, name="bn")
        y = tf.nn.relu(y)
        y = tf.layers.dropout(y, 0.4, training=phase)
        tf.identity(tf.layers.dense(tf.layers.flatten(y), 3, name="dense"), name="out")
    return make


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("resource", [False, True])
def test_layers(fused, v2, resource):
    if v2 and not resource:
        pytest.skip("TensorFlow cannot build updates of reference variables inside If")
    check(layers_net(fused), v2=v2, resource=resource)


def nested(x, phase):
    phase = tf.convert_to_tensor(phase)
    other = tf.constant(True)
    def inner():
        return tf.cond(tf.logical_and(phase, other), lambda: x * 2.0, lambda: tf.cond(tf.logical_not(phase), lambda: x * 3.0, lambda: x * 5.0))
    y = tf.cond(phase, lambda: x - 1.0, inner)
    z = tf.cond(tf.equal(tf.cast(phase, tf.int32), 1), lambda: y + 7.0, lambda: y)
    tf.identity(z, name="out")


@pytest.mark.parametrize("v2", [False, True])
def test_nested(v2):
    check(nested, v2=v2)


def test_merge_order_does_not_matter():
    """Merge's first input is the training side here; value_index is read too."""
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2], name="x")
        phase = tf.placeholder(tf.bool, [], name="keras_learning_phase")
        false, true = tf.raw_ops.Switch(data=x, pred=phase)
        merged, index = tf.raw_ops.Merge(inputs=[true * 10.0, false * 2.0])
        tf.identity(merged + tf.cast(index, tf.float32), name="out")
    out, _ = transform(g.as_graph_def(), "set_learning_phase", ["out"])
    assert not ops(out) & TRAINING and names(out, "Placeholder") == ["x"]
    assert np.allclose(run(out, {"x": np.float32([1, 2])}, ["out"])[0], [3, 5])


def test_case():
    with control_flow(True), tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2], name="x")
        phase = tf.placeholder(tf.bool, [], name="is_training")
        y = tf.switch_case(tf.cast(phase, tf.int32), [lambda: x * 2.0, lambda: x * 3.0])
        tf.identity(y, name="out")
    out, _ = transform(g.as_graph_def(), "set_learning_phase", ["out"])
    assert not ops(out) & TRAINING and len(out.library.function) == 0
    assert np.allclose(run(out, {"x": np.float32([1, 2])}, ["out"])[0], [2, 4])


def test_conditionals_on_data_stay():
    with tf.Graph().as_default() as g, control_flow(False):
        x = tf.placeholder(tf.float32, [2], name="x")
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x), name="out")
    out, _ = transform(g.as_graph_def(), "set_learning_phase", ["out"])
    assert out == g.as_graph_def()


def test_training_only_output_is_refused():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2], name="x")
        phase = tf.placeholder(tf.bool, [], name="is_training")
        tf.identity(tf.raw_ops.Switch(data=x, pred=phase)[1], name="out")
    with pytest.raises(PassError, match="only training computes it"):
        transform(g.as_graph_def(), "set_learning_phase", ["out"])


def test_another_name():
    def make(x, phase):
        if phase is not False:
            phase = tf.placeholder(tf.bool, [], name="my_switch")
        layers_net()(x, phase)
    training, truth = two(make)
    out, _ = transform(training, 'set_learning_phase(name="my_*") prune', ["out"])
    assert not ops(out) & TRAINING
    assert worst(run(out, {"x": X}, ["out"])[0], run(truth, {"x": X}, ["out"])[0]) < 1e-5


@pytest.mark.parametrize("fused", [True, False])
def test_always_training_batch_norms_use_moving_statistics(fused):
    """Built with training=True, frozen by hand with the moving statistics kept in the graph."""
    values, graphs = {}, []
    rng = np.random.RandomState(5)
    for training in (True, False):
        with control_flow(False), tf.Graph().as_default() as g, tf.Session(graph=g) as s:
            x = tf.placeholder(tf.float32, [4, 6, 6, 3], name="x")
            with tf.variable_scope("net", use_resource=False):
                y = tf.layers.conv2d(x, 4, 3, name="conv")
                y = tf.layers.batch_normalization(y, training=training, fused=fused, name="bn")
            with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
                tf.identity(tf.nn.relu(y), name="out")
            for v in tf.global_variables():
                values.setdefault(v.name, rng.uniform(0.3, 2, v.shape).astype(np.float32))
                v.load(values[v.name], s)
            keep = ["out"] + [v.op.name for v in tf.global_variables()]
            gd = g.as_graph_def()
            if training:
                for n in gd.node:   # what freezing replaces: variables by their values, reads stay
                    if n.op == "VariableV2":
                        value = tf.make_tensor_proto(values[n.name + ":0"])
                        n.op = "Const"
                        n.ClearField("attr")
                        n.attr["dtype"].type = 1
                        n.attr["value"].tensor.CopyFrom(value)
            else:
                gd = tf.graph_util.convert_variables_to_constants(s, gd, keep)
        graphs.append(gd)
    out, report = transform(graphs[0], "set_learning_phase prune", ["out"])
    assert not [n for n in out.node if n.op.startswith("Assign")]
    assert report[0]["counts"]["batch_norms_to_moving_statistics"] == 1 and report[0]["counts"]["updates_cut"] >= 1
    assert worst(run(out, {"x": X}, ["out"])[0], run(graphs[1], {"x": X}, ["out"])[0]) < 1e-5


def test_training_batch_norm_without_statistics_is_named():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2, 4, 4, 3], name="x")
        empty = tf.constant([], tf.float32)
        y = tf.raw_ops.FusedBatchNormV3(x=x, scale=[1.0, 1, 1], offset=[0.0, 0, 0], mean=empty, variance=empty, is_training=True)[0]
        tf.identity(y, name="out")
    out, report = transform(g.as_graph_def(), "set_learning_phase", ["out"])
    assert out == g.as_graph_def() and "stays in training mode" in report[0]["notes"][0]["text"]


def test_functions_inside_branches():
    with control_flow(True), tf.Graph().as_default() as g:
        @tf.function
        def scale(v):
            return tf.split(v * 2.0, 2)[1]
        x = tf.placeholder(tf.float32, [4], name="x")
        phase = tf.placeholder_with_default(True, [], name="is_training")
        tf.identity(tf.cond(phase, lambda: x[:2], lambda: scale(x)), name="out")
    out, _ = transform(g.as_graph_def(), "set_learning_phase", ["out"])
    assert not ops(out) & TRAINING
    assert np.allclose(run(out, {"x": np.float32([1, 2, 3, 4])}, ["out"])[0], [6, 8])
