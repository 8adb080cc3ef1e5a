# SPDX-License-Identifier: Apache-2.0
"""Writes the golden checkpoints beside this file, with TensorFlow 2.15.1 (numpy < 2)."""
import os

import numpy as np
import tensorflow as tf2

tf = tf2.compat.v1
HERE = os.path.dirname(os.path.abspath(__file__))


def arange(dtype, shape):
    return np.arange(int(np.prod(shape))).reshape(shape).astype(tf2.as_dtype(dtype).as_numpy_dtype)


def save(name, build, **saver):
    with tf.Graph().as_default(), tf.Session() as session:
        variables = build()
        session.run(tf.global_variables_initializer())
        os.chdir(HERE)
        os.makedirs(name, exist_ok=True)
        tf.train.Saver(variables, **saver).save(session, name + "/model.ckpt", write_meta_graph=False)


def dtypes():
    names = ["float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool", "bfloat16", "uint16",
             "complex128", "float16", "uint32", "uint64"]
    variables = [tf.Variable(arange(n, (2, 3)), name=n, dtype=n) for n in names]
    variables.append(tf.Variable([b"a", b"", b"\x00\xff" * 100], name="string"))
    variables.append(tf.Variable(2.5, name="scalar"))
    variables.append(tf.Variable(np.zeros((0, 4), np.float32), name="empty"))
    return variables


def arange_initializer(shape, dtype=None, partition_info=None):
    whole = arange(dtype.name, partition_info.full_shape if partition_info else shape)
    start = partition_info.var_offset if partition_info else [0] * len(shape)
    return tf.constant(whole[tuple(slice(a, a + int(n)) for a, n in zip(start, shape))])


def parts():
    whole = tf.get_variable("whole", (5, 4), initializer=arange_initializer, partitioner=tf.fixed_size_partitioner(2))
    across = tf.get_variable("across", (3, 7), tf.int64, arange_initializer,
                             partitioner=tf.fixed_size_partitioner(3, axis=1))
    return [whole, across]


def plain():
    return [tf.Variable(arange("float32", (4, 5)), name="scope/kernel"), tf.Variable([1, 2, 3], name="scope/count"),
            tf.Variable([b"one", b"two"], name="words"), tf.Variable(True, name="flag")]


tf.disable_v2_behavior()
save("dtypes", dtypes)
save("parts", parts)
save("v1", plain, write_version=tf.train.SaverDef.V1)
save("v1_shards", lambda: [tf.Variable(arange("float32", (2, 2)), name="a"), tf.Variable(7, name="b")], sharded=True,
     write_version=tf.train.SaverDef.V1)
save("sharded", plain, sharded=True)
tf.enable_v2_behavior()
root = tf2.Module()
root.kernel = tf2.Variable(arange("float32", (2, 2)), name="dense/kernel")
root.bias = tf2.Variable([1.0, 2.0], name="dense/bias")
os.chdir(HERE)
tf2.train.Checkpoint(model=root).write("objects/model.ckpt")
