# SPDX-License-Identifier: Apache-2.0
"""Dropout in every form TensorFlow wrote, removed or scaled, held against TensorFlow's own numbers."""
import numpy as np
import pytest

from passes_harness import PassError, feeds_for, names, ops, run, tf, tf2, transform, worst

RANDOM = {"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"}


def uniform_13(x, shape=None):
    """tf.random_uniform of TensorFlow 1.x: u * (max - min) + min."""
    r = tf.raw_ops.RandomUniform(shape=tf.shape(x) if shape is None else shape, dtype=tf.float32)
    return tf.raw_ops.Add(x=tf.raw_ops.Mul(x=r, y=tf.raw_ops.Sub(x=tf.constant(1.0), y=tf.constant(0.0))), y=tf.constant(0.0))


def floor_1_0(x, keep=0.5, swap=False):
    """TensorFlow 0.x .. 1.12: div(x, keep_prob) * floor(keep_prob + random_uniform)."""
    keep = tf.convert_to_tensor(keep)
    mask = tf.floor(tf.raw_ops.Add(x=keep, y=uniform_13(x)))
    scaled = tf.raw_ops.RealDiv(x=x, y=keep)
    return tf.raw_ops.Mul(x=mask, y=scaled) if swap else tf.raw_ops.Mul(x=scaled, y=mask)


def inverse_0_6(x, keep=0.5):
    """Keras' and TensorFlow's oldest: x * (1 / keep_prob) * floor(...)."""
    inverse = tf.raw_ops.Inv(x=tf.constant(keep))
    return tf.raw_ops.Mul(x=tf.raw_ops.Mul(x=x, y=inverse), y=tf.floor(tf.raw_ops.Add(x=tf.constant(keep), y=uniform_13(x))))


def rate_1_13(x, rate=0.3):
    """TensorFlow 1.13: keep_prob = 1 - rate; x / keep_prob * floor(keep_prob + random)."""
    keep = tf.raw_ops.Sub(x=tf.constant(1.0), y=tf.convert_to_tensor(rate))
    return tf.raw_ops.Mul(x=tf.raw_ops.RealDiv(x=x, y=keep), y=tf.floor(tf.raw_ops.AddV2(x=keep, y=uniform_13(x))))


def cast_1_15(x, rate=0.3):
    """TensorFlow 1.14, 1.15: x * (1 / (1 - rate)) * cast(random >= rate)."""
    rate = tf.convert_to_tensor(rate)
    scale = tf.raw_ops.RealDiv(x=tf.constant(1.0), y=tf.raw_ops.Sub(x=tf.constant(1.0), y=rate))
    mask = tf.cast(tf.raw_ops.GreaterEqual(x=uniform_13(x), y=rate), tf.float32)
    return tf.raw_ops.Mul(x=tf.raw_ops.Mul(x=x, y=scale), y=mask)


def select_v1(x, rate=0.3):
    keep = tf.raw_ops.Less(x=uniform_13(x), y=tf.constant(1 - rate))
    return tf.raw_ops.Select(condition=keep, x=x / (1 - rate), y=tf.zeros_like(x))


def mask_scaled(x, keep=0.6):
    """The scale on the mask's side."""
    mask = tf.raw_ops.RealDiv(x=tf.floor(tf.constant(keep) + uniform_13(x)), y=tf.constant(keep))
    return tf.raw_ops.Mul(x=x, y=mask)


def one_scaled_before(x):
    """Keras 2.2.5 on TensorFlow 1.15: dropout of x * 1."""
    return cast_1_15(tf.raw_ops.Mul(x=x, y=tf.constant(1.0)))


def alpha(x, rate=0.1):
    a_prime = -1.7580993408473766
    kept = tf.cast(uniform_13(x) >= rate, tf.float32)
    a = ((1 - rate) * (1 + rate * a_prime**2)) ** -0.5
    return a * (x * kept + a_prime * (1 - kept)) + (-a * a_prime * rate)


def fed(name, shape=()):
    return tf.placeholder(tf.float32, shape, name=name)


FORMS = {
    "floor": floor_1_0,
    "floor, mask first": lambda x: floor_1_0(x, swap=True),
    "floor, keep_prob fed": lambda x: floor_1_0(x, fed("keep_prob")),
    "floor, keep_prob of unknown rank": lambda x: floor_1_0(x, fed("keep_prob", None)),
    "floor, keep_prob with default": lambda x: floor_1_0(x, tf.placeholder_with_default(0.5, [], name="keep_prob")),
    "inverse": inverse_0_6,
    "rate 1.13": rate_1_13,
    "cast 1.15": cast_1_15,
    "cast, rate fed": lambda x: cast_1_15(x, fed("rate")),
    "scaled by one before": one_scaled_before,
    "select": select_v1,
    "mask scaled": mask_scaled,
    "alpha": alpha,
    "compat.v1 keep_prob": lambda x: tf.nn.dropout(x, keep_prob=0.7),
    "compat.v1 keep_prob fed": lambda x: tf.nn.dropout(x, keep_prob=fed("keep_prob")),
    "compat.v1 rate": lambda x: tf.nn.dropout(x, rate=0.2),
    "compat.v1 noise shape": lambda x: tf.nn.dropout(x, rate=0.2, noise_shape=[2, 1, 1, 3]),
    "v2": lambda x: tf2.nn.dropout(x, 0.25),
    "v2 rate fed": lambda x: tf2.nn.dropout(x, fed("rate")),
    "v2 stateless": lambda x: tf2.nn.experimental.stateless_dropout(x, 0.4, seed=[1, 2]),
    "v2 general": lambda x: tf2.nn.experimental.general_dropout(
        x, 0.4, uniform_sampler=lambda shape, dtype: tf2.random.stateless_uniform(shape, seed=[1, 2], dtype=dtype)),
    "layers": lambda x: tf.layers.dropout(x, 0.3, training=True),
    "layers, training fed": lambda x: tf.layers.dropout(x, 0.3, training=tf.placeholder(tf.bool, [], name="is_training")),
    "small keep": lambda x: tf.nn.dropout(x, rate=0.95),
}


