# SPDX-License-Identifier: Apache-2.0
"""cnnfreeze freeze_graph against TensorFlow's, byte for byte, on graphs made here.

    CNNFREEZE=build/tools/cnnfreeze python -m pytest tests/conformance/test_freeze.py
"""
import os
import re
import subprocess

import pytest

np = pytest.importorskip("numpy")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf2 = pytest.importorskip("tensorflow")
from tensorflow.python.tools import freeze_graph as tf_freeze  # noqa: E402

tf = tf2.compat.v1
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CNNFREEZE = os.environ.get("CNNFREEZE", os.path.join(ROOT, "build", "tools", "cnnfreeze"))
SHARED = os.path.join(ROOT, "..", "shared")


def cnnfreeze(*args, code=0):
    done = subprocess.run([CNNFREEZE, *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def renumbered(data):
    """The number in <function>_frozen_<n> is a process-wide counter in TensorFlow: in order of appearance here."""
    graph = tf.GraphDef.FromString(data)
    names = {}
    for function in graph.library.function:
        if "_frozen_" in function.signature.name:
            names[function.signature.name] = len(names)
    text = str(graph)
    for name, number in sorted(names.items(), key=lambda item: -len(item[0])):
        text = text.replace(f'"{name}"', '"' + re.sub(r"_frozen_\d+$", f"_frozen_#{number}", name) + '"')
    return text


class Case:
    """A graph with its checkpoint and .meta in a folder."""

    def __init__(self, folder, build, outputs, resource=False, v2_control_flow=False):
        self.folder, self.outputs = str(folder), outputs
        self.prefix = self.folder + "/model.ckpt"
        control = tf.enable_control_flow_v2 if v2_control_flow else tf.disable_control_flow_v2
        with tf.Graph().as_default() as graph, tf.Session() as session:
            control()
            tf.get_variable_scope().set_use_resource(resource)
            build()
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, self.prefix)
            tf.train.write_graph(graph, self.folder, "graph.pb", as_text=False)
            tf.train.write_graph(graph, self.folder, "graph.pbtxt", as_text=True)

    def theirs(self, meta, **flags):
        out = self.folder + "/theirs.pb"
        with tf.Graph().as_default():
            tf_freeze.freeze_graph("" if meta else self.folder + "/graph.pb", "", True, self.prefix, self.outputs, "", "",
                                   out, True, "", input_meta_graph=self.prefix + ".meta" if meta else None, **flags)
        return open(out, "rb").read()

    def ours(self, source, *flags):
        out = self.folder + "/ours.pb"
        name = {"meta": "--input_meta_graph=" + self.prefix + ".meta"}.get(source, f"--input_graph={self.folder}/{source}")
        cnnfreeze("freeze_graph", name, "--input_checkpoint=" + self.prefix, "--output_graph=" + out,
                  "--output_node_names=" + self.outputs, "--input_binary=true", *flags)
        return open(out, "rb").read()

    def computed(self, feeds):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.train.import_meta_graph(self.prefix + ".meta").restore(session, self.prefix)
            return session.run(self.outputs + ":0", feeds)

    def run(self, data, feeds):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(tf.GraphDef.FromString(data), name="")
            return session.run([o + ":0" for o in self.outputs.split(",")], feeds)


def variable(name, shape, seed=0, dtype=np.float32):
    value = np.random.RandomState(seed).standard_normal(shape).astype(dtype)
    return tf.get_variable(name, initializer=value)


def plain():
    x = tf.placeholder(tf.float32, (None, 4), "x")
    y = tf.nn.relu(tf.matmul(x, variable("a/kernel", (4, 3))) + variable("a/bias", (3,), 1))
    tf.identity(y * variable("scale", (), 2), "out")


def untouched_variable():
    plain()
    variable("unused", (5,), 3)


def every_dtype():
    x = tf.placeholder(tf.float32, (), "x")
    total = x
    for i, name in enumerate(["float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64", "uint8",
                              "uint16", "uint32", "uint64", "complex64", "complex128", "bool"]):
        dtype = tf.as_dtype(name)
        for shape in ((), (3,), (1, 1), (0, 2)):
            value = (np.arange(int(np.prod(shape))).reshape(shape) % 2 + i % 2).astype(dtype.as_numpy_dtype)
            v = tf.get_variable("_".join([name, *map(str, shape)]), initializer=tf.constant(value, dtype))
            with tf.control_dependencies([tf.identity(v, name=v.op.name + "_copy")]):
                total = tf.identity(total)
    words = tf.get_variable("words", initializer=tf.constant([b"one", b"\x00\xff", b""]))
    with tf.control_dependencies([tf.identity(words)]):
        tf.identity(total, "out")


def conditional():
    x = tf.placeholder(tf.float32, (None, 4), "x")
    p = tf.placeholder_with_default(True, (), "p")
    w, b = variable("w", (4, 4)), variable("b", (4,), 1)
    tf.identity(tf.cond(p, lambda: tf.matmul(x, w), lambda: x + b), "out")


def nested_conditional():
    x = tf.placeholder(tf.float32, (None, 4), "x")
    p = tf.placeholder_with_default(True, (), "p")
    w, b = variable("w", (4, 4)), variable("b", (4,), 1)
    inner = lambda: tf.cond(p, lambda: tf.matmul(x, w), lambda: x - b)  # noqa: E731
    tf.identity(tf.cond(p, inner, lambda: x + b), "out")


def loop():
    x = tf.placeholder(tf.float32, (2, 4), "x")
    w = variable("w", (4, 4))
    _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w))), (0, x))
    tf.identity(y, "out")


