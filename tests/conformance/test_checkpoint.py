# SPDX-License-Identifier: Apache-2.0
"""Checkpoints both ways: TensorFlow's are read here, ours are read by TensorFlow, the bytes are the same.

    CNNFREEZE=build/tools/cnnfreeze python -m pytest tests/conformance/test_checkpoint.py
"""
import ctypes
import os

import pytest

np = pytest.importorskip("numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf2 = pytest.importorskip("tensorflow")

tf = tf2.compat.v1
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.environ.get("CNNFREEZE_LIB", os.path.join(ROOT, "build", "lib", "libcnnfreeze.so"))
DTYPES = ["float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
          "uint64", "complex64", "complex128", "bool"]

lib = ctypes.CDLL(LIBRARY)
P, S = ctypes.c_void_p, ctypes.c_char_p
for name, result in [("cnnf_error_new", P), ("cnnf_error_message", S), ("cnnf_checkpoint_name", S),
                     ("cnnf_checkpoint_tensor", P), ("cnnf_checkpoint_count", ctypes.c_int64),
                     ("cnnf_tensor_byte_size", ctypes.c_size_t), ("cnnf_tensor_element_count", ctypes.c_int64),
                     ("cnnf_tensor_dim", ctypes.c_int64)]:
    getattr(lib, name).restype = result
ERROR, CONTEXT = P(lib.cnnf_error_new()), P()


def check(status):
    assert status == 0, lib.cnnf_error_message(ERROR).decode()


check(lib.cnnf_context_new(ctypes.byref(CONTEXT), None, ERROR))


def tensor_value(tensor):
    dtype, rank = tf2.as_dtype(lib.cnnf_tensor_dtype(tensor)), lib.cnnf_tensor_rank(tensor)
    shape = [lib.cnnf_tensor_dim(tensor, i) for i in range(rank)]
    if dtype == tf2.string:
        data, size, values = S(), ctypes.c_size_t(), []
        for i in range(lib.cnnf_tensor_element_count(tensor)):
            check(lib.cnnf_tensor_string(ctypes.byref(data), ctypes.byref(size), tensor, ctypes.c_int64(i), ERROR))
            values.append(ctypes.string_at(ctypes.cast(data, P), size.value))
        return np.array(values, object).reshape(shape)
    buffer = ctypes.create_string_buffer(lib.cnnf_tensor_byte_size(tensor))
    check(lib.cnnf_tensor_read(buffer, tensor, ctypes.c_size_t(0), ctypes.c_size_t(len(buffer)), ERROR))
    return np.frombuffer(buffer.raw, dtype.as_numpy_dtype).reshape(shape)


def read(path):
    """{name: array} of a checkpoint, every checksum verified."""
    checkpoint, values = P(), {}
    check(lib.cnnf_checkpoint_open(ctypes.byref(checkpoint), CONTEXT, path.encode(), ERROR))
    for i in range(lib.cnnf_checkpoint_count(checkpoint)):
        check(lib.cnnf_checkpoint_verify(checkpoint, ctypes.c_int64(i), ERROR))
        name = lib.cnnf_checkpoint_name(checkpoint, ctypes.c_int64(i)).decode()
        values[name] = tensor_value(P(lib.cnnf_checkpoint_tensor(checkpoint, ctypes.c_int64(i))))
    lib.cnnf_checkpoint_unref(checkpoint)
    return values


def same_as_tensorflow(path):
    ours, reader = read(path), tf.train.load_checkpoint(path)
    assert sorted(ours) == sorted(reader.get_variable_to_shape_map())
    for name, value in ours.items():
        theirs = reader.get_tensor(name)
        assert (value.tolist() if value.dtype == object else value.tobytes()) == \
            (np.array(theirs, object).tolist() if value.dtype == object else np.asarray(theirs).tobytes()), name


def every_dtype():
    random = np.random.RandomState(3)
    for d in DTYPES:
        for shape in ((), (1,), (0, 3), (4, 5)):
            value = (random.standard_normal(shape) * 50).astype(tf2.as_dtype(d).as_numpy_dtype)
            tf.get_variable("_".join([d, *map(str, shape)]), initializer=tf.constant(value))
    tf.get_variable("words", initializer=tf.constant([[b"one", b""], [b"\x00\xff" * 90, "é".encode()]]))


def slices():
    for shape, axis, parts in (((7, 3), 0, 3), ((2, 9, 4), 1, 4), ((5, 8), 1, 2)):
        tf.get_variable("whole_%d_%d" % (axis, parts), shape, partitioner=tf.fixed_size_partitioner(parts, axis))


def many():
    for i in range(1500):
        tf.get_variable("%0300d/%d" % (i, i), initializer=tf.constant(float(i)))


def save(folder, build, **saver):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.get_variable_scope().set_use_resource(saver.pop("resource", False))
        build()
        session.run(tf.global_variables_initializer())
        tf.train.write_graph(graph, str(folder), "graph.pb", as_text=False)
        return tf.train.Saver(save_relative_paths=True, **saver).save(session, str(folder / "model.ckpt"))


@pytest.mark.parametrize("build", [every_dtype, slices, many])
@pytest.mark.parametrize("options", [{}, {"sharded": True}])
def test_tensorflows_are_read(tmp_path, build, options):
    same_as_tensorflow(save(tmp_path, build, **options))


@pytest.mark.parametrize("sharded", [False, True])
def test_v1_is_read(tmp_path, sharded):
    """TensorFlow does not read sliced V1 checkpoints by name: they hold what a V2 checkpoint of the session holds."""
    with tf.Graph().as_default(), tf.Session() as session:
        slices()
        tf.get_variable("plain", (300, 20))
        tf.get_variable("words", initializer=tf.constant([b"one", b""]))
        session.run(tf.global_variables_initializer())
        v2 = tf.train.Saver().save(session, str(tmp_path / "v2"))
        tf.train.Saver(write_version=tf.train.SaverDef.V1, sharded=sharded).save(session, str(tmp_path / "v1"))
    ours, wanted = read(str(tmp_path / "v1")), read(v2)
    assert sorted(ours) == sorted(wanted)
    for name, value in wanted.items():
        assert ours[name].tolist() == value.tolist(), name


def test_object_based_is_read(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        module = tf2.Module()
        module.kernel = tf.get_variable("kernel", (3, 4), use_resource=True)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Checkpoint(m=module).save(str(tmp_path / "o"), session=session)
    ours, reader = read(prefix), tf.train.load_checkpoint(prefix)
    key = "m/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert ours[key].tobytes() == reader.get_tensor(key).tobytes()


@pytest.mark.parametrize("build", [every_dtype, many])
@pytest.mark.parametrize("resource", [False, True])
def test_ours_have_the_same_bytes_and_restore(tmp_path, build, resource):
    theirs = save(tmp_path, build, resource=resource)
    (tmp_path / "ours").mkdir()
    ours, graph, bound = str(tmp_path / "ours" / "model.ckpt"), P(), P()
    check(lib.cnnf_load_file(ctypes.byref(graph), CONTEXT, str(tmp_path / "graph.pb").encode(), None, ERROR))
    check(lib.cnnf_bind_checkpoint(ctypes.byref(bound), graph, theirs.encode(), None, ERROR))
    check(lib.cnnf_write_checkpoint(bound, ours.encode(), None, ERROR))
    lib.cnnf_graph_unref(bound), lib.cnnf_graph_unref(graph)
    for suffix in (".index", ".data-00000-of-00001"):
        assert open(ours + suffix, "rb").read() == open(theirs + suffix, "rb").read(), suffix
    assert (tmp_path / "ours" / "checkpoint").read_text() == (tmp_path / "checkpoint").read_text()
    assert tf.train.latest_checkpoint(str(tmp_path / "ours")) == ours
    if build is many:
        return
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(ours + ".meta").restore(session, ours)
        reader = tf.train.load_checkpoint(theirs)
        assert len(tf.global_variables()) == len(reader.get_variable_to_shape_map())
        for variable in tf.global_variables():
            wanted = np.asarray(reader.get_tensor(variable.op.name))
            assert np.asarray(session.run(variable)).tolist() == wanted.tolist() or wanted.dtype.kind == "V", variable.name
