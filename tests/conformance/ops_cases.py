# SPDX-License-Identifier: Apache-2.0
"""The cases of check_ops.py: for every op, inputs and attributes that reach its corners."""
import itertools

import numpy as np
import tensorflow as tf

BF16 = tf.bfloat16.as_numpy_dtype
F32, F64, F16 = np.float32, np.float64, np.float16
FLOATS = [F32, F64, F16]
INTS = [np.int32, np.int64]
ALL_INTS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
COMPLEX = [np.complex64, np.complex128]


class Const:
    """An input that is a constant of the graph (in a third of the cases it is fed all the same)."""

    def __init__(self, value, dtype=np.int32):
        self.array = np.asarray(value, dtype)


class Case:
    def __init__(self, op, *inputs, rtol=None, atol=0.0, largest=True, may_differ=False, **attrs):
        self.op, self.inputs, self.attrs = op, inputs, attrs
        self.rtol, self.atol, self.relative_to_largest, self.may_differ = rtol, atol, largest, may_differ


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def real(self, shape, dtype=F32, low=-3.0, high=3.0):
        return self.rng.uniform(low, high, shape).astype(dtype)

    def ints(self, shape, dtype=np.int32, low=-7, high=8):
        if np.dtype(dtype).kind == "u":
            low = 0
        return self.rng.integers(low, high, shape).astype(dtype)

    def any(self, shape, dtype):
        kind = np.dtype(dtype).kind
        if kind == "b":
            return self.rng.integers(0, 2, shape).astype(bool)
        if kind == "c":
            return (self.real(shape, F64) + 1j * self.real(shape, F64)).astype(dtype)
        return self.real(shape, dtype) if kind in "fV" else self.ints(shape, dtype)

    def shape(self, rank, high=5):
        return tuple(int(n) for n in self.rng.integers(1, high, rank))

    def perm(self, n):
        return self.rng.permutation(n).astype(np.int32)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-30, 1e30, -1e30, np.inf, -np.inf, np.nan, 88.0, -104.0, 3.4e38]


def unary(m):
    plain = "Abs Atan Ceil Cos Erf Erfc Exp Expm1 Floor Neg Rint Round Sigmoid Sign Sin Sinh Cosh Softplus Softsign Square Tan Tanh " \
            "Asinh BesselI0e BesselI1e IsNan IsInf IsFinite Reciprocal Inv Elu Selu Relu Relu6 LeakyRelu".split()
    positive = "Log Log1p Sqrt Rsqrt Lgamma Digamma BesselK0 BesselK1 BesselK0e BesselK1e BesselY0 BesselY1 Expint Spence".split()
    unit = "Acos Asin Atanh Erfinv BesselI0 BesselI1 BesselJ0 BesselJ1 Dawsn FresnelCos FresnelSin".split()
    for op in plain:
        for dtype in FLOATS + [BF16]:
            yield Case(op, m.real(m.shape(3), dtype), rtol=2e-4 if op.startswith("Bessel") else None)
        largest = op not in ("Sin", "Cos", "Tan")
        values = [v for v in SPECIAL if op not in ("Sin", "Cos", "Tan") or not np.isfinite(v) or abs(v) < 100]
        values = [v for v in values if not (op.startswith("Bessel") and not np.isfinite(v))]
        yield Case(op, np.array(values, F32), largest=False, rtol=1e-4, atol=1e-6)
        yield Case(op, np.array(values, F64), largest=False, rtol=1e-6 if not op.startswith("Bessel") else 1e-5, atol=1e-9)
        yield Case(op, m.real((0, 3)))
    for op in positive:
        for dtype in FLOATS:
            yield Case(op, m.real((3, 4), dtype, 0.1, 9.0), rtol=2e-4 if dtype == F32 else 2e-6 if dtype == F64 else None)
    for op in ("Log", "Log1p", "Sqrt", "Rsqrt", "Lgamma", "Digamma"):
        values = [0.0, -0.0, 1.0, 2.0, -0.5, -1.5, np.inf, np.nan, 1e30] + ([-1.0] if op != "Digamma" else [])
        yield Case(op, np.array(values, F32), largest=False, rtol=1e-4, atol=1e-6)
    yield Case("Digamma", np.array([0.0, -1.0, -2.0], F32))
    for op in unit:
        for dtype in FLOATS:
            yield Case(op, m.real((4, 3), dtype, -0.99, 0.99), rtol=1e-4 if dtype != F64 else 1e-6)
    yield Case("Acosh", m.real((7,), F32, 1.0, 9.0))
    yield Case("Ndtri", m.real((9,), F32, 0.001, 0.999), rtol=1e-4)
    for op in ("FresnelCos", "FresnelSin", "Dawsn", "BesselJ0", "BesselJ1"):
        yield Case(op, m.real((40,), F64, -12, 12), rtol=1e-7)
    for op in ("BesselI0e", "BesselI1e"):
        yield Case(op, np.array([0, 1e-6, 1e-3, 0.1, 1, 7.9, 8.1, 50, 1e4, -3, -100], F64), rtol=1e-7, largest=False)
    for op in ("BesselK0e", "BesselK1e", "BesselK0", "BesselK1"):
        yield Case(op, np.array([1e-6, 1e-3, 0.1, 1, 1.9, 2.1, 50, 300], F64), rtol=1e-7, largest=False)
    for op in ("Expint", "Spence"):
        yield Case(op, np.array([1e-6, 1e-3, 0.1, 0.5, 1, 1.5, 2.1, 5, 20, 49, 51, 300], F64), rtol=1e-7, largest=False)
    for op in ("Lgamma", "Digamma"):
        yield Case(op, np.array([1e-6, 1e-3, 0.1, 0.5, 1.01, 1.99, 2.1, 5, 20, 300, -0.3, -5.7], F64), rtol=1e-7, largest=False)
    for op in ("Abs", "Neg", "Sign", "Square"):
        for dtype in (np.int8, np.int16, np.int32, np.int64):
            yield Case(op, np.array([0, 1, -1, 7, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype))
    for dtype in INTS:
        yield Case("Round", m.ints((4,), dtype))
    for dtype in ALL_INTS:
        yield Case("Invert", m.ints((5,), dtype, -100, 100))
        yield Case("PopulationCount", m.ints((5,), dtype, -100, 100))
    yield Case("LogicalNot", m.any((3, 3), bool))
    for op in "Neg Square Exp Log Sqrt Rsqrt Sin Cos Tan Tanh Sinh Cosh Sigmoid Reciprocal Sign Conj Asinh Acosh Atanh Atan Asin Acos Log1p Expm1 Inv".split():
        for dtype in COMPLEX:
            yield Case(op, m.any((3, 2), dtype), rtol=1e-4)
    for op in ("Real", "Imag", "Angle", "ComplexAbs"):
        yield Case(op, m.any((4,), np.complex64), Tout=tf.float32)
        yield Case(op, m.any((4,), np.complex128), Tout=tf.float64)
    yield Case("LeakyRelu", m.real((3, 3)), alpha=0.3)


PAIRS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((2, 1, 3), (1, 4, 1)), ((), (5,)), ((5,), ()), ((), ()), ((2, 0), (1, 1)),
         ((2, 3, 4, 5), (3, 1, 5)), ((1, 6), (7, 1)), ((2, 3, 1, 1), (3, 4, 5)), ((2, 2, 2, 2, 2), (2, 1, 2, 1, 1))]


