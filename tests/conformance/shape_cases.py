# SPDX-License-Identifier: Apache-2.0
"""The cases that check_shapes.py adds to those of check_ops.py: windows, and ops whose contract is known without a kernel."""
import itertools

import numpy as np
import tensorflow as tf

from ops_cases import Case, Const

F32 = np.float32
# (op, output) whose shape functions do not say what their kernels do: five axes, one border more, a scalar.
NOT_COMPARED = {("ExtractVolumePatches", 0), ("FractionalAvgPool", 1), ("FractionalAvgPool", 2), ("FractionalMaxPool", 1),
                ("FractionalMaxPool", 2), ("FusedBatchNormV3", 5)}
# Beside an unknown size, 1 is taken for the result's, though it stretches when it runs.
STRETCHES = {"SoftmaxCrossEntropyWithLogits"}


def is_unsound(definition, shapes):
    """Where TensorFlow's shape function says, of what it does not know, what the kernel does not keep to. shapes: of
    the inputs, with None for what is not known; "value" when the value is."""
    op, attr = definition.op, dict(definition.attr)
    if op in ("Equal", "NotEqual"):  # two unknown sizes of one rank are taken to fit; else the kernel gives a scalar
        return not attr["incompatible_shape_error"].b
    if op == "GatherV2":  # negative batch_dims are subtracted from the rank as they are
        return attr["batch_dims"].i < 0
    if op == "SplitV":  # an unknown axis is read as -1,
        return shapes[-1] != "value"
    if op == "MatrixDiagV3":  # an unknown side or number of diagonals, too,
        return shapes[2:4] != ["value"] * 2 or None in shapes or None in shapes[0]
    if op == "MatrixSetDiagV3":  # and of some diagonals only one axis is taken off
        return None in shapes or any(None in s for s in shapes[:2])
    return op == "Range" and attr["Tidx"].type == 19  # half is refused, though the kernel computes it


def zeros(*shape, dtype=F32):
    return np.zeros(shape, dtype)


