# SPDX-License-Identifier: Apache-2.0
"""Graph files in and out against TensorFlow's own protobuf code, on every graph beside the project and on made ones.

    CNNFREEZE_LIB=build/lib/libcnnfreeze.so python -m pytest tests/conformance/test_graphdef.py
"""
import ctypes as C
import glob
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
np = pytest.importorskip("numpy")
pytest.importorskip("tensorflow")
import cnnfreeze_ctypes as lib  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from google.protobuf.message import DecodeError  # noqa: E402
from tensorflow.core.framework import graph_pb2, node_def_pb2, tensor_pb2  # noqa: E402
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2  # noqa: E402
from tensorflow.python.framework import tensor_util  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(ROOT, "..", "shared")
P = C.c_void_p
for name, result, arguments in [
        ("cnnf_write_options_new", C.c_int32, [P, P, P]), ("cnnf_write_options_set_text", C.c_int32, [P, C.c_int32, P]),
        ("cnnf_write_options_free", None, [P]), ("cnnf_write_graphdef_buffer", C.c_int32, [P, P, P, P]),
        ("cnnf_buffer_data", P, [P]), ("cnnf_buffer_size", C.c_size_t, [P]), ("cnnf_buffer_free", None, [P])]:
    function = getattr(lib.lib, name)
    function.restype, function.argtypes = result, arguments


def convert(source, text=False):
    """Our output for a path or for the bytes of a file."""
    graph, options, buffer = P(), P(), P()
    if isinstance(source, bytes):
        lib.check(lib.lib.cnnf_load_memory(C.byref(graph), lib.context, source, len(source), b"graph", None, lib.error))
    else:
        lib.check(lib.lib.cnnf_load_file(C.byref(graph), lib.context, source.encode(), None, lib.error))
    lib.check(lib.lib.cnnf_write_options_new(C.byref(options), lib.context, lib.error))
    lib.lib.cnnf_write_options_set_text(options, int(text), None)
    lib.check(lib.lib.cnnf_write_graphdef_buffer(C.byref(buffer), graph, options, lib.error))
    data = C.string_at(lib.lib.cnnf_buffer_data(buffer), lib.lib.cnnf_buffer_size(buffer))
    lib.lib.cnnf_buffer_free(buffer)
    lib.lib.cnnf_write_options_free(options)
    lib.lib.cnnf_graph_unref(graph)
    return data


def files(ending):
    found = sorted(glob.glob(SHARED + "/**/*" + ending, recursive=True))
    if not found:
        pytest.skip("no graphs beside the project")
    return found


def message(kind, path):
    with open(path, "rb") as file:
        return kind.FromString(file.read())


def canonical(graph):
    return graph.SerializeToString(deterministic=True)


# Text in the variants that the printer knows; the parser must take them all.
STYLES = [{}, {"as_one_line": True}, {"use_short_repeated_primitives": True}, {"as_utf8": True}, {"pointy_brackets": True}]


def test_graphdefs():
    for i, path in enumerate(files(".pb")):
        if os.path.basename(path) in ("saved_model.pb", "fingerprint.pb"):
            continue
        try:
            graph = message(graph_pb2.GraphDef, path)
        except DecodeError:  # a broken file
            with pytest.raises(lib.Failure):
                convert(path)
            continue
        wanted = canonical(graph)
        assert convert(path) == wanted, path
        assert convert(path, text=True).decode() == text_format.MessageToString(graph, float_format=""), path
        assert convert(text_format.MessageToString(graph, **STYLES[i % len(STYLES)]).encode()) == wanted, path


def test_text_files_of_tensorflow():
    for path in files(".pbtxt"):
        if not os.path.exists(path[:-3]):  # a text alone was not written by TensorFlow beside its binary form
            continue
        with open(path, "rb") as file:
            assert convert(path[:-3], text=True) == file.read(), path
        assert convert(path) == convert(path[:-3]), path


def test_meta_graphs():
    for path in files(".meta"):
        meta = message(meta_graph_pb2.MetaGraphDef, path)
        assert convert(path) == canonical(meta.graph_def), path
        assert convert(text_format.MessageToString(meta).encode()) == canonical(meta.graph_def), path


def test_saved_models():
    for path in files("saved_model.pb"):
        model = message(saved_model_pb2.SavedModel, path)
        assert convert(path) == canonical(model.meta_graphs[0].graph_def), path
        assert convert(text_format.MessageToString(model).encode()) == canonical(model.meta_graphs[0].graph_def), path


def test_order_of_map_keys():
    node = node_def_pb2.NodeDef(name="n", op="Op")
    for key in ("T", "Tidx", "Tidx2", "Tid", "", "a", "ab", "abc", "abd", "b", "aé", "a\x7f"):
        node.attr[key].i = 1
    graph = graph_pb2.GraphDef(node=[node])
    assert convert(graph.SerializeToString()) == canonical(graph)
    assert convert(graph.SerializeToString(), text=True).decode() == text_format.MessageToString(graph, float_format="")