def binary(m):
    for op in "Add AddV2 Sub Mul Div RealDiv Maximum Minimum SquaredDifference".split():
        for dtype in FLOATS + INTS + [BF16]:
            for a, b in PAIRS if dtype == F32 else PAIRS[:3]:
                x, y = m.any(a, dtype), m.any(b, dtype)
                if np.dtype(dtype).kind == "i" and "Div" in op:
                    if op == "RealDiv":
                        continue
                    y = np.where(y == 0, np.array(3, dtype), y).astype(dtype)
                yield Case(op, x, y)
    special = np.array(SPECIAL, F32)
    grid = np.repeat(special[:, None], len(special), 1), np.repeat(special[None, :], len(special), 0)
    for op in "Add Sub Mul Div Maximum Minimum FloorDiv FloorMod Mod Pow DivNoNan MulNoNan Xdivy Xlogy Xlog1py Atan2 Equal NotEqual Less " \
              "LessEqual Greater GreaterEqual SquaredDifference NextAfter".split():
        x, y = grid
        if op in ("Mod", "FloorMod", "FloorDiv"):
            keep = (np.abs(x) < 1e20) & (np.abs(y) < 1e20) & (np.abs(x / np.where(y == 0, 1, y)) < 1e6) if op != "FloorDiv" else np.isinf(x) | (np.abs(x) > 1e-20) & (np.abs(y) < 1e20)
            x, y = x[keep], y[keep]
        if op == "Xlog1py":
            x, y = m.real((50,)), m.real((50,), F32, -0.5, 3)
        yield Case(op, np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), largest=False, rtol=1e-4, atol=1e-30)
    for op in "Less LessEqual Greater GreaterEqual Equal NotEqual".split():
        for dtype in FLOATS + ALL_INTS + [BF16]:
            x = m.ints((4, 5), np.int32, -2, 3).astype(dtype)
            yield Case(op, x, m.ints((5,), np.int32, -2, 3).astype(dtype))
    for op in ("Equal", "NotEqual"):
        yield Case(op, m.any((5,), bool), m.any((5,), bool))
        yield Case(op, m.any((5,), np.complex64), m.any((5,), np.complex64))
        yield Case(op, m.any((3,), F32), m.any((5,), F32), incompatible_shape_error=False)
    for op in "FloorDiv FloorMod TruncateDiv TruncateMod Mod Div".split():
        for dtype in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16):
            x, y = np.meshgrid(np.arange(-9, 10), [-4, -3, -1, 1, 2, 7])
            if np.dtype(dtype).kind == "u":
                x, y = np.abs(x), np.abs(y)
            yield Case(op, x.astype(dtype), y.astype(dtype))
            yield Case(op, x.astype(dtype), np.array([0], dtype))
        yield Case(op, np.zeros((0,), np.int32), np.array([0], np.int32), may_differ=True)
    for dtype in FLOATS:
        yield Case("FloorMod", m.real((9,), dtype), m.real((9,), dtype))
        yield Case("FloorDiv", m.real((9,), dtype), m.real((9,), dtype))
        yield Case("TruncateMod", m.real((9,), dtype), m.real((9,), dtype))
        yield Case("Pow", m.real((3, 4), dtype, 0.1, 3), m.real((4,), dtype, -2, 2))
    for dtype in INTS:
        yield Case("Pow", m.ints((7,), dtype), m.ints((7,), dtype, 0, 9))
        yield Case("Pow", m.ints((3,), dtype), np.array([1, -1, 2], dtype))
    yield Case("Add", np.array([2**31 - 1, -2**31], np.int32), np.array([1, -1], np.int32))
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        for dtype in ALL_INTS:
            yield Case(op, m.ints((3, 4), dtype, -100, 100), m.ints((4,), dtype, -100, 100))
    for op in ("LeftShift", "RightShift"):
        for dtype in ALL_INTS:
            bits = np.dtype(dtype).itemsize * 8
            yield Case(op, m.ints((3, 9), dtype, -100, 100), m.ints((9,), dtype, 0, bits))
    for op in ("LogicalAnd", "LogicalOr"):
        yield Case(op, m.any((3, 4), bool), m.any((4,), bool))
    for op in "Add Sub Mul Div Pow SquaredDifference DivNoNan MulNoNan Xdivy Xlogy".split():
        yield Case(op, m.any((3, 4), np.complex64), m.any((4,), np.complex64), rtol=1e-4)
    for op in ("Igamma", "Igammac"):
        for dtype in (F32, F64):
            yield Case(op, m.real((40,), dtype, 0.1, 9), m.real((40,), dtype, 0, 12), rtol=1e-4 if dtype == F32 else 1e-7)
    yield Case("Zeta", m.real((20,), F32, 1.1, 9), m.real((20,), F32, 0.3, 9), rtol=1e-4)
    yield Case("Polygamma", m.ints((20,), np.int32, 0, 5).astype(F32), m.real((20,), F32, 0.3, 9), rtol=1e-3)
    yield Case("Betainc", m.real((3, 4), F32, 0.3, 9), m.real((3, 4), F32, 0.3, 9), m.real((3, 4), F32, 0, 1), rtol=1e-3)
    yield Case("ApproximateEqual", np.array([1, 2, 3, 4], F32), np.array([1, 2.00001, 3.1, 4], F32), tolerance=1e-3)
    for op in "ReluGrad Relu6Grad SigmoidGrad TanhGrad SqrtGrad RsqrtGrad ReciprocalGrad InvGrad EluGrad SoftplusGrad SoftsignGrad SeluGrad LeakyReluGrad".split():
        yield Case(op, m.real((4, 5)), m.real((4, 5)), rtol=1e-4)
    for dtype in FLOATS:
        yield Case("AddN", [m.real((3, 4), dtype) for _ in range(5)])
    yield Case("AddN", [m.ints((3,)) for _ in range(3)])
    yield Case("AccumulateNV2", [m.real((3, 4)) for _ in range(3)], shape=[3, 4])
    yield Case("Complex", m.real((3, 4)), m.real((4,)), Tout=tf.complex64)
    for dtype in (F32, np.int32):
        yield Case("Cross", m.any((4, 3), dtype), m.any((4, 3), dtype))