def gather():
    x = tf.placeholder(tf.int32, (None,), "x")
    table = variable("table", (10, 3))
    rows = tf.gather(table, x)
    tf.identity(rows + tf.gather_nd(table, tf.expand_dims(x, 1)), "out")


def colocated():
    x = tf.placeholder(tf.float32, (4,), "x")
    w = variable("w", (4,))
    with tf.colocate_with(w):
        tf.identity(x * 2.0, "out")


def partitioned():
    x = tf.placeholder(tf.float32, (None, 4), "x")
    w = tf.get_variable("w", (4, 3), partitioner=tf.fixed_size_partitioner(2))
    tf.identity(tf.matmul(x, tf.convert_to_tensor(w)), "out")


X = {"x:0": np.random.RandomState(9).standard_normal((2, 4)).astype(np.float32)}


@pytest.mark.parametrize("build", [plain, untouched_variable, every_dtype, conditional, nested_conditional, loop, colocated])
@pytest.mark.parametrize("source", ["graph.pb", "graph.pbtxt", "meta"])
def test_reference_variables(tmp_path, build, source):
    case = Case(tmp_path, build, "out")
    assert case.ours(source) == case.theirs(source == "meta")


@pytest.mark.parametrize("build", [plain, untouched_variable, every_dtype, loop, gather, colocated, conditional])
def test_resource_variables_by_meta(tmp_path, build):
    case = Case(tmp_path, build, "out", resource=True)
    assert case.ours("meta") == case.theirs(True)


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("build", [conditional, nested_conditional, loop])
def test_functional_control_flow(tmp_path, build, resource):
    case = Case(tmp_path, build, "out", resource=resource, v2_control_flow=True)
    ours, theirs = case.ours("meta"), case.theirs(True)
    loads = not (resource and build is loop)  # TensorFlow's own has an _output_shapes that it then refuses
    if loads:
        assert renumbered(ours) == renumbered(theirs)
    np.testing.assert_array_equal(case.run(ours, X)[0], case.computed(X))


def test_partitioned_by_meta(tmp_path):
    case = Case(tmp_path, partitioned, "out")
    assert case.ours("meta") == case.theirs(True)


@pytest.mark.parametrize("build, feeds", [(plain, X), (conditional, X), (loop, X), (gather, {"x:0": [1, 7]})])
def test_resource_variables_with_a_bare_graph(tmp_path, build, feeds):
    """TensorFlow cannot (IndexError): the numbers are those of its way by .meta."""
    case = Case(tmp_path, build, "out", resource=True)
    with pytest.raises(IndexError):
        case.theirs(False)
    np.testing.assert_array_equal(case.run(case.ours("graph.pb"), feeds)[0], case.run(case.theirs(True), feeds)[0])


def test_allow_and_deny(tmp_path):
    case = Case(tmp_path, plain, "out")
    assert case.ours("graph.pb", "--variable_names_denylist=scale") == case.theirs(False, variable_names_denylist="scale")
    assert (case.ours("graph.pb", "--variable_names_whitelist=a/kernel,a/bias")
            == case.theirs(False, variable_names_whitelist="a/kernel,a/bias"))
    assert case.ours("graph.pb", "--variable_names_whitelist=a/*") == case.ours("graph.pb", "--variable_names_denylist=scale")


def test_assignment_in_the_cone_is_refused(tmp_path):
    def build():
        x = tf.placeholder(tf.float32, (3,), "x")
        tf.identity(x + tf.assign_add(variable("v", (3,)), x, name="update"), "out")
    case = Case(tmp_path, build, "out")
    out = cnnfreeze("freeze_graph", f"--input_graph={case.folder}/graph.pb", "--input_checkpoint=" + case.prefix,
                    f"--output_graph={case.folder}/no.pb", "--output_node_names=out", "--input_binary=true", code=6)
    assert "'update'" in out and "out" in out
    assert not os.path.exists(case.folder + "/no.pb")


