# SPDX-License-Identifier: Apache-2.0
"""Batch norms in every form and place, folded: outputs stay what TensorFlow computes from the graph before."""
import numpy as np
import pytest

from passes_harness import graph_pb2, held, names, ops, run, tf, transform, worst

RNG = np.random.RandomState(7)
NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization", "Rsqrt", "Sqrt"}
ARITHMETIC = {"Mul", "Add", "AddV2", "Sub"}


def weights(*shape):
    return tf.constant(RNG.randn(*shape).astype(np.float32) * 0.4)


def statistics(c, signs="mixed"):
    gamma = RNG.uniform(0.5, 1.5, c).astype(np.float32)
    if signs in ("mixed", "dead"):
        gamma[::2] *= -1
    if signs == "negative":
        gamma *= -1
    if signs == "dead":
        gamma[1::3] = 0
    return gamma, RNG.randn(c).astype(np.float32), RNG.randn(c).astype(np.float32), RNG.uniform(0.3, 2, c).astype(np.float32)


def fused(x, signs="mixed", version="V3", data_format="NHWC"):
    c = x.shape[1 if data_format[1] == "C" else -1]
    op = getattr(tf.raw_ops, "FusedBatchNorm" + version)
    return op(x=x, **dict(zip(("scale", "offset", "mean", "variance"), map(tf.constant, statistics(c, signs)))), epsilon=1e-3,
              is_training=False, data_format=data_format)[0]


def keras_chain(x, signs="mixed"):
    gamma, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1]), signs))
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def textbook(x):
    """((x - mean) / sqrt(var + eps)) * gamma + beta."""
    gamma, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    return beta + gamma * ((x - mean) / tf.sqrt(variance + 1e-3))


def swapped(x):
    gamma, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    scale = tf.math.rsqrt(1e-3 + variance)
    return tf.raw_ops.Add(x=beta - scale * mean, y=tf.raw_ops.Mul(x=scale, y=tf.identity(x)))


def without_gamma(x):
    _, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    return tf.nn.batch_normalization(x, mean, variance, beta, None, 1e-3)


def without_beta(x):
    gamma, _, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    return tf.nn.batch_normalization(x, mean, variance, None, gamma, 1e-3)


def power(x):
    gamma, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    return gamma * (x - mean) * tf.pow(variance + 1e-3, -0.5) + beta


def broadcast_parameters(x):
    gamma, beta, mean, variance = (tf.reshape(tf.constant(v), [1, 1, 1, -1]) for v in statistics(int(x.shape[-1])))
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def constants(x):
    """Already folded to two constants."""
    gamma, beta, mean, variance = statistics(int(x.shape[-1]))
    scale = (gamma / np.sqrt(variance + 1e-3)).astype(np.float32)
    return x * scale + (beta - mean * scale)


def global_normalization(x, scale=True):
    gamma, beta, mean, variance = map(tf.constant, statistics(int(x.shape[-1])))
    # Old graphs only; new kernels are gone, so the node is put in by hand and its truth computed here.
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma if scale else None, 1e-3)


def conv(x, filters, kernel=3, padding="SAME", **more):
    return tf.nn.conv2d(x, weights(kernel, kernel, int(x.shape[-1]), filters), padding=padding, **more)


def bias(x):
    return tf.nn.bias_add(x, weights(int(x.shape[-1])))


def image(*shape):
    return tf.placeholder(tf.float32, shape or (2, 9, 9, 3), name="x")


def built(make):
    with tf.Graph().as_default() as g:
        tf.identity(make(), name="out")
    return g.as_graph_def()


def check(make, absorbed=True, passes="fold_batch_norms", tolerance=2e-5):
    """Folds; no norm is left, and when all are absorbed no arithmetic either. The report of the last pass."""
    out, report = held(built(make), passes, ["out"], tolerance=tolerance)
    assert not ops(out) & NORMS, sorted(ops(out))
    items = report[-1]["items"]
    left = ops(out) & ARITHMETIC
    assert bool(left) != absorbed, f"{left}: {report[-1]['notes']}"
    return out, items


# ---- what a batch norm looks like --------------------------------------------------------------

FORMS = [lambda x: fused(x, version=""), lambda x: fused(x, version="V2"), lambda x: fused(x, version="V3"), keras_chain, textbook,
         swapped, without_gamma, without_beta, power, broadcast_parameters, constants]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("behind", [lambda x: x, bias, tf.identity])