def casts(m):
    numeric = FLOATS + [BF16] + ALL_INTS + [bool] + COMPLEX
    for a, b in itertools.product(numeric, numeric):
        x = m.any((6,), a)
        if np.dtype(a).kind in "fc" and np.dtype(b).kind == "u":
            x = np.abs(x.real).astype(a)
        yield Case("Cast", x, DstT=tf.as_dtype(b))
    odd = np.array([np.nan, np.inf, -np.inf, 1e10, -1e10, 3e9, 2147483647, -2147483648, 300.7, -300.7, 0.5], F32)
    for b in (np.int32, np.int64, bool):
        yield Case("Cast", odd, DstT=tf.as_dtype(b))
        yield Case("Cast", odd.astype(F64), DstT=tf.as_dtype(b))
    for a, b in ((F32, F16), (F32, BF16), (F64, F32), (F64, F16)):
        yield Case("Cast", m.real((9,), a), DstT=tf.as_dtype(b), Truncate=True)
        yield Case("Cast", np.array([1e5, 1e-8, 65519, 65520, 6e-8, np.nan, np.inf], a), DstT=tf.as_dtype(b))
    yield Case("Bitcast", m.real((3, 4)), type=tf.int32)
    yield Case("Bitcast", m.real((3, 4)), type=tf.uint8)
    yield Case("Bitcast", m.real((3, 2)), type=tf.float64)


def reductions(m):
    axes = [((3, 4, 5), [0]), ((3, 4, 5), [1]), ((3, 4, 5), [2]), ((3, 4, 5), [0, 2]), ((3, 4, 5), [-1, 0]), ((3, 4, 5), []),
            ((3, 4, 5), [0, 1, 2]), ((2, 3, 4, 5), [1, 2]), ((2, 3, 4, 5), [0, 3]), ((), []), ((0, 3), [0]), ((3, 0), [0]), ((3, 1, 2), [1]),
            ((2, 3, 2, 3, 2), [1, 3])]
    for op in "Sum Mean Prod Max Min EuclideanNorm".split():
        for dtype in FLOATS + INTS + [BF16, np.uint8, np.int8]:
            if op == "EuclideanNorm" and np.dtype(dtype).kind in "iu":
                continue
            for shape, axis in axes if dtype in (F32, np.int32) else axes[:4]:
                if op == "Mean" and np.dtype(dtype).kind in "iu" and 0 in shape:
                    continue
                x = m.any(shape, dtype)
                yield Case(op, x, Const(axis), keep_dims=bool(m.rng.integers(2)), rtol=2e-2 if dtype == BF16 else 1e-2 if dtype == F16 else None)
        yield Case(op, m.real((3,)), Const([0, 0]))
        yield Case(op, m.real((3,)), Const(1))
        yield Case(op, m.real((3, 4)), Const(1), keep_dims=True)
        yield Case(op, m.real((3, 4)), Const([1], np.int64))
    for op in ("Max", "Min"):
        yield Case(op, np.array([[1, np.nan, 3], [np.nan, np.nan, np.nan], [-np.inf, 2, np.inf]], F32), Const([1]))
    for op in ("All", "Any"):
        for shape, axis in axes:
            yield Case(op, m.any(shape, bool), Const(axis), keep_dims=bool(m.rng.integers(2)))
    for op in ("Sum", "Prod", "Mean"):
        yield Case(op, m.any((3, 4), np.complex64), Const([0]))
    for op in ("ArgMax", "ArgMin"):
        for dtype in FLOATS + INTS + [BF16, np.uint8]:
            for axis in (0, 1, -1):
                yield Case(op, m.any((4, 5, 3), dtype), Const(axis), output_type=tf.int32 if axis else tf.int64)
        yield Case(op, m.real((0, 3)), Const(0))
        yield Case(op, np.array([1, 3, 3, 0, 0], F32), Const(0))
        yield Case(op, m.any((5,), bool), Const(0))
    yield Case("L2Loss", m.real((4, 5)))
    for op in ("Cumsum", "Cumprod", "CumulativeLogsumexp"):
        for dtype in [F32, F64] + (INTS if op != "CumulativeLogsumexp" else [F16]):
            for exclusive, reverse in itertools.product((False, True), (False, True)):
                if exclusive and op == "CumulativeLogsumexp":
                    x = m.any((3, 4, 2), dtype)
                    yield Case(op, x, Const(1), exclusive=True, reverse=reverse, may_differ=True, rtol=1e-4 if dtype == F32 else 1e-2 if dtype == F16 else None)
                    continue
                yield Case(op, m.any((3, 4, 2), dtype), Const(int(m.rng.integers(-3, 3))), exclusive=exclusive, reverse=reverse,
                           rtol=1e-2 if dtype == F16 else None)
    yield Case("Cumsum", m.any((3,), np.complex64), Const(0))
    yield Case("Cumsum", m.real((3,)), Const(1))


def shapes(m):
    x = m.real((2, 3, 4))
    for attr in ({}, {"out_type": tf.int64}):
        yield Case("Shape", x, **attr)
        yield Case("Size", x, **attr)
        yield Case("ShapeN", [x, m.real(())], **attr)
    yield Case("Rank", x)
    for target in ([6, 4], [-1], [4, -1, 2], [24, 1, 1], [5, 5], [-1, 5], [2, 3, 4]):
        yield Case("Reshape", x, Const(target))
    yield Case("Reshape", x, Const([4, -1], np.int64))
    yield Case("Reshape", m.real((0, 3)), Const([3, -1]))
    yield Case("Reshape", m.real((0, 3)), Const([0, 7]))
    yield Case("Reshape", m.real((1,)), Const([], np.int32))
    yield Case("Squeeze", m.real((1, 3, 1, 2)))
    for dims in ([0], [2], [-2], [0, 2], [1]):
        yield Case("Squeeze", m.real((1, 3, 1, 2)), squeeze_dims=dims)
    for axis in (0, 1, 3, -1, -4, 4):
        yield Case("ExpandDims", x, Const(axis))
    yield Case("ExpandDims", m.any((2,), np.int64), Const([0]))
    for op in ("Identity", "StopGradient", "PreventGradient", "Snapshot", "DeepCopy"):
        yield Case(op, x)
    yield Case("EnsureShape", x, shape=[2, None, 4])
    yield Case("CheckNumerics", x, message="m")
    yield Case("CheckNumerics", np.array([1, np.nan], F32), message="m")
    yield Case("CheckNumericsV2", np.array([1, np.inf], F32), message="m")
    yield Case("IdentityN", [x, m.ints((3,)), m.any((2,), bool)])
    for a, b in (([2, 3], [3]), ([1, 5], [4, 1]), ([], [2]), ([3], [3]), ([2], [3]), ([1, 1], [1])):
        yield Case("BroadcastArgs", Const(a), Const(b))
        yield Case("BroadcastGradientArgs", Const(a), Const(b))
    yield Case("BroadcastTo", m.real((3, 1)), Const([2, 3, 4]))
    yield Case("BroadcastTo", m.real(()), Const([2, 3]))
    yield Case("BroadcastTo", m.ints((3,)), Const([2, 4]))
    yield Case("BroadcastTo", m.any((1, 2), bool), Const([0, 2]))