def build(form, depth=1):
    """x + 1 -> dropout(s) -> matrix product, and the same without."""
    graphs = []
    for f in (form, lambda x: x):
        with tf.Graph().as_default() as g:
            tf.set_random_seed(1)
            x = tf.placeholder(tf.float32, [2, 4, 4, 3], name="x")
            y = x
            for i in range(depth):
                y = tf.nn.relu(y)
                with tf.name_scope(f"drop_{i}"):
                    y = f(y)
            w = np.random.RandomState(0).randn(48, 5).astype(np.float32)
            tf.identity(tf.matmul(tf.reshape(y, [-1, 48]), w), name="out")
            graphs.append(g.as_graph_def())
    return graphs


@pytest.mark.parametrize("form", FORMS)
def test_removed(form):
    trained, plain = build(FORMS[form], 1 if "fed" in form or "keep_prob" in form else 2)
    passes = "set_learning_phase remove_dropout prune"
    out, _ = transform(trained, passes, ["out"])
    assert not ops(out) & (RANDOM | {"Floor", "GreaterEqual", "Select", "SelectV2", "Switch", "Merge", "If", "PlaceholderWithDefault"})
    assert names(out, "Placeholder") == ["x"]
    feeds = feeds_for(plain)
    assert worst(run(out, feeds, ["out"])[0], run(plain, feeds, ["out"])[0]) < 1e-6
    again, _ = transform(out, passes, ["out"])
    assert again == out


def test_dropout_is_the_output():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2, 3], name="x")
        tf.nn.dropout(tf.nn.relu(x), rate=0.5, name="drop")
    gd = g.as_graph_def()
    last = gd.node[-1].name
    out, _ = transform(gd, "remove_dropout", [last])
    feeds = feeds_for(gd)
    assert worst(run(out, feeds, [last])[0], np.maximum(feeds["x"], 0)) == 0


@pytest.mark.parametrize("form", [
    lambda x: x * tf.random_uniform(tf.shape(x), 0.5, 1.5),              # augmentation, not dropout
    lambda x: x + tf.random_normal(tf.shape(x)),                         # sampling
    lambda x: tf.where(tf.random_uniform(tf.shape(x)) < 0.5, x, -x),     # random sign
    lambda x: tf.where(tf.random_uniform(tf.shape(x)) < 0.5, x, 2 * x),
])
def test_other_randomness_stays(form):
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2, 3], name="x")
        tf.identity(form(x), name="out")
    out, _ = transform(g.as_graph_def(), "remove_dropout", ["out"])
    assert out == g.as_graph_def()


def classic(x, keep):
    return x * tf.floor(keep + tf.random_uniform(tf.shape(x)))


def test_classic_dropout_scales_the_next_weights():
    rng = np.random.RandomState(0)
    w1, w2 = rng.randn(3, 3, 3, 4).astype(np.float32), rng.randn(64, 5).astype(np.float32)
    graphs = []
    for keep in (0.6, None):
        with tf.Graph().as_default() as g:
            x = tf.placeholder(tf.float32, [2, 4, 4, 3], name="x")
            a = tf.nn.relu(x)
            a = classic(a, keep) if keep else a * 0.6
            a = tf.nn.relu(tf.nn.conv2d(a, w1, padding="SAME"))
            a = tf.nn.max_pool2d(a, 2, 1, "SAME")
            a = classic(a, keep) if keep else a * 0.6
            tf.identity(tf.matmul(tf.reshape(a, [-1, 64]), w2), name="out")
        graphs.append(g.as_graph_def())
    out, _ = transform(graphs[0], "scale_dropout_weights", ["out"])
    assert not ops(out) & RANDOM and "Mul" not in ops(out)
    feeds = feeds_for(graphs[1])
    assert worst(run(out, feeds, ["out"])[0], run(graphs[1], feeds, ["out"])[0]) < 1e-5
    again, _ = transform(out, "scale_dropout_weights", ["out"])
    assert again == out
    # An explicit rate wins.
    out, _ = transform(graphs[0], "scale_dropout_weights(rate=0.4)", ["out"])
    assert worst(run(out, feeds, ["out"])[0], run(graphs[1], feeds, ["out"])[0]) < 1e-5


def test_scaling_is_refused_where_it_is_not_exact():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [2, 4], name="x")
        tf.nn.softmax(classic(x, 0.5), name="out")
    with pytest.raises(PassError, match="cannot be scaled exactly"):
        transform(g.as_graph_def(), "scale_dropout_weights", ["out"])