@pytest.mark.parametrize("value", [0.1, 1e-5, 1e-4, 1e16, 123456.789, 1e-45, 3.4028234663852886e38, -0.0, float("inf"), 5e22])
def test_floats(value):
    graph = graph_pb2.GraphDef(node=[node_def_pb2.NodeDef(name="n", op="Op")])
    graph.node[0].attr["f"].f = value
    text = text_format.MessageToString(graph, float_format="")
    assert convert(graph.SerializeToString(), text=True).decode() == text
    assert convert(text.encode()) == canonical(graph)
    assert convert(text_format.MessageToString(graph).encode()) == canonical(graph)


def test_what_tensorflow_refuses():
    for text in ("node { name: 'a' name }", "node { foo: 1 }", "node { name: 'a'", "versions { producer: 1.5 }",
                 "versions { producer: 3000000000 }", "node { name: 'a\n' }", "node { attr { value { b: 7 } } }"):
        with pytest.raises(text_format.ParseError):
            text_format.Parse(text, graph_pb2.GraphDef())
        with pytest.raises(lib.Failure):
            convert(text.encode())


# ---- random graphs: every nesting of payloads, on both sides of the sizes from which we stream ----

SIZES = (0, 1, 3, 255, 256, 257, 1023, 1024, 1025, 5000)
DTYPES = ("float32", "int32", "uint8", "float16", "int64", "bool", "complex64", "float64")


def random_tensor(rng):
    if rng.random() < 0.15:
        return tensor_util.make_tensor_proto([rng.bytes(rng.choice(SIZES)) for _ in range(rng.integers(1, 4))])
    dtype = DTYPES[rng.integers(len(DTYPES))]
    values = rng.integers(0, 2, rng.choice(SIZES)).astype(dtype)
    if rng.random() < 0.3:  # values in the field of their type
        return tensor_pb2.TensorProto(dtype=1, tensor_shape={"dim": [{"size": len(values)}]},
                                      float_val=values.real.astype("float32").tolist())
    return tensor_util.make_tensor_proto(values)


def fill_attrs(attrs, rng, depth):
    for key in rng.permutation(["a", "T", "Tidx", "value", "f", "then_branch", "_x"])[:rng.integers(0, 5)]:
        kind = rng.integers(6)
        if kind == 0 and depth < 3:
            attrs[key].func.name = "f0"
            fill_attrs(attrs[key].func.attr, rng, depth + 1)
        elif kind == 1 and depth < 3:
            for _ in range(rng.integers(0, 3)):
                fill_attrs(attrs[key].list.func.add(name="f1").attr, rng, depth + 1)
        elif kind == 2:
            attrs[key].list.tensor.extend(random_tensor(rng) for _ in range(rng.integers(0, 4)))
        elif kind == 3:
            attrs[key].s = rng.bytes(rng.choice(SIZES))
        else:
            attrs[key].tensor.CopyFrom(random_tensor(rng))


def random_graph(seed):
    rng = np.random.default_rng(seed)
    graph = graph_pb2.GraphDef(versions={"producer": 134})

    def fill(nodes):
        for i in range(rng.integers(0, 5)):
            fill_attrs(nodes.add(name=f"n{i}", op="Const").attr, rng, 0)

    fill(graph.node)
    for i in range(rng.integers(0, 4)):
        function = graph.library.function.add(signature={"name": f"f{i}"})
        fill(function.node_def)
        fill_attrs(function.attr, rng, 1)
        for argument in range(rng.integers(0, 3)):
            fill_attrs(function.arg_attr[argument].attr, rng, 1)
    return graph


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_graphs(first):
    """TensorFlow's bytes read by us, and ours by TensorFlow, binary and text: equal."""
    for seed in range(first, first + 20):
        graph = random_graph(seed)
        wanted = canonical(graph)
        ours = convert(graph.SerializeToString())
        assert graph_pb2.GraphDef.FromString(ours) == graph, seed
        assert ours == wanted, seed
        text = convert(wanted, text=True)
        assert text_format.Parse(text, graph_pb2.GraphDef()) == graph, seed
        assert text.decode() == text_format.MessageToString(graph, float_format=""), seed
        assert convert(text_format.MessageToString(graph).encode()) == wanted, seed


def test_functions_run_in_tensorflow():
    """Two constants of 1,600 bytes side by side in a function's body, through us: TensorFlow computes the same."""
    import tensorflow as tf
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(20, 20)).astype("float32") for _ in range(2))

    @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32)])
    def inner(x):
        return tf.matmul(tf.matmul(x, tf.constant(a)), tf.constant(b))

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 20], "x")
        tf.identity(inner(x), "y")
    source = graph.as_graph_def().SerializeToString()
    image = rng.random((3, 20)).astype("float32")
    results = []
    for data in (source, convert(source)):
        with tf.Graph().as_default() as again:
            tf.import_graph_def(graph_pb2.GraphDef.FromString(data), name="")
            with tf.compat.v1.Session(graph=again) as session:
                results.append(session.run("y:0", {"x:0": image}))
    assert np.array_equal(results[0], results[1])
    assert np.allclose(results[0], image @ a @ b, atol=1e-4)
