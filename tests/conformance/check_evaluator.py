# SPDX-License-Identifier: Apache-2.0
"""Network ops with random shapes and attributes against TensorFlow, fed and with constant filters (the fused paths).

    python check_evaluator.py [CASES] [SEED]        needs tensorflow (2.x) and a built library (CNNFREEZE_LIB)
"""
import os
import random
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf2

import cnnfreeze_ctypes as cf

tf = tf2.compat.v1
tf.disable_v2_behavior()
r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
rng = np.random.default_rng(r.randrange(1 << 30))


def data(shape, dtype=np.float32):
    return rng.normal(0, 1, shape).astype(dtype)


def dims(low=1, high=12, n=2):
    return [r.randint(low, high) for _ in range(n)]


def padding(kernel, spatial=2, explicit=True):
    kind = r.choice(["SAME", "VALID"] + (["EXPLICIT"] if explicit else []))
    if kind != "EXPLICIT":
        return kind
    return [[0, 0]] + [[r.randint(0, 2), r.randint(0, 2)] for _ in range(spatial)] + [[0, 0]]


def fits(shape, kernel, dilation, pad):
    return pad == "SAME" or all(s >= (k - 1) * d + 1 for s, k, d in zip(shape, kernel, dilation))


def operand(feeds, value, constant):
    if constant:
        return tf.constant(value)
    p = tf.placeholder(value.dtype, [None] * value.ndim)
    feeds[p] = value
    return p


def conv2d(feeds, constant, dtype):
    k, s, d = dims(1, 4), dims(1, 3), r.choice([[1, 1], [1, 1], dims(1, 2)])
    if max(d) > 1:
        s = [1, 1]
    if r.random() < 0.4:
        k, s, d = [3, 3], [1, 1], [1, 1]
    size, ci, co = dims(6, 20), r.choice([1, 3, 7, 16, 20, 33]), r.choice([1, 5, 16, 28, 40, 64])
    x = operand(feeds, data([r.randint(1, 3)] + size + [ci], dtype), False)
    f = operand(feeds, data(k + [ci, co], dtype) * dtype(0.3), constant)
    return tf.nn.conv2d(x, f, s, padding(k), dilations=d)


def conv2d_chain(feeds, constant, dtype):
    """What networks are made of: the fused steps."""
    size, ci, co = [r.choice([8, 14, 16, 9]), r.choice([8, 14, 28, 13])], r.choice([1, 3, 16, 28]), r.choice([8, 24, 28, 48])
    x = tf.placeholder(tf.float32, [None] + size + [ci])
    feeds[x] = data([r.randint(1, 4)] + size + [ci])
    k = r.choice([1, 3, 3, 3, 5])
    if r.random() < 0.3:
        n = tf.pad(x, [[0, 0], dims(0, 2), dims(0, 2), [0, 0]])
        pad, s = "VALID", r.choice([1, 2])
    else:
        n, pad, s = x, "SAME", r.choice([1, 1, 1, 2])
    if r.random() < 0.25:
        co = ci
        n = tf.nn.depthwise_conv2d(n, tf.constant(data([k, k, ci, 1])), [1, s, s, 1], pad)
    else:
        n = tf.nn.conv2d(n, tf.constant(data([k, k, ci, co]) * 0.2), s, pad)
    first = n
    for step in r.choice(["brn", "nr", "b6", "bnr", "rn", "brnp", "bp", "nar", "ba", "n", "brn", "m", "rma6"]):
        if step == "b":
            n = tf.nn.bias_add(n, tf.constant(data([co])))
        elif step == "r":
            n = tf.nn.relu(n)
        elif step == "6":
            n = tf.nn.relu6(n)
        elif step == "n":
            n = tf.nn.fused_batch_norm(n, tf.constant(data([co])), tf.constant(data([co])), tf.constant(data([co])),
                                       tf.constant(np.abs(data([co])) + 0.2), is_training=False, epsilon=1e-3)[0]
        elif step == "m":
            n = n * tf.constant(data([co]))
        elif step == "a":
            other = tf.nn.conv2d(x, tf.constant(data([1, 1, ci, co])), 1, "SAME")
            n = n + other if other.shape[1:] == n.shape[1:] else n - tf.constant(data([1, 1, co]))
        elif step == "p":
            n = tf.nn.max_pool2d(n, 2, 2, r.choice(["VALID", "SAME"]))
    return n if r.random() < 0.8 else tf.concat([tf.reshape(n, [-1]), tf.reshape(first, [-1])], 0)