def joins(m):
    for dtype in (F32, np.int64, np.uint8, bool, F16, np.complex64):
        parts = [m.any((2, n, 3), dtype) for n in (1, 4, 0, 2)]
        for axis in (1, -2):
            yield Case("ConcatV2", parts, Const(axis))
            yield Case("Concat", Const(axis), parts)
    yield Case("ConcatV2", [m.real((2, 3)), m.real((2, 3))], Const(0))
    yield Case("ConcatV2", [m.real((2, 3)), m.real((2, 4))], Const(0))
    yield Case("ConcatV2", [m.real((2, 3)), m.real((2, 3))], Const(2))
    yield Case("ConcatOffset", Const(1), [Const([2, 3, 4]), Const([2, 5, 4]), Const([2, 1, 4])])
    for axis in (0, 1, 2, -1):
        yield Case("Pack", [m.real((2, 3)) for _ in range(4)], axis=axis)
    yield Case("Pack", [m.real(()) for _ in range(2)], axis=0)
    yield Case("Unpack", m.real((2, 3, 4)), num=3, axis=1)
    yield Case("Unpack", m.ints((2, 3, 4)), num=4, axis=-1)
    yield Case("Unpack", m.ints((100,)), num=100, axis=0)
    yield Case("ParallelConcat", [m.real((1, 3)) for _ in range(4)], shape=[4, 3])
    for axis, n in ((0, 2), (1, 3), (-1, 4), (2, 1), (1, 2)):
        yield Case("Split", Const(axis), m.real((2, 3, 4)), num_split=n)
    yield Case("Split", Const(0), m.real((90, 2)), num_split=90)
    for sizes in ([1, 3], [2, -1], [0, 4], [1, 1, 2], [3, 3], [-1, -1]):
        yield Case("SplitV", m.real((2, 4, 3)), Const(sizes), Const(1), num_split=len(sizes))
    yield Case("SplitV", m.real((2, 4)), Const([3, 1], np.int64), Const(-1), num_split=2)


def slices(m):
    x = m.real((4, 5, 6))
    for begin, size in (([0, 0, 0], [4, 5, 6]), ([1, 2, 3], [2, -1, 1]), ([4, 0, 0], [0, 5, 6]), ([1, 1, 1], [4, 1, 1]), ([0, 0, 0], [-1, -1, -1])):
        yield Case("Slice", x, Const(begin), Const(size))
    yield Case("Slice", m.ints((5,), np.uint8), Const([1], np.int64), Const([3], np.int64))
    for _ in range(60):
        n = int(m.rng.integers(0, 5))
        begin, end = m.rng.integers(-7, 8, n), m.rng.integers(-7, 8, n)
        step = m.rng.choice([1, 1, 1, 2, 3, -1, -2], n)
        masks = {k: int(m.rng.integers(0, 2**n)) if m.rng.random() < 0.4 else 0 for k in ("begin_mask", "end_mask", "new_axis_mask", "shrink_axis_mask")}
        masks["ellipsis_mask"] = int(2 ** m.rng.integers(0, n)) if n and m.rng.random() < 0.4 else 0
        yield Case("StridedSlice", x, Const(begin), Const(end), Const(step), **masks)
    yield Case("StridedSlice", x, Const([0]), Const([3]), Const([0]))
    yield Case("StridedSlice", m.ints((7,), np.int64), Const([2], np.int64), Const([100], np.int64), Const([2], np.int64))
    yield Case("StridedSlice", np.array(5, F32), Const([]), Const([]), Const([]))
    yield Case("StridedSliceGrad", Const([4, 5]), Const([1, 0]), Const([3, 5]), Const([1, 2]), m.real((2, 3)))
    yield Case("TensorStridedSliceUpdate", m.real((4, 5)), Const([1, 0]), Const([3, 5]), Const([1, 2]), m.real((2, 3)))


def gathers(m):
    for dtype in (F32, np.int32, np.uint8, bool, np.complex128):
        p = m.any((4, 5, 3), dtype)
        yield Case("Gather", p, m.ints((2, 3), np.int32, 0, 4))
        for axis in (0, 1, -1):
            yield Case("GatherV2", p, m.ints((2, 3), np.int64, 0, 3), Const(axis))
    yield Case("GatherV2", m.real((3, 4)), np.array([0, 3], np.int32), Const(0))
    yield Case("GatherV2", m.real((3, 4)), np.array([-1], np.int32), Const(0))
    yield Case("GatherV2", m.real((3, 4)), np.array(1, np.int32), Const(0))
    yield Case("GatherV2", m.real((0, 4)), np.zeros((0,), np.int32), Const(0))
    for axis, batch in ((1, 1), (2, 1), (2, 2), (1, -1), (1, 0)):
        yield Case("GatherV2", m.real((2, 3, 4)), m.ints((2, 3), np.int32, 0, 3), Const(axis), batch_dims=batch)
    for depth in (0, 1, 2, 3):
        yield Case("GatherNd", m.real((3, 4, 5)), m.ints((2, 6, depth), np.int32, 0, 3))
    yield Case("GatherNd", m.real((3, 4)), np.array([[0, 4]], np.int32))
    for depth in (1, 2):
        idx = m.ints((6, depth), np.int32, 0, 4)
        yield Case("ScatterNd", idx, m.real((6,) + (4, 5, 2)[depth:]), Const([4, 5, 2]))
        for op in ("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin", "ScatterNdNonAliasingAdd"):
            unique = np.stack(np.unravel_index(m.perm(8)[:6], (4, 2)), 1).astype(np.int32)[:, :depth]
            if depth == 1:
                unique = m.perm(4)[:, None]
            for dtype in (F32, np.int32):
                yield Case(op, m.any((4, 5, 2), dtype), unique, m.any((len(unique),) + (4, 5, 2)[depth:], dtype))
    yield Case("ScatterNd", m.ints((4, 1), np.int64, 0, 3), m.ints((4,)), Const([3], np.int64))
    yield Case("ScatterNd", np.array([[5]], np.int32), m.real((1,)), Const([3]))
    yield Case("TensorScatterAdd", m.real((3,), F16), m.ints((4, 1), np.int32, 0, 3), m.real((4,), F16))