def test_forms(form, behind):
    check(lambda: form(behind(conv(image(), 6))))


def test_global_normalization():
    for scaled in (True, False):
        with tf.Graph().as_default() as g:
            x = image()
            y = tf.identity(conv(x, 4), name="y")
            for name, value in zip(("gamma", "beta", "mean", "variance"), statistics(4)):
                tf.constant(value, name=name)
            gamma, beta, mean, variance = (g.get_tensor_by_name(n + ":0") for n in ("gamma", "beta", "mean", "variance"))
            tf.nn.batch_normalization(y, mean, variance, beta, gamma if scaled else None, 1e-3, name="truth")
        truth = g.as_graph_def()
        last = truth.node[-1].name
        old = graph_pb2.GraphDef()
        old.CopyFrom(truth)
        node = old.node.add(name="bn", op="BatchNormWithGlobalNormalization", input=["y", "mean", "variance", "beta", "gamma"])
        node.attr["T"].type, node.attr["variance_epsilon"].f = 1, 1e-3
        node.attr["scale_after_normalization"].b = scaled
        out, _ = transform(old, "fold_batch_norms", ["bn"])
        feeds = {"x": RNG.randn(2, 9, 9, 3).astype(np.float32)}
        assert worst(run(out, feeds, ["bn"])[0], run(truth, feeds, [last])[0]) < 1e-5
        assert not ops(out) & NORMS


# ---- what stands before it ---------------------------------------------------------------------

def conv1d():
    x = tf.placeholder(tf.float32, [2, 12, 3], name="x")
    return keras_chain(tf.nn.conv1d(x, weights(3, 3, 5), 1, "SAME"))


def conv3d():
    x = tf.placeholder(tf.float32, [2, 5, 5, 5, 2], name="x")
    return keras_chain(tf.nn.conv3d(x, weights(2, 2, 2, 2, 4), [1] * 5, "SAME"))


def conv3d_fused():
    x = tf.placeholder(tf.float32, [2, 5, 5, 5, 2], name="x")
    return fused(tf.nn.conv3d(x, weights(2, 2, 2, 2, 4), [1] * 5, "SAME"), data_format="NDHWC")


def transposed():
    return fused(tf.nn.conv2d_transpose(image(), weights(3, 3, 5, 3), [2, 18, 18, 5], 2, "SAME"))


def transposed_3d():
    x = tf.placeholder(tf.float32, [2, 4, 4, 4, 2], name="x")
    return keras_chain(tf.nn.conv3d_transpose(x, weights(2, 2, 2, 3, 2), [2, 8, 8, 8, 3], [1, 2, 2, 2, 1]))


def depthwise(multiplier):
    return lambda: fused(tf.nn.depthwise_conv2d(image(), weights(3, 3, 3, multiplier), [1, 1, 1, 1], "SAME"))


def separable():
    x = tf.nn.depthwise_conv2d(image(), weights(3, 3, 3, 2), [1, 1, 1, 1], "SAME")
    return fused(tf.nn.conv2d(fused(x), weights(1, 1, 6, 4), 1, "SAME"))


def atrous():
    return fused(tf.nn.atrous_conv2d(image(), weights(3, 3, 3, 4), 2, "SAME"))


def atrous_space_to_batch():
    x = tf.space_to_batch_nd(image(2, 8, 8, 3), [2, 2], [[2, 2], [2, 2]])
    x = tf.batch_to_space_nd(conv(x, 4, padding="VALID"), [2, 2], [[0, 0], [0, 0]])
    return fused(x)


def dense():
    return keras_chain(tf.matmul(tf.placeholder(tf.float32, [3, 7], name="x"), weights(7, 5)))


def dense_transposed():
    return keras_chain(tf.matmul(tf.placeholder(tf.float32, [3, 7], name="x"), weights(5, 7), transpose_b=True))


def tensordot():
    x = tf.placeholder(tf.float32, [3, 4, 7], name="x")
    return keras_chain(tf.nn.bias_add(tf.tensordot(x, weights(7, 5), 1), weights(5)))


def batch_matmul():
    x = tf.placeholder(tf.float32, [3, 4, 7], name="x")
    return keras_chain(tf.matmul(x, weights(1, 7, 5)))


