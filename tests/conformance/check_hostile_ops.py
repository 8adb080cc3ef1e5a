# SPDX-License-Identifier: Apache-2.0
"""Network ops with attributes and shapes no TensorFlow would write: a result or an error, never a crash.

    python check_hostile_ops.py [CASES] [SEED]      best with a library built with sanitizers (CNNFREEZE_LIB)
"""
import os
import random
import sys
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

import cnnfreeze_ctypes as cf

r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
OPS = ["Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul", "BiasAdd", "Conv2DBackpropInput", "Conv3DBackpropInputV2",
       "DepthwiseConv2dNativeBackpropInput", "FusedBatchNormV3", "BatchNormWithGlobalNormalization", "MaxPool", "AvgPool", "MaxPool3D",
       "MaxPoolWithArgmax", "Softmax", "LRN"]
NUMBERS = [0, 1, 1, 1, 2, 3, -1, 7, 1 << 31, (1 << 31) - 1, 1 << 40, -(1 << 62), (1 << 63) - 1]
ALLOWED = {-5, -6, -7, -9}  # corrupt, unsupported, limit, mismatch
BACKENDS = [b for b in ("auto", "onednn") if cf.has_backend(b)]


def const(g, name, value):
    n = g.node.add(name=name, op="Const")
    n.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    n.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def inputs_of(op):
    if "Backprop" in op:
        return ["sizes", "f", "x"]
    if "Norm" in op:
        return ["x", "c", "c", "c", "c"]
    return ["x", "f"] if op in OPS[:5] else ["x"]


def draw():
    g, op = graph_pb2.GraphDef(), r.choice(OPS)
    ranks = [5, 5, 4] if "3D" in op else [4, 4, 4, 5, 2, 0, 1, 3]
    x = [r.choice([0, 1, 2, 3, 5, 8]) for _ in range(r.choice(ranks))]
    g.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    const(g, "f", np.ones([r.choice([0, 1, 2, 3, 3, 5]) for _ in range(r.choice(ranks))], np.float32))
    const(g, "sizes", np.array([r.choice([0, 1, 2, 8, -1, 1 << 30]) for _ in range(r.choice([4, 4, 2, 5, 0]))], np.int32))
    const(g, "c", np.ones([r.choice([0, 1, 2, 3, 5, 8])], np.float32))
    n = g.node.add(name="y", op=op, input=inputs_of(op)[:None if r.random() < 0.95 else -1])
    count = len(x) if r.random() < 0.9 else r.choice([1, 4, 5, 9])
    for key in ("strides", "dilations", "ksize"):
        n.attr[key].list.i.extend(r.choice(NUMBERS) if r.random() < 0.25 else 1 for _ in range(count))
    if r.random() < 0.3:
        n.attr["explicit_paddings"].list.i.extend(r.choice(NUMBERS[:8]) if r.random() < 0.3 else 0 for _ in range(2 * count))
    n.attr["padding"].s = r.choice([b"SAME", b"VALID", b"EXPLICIT", b"FULL"])
    n.attr["data_format"].s = r.choice([b"NHWC", b"NCHW", b"NDHWC", b"", b"NCDHW"])
    n.attr["depth_radius"].i, n.attr["is_training"].b, n.attr["Targmax"].type = r.choice(NUMBERS), r.random() < 0.5, 9
    return g, np.ones(x, np.float32)


def main():
    seen = Counter()
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        g, x = draw()
        evaluator = cf.Evaluator(g.SerializeToString(), 1, r.choice(BACKENDS))
        try:
            evaluator.run({"x": x}, ["y"])
            seen[0] += 1
        except cf.Failure as e:
            assert e.status in ALLOWED, (e, g)
            seen[e.status] += 1
        cf.lib.cnnf_evaluator_free(evaluator.handle)
    assert seen[0] > 0
    print("statuses:", dict(seen))


if __name__ == "__main__":
    main()