def layouts(m):
    for dtype in (F32, np.uint8, np.int64, F16, bool, np.complex128):
        yield Case("Transpose", m.any((2, 3, 4, 5), dtype), Const(m.perm(4)))
    for op in ("Transpose", "ConjugateTranspose"):
        yield Case(op, m.any((3, 4), np.complex64), Const([1, 0]))
    yield Case("Transpose", m.real((3, 4)), Const([1, 1]))
    yield Case("Transpose", m.real((3, 0, 2)), Const([2, 0, 1], np.int64))
    yield Case("Transpose", m.real((2, 3, 2, 3, 2)), Const([4, 2, 0, 3, 1]))
    for axes in ([0], [1, 2], [-1], [], [0, 0]):
        yield Case("ReverseV2", m.real((2, 3, 4)), Const(axes))
    yield Case("Reverse", m.ints((2, 3, 4)), Const([True, False, True], bool))
    for seq, batch in ((1, 0), (0, 1), (2, 0)):
        x = m.real((3, 4, 5))
        yield Case("ReverseSequence", x, m.ints((x.shape[batch],), np.int64, 0, x.shape[seq] + 1), seq_dim=seq, batch_dim=batch)
    for shift, axis in (([1], [0]), ([-2, 7], [1, 0]), ([1, 1], [1, 1]), (3, 1), ([0], [-1])):
        yield Case("Roll", m.real((3, 4, 2)), Const(shift), Const(axis))
    for times in ([1, 2, 3], [2, 1, 1], [0, 1, 2], [3, 3, 3]):
        yield Case("Tile", m.real((2, 3, 4)), Const(times))
    yield Case("Tile", m.any((2,), bool), Const([3], np.int64))
    for dtype in (F32, np.int32, np.uint8, F16):
        yield Case("Pad", m.any((2, 3), dtype), Const([[1, 2], [0, 3]]))
        yield Case("PadV2", m.any((2, 3), dtype), Const([[1, 0], [2, 1]]), m.any((), dtype))
    yield Case("Pad", m.real((2, 3)), Const([[-1, 2], [0, 3]]))
    yield Case("Pad", m.real((0, 3)), Const([[1, 2], [0, 3]]))
    yield Case("Pad", m.real(()), Const(np.zeros((0, 2), np.int32)))
    for mode in ("REFLECT", "SYMMETRIC"):
        yield Case("MirrorPad", m.real((3, 4, 2)), Const([[2, 1], [3, 0], [0, 1]]), mode=mode)
        yield Case("MirrorPad", m.ints((3,)), Const([[3, 3]], np.int64), mode=mode)


def generators(m):
    yield Case("Fill", Const([2, 3]), m.real(()))
    yield Case("Fill", Const([], np.int64), m.any((), bool))
    yield Case("Fill", Const([0, 2]), m.ints(()))
    for dtype in (F32, np.int32, bool, np.complex64, F16):
        yield Case("ZerosLike", m.any((2, 3), dtype))
        yield Case("OnesLike", m.any((2, 3), dtype))
    yield Case("Empty", Const([2, 3]), dtype=tf.float32, init=True)
    for a, b, c, dtype in ((0, 10, 3, np.int32), (10, 0, -3, np.int64), (0, 1, 0.1, F32), (5, -5, -0.7, F64), (3, 3, 1, np.int32), (0, 5, 0, np.int32), (0, 5, -1, np.int32), (0, 3, 0.5, F16)):
        yield Case("Range", Const(a, dtype), Const(b, dtype), Const(c, dtype))
    for n in (1, 2, 7, 50, 0):
        yield Case("LinSpace", Const(0.3, F32), Const(7.7, F32), Const(n))
        yield Case("LinSpace", Const(5, F64), Const(-2, F64), Const(n, np.int64))
    for axis in (-1, 0, 1):
        yield Case("OneHot", m.ints((2, 3), np.int64, -1, 5), Const(4), Const(2.5, F32), Const(-1, F32), axis=axis)
        yield Case("OneHot", m.ints((4,), np.uint8, 0, 5), Const(3), Const(True, bool), Const(False, bool), axis=axis)
    yield Case("OneHot", m.ints((4,)), Const(0), Const(1), Const(0), axis=-1)
    yield Case("InvertPermutation", m.perm(6))
    yield Case("UnravelIndex", m.ints((5,), np.int32, 0, 24), Const([2, 3, 4]))
    yield Case("UnravelIndex", m.ints((5,), np.int64, 20, 30), Const([2, 3, 4], np.int64))
    yield Case("DataFormatDimMap", np.array([0, 1, -1, 2], np.int32), src_format="NHWC", dst_format="NCHW")
    yield Case("DataFormatVecPermute", m.ints((4,)), src_format="NHWC", dst_format="NCHW")
    yield Case("DataFormatVecPermute", m.ints((4, 2)), src_format="NCHW", dst_format="NHWC")
    yield Case("DataFormatVecPermute", m.ints((2,)), src_format="NHWC", dst_format="NCHW")
    yield Case("GuaranteeConst", m.real((2, 3)))
    yield Case("InvertPermutation", np.array([0, 0], np.int32))
    yield Case("InvertPermutation", np.array([0, 2], np.int32))


def selects(m):
    for dtype in (F32, np.int64, np.uint8, bool, np.complex128, F16):
        yield Case("Select", m.any((3, 4), bool), m.any((3, 4), dtype), m.any((3, 4), dtype))
        yield Case("Select", m.any((3,), bool), m.any((3, 4), dtype), m.any((3, 4), dtype))
        yield Case("Select", m.any((), bool), m.any((3, 4), dtype), m.any((3, 4), dtype))
        for c, a, b in (((3, 1), (4,), (3, 4)), ((), (2,), (2,)), ((2, 1, 2), (1, 3, 1), ()), ((5,), (), ())):
            yield Case("SelectV2", m.any(c, bool), m.any(a, dtype), m.any(b, dtype))
        yield Case("Where", m.any((3, 4), bool) if dtype == bool else m.ints((3, 4), np.int32, 0, 2).astype(dtype), may_differ=dtype == F16)
    yield Case("Where", np.zeros((2, 0, 3), bool))
    yield Case("Where", np.array(True), may_differ=True)
    for dtype in (F32, F64, F16, np.int32, np.int64, np.uint8):
        x = m.any((4, 5), dtype)
        yield Case("ClipByValue", x, np.array(1, dtype), np.array(2, dtype))
        yield Case("ClipByValue", x, np.minimum(m.any((4, 5), dtype), 2), np.full((4, 5), 3, dtype))
    yield Case("ClipByValue", np.array([np.nan, 1, -5, 5], F32), np.array(-1, F32), np.array(1, F32))
    yield Case("Bucketize", m.real((4, 5)), boundaries=[-1.0, 0.0, 2.0])
    yield Case("Bucketize", m.ints((9,)), boundaries=[-1.0, 0.0, 2.0])