def dense_reshaped():
    """DCGAN's generator: dense, reshape, batch norm."""
    x = tf.placeholder(tf.float32, [3, 7], name="x")
    return fused(tf.reshape(bias(tf.matmul(x, weights(7, 3 * 3 * 4))), [-1, 3, 3, 4]))


def add_bias():
    return fused(conv(image(), 4) + weights(4))


def bias_first():
    return fused(tf.raw_ops.Add(x=weights(4), y=conv(image(), 4)))


def concat():
    x = image()
    return fused(tf.concat([conv(x, 4), bias(conv(x, 3)), tf.nn.relu(conv(x, 2))], -1))


def average_pool():
    return fused(tf.nn.avg_pool2d(conv(image(), 4), 3, 2, "SAME"))


def max_pool():
    return fused(tf.nn.max_pool2d(bias(conv(image(), 4)), 3, 2, "SAME"), "positive")


def upsampled():
    return fused(tf.image.resize_nearest_neighbor(conv(image(), 4), [18, 18]))


def two_branches():
    x = image()
    return fused(conv(x, 4) + bias(conv(x, 4)))


def several():
    return fused(keras_chain(fused(conv(image(), 4))))


def several_between():
    return fused(tf.nn.avg_pool2d(tf.identity(fused(conv(image(), 4))), 2, 2, "VALID"))


def transpose():
    return fused(tf.transpose(tf.transpose(conv(image(), 4), [0, 3, 1, 2]), [0, 2, 3, 1]))


def grouped():
    x = image(2, 9, 9, 6)
    return fused(tf.nn.conv2d(x, weights(3, 3, 2, 6), 1, "SAME"))


def mirror_padded():
    return fused(tf.pad(conv(image(), 4), [[0, 0], [1, 1], [2, 2], [0, 0]], "REFLECT"))


@pytest.mark.parametrize("make", [conv1d, conv3d, conv3d_fused, transposed, transposed_3d, depthwise(1), depthwise(3), separable, atrous,
                                  atrous_space_to_batch, dense, dense_transposed, tensordot, batch_matmul, dense_reshaped, add_bias, bias_first,
                                  concat, average_pool, max_pool, upsampled, several, several_between, transpose, mirror_padded])
def test_backward(make):
    _, items = check(make)
    assert all(i["outcome"] != "lowered" for i in items)


def test_residual_sum_takes_it_on_both_sides():
    out, _ = held(built(two_branches), "fold_batch_norms", ["out"])
    assert not ops(out) & NORMS and "Mul" not in ops(out)
    assert len(names(out, "Add", "AddV2")) == 1


def test_grouped_convolution():
    """TensorFlow has no kernel for groups on a processor: the folded weights are looked at."""
    gd = built(grouped)
    out, report = transform(gd, "fold_batch_norms", ["out"])
    assert not ops(out) & NORMS and report[-1]["items"][0]["outcome"] == "backward"


# ---- what stands behind it ---------------------------------------------------------------------

def forward_valid():
    return conv(fused(image()), 4, padding="VALID")


def forward_valid_bias():
    return bias(conv(fused(image()), 4, padding="VALID", strides=2))


def forward_one_by_one():
    return conv(fused(image()), 4, 1, strides=2)


def forward_dense():
    return bias(tf.matmul(keras_chain(tf.placeholder(tf.float32, [3, 7], name="x")), weights(7, 5)))


def forward_dense_transposed():
    return tf.matmul(keras_chain(tf.placeholder(tf.float32, [3, 7], name="x")), weights(5, 7), transpose_b=True)


def forward_flatten():
    return tf.matmul(tf.layers.flatten(fused(tf.nn.sigmoid(image()))), weights(9 * 9 * 3, 5))


def forward_keras_flatten():
    x = fused(tf.nn.sigmoid(image(2, 4, 4, 3)))
    shape = tf.stack([-1, tf.reduce_prod(tf.shape(x)[1:])])
    return tf.matmul(tf.reshape(x, shape), weights(48, 5))


def forward_average():
    return tf.matmul(tf.reduce_mean(fused(tf.nn.sigmoid(image())), [1, 2]), weights(3, 5))


def forward_depthwise():
    return tf.nn.depthwise_conv2d(fused(image()), weights(3, 3, 3, 2), [1, 1, 1, 1], "VALID")


def forward_pool():
    x = tf.nn.avg_pool2d(fused(image()), 2, 2, "SAME")
    return conv(tf.identity(x), 4, padding="VALID")