@pytest.mark.skipif(not os.path.isdir(SHARED), reason="the real SavedModels lie beside the project")
@pytest.mark.parametrize("name, signature", [("half_plus_two_tf1", "serving_default"), ("half_plus_two_tf2", "serving_default"),
                                             ("mlcommons_kws", "serving_default")])
def test_saved_models(tmp_path, name, signature):
    """Frozen and inlined, they compute what TensorFlow computes."""
    folder, out = os.path.join(SHARED, "real", "saved-models", name), str(tmp_path / "frozen.pb")
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.load(session, ["serve"], folder)
        info = meta.signature_def[signature]
        random = np.random.RandomState(1)
        feeds = {i.name: random.random_sample([d.size if d.size > 0 else 2 for d in i.tensor_shape.dim]).astype(np.float32)
                 for i in info.inputs.values()}
        fetches = [o.name for o in info.outputs.values()]
        wanted = session.run(fetches, feeds)
    cnnfreeze("freeze", folder, "-o", out)
    graph = tf.GraphDef.FromString(open(out, "rb").read())
    assert not graph.library.function
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph, name="")
        for a, b in zip(session.run(fetches, feeds), wanted):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

# ---- variables that loops, branches and functions read ----

def weight(name, *shape):
    return tf.get_variable(name, shape, initializer=tf.random_normal_initializer(stddev=0.3, seed=len(name)))


def loop_reads(x):
    w, b = weight("w", 3, 3), weight("b", 3)
    return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w) + b)), [tf.constant(0), x])[1]


def loop_makes(x):
    def body(i, a):
        return i + 1, a * weight("inside", 3)
    with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
        weight("inside", 3)
        return tf.while_loop(lambda i, a: i < 2, body, [tf.constant(0), x])[1]


def condition_reads(x):
    limit = weight("limit")
    return tf.while_loop(lambda i, a: tf.cast(i, tf.float32) < tf.abs(limit) * 10., lambda i, a: (i + 1, a * 0.5), [tf.constant(0), x])[1]


def nested_reads(x):
    w, b = weight("w", 3, 3), weight("b", 3)

    def inner(i, a):
        return tf.while_loop(lambda j, c: j < i, lambda j, c: (j + 1, tf.sigmoid(tf.matmul(c, w))), [tf.constant(0), a])[1]

    def body(i, a):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: inner(i, a) + b, lambda: a - b)
    return tf.while_loop(lambda i, a: i < 4, body, [tf.constant(0), x])[1]


def branches_read(x):
    w, b, c = weight("w", 3, 3), weight("b", 3), weight("c", 3)
    p = tf.reduce_sum(x) > 0.
    y = tf.cond(p, lambda: tf.matmul(x, w), lambda: x * b)
    return tf.cond(p, lambda: tf.cond(tf.reduce_max(y) > 0., lambda: y + c, lambda: y - c), lambda: y * 2.)


def cases_read(x):
    vs = [weight(f"v{i}", 3) for i in range(3)]
    return tf2.switch_case(tf.cast(tf.reduce_sum(x), tf.int32) % 3, [lambda v=v: x * v for v in vs])


def mapped_reads(x):
    w = weight("w", 3)
    return tf.map_fn(lambda r: r * w, x) + tf.scan(lambda a, r: a * w + r, x)


def rnn(x):
    return tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(4), tf.expand_dims(x, 0), dtype=tf.float32)[0]


def two_loops(x):
    w = weight("w", 3)
    body = lambda i, a: (i + 1, a * w)
    x = tf.while_loop(lambda i, a: i < 2, body, [tf.constant(0), x])[1]
    return tf.while_loop(lambda i, a: i < 3, body, [tf.constant(0), x + w])[1]


READERS = [loop_reads, loop_makes, condition_reads, nested_reads, branches_read, cases_read, mapped_reads, rnn, two_loops]
KINDS = {"frames, reference": (False, False), "frames, resource": (True, False), "functions, resource": (True, True)}