def orders(m):
    for dtype in (F32, F64, np.int32, np.uint8, F16):
        x = m.any((3, 7), dtype)
        for k in (0, 1, 3, 7):
            yield Case("TopKV2", x, Const(k))
        yield Case("NthElement", x, Const(2))
        yield Case("NthElement", x, Const(2), reverse=True)
    yield Case("TopKV2", m.ints((4, 40), np.int32, 0, 5), Const(9))
    yield Case("TopKV2", m.real((3,)), Const(4))
    p = m.real((5, 6))
    p[2, 3] = np.inf
    for k in (1, 3, 6):
        yield Case("InTopK", p, m.ints((5,), np.int32, 0, 6), k=k)
        yield Case("InTopKV2", p, np.array([0, 1, 2, 7, -1], np.int64), Const(k, np.int64))
    for dtype in (np.int32, np.int64, F32, np.uint8):
        x = m.ints((12,), np.int32, 0, 4).astype(dtype)
        for t in (tf.int32, tf.int64):
            yield Case("Unique", x, out_idx=t)
            yield Case("UniqueWithCounts", x, out_idx=t)
        yield Case("ListDiff", x, m.ints((2,), np.int32, 0, 4).astype(dtype))
        yield Case("UniqueV2", m.ints((4, 3, 2), np.int32, 0, 2).astype(dtype), Const([0]))
        yield Case("UniqueWithCountsV2", m.ints((3, 5), np.int32, 0, 2).astype(dtype), Const([1], np.int64))
        yield Case("UniqueV2", x, Const([]))
    yield Case("Unique", np.zeros((0,), np.int32))
    s = np.sort(m.ints((3, 8), np.int32, 0, 6), 1)
    for op in ("LowerBound", "UpperBound"):
        yield Case(op, s, m.ints((3, 5), np.int32, -1, 8))
        yield Case(op, s.astype(F32), m.real((3, 5)), out_type=tf.int64)


def segments(m):
    ids = np.array([0, 0, 1, 3, 3, 3], np.int32)
    for dtype in (F32, F64, np.int32, np.int64, np.uint8):
        x = m.any((6, 3), dtype)
        for op in "SegmentSum SegmentMean SegmentProd SegmentMax SegmentMin".split():
            yield Case(op, x, ids)
        for op in "UnsortedSegmentSum UnsortedSegmentProd UnsortedSegmentMax UnsortedSegmentMin".split():
            yield Case(op, x, np.array([2, 0, 2, -1, 0, 4], np.int32), Const(6))
            yield Case(op, x, m.ints((6, 3), np.int64, 0, 5), Const(5))
    yield Case("SegmentSum", m.real((3, 2)), np.array([1, 0, 2], np.int32))
    yield Case("UnsortedSegmentSum", m.real((3, 2)), np.array([1, 0, 9], np.int32), Const(3))
    for op in ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN"):
        yield Case(op, m.real((5, 3)), np.array([4, 0, 0, 2], np.int32), np.array([0, 0, 1, 3], np.int32))
        yield Case(op + "WithNumSegments", m.real((5, 3)), np.array([4, 0, 0, 2], np.int32), np.array([0, 0, 1, 3], np.int32), Const(6))
    for dtype in (F32, np.int32, np.int64, F64):
        v = m.ints((9,), np.int32, 0, 6)
        yield Case("Bincount", v, Const(5), m.any((9,), dtype))
        yield Case("Bincount", v, Const(8), np.zeros((0,), dtype))
        yield Case("DenseBincount", m.ints((3, 4), np.int32, 0, 6), Const(5), m.any((3, 4), dtype))
        yield Case("DenseBincount", v, Const(5), np.zeros((0,), dtype), binary_output=True)
    yield Case("Bincount", np.array([1, -1], np.int32), Const(3), np.zeros((0,), F32))
    yield Case("HistogramFixedWidth", m.real((40,)), Const([-2, 2], F32), Const(7), dtype=tf.int32)
    yield Case("HistogramFixedWidth", m.ints((40,)), Const([-2, 2], np.int32), Const(4), dtype=tf.int64)


def spaces(m):
    for dtype in (F32, np.uint8, F16, np.int64):
        yield Case("SpaceToDepth", m.any((2, 4, 6, 3), dtype), block_size=2)
        yield Case("DepthToSpace", m.any((2, 2, 3, 12), dtype), block_size=2)
    yield Case("SpaceToDepth", m.real((1, 6, 3, 2)), block_size=3)
    yield Case("DepthToSpace", m.real((1, 2, 3, 12)), block_size=3)
    yield Case("SpaceToDepth", m.real((1, 5, 4, 2)), block_size=2)
    for dtype in (F32, np.int32, np.uint8):
        yield Case("SpaceToBatchND", m.any((2, 4, 6, 3), dtype), Const([2, 3]), Const([[0, 0], [0, 0]]))
        yield Case("BatchToSpaceND", m.any((12, 2, 2, 3), dtype), Const([2, 3]), Const([[0, 0], [0, 0]]))
    yield Case("SpaceToBatchND", m.real((2, 3, 5, 3)), Const([2, 3]), Const([[1, 0], [0, 1]]))
    yield Case("SpaceToBatchND", m.real((1, 7, 2)), Const([3]), Const([[1, 1]]))
    yield Case("SpaceToBatchND", m.real((1, 3, 5, 3)), Const([2, 2]), Const([[0, 0], [0, 0]]))
    yield Case("SpaceToBatchND", m.real((2, 4, 4, 2, 3)), Const([2, 1, 2]), Const([[0, 0], [1, 1], [0, 2]]))
    yield Case("BatchToSpaceND", m.real((12, 2, 3, 3)), Const([2, 3]), Const([[1, 0], [2, 3]]))
    yield Case("BatchToSpaceND", m.real((5, 2, 3, 3)), Const([2, 3]), Const([[1, 0], [2, 3]]))
    yield Case("SpaceToBatch", m.real((1, 3, 4, 2)), Const([[1, 0], [2, 0]]), block_size=2)
    yield Case("BatchToSpace", m.real((8, 2, 2, 1)), Const([[1, 0], [0, 2]]), block_size=2)
    for padding, k, s, r in (("SAME", 3, 1, 1), ("VALID", 3, 2, 1), ("SAME", 2, 2, 2), ("VALID", 2, 1, 3), ("VALID", 9, 1, 1), ("SAME", 4, 3, 1)):
        yield Case("ExtractImagePatches", m.real((2, 6, 7, 3)), ksizes=[1, k, k, 1], strides=[1, s, s, 1], rates=[1, r, r, 1], padding=padding)
    for padding in ("SAME", "VALID"):
        yield Case("ExtractVolumePatches", m.real((1, 4, 5, 3, 2)), ksizes=[1, 2, 3, 2, 1], strides=[1, 1, 2, 1, 1], padding=padding)