def forward_max_pool():
    return conv(tf.nn.max_pool2d(fused(image(), "positive"), 2, 2, "SAME"), 4, padding="VALID")


def forward_two_users():
    y = fused(image())
    return tf.concat([conv(y, 4, padding="VALID"), bias(conv(y, 3, padding="VALID"))], -1)


def forward_1d():
    x = tf.placeholder(tf.float32, [2, 12, 3], name="x")
    return tf.nn.conv1d(keras_chain(x), weights(3, 3, 5), 1, "VALID")


def forward_3d():
    x = tf.placeholder(tf.float32, [2, 5, 5, 5, 2], name="x")
    return tf.nn.conv3d(keras_chain(x), weights(2, 2, 2, 2, 4), [1] * 5, "VALID")


@pytest.mark.parametrize("make", [forward_valid, forward_valid_bias, forward_one_by_one, forward_dense, forward_dense_transposed,
                                  forward_flatten, forward_keras_flatten, forward_average, forward_depthwise, forward_pool,
                                  forward_max_pool, forward_two_users, forward_1d, forward_3d])
def test_forward(make):
    _, items = check(make)
    assert [i["outcome"] for i in items] == ["forward"]


# ---- after the activation ----------------------------------------------------------------------

def tutorial(signs, activation=tf.nn.relu, pool=True, pads="SAME"):
    def make():
        n = image(2, 12, 12, 3)
        for filters in (5, 6):
            n = fused(activation(bias(conv(n, filters, padding=pads))), signs)
            n = tf.nn.max_pool2d(n, 2, 2, "VALID") if pool else n
            n = tf.identity(n)
        return bias(tf.matmul(tf.layers.flatten(n), weights(int(np.prod(n.shape[1:])), 5)))
    return make


@pytest.mark.parametrize("signs", ["positive", "negative", "mixed", "dead"])
@pytest.mark.parametrize("activation", [tf.nn.relu, tf.nn.relu6])
@pytest.mark.parametrize("pool", [True, False])
def test_conv_relu_bn(signs, activation, pool):
    out, items = check(tutorial(signs, activation, pool))
    assert sum(i["dead_channels"] for i in items) == (0 if signs != "dead" else 4)
    assert ("MaxPool" in ops(out)) == pool


def test_pool_between():
    """conv, ReLU, MaxPool, BN with negative scales: signs forwards, the rest backwards."""
    def make():
        n = tf.nn.max_pool2d(tf.nn.relu(bias(conv(image(), 5))), 2, 2, "SAME")
        return conv(fused(n, "dead"), 4)
    _, items = check(make)
    assert [i["outcome"] for i in items] == ["both"] and items[0]["bounds_moved"]


def test_relu_bn_with_many_readers():
    """The batch norm's readers do not matter: its values stay."""
    def make():
        y = fused(tf.nn.relu(bias(conv(image(), 3))))
        return tf.nn.softmax(y) * tf.nn.sigmoid(conv(y, 3))
    out, _ = held(built(make), "fold_batch_norms", ["out"])
    assert not ops(out) & NORMS and len(names(out, "Mul")) == 1 and not names(out, "Add")


def test_plain_relu_on_request():
    out, report = held(built(tutorial("positive")), "fold_batch_norms(plain_relu=true)", ["out"])
    assert not ops(out) & (NORMS | {"Maximum", "Minimum"})
    assert [i["outcome"] for i in report[-1]["items"]] == ["lowered", "forward"]


# ---- what stays as Mul and Add, and why --------------------------------------------------------

def test_before_activation_of_a_sum():
    """Pre-activation: BN, ReLU, conv with a residual sum; nothing can take it exactly."""
    def make():
        x = conv(image(), 4)
        y = conv(tf.nn.relu(fused(x)), 4)
        return x + y
    out, items = check(make, absorbed=False)
    assert items[0]["outcome"] == "lowered" and items[0]["reason"]
    assert len(names(out, "Mul")) == 1


def test_on_the_input_of_a_padded_convolution():
    _, items = check(lambda: conv(fused(image()), 4), absorbed=False)
    assert items[0]["outcome"] == "lowered" and "input" not in items[0].get("into", [])


def test_at_the_end_after_softmax():
    check(lambda: keras_chain(tf.nn.softmax(tf.placeholder(tf.float32, [3, 7], name="x"))), absorbed=False)