@pytest.mark.parametrize("meta", [False, True], ids=["graph", "meta"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.__name__)
def test_loops_and_branches(tmp_path, reader, kind, meta):
    resource, v2 = KINDS[kind]
    case = Case(tmp_path, lambda: tf.identity(reader(tf.placeholder(tf.float32, [2, 3], name="x")), name="out"), "out", resource, v2)
    x = np.random.default_rng(3).normal(0, 1, (2, 3)).astype(np.float32)
    want = case.computed({"x:0": x})
    ours = case.ours("meta" if meta else "graph.pb")
    try:
        theirs = case.theirs(meta)
        case.run(theirs, {"x:0": x})
    except Exception as failure:  # TensorFlow's own tool fails, or what it writes does not load: ours has to
        print("theirs:", str(failure)[:200])
    else:
        assert renumbered(ours) == renumbered(theirs)
    np.testing.assert_array_equal(case.run(ours, {"x:0": x})[0], want)
    np.save(case.folder + "/x.npy", x)
    cnnfreeze("predict", "--graph=" + case.folder + "/ours.pb", "--feed", f"x={case.folder}/x.npy", "--fetch", f"out={case.folder}/y.npy")
    np.testing.assert_allclose(np.load(case.folder + "/y.npy"), want, rtol=1e-5, atol=1e-6)


RECURRENT = {
    "lstm": lambda k: [k.LSTM(4)], "gru": lambda k: [k.GRU(4, return_sequences=True), k.SimpleRNN(2)],
    "masked": lambda k: [k.Masking(0.), k.Bidirectional(k.LSTM(3, return_sequences=True)), k.TimeDistributed(k.Dense(2))],
    "stacked": lambda k: [k.RNN([k.LSTMCell(3), k.GRUCell(2)])], "embedded": lambda k: [k.Embedding(9, 4, mask_zero=True), k.LSTM(3)],
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_saved_models_of_recurrent_layers(tmp_path, kind):
    """Frozen as it is: loops in functions; computed by the command and by TensorFlow."""
    if tuple(map(int, tf2.__version__.split(".")[:2])) >= (2, 16):
        pytest.skip("needs tf.keras 2")
    folder = str(tmp_path)
    code = ("import sys, numpy as np, tensorflow as tf; import test_freeze; k = tf.keras; "
            "kind, folder = sys.argv[1:]; k.utils.set_random_seed(4); layers = test_freeze.RECURRENT[kind](k.layers); "
            "ids = kind == 'embedded'; shape = (None,) if ids else (None, 3); "
            "m = k.Sequential([k.layers.InputLayer(shape, dtype='int32' if ids else None)] + layers); "
            "x = np.random.default_rng(1).normal(0, 1, (2, 5, 3)).astype('float32'); x[0, 3:] = 0; "
            "x = np.array([[1, 2, 3, 0], [4, 0, 0, 0]], 'int32') if ids else x; "
            "np.save(folder + '/x.npy', x); np.save(folder + '/y.npy', m(x).numpy()); m.save(folder + '/model', save_format='tf')")
    import sys
    subprocess.run([sys.executable, "-c", code, kind, folder], check=True, capture_output=True, cwd=os.path.dirname(os.path.abspath(__file__)))
    x, y = np.load(folder + "/x.npy"), np.load(folder + "/y.npy")
    out = "StatefulPartitionedCall"
    ours = subprocess.run([CNNFREEZE, "freeze_graph", f"--input_saved_model_dir={folder}/model", f"--output_graph={folder}/ours.pb",
                           f"--output_node_names={out}"], capture_output=True, text=True, check=False)
    assert ours.returncode == 0, ours.stderr
    try:
        with tf.Graph().as_default():
            tf_freeze.freeze_graph("", "", True, "", out, "", "", folder + "/theirs.pb", True, "", input_saved_model_dir=folder + "/model")
        theirs = open(folder + "/theirs.pb", "rb").read()
        graph = tf.GraphDef.FromString(theirs)
        feed = [n.name for n in graph.node if n.op == "Placeholder" and n.name.startswith("serving")][0]
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(graph, name="")
            session.run(out + ":0", {feed + ":0": x})
    except Exception as failure:  # it fails, or what it writes does not load: ours has to
        print("theirs:", str(failure)[:200])
    else:
        assert renumbered(open(folder + "/ours.pb", "rb").read()) == renumbered(theirs)
    graph = tf.GraphDef.FromString(open(folder + "/ours.pb", "rb").read())
    feed = [n.name for n in graph.node if n.op == "Placeholder" and n.name.startswith("serving")][0]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph, name="")
        np.testing.assert_allclose(session.run(out + ":0", {feed + ":0": x}), y, rtol=1e-5, atol=1e-6)
    cnnfreeze("predict", f"--graph={folder}/ours.pb", "--feed", f"{feed}={folder}/x.npy", "--fetch", f"{out}={folder}/z.npy")
    np.testing.assert_allclose(np.load(folder + "/z.npy"), y, rtol=1e-5, atol=1e-6)
    cnnfreeze("freeze", folder + "/model", "-o", folder + "/fold.pb", "--fold", "--verify")
