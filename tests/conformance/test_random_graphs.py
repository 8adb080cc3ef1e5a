# SPDX-License-Identifier: Apache-2.0
"""Random graphs with functions and constants of all sizes: what TensorFlow writes we read and write equal, and what we
write TensorFlow reads, imports and computes.

    CNNFREEZE_BUILD=build python -m pytest tests/conformance/test_random_graphs.py
"""
import os
import random
import subprocess

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
np = pytest.importorskip("numpy")
tf = pytest.importorskip("tensorflow")
from google.protobuf import text_format  # noqa: E402
from tensorflow.core.framework import graph_pb2  # noqa: E402
from tensorflow.python.framework import tensor_util  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.path.join(os.environ.get("CNNFREEZE_BUILD", os.path.join(ROOT, "build")), "tools", "cnnfreeze")
# Around the sizes at which payloads leave the message (1024) and pieces end (256 KiB), and none at all.
SIZES = [0, 1, 2, 3, 255, 256, 257, 1023, 1024, 1025, 1600, 4095, 4096, 65535, 65536, 65537, 262140, 262144, 262148]
SEEDS, FEW_SEEDS = range(30), range(12)


def run(*arguments):
    result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


def constant(rng, node):
    """A Const of a random dtype, size and encoding."""
    dtype = rng.choice([np.float32, np.float32, np.float64, np.int32, np.int64, np.float16, np.uint8, np.bool_])
    count = rng.choice(SIZES) // np.dtype(dtype).itemsize
    values = np.random.RandomState(rng.randrange(2**31)).uniform(0, 2, count).astype(dtype)
    if rng.random() < 0.3:
        values[:] = values[0] if count else 0  # one value for all: written once by some
    shape = [count] if count % 2 or rng.random() < 0.5 else [2, count // 2]
    node.op = "Const"
    node.attr["dtype"].type = tf.as_dtype(dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(values, shape=shape))
    if count and rng.random() < 0.2:  # as some writers have it: values as a list
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values.tolist(), tf.as_dtype(dtype), shape))
    return node


def decorate(rng, node):
    if rng.random() < 0.3:
        node.device = rng.choice(["/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0"])
    if rng.random() < 0.3:
        node.attr["_note"].s = rng.randbytes(rng.choice([0, 1, 1023, 1024, 5000]))
    if rng.random() < 0.2:
        for i in range(rng.randrange(4)):
            dims = node.attr["_shapes"].list.shape.add()
            for _ in range(rng.randrange(3)):
                dims.dim.add().size = rng.choice([-1, 0, 1, 7])
        if not node.attr["_shapes"].list.shape:
            node.attr["_shapes"].list.SetInParent()


def body(rng, nodes, prefix, fed, functions, output):
    """Appends a chain of nodes that adds numbers to float `fed`; returns the last one's output."""
    at = fed
    for i in range(rng.randrange(1, 7)):
        name = f"{prefix}{i}"
        kind = rng.random()
        if kind < 0.45:
            decorate(rng, constant(rng, nodes.add(name=f"{name}_c")))  # read by nobody, but it is there
        if kind < 0.6:
            value = nodes.add(name=f"{name}_k", op="Const")
            value.attr["dtype"].type = 1
            size = rng.choice([1, 300, 400])
            value.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(np.random.RandomState(rng.randrange(2**31)).rand(size).astype("f")))
            total = nodes.add(name=f"{name}_s", op="Sum", input=[output(f"{name}_k", "output"), output(f"{name}_x", "output")])
            axis = nodes.add(name=f"{name}_x", op="Const")
            axis.attr["dtype"].type = 3
            axis.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(np.array([0], "i")))
            total.attr["T"].type, total.attr["Tidx"].type, total.attr["keep_dims"].b = 1, 3, False
            add = nodes.add(name=name, op="AddV2", input=[at, output(f"{name}_s", "output")])
            add.attr["T"].type = 1
            at = output(name, "z")
        elif kind < 0.8 and functions:
            call = nodes.add(name=name, op=rng.choice(["PartitionedCall", "StatefulPartitionedCall"]), input=[at])
            call.attr["Tin"].list.type.append(1)
            call.attr["Tout"].list.type.append(1)
            call.attr["f"].func.name = rng.choice(functions)
            call.attr["config"].s, call.attr["config_proto"].s, call.attr["executor_type"].s = b"", b"", b""
            at = output(name, "output")
            decorate(rng, call)
        else:
            node = nodes.add(name=name, op="Neg", input=[at])
            node.attr["T"].type = 1
            at = output(name, "y")
            decorate(rng, node)
    return at


