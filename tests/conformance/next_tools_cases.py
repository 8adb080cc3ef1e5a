# SPDX-License-Identifier: Apache-2.0
"""Small graphs, one question to a next tool each: written by TensorFlow, frozen, with inputs and outputs.

    python next_tools_cases.py DIR      writes DIR/CASE/{graph.pb,x0.npy,y0.npy,case.json}
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
raw = tf.raw_ops
R = np.random.RandomState(7)


def w(*shape):
    return tf.constant((R.standard_normal(shape) * 0.4).astype(np.float32))


def conv(x, out=4, k=3, padding="SAME", strides=1, name=None, **more):
    return tf.nn.conv2d(x, w(k, k, x.shape[-1], out), strides, padding, name=name, **more)


IMAGE, WIDE, VECTOR, ROWS, VOLUME = (None, 6, 8, 4), (None, 7, 9, 3), (None, 10), (None, 5, 4), (None, 4, 5, 6, 2)
CASES = {}


def case(name, *shapes, **more):
    def add(f):
        CASES[name] = (shapes, f, more)
        return f
    return add


def one(name, f, *shapes, **more):
    CASES[name] = (shapes or (IMAGE,), f, more)


# ---- element by element, of images, after a convolution, of vectors ----
UNARY = {
    "Relu": tf.nn.relu, "Relu6": tf.nn.relu6, "Elu": tf.nn.elu, "Selu": tf.nn.selu, "Softplus": tf.nn.softplus,
    "Softsign": tf.nn.softsign, "Tanh": tf.tanh, "Sigmoid": tf.sigmoid, "Exp": tf.exp, "Abs": tf.abs, "Neg": tf.negative,
    "Square": tf.square, "Sqrt": lambda x: tf.sqrt(tf.abs(x)), "Rsqrt": lambda x: tf.math.rsqrt(tf.abs(x) + 1.0),
    "Log": lambda x: tf.math.log(tf.abs(x) + 1.0), "Sin": tf.sin, "Cos": tf.cos, "Floor": tf.floor, "Ceil": tf.math.ceil,
    "Round": tf.round, "Sign": tf.sign, "Erf": tf.math.erf, "Log1p": lambda x: tf.math.log1p(tf.abs(x)),
    "Expm1": tf.math.expm1, "Reciprocal": lambda x: tf.math.reciprocal(tf.abs(x) + 1.0), "LeakyRelu": tf.nn.leaky_relu,
    "Softmax": tf.nn.softmax, "LogSoftmax": tf.nn.log_softmax, "Swish": lambda x: x * tf.sigmoid(x),
    "Gelu": lambda x: tf.nn.gelu(x), "GeluTanh": lambda x: tf.nn.gelu(x, approximate=True), "Sinh": tf.sinh,
    "HardSwish": lambda x: x * tf.nn.relu6(x + 3.0) * np.float32(1 / 6), "Tan": tf.tan, "Asinh": tf.asinh, "Atan": tf.atan,
    "HardSigmoid": lambda x: tf.clip_by_value(x * 0.2 + 0.5, 0.0, 1.0),
    "ClipMaxMin": lambda x: tf.maximum(tf.minimum(x, 1.5), 0.0), "ClipMinMax": lambda x: tf.minimum(tf.maximum(x, -0.5), 1.5),
    "ReluMax3": lambda x: tf.minimum(tf.nn.relu(x), 3.0), "MaximumConst": lambda x: tf.maximum(x, 0.3),
    "MinimumConst": lambda x: tf.minimum(x, 0.3), "ThresholdedRelu": lambda x: x * tf.cast(x > 0.5, tf.float32),
    "PRelu": lambda x: tf.nn.relu(x) - w(int(x.shape[-1])) * tf.nn.relu(-x), "PowConst": lambda x: tf.pow(tf.abs(x), 2.0),
    "EluSelect": lambda x: raw.Select(condition=x > 0.0, x=tf.nn.elu(x), y=0.7 * tf.nn.elu(x)),
    "EluSelectV2": lambda x: raw.SelectV2(condition=x > 0.0, t=tf.nn.elu(x), e=tf.constant(0.7) * tf.nn.elu(x)),
    "LeakyMaximum": lambda x: tf.maximum(0.1 * x, x), "LeakySub": lambda x: tf.nn.relu(x) - 0.1 * tf.nn.relu(-x),
    "SoftmaxChain": lambda x: tf.exp(x - tf.reduce_max(x, -1, keepdims=True)) / tf.reduce_sum(
        tf.exp(x - tf.reduce_max(x, -1, keepdims=True)), -1, keepdims=True),
}
for n, f in UNARY.items():
    one("image_" + n, f)
    one("conv_" + n, lambda x, f=f: conv(f(conv(x)), 3))
    one("vector_" + n, f, VECTOR)
for n in ("Relu", "Softmax", "Sigmoid", "PRelu", "HardSigmoid"):
    one("rows_" + n, UNARY[n], ROWS)
for axis in (1, 2):
    one(f"softmax_axis{axis}", lambda x, a=axis: tf.nn.softmax(x, a))

# ---- with a constant ----
CONST = {
    "scalar": lambda x: tf.constant(0.7), "channels": lambda x: w(int(x.shape[-1])), "one": lambda x: w(1),
    "full": lambda x: w(*x.shape[1:]), "1111": lambda x: tf.reshape(w(1), [1] * len(x.shape)),
    "111c": lambda x: tf.reshape(w(int(x.shape[-1])), [1] * (len(x.shape) - 1) + [-1]),
}
TWO = {"Add": raw.Add, "AddV2": raw.AddV2, "Sub": raw.Sub, "Mul": raw.Mul, "RealDiv": raw.RealDiv, "Maximum": raw.Maximum,
       "Minimum": raw.Minimum, "SquaredDifference": raw.SquaredDifference}
for n, f in TWO.items():
    for m, c in CONST.items():
        one(f"image_{n}_{m}", lambda x, f=f, c=c: f(x=x, y=c(x)))
    one(f"conv_{n}_channels", lambda x, f=f: f(x=conv(x), y=w(4)))
    one(f"conv_{n}_channels_relu", lambda x, f=f: tf.nn.relu(f(x=conv(x), y=w(4))))
    one(f"conv_{n}_scalar_conv", lambda x, f=f: conv(f(x=conv(x), y=tf.constant(0.3))))
    one(f"image_const_{n}", lambda x, f=f: f(x=tf.constant(0.7), y=tf.abs(x) + 1.0))
    one(f"vector_{n}_channels", lambda x, f=f: f(x=x, y=w(10)), VECTOR)
    one(f"vector_{n}_scalar", lambda x, f=f: f(x=x, y=tf.constant(0.7)), VECTOR)
    one(f"rows_{n}_channels", lambda x, f=f: f(x=x, y=w(4)), ROWS)
    one(f"image_{n}_image", lambda x, f=f: f(x=conv(x), y=tf.abs(conv(x)) + 1.0))
    one(f"image_{n}_pixels", lambda x, f=f: f(x=conv(x), y=tf.abs(conv(x, 1)) + 1.0))
    one(f"image_{n}_gate", lambda x, f=f: f(x=x, y=tf.abs(tf.reduce_mean(x, [1, 2], keepdims=True)) + 1.0))
    one(f"vector_{n}_vector", lambda x, f=f: f(x=tf.matmul(x, w(10, 6)), y=tf.abs(tf.matmul(x, w(10, 6))) + 1.0), VECTOR)
    one(f"two_inputs_{n}", lambda x, y, f=f: f(x=x, y=y + 3.0), IMAGE, IMAGE)
one("bias_add", lambda x: tf.nn.bias_add(x, w(4)))
one("vector_bias_add", lambda x: tf.nn.bias_add(x, w(10)), VECTOR)
one("rows_bias_add", lambda x: tf.nn.bias_add(x, w(4)), ROWS)
one("addn2", lambda x: tf.add_n([conv(x), conv(x)]))
one("addn3", lambda x: tf.add_n([conv(x), conv(x), conv(x)]))
one("relu_of_add", lambda x: tf.nn.relu(conv(x) + conv(x)))
one("mul_add", lambda x: tf.nn.relu(x) * w(4) + w(4))
one("mul_bias_add", lambda x: tf.nn.bias_add(tf.nn.relu(x) * w(4), w(4)))
one("mul_add_conv", lambda x: conv(tf.nn.relu(x) * w(4) + w(4)))
one("mul_add_branches", lambda x: (lambda m: m + w(4) + tf.nn.relu(m))(tf.nn.relu(x) * w(4)))

# ---- convolutions ----
for padding in ("SAME", "VALID"):
    for strides in (1, 2, 3):
        for k in (1, 2, 3, 5):
            one(f"conv_{padding}_s{strides}_k{k}", lambda x, p=padding, s=strides, k=k: conv(x, 5, k, p, s), WIDE)
    one(f"conv_bias_{padding}", lambda x, p=padding: tf.nn.bias_add(conv(x, 5, 3, p), w(5)), WIDE)
    for dilation in (2, 3):
        one(f"conv_{padding}_d{dilation}", lambda x, p=padding, d=dilation: conv(x, 5, 3, p, dilations=d), WIDE)
    for m in (1, 2):
        for s in (1, 2):
            one(f"depthwise_{padding}_m{m}_s{s}",
                lambda x, p=padding, m=m, s=s: tf.nn.depthwise_conv2d(x, w(3, 3, 3, m), [1, s, s, 1], p), WIDE)
        one(f"depthwise_bias_{padding}_m{m}", lambda x, p=padding, m=m: tf.nn.relu(tf.nn.bias_add(
            tf.nn.depthwise_conv2d(x, w(3, 3, 3, m), [1, 1, 1, 1], p), w(3 * m))), WIDE)
    one(f"depthwise_{padding}_d2", lambda x, p=padding: raw.DepthwiseConv2dNative(
        input=x, filter=w(3, 3, 3, 1), strides=[1, 1, 1, 1], padding=p, dilations=[1, 2, 2, 1]), WIDE)
    one(f"depthwise1_{padding}", lambda x, p=padding: tf.nn.bias_add(
        tf.nn.depthwise_conv2d(x, w(1, 1, 3, 1), [1, 1, 1, 1], p), w(3)), WIDE)
    for s in (1, 2):
        for k in (2, 3, 4):
            def transposed(x, p=padding, s=s, k=k):
                size = [d * s + (max(k - s, 0) if p == "VALID" else 0) for d in (7, 9)]
                return tf.nn.conv2d_transpose(x, w(k, k, 5, 3), [2] + size + [5], s, p)
            one(f"transposed_{padding}_s{s}_k{k}", transposed, (2, 7, 9, 3))

            def transposed_open(x, p=padding, s=s, k=k):
                size = [d * s + (max(k - s, 0) if p == "VALID" else 0) for d in (7, 9)]
                return tf.nn.bias_add(tf.nn.conv2d_transpose(
                    x, w(k, k, 5, 3), tf.stack([tf.shape(x)[0]] + size + [5]), s, p), w(5))
            one(f"transposed_open_{padding}_s{s}_k{k}", transposed_open, WIDE)
    one(f"conv3d_{padding}", lambda x, p=padding: tf.nn.conv3d(x, w(3, 3, 3, 2, 4), [1, 1, 1, 1, 1], p), VOLUME)
    one(f"conv1d_{padding}", lambda x, p=padding: tf.nn.conv1d(x, w(3, 4, 6), 1, p), ROWS)
one("conv_explicit", lambda x: conv(x, 5, 3, [[0, 0], [1, 2], [0, 1], [0, 0]]), WIDE)
one("conv_groups", lambda x: tf.nn.conv2d(x, w(3, 3, 2, 6), 1, "SAME"))
one("conv_strides_23", lambda x: conv(x, 5, 3, "SAME", [2, 3]), WIDE)
one("conv_shared", lambda x: (lambda k: tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(x, k, 1, "SAME")), k, 1, "SAME"))(w(3, 3, 4, 4)))
one("pad_conv", lambda x: conv(tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]]), 5, 3, "VALID"), WIDE)
one("pad_uneven_conv", lambda x: conv(tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]]), 5, 3, "VALID", 2), WIDE)
one("pad", lambda x: tf.pad(conv(x), [[0, 0], [1, 2], [3, 0], [0, 0]]), WIDE)
one("pad_channels", lambda x: tf.pad(conv(x), [[0, 0], [0, 0], [0, 0], [1, 2]]), WIDE)
one("pad_input", lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]), WIDE)
one("pad_rows", lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]), ROWS)
one("padv2", lambda x: tf.pad(conv(x), [[0, 0], [1, 2], [3, 0], [0, 0]], constant_values=1.0), WIDE)
one("mirror_reflect", lambda x: tf.pad(conv(x), [[0, 0], [1, 2], [2, 0], [0, 0]], "REFLECT"), WIDE)
one("mirror_symmetric", lambda x: tf.pad(conv(x), [[0, 0], [1, 2], [2, 0], [0, 0]], "SYMMETRIC"), WIDE)
one("space_to_batch", lambda x: raw.BatchToSpaceND(input=conv(raw.SpaceToBatchND(
    input=x, block_shape=[2, 2], paddings=[[2, 2], [2, 2]]), 5, 3, "VALID"), block_shape=[2, 2], crops=[[0, 0], [0, 0]]))
one("space_to_batch_bias", lambda x: tf.nn.bias_add(raw.BatchToSpaceND(input=conv(raw.SpaceToBatchND(
    input=x, block_shape=[2, 2], paddings=[[2, 2], [2, 2]]), 5, 3, "VALID"), block_shape=[2, 2], crops=[[0, 0], [0, 0]]), w(5)))
one("space_to_batch_crop", lambda x: raw.BatchToSpaceND(input=conv(raw.SpaceToBatchND(
    input=x, block_shape=[2, 2], paddings=[[2, 3], [2, 3]]), 5, 3, "VALID"), block_shape=[2, 2], crops=[[0, 1], [0, 1]]), WIDE)
one("depth_to_space", lambda x: tf.nn.depth_to_space(conv(x, 8), 2))
one("space_to_depth", lambda x: tf.nn.space_to_depth(conv(x), 2))

# ---- batch norms ----


def norm(x, c, op="FusedBatchNormV3", training=False):
    return getattr(raw, op)(x=x, scale=w(c) + 1.0, offset=w(c), mean=w(c) if not training else [],
                            variance=tf.abs(w(c)) + 0.5 if not training else [], epsilon=1e-3, is_training=training)[0]


for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
    one("norm_" + op, lambda x, op=op: norm(x, 4, op))
    one("conv_norm_relu_" + op, lambda x, op=op: tf.nn.relu(norm(conv(x), 4, op)))
    one("norm_conv_" + op, lambda x, op=op: conv(norm(tf.nn.relu(conv(x)), 4, op)))
one("norm_training", lambda x: norm(x, 4, training=True), tolerance=2e-3)
one("norm_pool", lambda x: norm(tf.nn.max_pool2d(tf.nn.relu(conv(x)), 2, 2, "SAME"), 4))
one("norm_depthwise2", lambda x: norm(tf.nn.bias_add(tf.nn.depthwise_conv2d(x, w(3, 3, 4, 2), [1, 1, 1, 1], "SAME"), w(8)), 8))
one("norm_dense", lambda x: tf.nn.relu((tf.nn.bias_add(tf.matmul(x, w(10, 6)), w(6)) - w(6)) * (w(6) + 1.0) + w(6)), VECTOR)
one("norm_vector", lambda x: tf.nn.relu(x) * (w(10) + 1.0) + w(10), VECTOR)
one("norm_shared", lambda x: (lambda c: norm(c, 4) + tf.nn.relu(c))(conv(x)))
one("lrn", lambda x: tf.nn.local_response_normalization(conv(x)))
one("l2_normalize", lambda x: tf.nn.l2_normalize(conv(x), -1))
one("moments", lambda x: (x - tf.reduce_mean(x, [1, 2], keepdims=True)) * tf.math.rsqrt(
    tf.reduce_mean(tf.math.squared_difference(x, tf.reduce_mean(x, [1, 2], keepdims=True)), [1, 2], keepdims=True) + 1e-3))
one("layer_norm", lambda x: (x - tf.reduce_mean(x, [3], keepdims=True)) * tf.math.rsqrt(
    tf.reduce_mean(tf.math.squared_difference(x, tf.reduce_mean(x, [3], keepdims=True)), [3], keepdims=True) + 1e-3))

# ---- pools and reductions ----
for padding in ("SAME", "VALID"):
    for k, s in ((2, 2), (3, 2), (3, 1)):
        one(f"max_pool_{padding}_{k}{s}", lambda x, p=padding, k=k, s=s: tf.nn.max_pool2d(conv(x), k, s, p), WIDE)
        one(f"avg_pool_{padding}_{k}{s}", lambda x, p=padding, k=k, s=s: tf.nn.avg_pool2d(conv(x), k, s, p), WIDE)
    one(f"max_pool3d_{padding}", lambda x, p=padding: tf.nn.max_pool3d(x, 2, 2, p), VOLUME)
    one(f"avg_pool3d_{padding}", lambda x, p=padding: tf.nn.avg_pool3d(x, 2, 2, p), VOLUME)
for n, f in (("mean", tf.reduce_mean), ("sum", tf.reduce_sum), ("max", tf.reduce_max), ("min", tf.reduce_min),
             ("prod", tf.reduce_prod)):
    for axes in ([1, 2], [1], [2], [3], [2, 1], [1, 2, 3], [-1], [-3, -2], [2, 3]):
        for keep in (False, True):
            label = "".join(str(a) for a in axes)
            one(f"{n}_{label}_{'keep' if keep else 'drop'}", lambda x, f=f, a=axes, k=keep: f(conv(x), a, keepdims=k), WIDE)
    one(f"{n}_rows", lambda x, f=f: f(x, 1), ROWS)
    one(f"{n}_vector", lambda x, f=f: f(x, 1, keepdims=True), VECTOR)
one("mean_dense", lambda x: tf.matmul(tf.reduce_mean(conv(x), [1, 2]), w(4, 5)), WIDE)
one("argmax", lambda x: tf.cast(tf.argmax(x, 1), tf.float32), VECTOR)
one("global_max_dense", lambda x: tf.matmul(tf.reduce_max(conv(x), [1, 2]), w(4, 5)), WIDE)

# ---- shape and place ----
one("flatten_dense", lambda x: tf.nn.bias_add(tf.matmul(tf.reshape(tf.nn.relu(conv(x)), [-1, 192]), w(192, 5)), w(5)))
one("flatten", lambda x: tf.reshape(conv(x), [-1, 192]))
one("flatten_input", lambda x: tf.reshape(x, [-1, 192]))
one("flatten_shape", lambda x: tf.reshape(x, tf.stack([-1, tf.reduce_prod(tf.shape(x)[1:])])))
one("flatten_stack", lambda x: tf.reshape(conv(x), tf.stack([tf.shape(x)[0], -1])))
one("reshape4", lambda x: tf.reshape(conv(x), [-1, 3, 16, 4]))
one("reshape4_conv", lambda x: conv(tf.reshape(conv(x), [-1, 12, 4, 4])))
one("reshape4_channels", lambda x: tf.reshape(conv(x), [-1, 6, 4, 8]))
one("reshape3", lambda x: tf.reshape(conv(x), [-1, 48, 4]))
one("reshape_vector4", lambda x: conv(tf.reshape(tf.matmul(x, w(10, 48)), [-1, 4, 3, 4])), VECTOR)
one("reshape_vector3", lambda x: tf.reshape(x, [-1, 5, 2]), VECTOR)
one("reshape_rows2", lambda x: tf.reshape(x, [-1, 20]), ROWS)
one("reshape_rows_dense", lambda x: tf.reshape(tf.matmul(tf.reshape(x, [-1, 4]), w(4, 6)), [-1, 5, 6]), ROWS)
one("reshape_11c", lambda x: tf.reshape(tf.reduce_mean(conv(x), [1, 2]), [-1, 1, 1, 4]))
one("gate", lambda x: (lambda c: c * tf.sigmoid(tf.reshape(tf.matmul(tf.reduce_mean(c, [1, 2]), w(4, 4)), [-1, 1, 1, 4])))(conv(x)))
one("gate_conv", lambda x: (lambda c: c * tf.sigmoid(conv(tf.reduce_mean(c, [1, 2], keepdims=True), 4, 1)))(conv(x)))
one("squeeze", lambda x: tf.squeeze(tf.reduce_mean(conv(x), [1, 2], keepdims=True), [1, 2]))
one("squeeze_1", lambda x: tf.squeeze(tf.reduce_mean(conv(x), [1], keepdims=True), [1]))
one("squeeze_all", lambda x: tf.squeeze(tf.reduce_mean(conv(x), [1, 2], keepdims=True)))
one("expand_rows", lambda x: tf.expand_dims(x, 1), ROWS)
one("expand_vector", lambda x: tf.expand_dims(x, 1), VECTOR)
one("expand_conv", lambda x: conv(tf.expand_dims(x, 2)), ROWS)
one("transpose_nchw", lambda x: tf.transpose(conv(x), [0, 3, 1, 2]))
one("transpose_back", lambda x: conv(tf.transpose(tf.nn.relu(tf.transpose(conv(x), [0, 3, 1, 2])), [0, 2, 3, 1])))
one("transpose_hw", lambda x: tf.transpose(conv(x), [0, 2, 1, 3]))
one("transpose_0321", lambda x: tf.transpose(conv(x), [0, 3, 2, 1]))
one("transpose_rows", lambda x: tf.transpose(x, [0, 2, 1]), ROWS)
one("transpose_flatten", lambda x: tf.reshape(tf.transpose(conv(x), [0, 3, 1, 2]), [-1, 192]))
for axis in (1, 2, 3, -1):
    one(f"concat_axis{axis}", lambda x, a=axis: tf.concat([conv(x), conv(x)], a))
    one(f"concat_input_axis{axis}", lambda x, a=axis: tf.concat([x, conv(x)], a))
one("concat_vector", lambda x: tf.concat([x, tf.matmul(x, w(10, 3))], 1), VECTOR)
one("concat_flat", lambda x, y: tf.matmul(tf.concat([tf.reshape(conv(x), [-1, 192]), y], 1), w(202, 4)), IMAGE, VECTOR)
one("concat_rows", lambda x: tf.concat([x, x], 1), ROWS)
one("concat_rows_last", lambda x: tf.concat([x, x], 2), ROWS)
one("split_channels", lambda x: (lambda p: p[0] + p[1] * 0.5)(tf.split(conv(x), 2, 3)))
one("split_rows", lambda x: (lambda p: p[0] + p[1] * 0.5)(tf.split(conv(x), 2, 1)))
one("slice", lambda x: tf.slice(conv(x), [0, 1, 2, 0], [-1, 3, 4, 4]))
one("strided_slice", lambda x: conv(x)[:, 1:-1, 2:, :])
one("strided_slice_end", lambda x: conv(x)[:, :4, :5, 1:3])
one("strided_slice_channel", lambda x: conv(x)[..., 1:3])
one("strided_slice_step", lambda x: conv(x)[:, ::2, ::2, :])
one("strided_slice_shrink", lambda x: conv(x)[:, 0])
one("crop_begin_end", lambda x: conv(x)[:, 1:5, 1:7, :])
one("tile", lambda x: tf.tile(conv(x), [1, 2, 3, 1]))
one("tile_rows", lambda x: tf.tile(tf.expand_dims(x, 1), [1, 3, 1]), VECTOR)
one("pack0", lambda x: tf.stack([conv(x), conv(x)], 0))
one("pack1", lambda x: tf.stack([x, x], 1), VECTOR)
one("unpack", lambda x: tf.add_n(tf.unstack(x, axis=1)), ROWS)
one("gather", lambda x: tf.gather(conv(x), [2, 0, 1], axis=3))
one("reverse", lambda x: tf.reverse(conv(x), [2]))
one("cast", lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32))
one("greater", lambda x: tf.cast(conv(x) > 0.1, tf.float32))
one("one_hot", lambda x: tf.one_hot(tf.argmax(x, 1), 10), VECTOR)
one("identity_out", lambda x: tf.identity(conv(x)))
one("stop_gradient", lambda x: tf.nn.relu(tf.stop_gradient(conv(x))))
one("identity_between", lambda x: tf.nn.relu(tf.identity(conv(x))))
for n, f in (("nearest", tf1.image.resize_nearest_neighbor), ("bilinear", tf1.image.resize_bilinear),
             ("bicubic", tf1.image.resize_bicubic)):
    for form, more in (("", {}), ("_align", {"align_corners": True}), ("_half", {"half_pixel_centers": True})):
        one(f"resize_{n}{form}", lambda x, f=f, m=more: f(conv(x), [12, 16], **m))
        one(f"resize_{n}{form}_odd", lambda x, f=f, m=more: f(conv(x), [9, 13], **m))
one("resize_shape", lambda x: tf1.image.resize_nearest_neighbor(x, tf.shape(x)[1:3] * 2))
one("upsample_repeat", lambda x: tf.reshape(tf.tile(tf.reshape(conv(x), [-1, 6, 1, 8, 1, 4]), [1, 1, 2, 1, 2, 1]), [-1, 12, 16, 4]))

# ---- products ----
one("dense", lambda x: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, w(10, 6)), w(6))), VECTOR)
one("dense_add", lambda x: tf.nn.relu(tf.matmul(x, w(10, 6)) + w(6)), VECTOR)
one("dense_no_bias", lambda x: tf.matmul(x, w(10, 6)), VECTOR)
one("dense_transposed", lambda x: tf.matmul(x, w(6, 10), transpose_b=True), VECTOR)
one("dense_scalar", lambda x: tf.nn.bias_add(tf.matmul(x, w(10, 6)), w(6)) * 0.2 + 0.5, VECTOR)
one("dense_two", lambda x: tf.matmul(x, w(10, 6)) + tf.matmul(x, w(10, 6)), VECTOR)
one("matmul_rows", lambda x: tf.matmul(x, w(4, 6)), ROWS)
one("batch_matmul", lambda x: tf.matmul(x, x, transpose_b=True), ROWS)
one("einsum", lambda x: tf.einsum("bij,jk->bik", x, w(4, 6)), ROWS)
one("dot", lambda x, y: tf.reduce_sum(x * y, 1, keepdims=True), VECTOR, VECTOR)

# ---- names, types, outputs ----
one("two_outputs", lambda x: [tf.nn.relu(conv(x)), tf.nn.sigmoid(conv(x))])
one("inner_output", lambda x: (lambda c: [c, tf.nn.relu(c)])(tf.nn.bias_add(conv(x), w(4))))
one("pool_output", lambda x: tf.nn.avg_pool2d(tf.nn.relu(conv(x)), 2, 2, "SAME"))
one("max_pool_output", lambda x: tf.nn.max_pool2d(tf.nn.relu(conv(x)), 2, 2, "SAME"))
one("open_size", lambda x: tf.nn.relu(conv(x)), (None, None, None, 4), size=(2, 6, 8, 4))
one("batch3", lambda x: tf.matmul(tf.reshape(conv(x), [-1, 192]), w(192, 4)), (3, 6, 8, 4))
one("nchw_relu", lambda x: tf.nn.relu(x), (None, 4, 6, 8))
one("double", lambda x: tf.cast(tf.cast(x, tf.float64) * 2.0, tf.float32))
one("half", lambda x: tf.cast(tf.cast(x, tf.float16) * tf.constant(2.0, tf.float16), tf.float32), tolerance=1e-2)
one("int_input", lambda x: tf.cast(x, tf.float32) * 2.0, (None, 5), dtype="int32")
one("uint8_input", lambda x: conv(tf.cast(x, tf.float32) / 255.0), IMAGE, dtype="uint8")
one("embedding", lambda x: tf.gather(w(20, 3), x), (None, 5), dtype="int32")
one("const_output", lambda x: [tf.nn.relu(conv(x)), tf.constant([1.0, 2.0])])


def collide(x):
    a = tf.nn.relu(conv(x), name="a/b")
    return tf.nn.relu(conv(a), name="a_b")


one("names_collide", collide)
one("add_no_bias_name", lambda x: conv(x) + tf.constant(np.float32([.1, .2, .3, .4]), name="offset"))


def write(folder, name):
    shapes, f, more = CASES[name]
    os.makedirs(folder, exist_ok=True)
    R.seed(sum(name.encode()))
    graph = tf1.Graph()
    with graph.as_default():
        dtype = more.get("dtype", "float32")
        xs = [tf1.placeholder(dtype, s, name=f"x{k}") for k, s in enumerate(shapes)]
        ys = f(*xs)
        ys = ys if isinstance(ys, list) else [ys]
        feeds = []
        for s in shapes:
            size = more.get("size", [2 if d is None else d for d in s])
            x = R.standard_normal(size).astype(np.float32)
            feeds.append(x if dtype == "float32" else R.randint(0, 9, size).astype(dtype))
        with tf1.Session() as session:
            out = session.run(ys, dict(zip(xs, feeds)))
        graph_def = tf1.graph_util.extract_sub_graph(graph.as_graph_def(), [y.op.name for y in ys])
    with open(os.path.join(folder, "graph.pb"), "wb") as file:
        file.write(graph_def.SerializeToString())
    for k, x in enumerate(feeds):
        np.save(os.path.join(folder, f"x{k}.npy"), x)
    for k, y in enumerate(out):
        np.save(os.path.join(folder, f"y{k}.npy"), y)
    info = {"case": name, "inputs": [x.op.name for x in xs], "outputs": [y.op.name for y in ys],
            "tolerance": more.get("tolerance", 1e-3)}
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump(info, file)


if __name__ == "__main__":
    for case_name in CASES:
        write(os.path.join(sys.argv[1], case_name), case_name)
    print(len(CASES), "cases")