def test_zero_padding_between():
    def make():
        return fused(tf.pad(conv(image(), 4), [[0, 0], [1, 1], [1, 1], [0, 0]]))
    check(make, absorbed=False)


def test_half_stays():
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float16, [1, 5, 5, 3], name="x")
        gamma, beta, mean, variance = map(tf.constant, statistics(3))
        y = tf.nn.conv2d(x, tf.cast(weights(3, 3, 3, 3), tf.float16), padding="SAME")
        y = tf.raw_ops.FusedBatchNormV3(x=y, scale=gamma, offset=beta, mean=mean, variance=variance, is_training=False)[0]
        tf.identity(y, name="out")
    gd = g.as_graph_def()
    out, report = transform(gd, "fold_batch_norms", ["out"])
    assert out == gd and report[-1]["items"][0]["outcome"] == "kept" and "32 bits" in report[-1]["items"][0]["reason"]


def test_training_mode_stays():
    with tf.Graph().as_default() as g:
        empty = tf.constant([], tf.float32)
        y = tf.raw_ops.FusedBatchNormV3(x=conv(image(), 4), scale=weights(4), offset=weights(4), mean=empty, variance=empty, is_training=True)[0]
        tf.identity(y, name="out")
    gd = g.as_graph_def()
    out, report = transform(gd, "fold_batch_norms", ["out"])
    assert out == gd and "training" in report[-1]["items"][0]["reason"]


# ---- names, sharing, outputs -------------------------------------------------------------------

def test_batch_norm_is_an_output():
    with tf.Graph().as_default() as g:
        tf.identity(fused(conv(image(), 4)), name="other")
    gd = g.as_graph_def()
    name = names(gd, "FusedBatchNormV3")[0]
    out, _ = held(gd, "fold_batch_norms", [name, "other"])
    assert not ops(out) & NORMS and ops(out) & {"BiasAdd"}


def test_convolution_is_an_output():
    with tf.Graph().as_default() as g:
        y = tf.identity(conv(image(), 4), name="conv")
        tf.identity(fused(y), name="out")
    gd = g.as_graph_def()
    out, _ = held(gd, "fold_batch_norms", ["conv", "out"])
    assert not ops(out) & NORMS and "Mul" in ops(out)


def test_control_edges_stay():
    with tf.Graph().as_default() as g:
        y = conv(image(), 4)
        parameters = [tf.constant(v) for v in statistics(4)]
        with tf.control_dependencies([tf.no_op("first")]):
            y = tf.raw_ops.FusedBatchNormV3(x=y, scale=parameters[0], offset=parameters[1], mean=parameters[2], variance=parameters[3],
                                            is_training=False)[0]
        with tf.control_dependencies([y]):
            tf.identity(tf.constant(1.0), name="later")
        tf.identity(y, name="out")
    out, _ = held(g.as_graph_def(), "fold_batch_norms", ["out", "later"])
    present = {n.name for n in out.node}
    waits = {n.name: {i[1:] for i in n.input if i.startswith("^")} for n in out.node}
    assert not ops(out) & NORMS and set().union(*waits.values()) <= present
    assert any("first" in w for w in waits.values()) and len([w for w in waits.values() if w]) >= 2


def test_convolution_with_another_reader():
    """optimize_for_inference scales the convolution for both."""
    def make():
        y = conv(image(), 4)
        return tf.concat([fused(y), y], -1)
    out, items = check(make, absorbed=False)
    assert items[0]["outcome"] == "lowered" and "others use" in items[0]["reason"]


def test_filter_shared_with_a_convolution_without_batch_norm():
    """optimize_for_inference fails with a node that is not found."""
    def make():
        x, w = image(), weights(3, 3, 3, 4)
        return tf.concat([fused(tf.nn.conv2d(x, w, padding="SAME")), tf.nn.conv2d(tf.nn.relu(x), w, padding="SAME")], -1)
    out, _ = check(make)
    assert len([n for n in out.node if n.op == "Const" and n.attr["value"].tensor.tensor_shape.dim[:1] and
                len(n.attr["value"].tensor.tensor_shape.dim) == 4]) == 2