def diagonals(m):
    for dtype in (F32, np.int32, np.complex64, bool):
        yield Case("MatrixDiag", m.any((2, 3), dtype))
        yield Case("MatrixDiagPart", m.any((2, 3, 4), dtype))
        yield Case("MatrixSetDiag", m.any((2, 3, 4), dtype), m.any((2, 3), dtype))
        yield Case("MatrixBandPart", m.any((2, 3, 4), dtype), Const(1, np.int64), Const(-1, np.int64))
        yield Case("Diag", m.any((2, 3), dtype))
        yield Case("DiagPart", m.any((2, 3, 2, 3), dtype))
    for low, high in ((0, 0), (1, 2), (-1, 3), (-2, -1), (-2, 1), (3, 3), (-9, 0)):
        k = Const([low, high])
        n = high - low + 1
        for align in ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"):
            yield Case("MatrixDiagPartV3", m.real((2, 3, 4)), k, Const(7.5, F32), align=align)
            length = max([min(3 + min(d, 0), 4 - max(d, 0)) for d in range(low, high + 1)])
            if length > 0:
                shape = (2, n, length) if n > 1 else (2, length)
                yield Case("MatrixSetDiagV3", m.real((2, 3, 4)), m.real(shape), k, align=align)
                yield Case("MatrixDiagV3", m.real(shape), k, Const(-1), Const(-1), Const(0.5, F32), align=align)
                yield Case("MatrixDiagV3", m.real(shape), k, Const(3), Const(4), Const(0.5, F32), align=align)
                yield Case("MatrixDiagV3", m.real(shape), k, Const(3), Const(-1), Const(0.5, F32), align=align)
                yield Case("MatrixDiagV3", m.real(shape), k, Const(-1), Const(9), Const(0.5, F32), align=align)
        yield Case("MatrixDiagPartV2", m.real((3, 4)), k, Const(0, F32))
    for low, high in ((0, 0), (1, 0), (-1, 2), (0, -1), (3, 4)):
        yield Case("MatrixBandPart", m.real((3, 4)), Const(low, np.int64), Const(high, np.int64))


def images(m):
    combos = [(False, False), (True, False), (False, True)]
    for size in ((7, 9), (2, 3), (4, 5), (1, 1), (1, 8), (8, 1)):
        for align, half in combos:
            for dtype in (F32, np.uint8, F16, np.int32):
                x = m.any((2, 4, 5, 3), dtype)
                yield Case("ResizeBilinear", x, Const(size), align_corners=align, half_pixel_centers=half, atol=1.0)
                yield Case("ResizeNearestNeighbor", x, Const(size), align_corners=align, half_pixel_centers=half)
            yield Case("ResizeBicubic", m.real((2, 4, 5, 3)), Const(size), align_corners=align, half_pixel_centers=half, atol=1.0, rtol=1e-4)
            if not half:
                yield Case("ResizeArea", m.real((2, 4, 5, 3)), Const(size), align_corners=align, atol=1.0)
    for op in ("ResizeBilinear", "ResizeNearestNeighbor"):
        yield Case(op, m.real((1, 23, 17, 2)), Const([61, 40]), half_pixel_centers=True, atol=1.0)
        yield Case(op, m.real((1, 23, 17, 2)), Const([9, 40]), align_corners=True, atol=1.0)
        yield Case(op, m.real((1, 3, 3, 2)), Const([0, 4]))
        yield Case(op, m.real((0, 3, 3, 2)), Const([2, 4]))
    boxes = np.array([[0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], [0.8, 0.9, 0.1, 0.2], [-0.5, 0.3, 1.5, 0.8]], F32)
    for method in ("bilinear", "nearest"):
        for size in ((3, 4), (1, 1), (7, 1)):
            for dtype in (F32, np.uint8):
                yield Case("CropAndResize", m.any((2, 5, 6, 3), dtype), boxes, np.array([0, 1, 1, 0], np.int32), Const(size), method=method,
                           extrapolation_value=2.5, atol=1.0)
    yield Case("CropAndResize", m.real((2, 5, 6, 3)), boxes, np.array([0, 1, 2, 0], np.int32), Const([2, 2]))
    for padding, stride, rate in (("SAME", 1, 1), ("VALID", 2, 1), ("SAME", 2, 2)):
        for dtype in (F32, np.int32, F16):
            yield Case("Dilation2D", m.any((2, 6, 7, 3), dtype), m.any((3, 2, 3), dtype), strides=[1, stride, stride, 1], rates=[1, rate, rate, 1], padding=padding)


def losses(m):
    for dtype in (F32, F64, F16):
        p = np.abs(m.real((4, 5), F64))
        yield Case("SoftmaxCrossEntropyWithLogits", m.real((4, 5), dtype), (p / p.sum(1, keepdims=True)).astype(dtype))
        yield Case("SparseSoftmaxCrossEntropyWithLogits", m.real((4, 5), dtype), m.ints((4,), np.int64, 0, 5))
    yield Case("SoftmaxCrossEntropyWithLogits", m.real((4, 5)), m.real((1, 5)))
    yield Case("SparseSoftmaxCrossEntropyWithLogits", m.real((2, 5)), np.array([1, 9], np.int32))
    for dtype in FLOATS:
        yield Case("L2Loss", m.real((3, 4, 2), dtype))
        yield Case("BiasAddGrad", m.real((2, 3, 4), dtype))
    for equation, *shapes_ in (("ij,jk->ik", (3, 4), (4, 5)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ij->ji", (3, 4)), ("ii->i", (3, 3)),
                               ("ij->", (3, 4)), ("i,j->ij", (3,), (4,)), ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)), ("abc,cd->abd", (2, 3, 4), (4, 5)),
                               ("...i->...", (2, 3, 4)), ("ij,ij->i", (3, 4), (3, 4)), ("...ij,jk->...ik", (6, 2, 3, 4), (4, 5)), ("i...,i->...", (3, 4), (3,)),
                               ("ij,jk", (3, 4), (4, 5))):
        for dtype in (F32, F64, np.int32, np.complex64) if len(shapes_) == 2 else (F32,):
            if "->" in equation:
                yield Case("Einsum", [m.any(s, dtype) for s in shapes_], equation=equation)
    yield Case("Einsum", [m.real((3, 4)), m.real((5, 6))], equation="ij,jk->ik")
    # a label twice in the output is a diagonal; "..." may not be dropped, unless it stands for nothing
    for equation, shapes_ in (("i->ii", [(3,)]), ("ij,jk->kiik", [(2, 3), (3, 4)]), ("...i->...ii", [(2, 3)]), ("...i->i", [(2, 3)]),
                              ("...i->i", [(3,)]), ("i->...i", [(3,)]), ("i->ij", [(3,)]), ("b i->b", [(2, 3)]), ("...i,...i->...i", [(1, 3), (2, 3)])):
        yield Case("Einsum", [m.real(s) for s in shapes_], equation=equation)