def depthwise(feeds, constant, dtype):
    k, s, d = dims(1, 4), [r.randint(1, 3)] * 2, [1, 1]
    if r.random() < 0.3:
        s, d = [1, 1], dims(1, 2)
    size, ci, m = dims(5, 18), r.choice([1, 3, 16, 35]), r.choice([1, 1, 2, 3])
    x = operand(feeds, data([r.randint(1, 3)] + size + [ci], dtype), False)
    f = operand(feeds, data(k + [ci, m], dtype), constant)
    pad = padding(k)
    return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=f, strides=[1] + s + [1], dilations=[1] + d + [1],
                                            padding=pad if isinstance(pad, str) else "EXPLICIT",
                                            explicit_paddings=[] if isinstance(pad, str) else sum(pad, []))


def conv2d_back(feeds, constant, dtype):
    k, s, size = dims(1, 4), dims(1, 3), dims(6, 12)
    ci, co, pad = r.choice([1, 4, 17]), r.choice([1, 3, 16]), r.choice(["SAME", "VALID"])
    n = r.randint(1, 2)
    f = operand(feeds, data(k + [ci, co], dtype), constant)
    out = [-(-a // b) if pad == "SAME" else (a - c) // b + 1 for a, b, c in zip(size, s, k)]
    dy = operand(feeds, data([n] + out + [co], dtype), False)
    return tf.nn.conv2d_backprop_input([n] + size + [ci], f, dy, [1] + s + [1], pad)


def conv3d(feeds, constant, dtype):
    k, s, size = dims(1, 3, 3), [r.randint(1, 2)] * 3, dims(4, 8, 3)
    ci, co = r.choice([1, 3]), r.choice([1, 5, 16])
    x = operand(feeds, data([r.randint(1, 2)] + size + [ci], dtype), False)
    f = operand(feeds, data(k + [ci, co], dtype), constant)
    return tf.nn.conv3d(x, f, [1] + s + [1], r.choice(["SAME", "VALID"]))


def conv3d_back(feeds, constant, dtype):
    k, s, size, pad = dims(1, 3, 3), [r.randint(1, 2)] * 3, dims(4, 7, 3), r.choice(["SAME", "VALID"])
    ci, co, n = r.choice([1, 3]), r.choice([1, 4]), r.randint(1, 2)
    out = [-(-a // b) if pad == "SAME" else (a - c) // b + 1 for a, b, c in zip(size, s, k)]
    f = operand(feeds, data(k + [ci, co], dtype), constant)
    dy = operand(feeds, data([n] + out + [co], dtype), False)
    return tf.raw_ops.Conv3DBackpropInputV2(input_sizes=[n] + size + [ci], filter=f, out_backprop=dy, strides=[1] + s + [1], padding=pad)


def batch_norm(feeds, constant, dtype):
    training, c = r.random() < 0.5, r.choice([1, 3, 20])
    x = operand(feeds, data([r.randint(1, 3)] + dims(2, 6) + [c]), False)
    p = [operand(feeds, v, constant) for v in (data([c]), data([c]), data([c]), np.abs(data([c])) + 0.1)]
    op = r.choice([tf.raw_ops.FusedBatchNorm, tf.raw_ops.FusedBatchNormV2, tf.raw_ops.FusedBatchNormV3])
    out = op(x=x, scale=p[0], offset=p[1], mean=p[2], variance=p[3], epsilon=1e-3, is_training=training)
    return [out.y, out.batch_mean, out.batch_variance]


def bias_add(feeds, constant, dtype):
    shape = dims(1, 6, r.randint(2, 5))
    return tf.nn.bias_add(operand(feeds, data(shape, dtype), False), operand(feeds, data([shape[-1]], dtype), constant))


def matmul(feeds, constant, dtype):
    m, k, n = r.choice([1, 3, 13, 40]), r.choice([1, 7, 100]), r.choice([1, 10, 33, 70])
    ta, tb = r.random() < 0.3, r.random() < 0.3
    a = operand(feeds, data([k, m] if ta else [m, k], dtype), False)
    b = operand(feeds, data([n, k] if tb else [k, n], dtype), constant)
    return tf.linalg.matmul(a, b, transpose_a=ta, transpose_b=tb)


def batch_matmul(feeds, constant, dtype):
    m, k, n = dims(1, 9, 3)
    batch = dims(1, 3, r.randint(1, 3))
    other = [d if r.random() < 0.6 else 1 for d in batch][r.randint(0, len(batch)):]
    ta, tb = r.random() < 0.3, r.random() < 0.3
    a = operand(feeds, data(batch + ([k, m] if ta else [m, k]), dtype), False)
    b = operand(feeds, data(other + ([n, k] if tb else [k, n]), dtype), constant)
    return tf.raw_ops.BatchMatMulV2(x=a, y=b, adj_x=ta, adj_y=tb)


def pool(feeds, constant, dtype):
    k, s, size = dims(1, 3), dims(1, 3), dims(3, 10)
    x = operand(feeds, data([r.randint(1, 3)] + size + [r.choice([1, 3, 19])], dtype), False)
    op = r.choice([tf.nn.max_pool2d, tf.nn.avg_pool2d])
    return op(x, k, s, r.choice(["SAME", "VALID"]))


def pool3d(feeds, constant, dtype):
    k, s, size = dims(1, 3, 3), dims(1, 2, 3), dims(3, 7, 3)
    x = operand(feeds, data([r.randint(1, 2)] + size + [r.choice([1, 3])], np.float32), False)
    return r.choice([tf.nn.max_pool3d, tf.nn.avg_pool3d])(x, k, s, r.choice(["SAME", "VALID"]))


def pool_v2(feeds, constant, dtype):
    x = operand(feeds, data([2] + dims(3, 9) + [4]), False)
    return tf.raw_ops.MaxPoolV2(input=x, ksize=[1] + dims(1, 3) + [1], strides=[1] + dims(1, 2) + [1], padding=r.choice(["SAME", "VALID"]))


def pool_argmax(feeds, constant, dtype):
    x = operand(feeds, data([2] + dims(3, 9) + [4], dtype), False)
    out = tf.nn.max_pool_with_argmax(x, [1] + dims(1, 3) + [1], [1] + dims(1, 2) + [1], r.choice(["SAME", "VALID"]),
                                     output_dtype=r.choice([tf.int32, tf.int64]), include_batch_in_index=r.random() < 0.5)
    return list(out)


def depthwise_back(feeds, constant, dtype):
    k, s, size, pad = dims(1, 4), [r.randint(1, 3)] * 2, dims(6, 12), r.choice(["SAME", "VALID"])
    ci, m, n = r.choice([1, 4, 17]), r.choice([1, 3]), r.randint(1, 2)
    out = [-(-a // b) if pad == "SAME" else (a - c) // b + 1 for a, b, c in zip(size, s, k)]
    f, dy = operand(feeds, data(k + [ci, m], dtype), constant), operand(feeds, data([n] + out + [ci * m], dtype), False)
    return tf.nn.depthwise_conv2d_backprop_input([n] + size + [ci], f, dy, [1] + s + [1], pad)


def softmax(feeds, constant, dtype):
    x = operand(feeds, data(dims(1, 9, r.randint(1, 4)), dtype) * dtype(3), False)
    return r.choice([tf.nn.softmax, tf.nn.log_softmax])(x)


def lrn(feeds, constant, dtype):
    x = operand(feeds, data([2] + dims(1, 4) + [r.randint(1, 12)]), False)
    return tf.nn.lrn(x, depth_radius=r.randint(0, 5), bias=r.uniform(0.5, 2), alpha=r.uniform(0.1, 1), beta=r.uniform(0.3, 1))


def rectifier(feeds, constant, dtype):
    x = data(dims(0, 6, r.randint(1, 4)), dtype) * dtype(5)
    if x.size and r.random() < 0.2 and dtype != np.float16:
        x.flat[0] = np.nan
    ops = [tf.nn.relu, tf.nn.relu6, tf.nn.elu, tf.nn.selu, lambda v: tf.nn.leaky_relu(v, 0.3)]
    return r.choice(ops)(operand(feeds, x, False))


def cond(feeds, constant, dtype):
    """Switch and Merge with a predicate only the feeds know; control edges into the branches."""
    tf.disable_control_flow_v2()
    x, p = operand(feeds, data([3, 4]), False), tf.placeholder(tf.bool, [])
    feeds[p] = np.array(r.random() < 0.5)
    y = tf.cond(p, lambda: tf.nn.relu(x) + tf.constant(data([4])), lambda: tf.nn.elu(x) + tf.constant(data([4])))
    z = tf.cond(tf.constant(r.random() < 0.5), lambda: tf.nn.relu6(y), lambda: tf.nn.selu(y))
    return [y, z]


OPS = [conv2d, conv2d, conv2d_chain, conv2d_chain, conv2d_chain, depthwise, conv2d_back, conv3d, conv3d_back, batch_norm, bias_add,
       matmul, batch_matmul, pool, pool3d, pool_v2, pool_argmax, depthwise_back, softmax, lrn, rectifier, cond]
FIXED = {conv2d_chain, batch_norm, pool3d, pool_v2, lrn, cond}      # float only
HALF = {bias_add, rectifier, softmax, pool, matmul}
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12, np.float16: 4e-3}


BACKENDS = [b for b in ("auto", "onednn") if cf.has_backend(b)]


def one(op, constant, dtype, threads, backend):
    feeds = {}
    with tf.Graph().as_default() as graph:
        out = op(feeds, constant, dtype)
        out = out if isinstance(out, list) else [out]
        with tf.Session(graph=graph) as session:
            want = session.run(out, feeds)
        got = cf.Evaluator(graph.as_graph_def().SerializeToString(), threads, backend).run(
            {k.op.name: v for k, v in feeds.items()}, [t.name for t in out])
    for a, b in zip(got, want):
        assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
        if a.size and not np.allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * max(1, np.nanmax(np.abs(b))), equal_nan=True):
            raise AssertionError(f"differs by {np.nanmax(np.abs(a.astype('f8') - b.astype('f8'))):.2e} of {np.nanmax(np.abs(b)):.2e}")


def main():
    count, failed, refused = int(sys.argv[1]) if len(sys.argv) > 1 else 200, 0, 0
    for i in range(count):
        op = OPS[i % len(OPS)]
        constant = r.random() < 0.6
        dtype = np.float32 if op in FIXED else r.choice([np.float32, np.float32, np.float64] + ([np.float16] if op in HALF else []))
        state = r.getstate()
        try:
            backend = r.choice(BACKENDS)
            one(op, constant, dtype, r.choice([1, 3]), backend)
        except (tf2.errors.OpError, ValueError) as e:
            refused += 1
            if "-v" in sys.argv: print(op.__name__, "TensorFlow refuses:", str(e)[:100])
        except Exception as e:
            failed += 1
            print(f"case {i} {op.__name__} {dtype.__name__} constant={constant} {backend}: {type(e).__name__} {str(e)[:200]}")
    print(f"{count - failed - refused} of {count - refused} agree with TensorFlow ({refused} drawn outside what it takes)")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