def test_versions_and_functions_stay():
    """optimize_for_inference loses both."""
    with tf.Graph().as_default() as g:
        @tf.function
        def twice(v):
            return v * 2.0
        y = fused(conv(image(), 4))
        tf.identity(twice(y), name="out")
    gd = g.as_graph_def()
    out, _ = transform(gd, "fold_batch_norms", ["out"])
    assert out.versions == gd.versions and len(out.library.function) == len(gd.library.function) > 0
    assert not ops(out) & NORMS
    feeds = {"x": RNG.randn(2, 9, 9, 3).astype(np.float32)}
    assert worst(run(out, feeds, ["out"])[0], run(gd, feeds, ["out"])[0]) < 1e-5


def test_order_of_nodes_does_not_matter():
    gd = built(tutorial("mixed"))
    nodes = list(gd.node)
    for seed in range(3):
        shuffled = graph_pb2.GraphDef()
        shuffled.CopyFrom(gd)
        del shuffled.node[:]
        shuffled.node.extend(nodes[i] for i in np.random.RandomState(seed).permutation(len(nodes)))
        out, _ = held(shuffled, "fold_batch_norms", ["out"], tolerance=2e-5)
        assert not ops(out) & NORMS


def test_other_outputs_are_read():
    """At inference the statistics put out are those put in."""
    def make():
        gamma, beta, mean, variance = map(tf.constant, statistics(4))
        y = tf.raw_ops.FusedBatchNormV3(x=conv(image(), 4), scale=gamma, offset=beta, mean=mean, variance=variance, is_training=False)
        return tf.concat([tf.reshape(v, [-1]) for v in y[:3]], 0)
    check(make)


def test_whole_positions_after_a_reshape_that_splits_channels():
    """Six channels seen as two by three: what does not repeat with the channels cannot go into the convolution."""
    def make():
        x = tf.reshape(conv(image(2, 4, 4, 3), 6), [2, 4, 4, 2, 3])
        return keras_chain(x)
    check(make)


def test_batch_norm_over_a_flattened_image():
    """One scale per position: only the next product can take it."""
    def make():
        x = tf.reshape(tf.nn.sigmoid(image(2, 4, 4, 3)), [-1, 48])
        return bias(tf.matmul(keras_chain(x), weights(48, 5)))
    _, items = check(make)
    assert items[0]["outcome"] == "forward"
    _, items = check(lambda: keras_chain(tf.reshape(conv(image(2, 4, 4, 3), 6), [-1, 96])), absorbed=False)
    assert items[0]["outcome"] == "lowered"


# ---- channels first ----------------------------------------------------------------------------

def runnable(gd):
    """Processors have no NCHW kernels: every such op between two transposes."""
    out = graph_pb2.GraphDef()
    out.versions.CopyFrom(gd.versions)
    for name, perm in (("to_nhwc", [0, 2, 3, 1]), ("to_nchw", [0, 3, 1, 2])):
        node = out.node.add(name=name, op="Const")
        node.attr["dtype"].type = 3
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(perm, tf.int32))

    def transposed(name, source, perm):
        node = out.node.add(name=name, op="Transpose", input=[source, perm])
        node.attr["T"].type, node.attr["Tperm"].type = 1, 3
        return name

    for n in gd.node:
        if n.attr["data_format"].s != b"NCHW":
            out.node.add().CopyFrom(n)
            continue
        node = out.node.add()
        node.CopyFrom(n)
        node.name += "/nhwc"
        node.input[0] = transposed(n.name + "/in", n.input[0], "to_nhwc")
        node.attr["data_format"].s = b"NHWC"
        for key in ("strides", "ksize", "dilations"):
            if key in node.attr:
                i = list(node.attr[key].list.i)
                node.attr[key].list.i[:] = [i[0], i[2], i[3], i[1]]
        transposed(n.name, node.name, "to_nchw")
    return out


def check_nchw(make, absorbed=True):
    gd = built(make)
    out, report = transform(gd, "fold_batch_norms", ["out"])
    feeds = {n.name: RNG.randn(*[d.size for d in n.attr["shape"].shape.dim]).astype(np.float32) for n in gd.node if n.op == "Placeholder"}
    assert worst(run(runnable(out), feeds, ["out"])[0], run(runnable(gd), feeds, ["out"])[0]) < 2e-5
    assert not ops(out) & NORMS and bool(ops(out) & ARITHMETIC) != absorbed, report[-1]["notes"]
    assert transform(out, "fold_batch_norms", ["out"])[0] == out
    return out, report[-1]["items"]


def conv_first(x, filters, padding="SAME", name=None):
    return tf.nn.conv2d(x, weights(3, 3, int(x.shape[1]), filters), padding=padding, data_format="NCHW", name=name)