def quantizers(m):
    for bits, narrow in ((8, False), (4, True), (8, True), (2, False)):
        for low, high in ((-6.0, 6.0), (0.1, 3.0), (-3.0, -0.5), (-1.0, 2.5)):
            yield Case("FakeQuantWithMinMaxArgs", m.real((40,)), min=low, max=high, num_bits=bits, narrow_range=narrow)
            yield Case("FakeQuantWithMinMaxVars", m.real((40,)), np.array(low, F32), np.array(high, F32), num_bits=bits, narrow_range=narrow)
        yield Case("FakeQuantWithMinMaxVarsPerChannel", m.real((9, 3)), np.array([-1, -2, 0], F32), np.array([1, 3, 2], F32), num_bits=bits, narrow_range=narrow)
        for signed in (False, True):
            for mode in ("HALF_TO_EVEN", "HALF_UP"):
                for given in (False, True):
                    x = m.real((40,), F32, -2.0 if signed else 0.0, 2.0)
                    yield Case("QuantizeAndDequantizeV2", x, Const(-1.5 if signed else 0, F32), Const(1.2, F32), signed_input=signed, num_bits=bits, range_given=given,
                               round_mode=mode, narrow_range=narrow and signed)
                    yield Case("QuantizeAndDequantizeV3", x, Const(-1.5 if signed else 0, F32), Const(1.2, F32), Const(bits), signed_input=signed, range_given=given,
                               narrow_range=narrow and signed)
    yield Case("QuantizeAndDequantizeV4", m.real((4, 3)), Const([-1, -2, -3], F32), Const([1, 2, 3], F32), range_given=True, axis=1)
    yield Case("QuantizeAndDequantizeV2", m.real((4, 3)), Const([0, 0, 0], F32), Const([0, 0, 0], F32), range_given=False, axis=1)
    yield Case("FakeQuantWithMinMaxVars", m.real((5,)), np.array(0, F32), np.array(0, F32))
    values = np.linspace(-3.97, 3.61, 60).astype(F32).reshape(20, 3)
    for low, high in ((-3.0, 3.0), (0.0, 2.5)):
        yield Case("FakeQuantWithMinMaxVars", values, Const(low, F32), Const(high, F32))
    yield Case("FakeQuantWithMinMaxVarsPerChannel", values, Const([-1, -2, 0], F32), Const([1, 3, 2], F32))


def checks(m):
    yield Case("Relu6", m.real((3, 4)))
    for op in ("LogSoftmax", "Softmax"):
        for dtype in FLOATS:
            yield Case(op, m.real((3, 4), dtype))


def suppressions(m):
    for n, most, overlap, least in ((12, 5, 0.3, 0.0), (30, 40, 0.5, 0.2), (8, 0, 0.5, 0.0), (0, 3, 0.5, 0.0), (6, 6, 1.5, 0.0), (40, 30, 0.1, -1e9)):
        boxes, scores = m.real((n, 4), F32, 0, 1), m.real((n,), F32, 0, 1)
        scores[n // 2:] = np.round(scores[n // 2:], 1)
        limit, iou, low = Const(most), Const(overlap, F32), Const(least, F32)
        yield Case("NonMaxSuppression", boxes, scores, limit, iou_threshold=overlap)
        yield Case("NonMaxSuppressionV2", boxes, scores, limit, iou)
        yield Case("NonMaxSuppressionV3", boxes, scores, limit, iou, low)
        yield Case("NonMaxSuppressionWithOverlaps", m.real((n, n), F32, 0, 1), scores, limit, iou, low)
        for pad in (False, True):
            yield Case("NonMaxSuppressionV4", boxes, scores, limit, iou, low, pad_to_max_output_size=pad)
            for sigma in (0.0, 0.5, -1.0):
                yield Case("NonMaxSuppressionV5", boxes, scores, limit, iou, low, Const(sigma, F32), pad_to_max_output_size=pad)


def partitions(m):
    for dtype in (F32, np.int64, F16, bool):
        yield Case("DynamicPartition", m.any((6, 2), dtype), m.ints((6,), np.int32, 0, 3), num_partitions=4)
        yield Case("DynamicPartition", m.any((2, 3, 4), dtype), m.ints((2, 3), np.int32, 0, 2), num_partitions=2)
        for op in ("DynamicStitch", "ParallelDynamicStitch"):
            yield Case(op, [Const([4, 0, 2]), Const([[1, 3], [5, 6]])], [m.any((3, 2), dtype), m.any((2, 2, 2), dtype)])
    yield Case("DynamicPartition", m.real((3,)), Const([0, 1, 5]), num_partitions=2)
    yield Case("DynamicPartition", m.real((3,)), Const([0, 1]), num_partitions=2)
    yield Case("DynamicPartition", m.real((3,)), Const(1), num_partitions=2)
    yield Case("DynamicStitch", [Const([0, 1])], [m.real((2, 3)), ])
    yield Case("DynamicStitch", [Const([0, 1]), Const([0])], [m.real((2, 3)), m.real((1, 2))])


def fused(m):
    after = ("Relu", "Relu6", "Elu", "LeakyRelu", "Tanh", "Sigmoid")
    norm = [m.real((5,)), m.real((5,)), m.real((5,)), m.real((5,), F32, 0.5, 2)]
    for first, args in ((["BiasAdd"], [m.real((5,))]), (["FusedBatchNorm"], norm)):
        for then in ([], *([a] for a in after)):
            for padding, stride in (("SAME", 1), ("VALID", 2)):
                yield Case("_FusedConv2D", m.real((2, 6, 7, 3)), m.real((3, 2, 3, 5)), args, [], strides=[1, stride, stride, 1], padding=padding, num_args=len(args),
                           fused_ops=first + then, epsilon=0.001, leakyrelu_alpha=0.3)
    for then in ([], *([a] for a in after), ["GeluExact"], ["GeluApproximate"]):
        for a, b in ((False, False), (True, False), (False, True)):
            yield Case("_FusedMatMul", m.real((4, 3) if a else (3, 4)), m.real((5, 4) if b else (4, 5)), [m.real((5,))], transpose_a=a, transpose_b=b,
                       fused_ops=["BiasAdd"] + then, leakyrelu_alpha=0.3)
    yield Case("_FusedMatMul", m.real((3, 4)), m.real((4, 5)), [m.real((5,))], fused_ops=["Nonsense"])


GROUPS = [suppressions, partitions, fused, spaces, diagonals, images, losses, quantizers, checks, unary, binary, casts, reductions, shapes, joins, slices, gathers, layouts, generators, selects, orders, segments]


def CASES(rng):
    m = Maker(rng)
    return [case for group in GROUPS for case in group(m)]