def windows():
    """Convolutions and pools: sizes, strides, dilations, paddings, formats."""
    for padding, stride, dilation, size in itertools.product(("SAME", "VALID", "EXPLICIT"), (1, 2), (1, 2), (1, 5, 8)):
        for fmt in ("NHWC", "NCHW"):
            first = fmt == "NCHW"
            def lists(n):
                return [1, 1, n, n] if first else [1, n, n, 1]
            around = [0, 0, 0, 0, 1, 0, 2, 1] if first else [0, 0, 1, 0, 2, 1, 0, 0]
            x = zeros(2, 4, size, size + 1) if first else zeros(2, size, size + 1, 4)
            attrs = dict(strides=lists(stride), dilations=lists(dilation), padding=padding, data_format=fmt,
                         explicit_paddings=around if padding == "EXPLICIT" else [])
            for channels in (4, 2, 3):
                yield Case("Conv2D", x, zeros(3, 2, channels, 6), **attrs)
            yield Case("DepthwiseConv2dNative", x, zeros(3, 2, 4, 3), **attrs)
            yield Case("MaxPool", x, ksize=lists(3), strides=lists(stride), padding=padding, data_format=fmt,
                       explicit_paddings=attrs["explicit_paddings"])
            if padding == "EXPLICIT":
                continue
            yield Case("AvgPool", x, ksize=lists(3), strides=lists(stride), padding=padding, data_format=fmt)
            yield Case("MaxPoolV2", x, Const(lists(3)), Const(lists(stride)), padding=padding, data_format=fmt)
            out = [-(-n // stride) if padding == "SAME" else max(n - (k - 1) * dilation + stride - 1, 0) // stride
                   for n, k in zip((size, size + 1), (3, 2))]
            if 0 in out:
                continue
            dy = zeros(2, 6, *out) if first else zeros(2, *out, 6)
            del attrs["explicit_paddings"]
            yield Case("Conv2DBackpropInput", Const(x.shape), zeros(3, 2, 4, 6), dy, **attrs)
            yield Case("Conv2DBackpropInput", Const([size, size + 1]), zeros(3, 2, 4, 6), dy, **attrs)
            wide = zeros(2, 12, *out) if first else zeros(2, *out, 12)
            yield Case("DepthwiseConv2dNativeBackpropInput", Const(x.shape), zeros(3, 2, 4, 3), wide, **attrs)
    for padding, stride in itertools.product(("SAME", "VALID"), (1, 2)):
        x, five = zeros(1, 5, 6, 7, 2), [1, stride, stride, 1, 1]
        yield Case("Conv3D", x, zeros(2, 3, 1, 2, 5), strides=five, padding=padding)
        yield Case("MaxPool3D", x, ksize=[1, 2, 2, 3, 1], strides=five, padding=padding)
        yield Case("AvgPool3D", x, ksize=[1, 2, 2, 3, 1], strides=five, padding=padding)
        yield Case("MaxPoolWithArgmax", zeros(1, 5, 6, 2), ksize=[1, 2, 3, 1], strides=[1, stride, 1, 1], padding=padding)
    yield Case("Conv3DBackpropInputV2", Const([1, 5, 6, 7, 2]), zeros(2, 3, 1, 2, 5), zeros(1, 5, 6, 7, 5), strides=[1] * 5, padding="SAME")
    yield Case("MaxPool", zeros(1, 4, 4, 6), ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID")
    yield Case("FractionalMaxPool", zeros(1, 9, 8, 3), pooling_ratio=[1.0, 1.44, 1.73, 1.0])
    yield Case("FractionalAvgPool", zeros(1, 9, 8, 3), pooling_ratio=[1.0, 1.44, 1.73, 1.0])
    yield Case("Conv2DBackpropInputV2", zeros(1, 8, 8, 4), zeros(3, 2, 4, 6), zeros(1, 8, 8, 6), strides=[1] * 4, padding="SAME")
    yield Case("Conv3DBackpropInput", zeros(1, 5, 6, 7, 2), zeros(2, 3, 1, 2, 5), zeros(1, 5, 6, 7, 5), strides=[1] * 5, padding="SAME")
    yield Case("FusedPadConv2D", zeros(2, 5, 6, 3), Const([[0, 0], [1, 1], [2, 0], [0, 0]]), zeros(3, 3, 3, 4), mode="REFLECT", strides=[1, 2, 1, 1], padding="VALID")
    yield Case("FusedResizeAndPadConv2D", zeros(2, 5, 6, 3), Const([8, 9]), Const([[0, 0], [1, 1], [2, 0], [0, 0]]), zeros(3, 3, 3, 4), mode="REFLECT", strides=[1, 2, 1, 1], padding="VALID")


def normalizations():
    for fmt, shape in (("NHWC", (2, 3, 4, 5)), ("NCHW", (2, 5, 3, 4)), ("NDHWC", (2, 3, 4, 2, 5)), ("NCDHW", (2, 5, 3, 4, 2))):
        for op, training in itertools.product(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), (False, True)):
            if len(shape) == 5 and op != "FusedBatchNormV3":
                continue
            vectors = [zeros(5)] * 2 + [zeros(0 if training else 5)] * 2
            yield Case(op, zeros(*shape), *vectors, is_training=training, data_format=fmt)
        if len(shape) == 4:
            yield Case("BiasAdd", zeros(*shape), zeros(5), data_format=fmt)
            yield Case("BiasAddGrad", zeros(*shape), data_format=fmt)
    for rank in range(5):
        yield Case("BiasAdd", zeros(*[3] * rank), zeros(3))
        yield Case("BiasAdd", zeros(*[3] * rank), zeros(3), data_format="NCHW")
    yield Case("BiasAddV1", zeros(2, 3), zeros(3))
    yield Case("BiasAdd", zeros(2, 3), zeros(4))
    yield Case("BatchNormWithGlobalNormalization", zeros(2, 3, 4, 5), *[zeros(5)] * 4, variance_epsilon=0.1, scale_after_normalization=True)
    yield Case("LRN", zeros(2, 3, 4, 5))


def pictures():
    yield Case("AdjustContrastv2", zeros(2, 3, 4, 3), zeros())
    yield Case("AdjustHue", zeros(2, 3, 4, 3), zeros())
    yield Case("AdjustSaturation", zeros(2, 3, 4, 3), zeros())
    yield Case("RGBToHSV", zeros(2, 3, 3))
    yield Case("HSVToRGB", zeros(2, 3, 3))
    yield Case("HSVToRGB", zeros(2, 3, 4))
    yield Case("DrawBoundingBoxes", zeros(2, 3, 4, 3), zeros(2, 1, 4))
    yield Case("ImageProjectiveTransformV2", zeros(2, 3, 4, 3), zeros(1, 8), Const([5, 6]), interpolation="NEAREST")
    yield Case("ImageProjectiveTransformV3", zeros(2, 3, 4, 3), zeros(1, 8), Const([5, 6]), zeros(), interpolation="NEAREST")
    yield Case("ScaleAndTranslate", zeros(2, 3, 4, 3), Const([5, 6]), zeros(2), zeros(2))
    for op in ("DecodePng", "DecodeJpeg", "DecodeBmp"):
        for channels in (0, 3):
            yield Case(op, np.array(b"", object), channels=channels)


def boxes():
    for pad in (False, True):
        yield Case("CombinedNonMaxSuppression", zeros(2, 9, 1, 4), zeros(2, 9, 3), Const(4), Const(10), Const(0.5, F32), Const(0.1, F32), pad_per_class=pad)
    yield Case("CombinedNonMaxSuppression", zeros(2, 9, 3, 4), zeros(2, 9, 3), Const(4), Const(20), Const(0.5, F32), Const(0.1, F32), pad_per_class=True)


def decoders():
    yield Case("CTCGreedyDecoder", zeros(7, 2, 5), zeros(2, dtype=np.int32))
    yield Case("CTCBeamSearchDecoder", zeros(7, 2, 5), zeros(2, dtype=np.int32), beam_width=10, top_paths=2)


def quantized():
    """Numbers on a grid: the tensor, then the range it stands for."""
    def q(*shape):
        return zeros(*shape, dtype=tf.quint8.as_numpy_dtype)

    def q8(*shape):
        return zeros(*shape, dtype=tf.qint8.as_numpy_dtype)

    def q32(*shape):
        return zeros(*shape, dtype=tf.qint32.as_numpy_dtype)

    end, x, f = zeros(), q(2, 6, 7, 4), q8(3, 2, 4, 5)
    conv = dict(strides=[1, 2, 1, 1], padding="SAME")
    four, two = [end] * 4, [end] * 2
    for op in ("QuantizedConv2D", "QuantizedConv2DAndRelu"):
        yield Case(op, x, f, *four, **conv)
    for op in ("QuantizedConv2DWithBias", "QuantizedConv2DWithBiasAndRelu"):
        yield Case(op, x, f, zeros(5), *four, **conv)
    yield Case("QuantizedConv2DWithBiasSumAndRelu", x, f, zeros(5), *four, zeros(2, 3, 7, 5), **conv)
    for op in ("QuantizedConv2DAndRequantize", "QuantizedConv2DAndReluAndRequantize"):
        yield Case(op, x, f, *four, *two, **conv)
    yield Case("QuantizedConv2DAndReluAndRequantize", x, f, *two, zeros(5), zeros(5), *two, **conv)
    for op in ("QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize"):
        yield Case(op, x, f, zeros(5), *four, *two, **conv)
    for op in ("QuantizedConv2DWithBiasSumAndReluAndRequantize", "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize"):
        yield Case(op, x, f, zeros(5), *four, *two, q(2, 3, 7, 5) if "Signed" not in op else q8(2, 3, 7, 5), *two, **conv)
    yield Case("QuantizedConv2DPerChannel", x, f, *two, zeros(5), zeros(5), **conv)
    deep = q8(3, 2, 4, 3)
    square = dict(strides=[1, 2, 2, 1], padding="VALID")
    yield Case("QuantizedDepthwiseConv2D", x, deep, *four, **square)
    for op in ("QuantizedDepthwiseConv2DWithBias", "QuantizedDepthwiseConv2DWithBiasAndRelu"):
        yield Case(op, x, deep, zeros(12), *four, **square)
    yield Case("QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", x, deep, zeros(12), *four, *two, **square)
    for op in ("QuantizedMaxPool", "QuantizedAvgPool"):
        yield Case(op, x, *two, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="VALID")
    for op in ("QuantizedRelu", "QuantizedRelu6"):
        yield Case(op, x, *two)
    yield Case("QuantizedReluX", x, end, *two)
    yield Case("QuantizedBiasAdd", x, q(4), *four)
    yield Case("QuantizedBatchNormWithGlobalNormalization", x, *two, *[v for _ in range(4) for v in (q(4), end, end)],
               variance_epsilon=0.1, scale_after_normalization=True)
    yield Case("QuantizedInstanceNorm", x, *two)
    for op in ("QuantizedAdd", "QuantizedMul"):
        yield Case(op, x, q(7, 1), *four)
    yield Case("QuantizedMatMul", q(3, 4), q(4, 5), *four)
    yield Case("QuantizedMatMul", q(4, 3), q(4, 5), *four, transpose_a=True)
    for op in ("QuantizedMatMulWithBias", "QuantizedMatMulWithBiasAndRelu"):
        yield Case(op, q(3, 4), q8(4, 5), zeros(5), *four)
    for op in ("QuantizedMatMulWithBiasAndReluAndRequantize", "QuantizedMatMulWithBiasAndRequantize", "QuantizedMatMulWithBiasAndDequantize"):
        yield Case(op, q(3, 4), q8(4, 5), zeros(5), *four, *two)
    yield Case("QuantizedResizeBilinear", x, Const([3, 4]), *two)
    yield Case("QuantizeV2", zeros(2, 3), *two, T=tf.quint8)
    yield Case("QuantizeV2", zeros(2, 3), zeros(3), zeros(3), T=tf.quint8, axis=1)
    yield Case("Dequantize", q(2, 3), *two)
    yield Case("Dequantize", q(2, 3), zeros(3), zeros(3), axis=1)
    yield Case("QuantizeAndDequantize", zeros(2, 3))
    yield Case("Requantize", q32(2, 3), *four, out_type=tf.quint8)
    yield Case("QuantizeDownAndShrinkRange", q32(2, 3), *two, out_type=tf.quint8)
    yield Case("RequantizationRange", q32(2, 3), *two)
    yield Case("RequantizePerChannel", q32(2, 3), zeros(3), zeros(3), *two, out_type=tf.quint8)
    yield Case("RequantizationRangePerChannel", q32(2, 3), zeros(3), zeros(3), clip_value_max=6.0)


def SHAPE_CASES(rng):
    del rng
    return itertools.chain(windows(), normalizations(), pictures(), boxes(), decoders(), quantized())