def make(seed):
    rng = random.Random(seed)
    graph = graph_pb2.GraphDef()
    graph.versions.producer = rng.choice([24, 134, 1286])
    names = []
    for i in range(rng.randrange(4)):
        function = graph.library.function.add()
        function.signature.name = f"f{i}"
        function.signature.input_arg.add(name="a", type=1)
        function.signature.output_arg.add(name="r", type=1)
        function.ret["r"] = body(rng, function.node_def, "n", "a", names, lambda node, arg: f"{node}:{arg}:0")
        if rng.random() < 0.3:
            function.attr["_note"].s = rng.randbytes(rng.choice([3, 1024, 2000]))
        names.append(function.signature.name)
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    x.attr["shape"].shape.dim.add().size = -1
    last = body(rng, graph.node, "m", "x", names, lambda node, arg: node)
    out = graph.node.add(name="out", op="Identity", input=[last])
    out.attr["T"].type = 1
    return graph


def compute(graph):
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=imported) as session:
            return session.run("out:0", {"x:0": np.array([0.5, -2, 3], "f")})


def parse(path, text=False):
    graph = graph_pb2.GraphDef()
    data = path.read_bytes()
    if text:
        text_format.Parse(data.decode(), graph)
    else:
        graph.ParseFromString(data)
    return graph


@pytest.mark.parametrize("seed", SEEDS)
def test_written_and_read_on_both_sides(seed, tmp_path):
    graph = make(seed)
    binary, text, ours, our_text = (tmp_path / name for name in ("a.pb", "a.pbtxt", "b.pb", "b.pbtxt"))
    binary.write_bytes(graph.SerializeToString(deterministic=True))
    text.write_text(text_format.MessageToString(graph))
    for source in (binary, text):
        run("convert", source, ours, "--check_output")
        run("convert", source, our_text, "--check_output")
        assert ours.read_bytes() == binary.read_bytes(), source
        assert parse(ours) == graph and parse(our_text, text=True) == graph, source
    assert np.array_equal(compute(parse(ours)), compute(graph))


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_passes_leave_a_graph_that_tensorflow_runs(seed, tmp_path):
    """The writer meets graphs that passes made: payloads at new places."""
    graph = make(seed)
    source, out = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(graph.SerializeToString(deterministic=True))
    want = compute(graph)
    for passes in ("inline_functions prune", "sort_by_execution_order merge_duplicate_nodes", "remove_device add_default_attributes",
                   "fold_constants prune"):
        run("transform_graph", f"--in_graph={source}", f"--out_graph={out}", "--inputs=x", "--outputs=out",
            f"--transforms={passes}", "--check_output")
        got = compute(parse(out))
        assert np.allclose(got, want, rtol=1e-5, atol=1e-5), (passes, got, want)


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_frozen_graphs_compute_the_same(seed, tmp_path):
    graph = make(seed)
    source, x, y = tmp_path / "a.pb", tmp_path / "x.npy", tmp_path / "y.npy"
    source.write_bytes(graph.SerializeToString(deterministic=True))
    np.save(x, np.array([0.5, -2, 3], "f"))
    want = compute(graph)
    for flags in (["--verify"], ["--inline_functions=false", "--verify"], ["--as_text"]):
        out = tmp_path / "out.pb"
        run("freeze", source, out, "--outputs=out", "--check_output", *flags)
        assert np.allclose(compute(parse(out, text="--as_text" in flags)), want, rtol=1e-5, atol=1e-5), flags
        run("predict", f"--graph={out}", f"--feed=x={x}", f"--fetch=out={y}")
        assert np.allclose(np.load(y), want, rtol=1e-5, atol=1e-5), flags