def bias_nchw(x):
    return tf.nn.bias_add(x, weights(int(x.shape[1])), data_format="NCHW")


def image_first():
    return tf.placeholder(tf.float32, [2, 3, 9, 9], name="x")


def unfused_first(x):
    gamma, beta, mean, variance = (tf.reshape(tf.constant(v), [1, -1, 1, 1]) for v in statistics(int(x.shape[1])))
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def fused_first(x, signs="mixed"):
    return fused(x, signs, data_format="NCHW")


def first_pool():
    y = tf.nn.relu(bias_nchw(conv_first(image_first(), 5)))
    return conv_first(tf.nn.max_pool2d(fused_first(y), 2, 2, "SAME", data_format="NCHW"), 4)


def first_average():
    return tf.matmul(tf.reduce_mean(fused_first(tf.nn.sigmoid(image_first())), [2, 3]), weights(3, 4))


def first_flatten():
    x = fused_first(tf.nn.sigmoid(image_first()))
    shape = tf.stack([-1, tf.reduce_prod(tf.raw_ops.Shape(input=x)[1:])])
    return tf.matmul(tf.reshape(x, shape), weights(3 * 81, 4))


def first_transposed_flatten():
    x = tf.transpose(fused_first(tf.nn.sigmoid(image_first())), [0, 2, 3, 1])
    return tf.matmul(tf.reshape(x, [-1, 243]), weights(243, 4))


def first_from_dense():
    x = tf.placeholder(tf.float32, [3, 7], name="x")
    return fused_first(tf.reshape(tf.nn.bias_add(tf.matmul(x, weights(7, 45)), weights(45)), [-1, 5, 3, 3]))


def first_concat():
    x = image_first()
    return fused_first(tf.concat([conv_first(x, 4), tf.nn.relu(bias_nchw(conv_first(x, 3)))], 1))


@pytest.mark.parametrize("make", [
    lambda: fused_first(conv_first(image_first(), 5)),
    lambda: unfused_first(conv_first(image_first(), 5)),
    lambda: fused_first(bias_nchw(conv_first(image_first(), 5))),
    lambda: fused_first(tf.nn.relu6(bias_nchw(conv_first(image_first(), 5))), "dead"),
    lambda: conv_first(fused_first(image_first()), 4, "VALID"),
    first_pool, first_average, first_flatten, first_transposed_flatten, first_from_dense, first_concat])
def test_channels_first(make):
    check_nchw(make)


def test_channels_first_left_over():
    out, _ = check_nchw(lambda: conv_first(fused_first(image_first()), 4), absorbed=False)
    shapes = [[d.size for d in n.attr["value"].tensor.tensor_shape.dim] for n in out.node if n.op == "Const"]
    assert shapes.count([3, 1, 1]) == 2


def test_what_spreads_its_input_is_no_batch_norm():
    """One channel spread over four, two axes over four: exact, whatever is done."""
    def one_channel():
        x = tf.placeholder(tf.float32, [3, 5, 5, 1], name="x")
        return conv(x * statistics(4)[0] + statistics(4)[1], 2, padding="VALID")

    def more_axes():
        x = tf.placeholder(tf.float32, [3, 4], name="x")
        return tf.matmul(x, weights(4, 4)) * statistics(4)[0].reshape(1, 1, 1, 4) + statistics(4)[1]

    for make in (one_channel, more_axes):
        held(built(make), "fold_batch_norms", ["out"], tolerance=2e-5)


@pytest.mark.parametrize("axes", [(2, 1), (1, 2), (2, 1, 2), (1, 1, 2)])
def test_norms_of_different_axes_in_a_row(axes):
    """Each is a batch norm of its own; those of the last axis fold into the weights before them."""
    def make():
        x = tf.placeholder(tf.float32, [3, 6, 4], name="x")
        y = tf.reshape(tf.matmul(tf.reshape(x, [-1, 4]), weights(4, 5)), [3, 6, 5])
        for axis in axes:
            shape = [1, 6, 1] if axis == 1 else [1, 1, 5]
            gamma, beta, mean, variance = (tf.reshape(tf.constant(v), shape) for v in statistics(shape[axis]))
            y = tf.nn.batch_normalization(y, mean, variance, beta, gamma, 1e-3)
        return y

    check(make, absorbed=False)
