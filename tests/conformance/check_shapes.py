#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the rules of lib/ops/ say of shapes that are known in part, against TensorFlow's shape functions.

Usage: check_shapes.py PRINT_SHAPES [--only OP[,OP]] [--seed N] [--variants N] [-v]
Needs TensorFlow 2; exits 77 (skipped) without it. Each case of check_ops.py, and of shape_cases.py for ops without a
kernel, is asked with all inputs known, then with sizes, ranks and values hidden. A variant passes when both refuse it,
or when ours contradicts nothing that TensorFlow says and knows no less. We may know more, and may refuse what
TensorFlow's kernels refuse when they run.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import tensorflow as tf
except ImportError:
    sys.exit(77)
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import op_def_library, op_def_registry, tensor_util

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_ops import attributes  # noqa: E402
from ops_cases import CASES, Const  # noqa: E402
from shape_cases import NOT_COMPARED, SHAPE_CASES, STRETCHES, is_unsound  # noqa: E402

v1 = tf.compat.v1


def flat(values):
    for value in values:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def definition_of(case):
    """The case's NodeDef with every attribute, its inputs in0, in1 ...; None when TensorFlow refuses its attributes."""
    op = op_def_registry.get(case.op)
    count = iter(range(1000))

    def place(value):
        if isinstance(value, list):
            return [place(v) for v in value]
        array = value.array if isinstance(value, Const) else value
        return v1.placeholder(array.dtype, None, name="in%d" % next(count))

    graph = tf.Graph()
    with graph.as_default():
        try:
            inputs = {a.name: place(v) for a, v in zip(op.input_arg, case.inputs)}
            op_def_library.apply_op(case.op, name="op", **inputs, **attributes(case, op))
        except (ValueError, TypeError, NotImplementedError, tf.errors.OpError):
            return None
    return next(n for n in graph.as_graph_def().node if n.name == "op")


def hidden(rng, shape):
    """The shape with some of it not known; None: not even the rank."""
    if rng.random() < 0.15:
        return None
    return [None if rng.random() < 0.35 else n for n in shape]


def variants(rng, case, count):
    """Inputs as (array, shape): shape "value" when the value is known."""
    inputs = [(v.array, True) if isinstance(v, Const) else (np.asarray(v), False) for v in flat(case.inputs)]
    yield [(a, "value" if known else list(a.shape)) for a, known in inputs]
    yield [(a, None) for a, _ in inputs]
    yield [(a, [None] * a.ndim) for a, _ in inputs]
    for _ in range(count):
        yield [(a, "value" if known and rng.random() < 0.6 else hidden(rng, a.shape)) for a, known in inputs]


def input_node(name, array, shape):
    node = node_def_pb2.NodeDef(name=name)
    if isinstance(shape, str):
        node.op = "Const"
        node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(array))
    else:
        node.op = "Placeholder"
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
    return node


def graph_of(definition, inputs, prefix):
    graph = graph_pb2.GraphDef()
    graph.versions.producer = 1645
    for i, (array, shape) in enumerate(inputs):
        graph.node.append(input_node("%sin%d" % (prefix, i), array, shape))
    node = graph.node.add()
    node.CopyFrom(definition)
    node.name = prefix + "op"
    del node.input[:]
    node.input.extend(prefix + name for name in definition.input)
    return graph


def of_tensorflow(graph):
    """(dtype, shape) of each output, or the reason why there is none."""
    with tf.Graph().as_default() as whole:
        try:
            tf.import_graph_def(graph, name="")
        except (ValueError, tf.errors.OpError) as e:
            return " ".join(str(e).split())[:200]
        op = whole.get_operation_by_name(graph.node[-1].name)
        return [(t.dtype.base_dtype, t.shape.as_list() if t.shape.rank is not None else None) for t in op.outputs]


def of_ours(program, graphs):
    """name -> (status, outputs or message), of one run over all graphs."""
    whole = graph_pb2.GraphDef()
    whole.versions.producer = 1645
    for graph in graphs:
        whole.node.extend(graph.node)
    with tempfile.NamedTemporaryFile(suffix=".pb") as f:
        f.write(whole.SerializeToString())
        f.flush()
        done = subprocess.run([program, f.name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answers = {}
    for line in done.stdout.splitlines():
        name, status, *rest = line.split("\t")
        answers[name] = (status, rest)
    return answers


def parse(text):
    dtype, rank, dims = text.split(":")
    return dtype, None if rank == "-1" else [None if d == "-1" else int(d) for d in dims.split(",") if d]


def differ(op, want, got):
    """Why our outputs are not TensorFlow's, or None."""
    if len(want) != len(got):
        return "%d outputs, TensorFlow has %d" % (len(got), len(want))
    for i, ((dtype, shape), text) in enumerate(zip(want, got)):
        ours_dtype, ours = parse(text)
        if (op, i) in NOT_COMPARED:
            continue
        said = "output %d is %s, TensorFlow says %s%s" % (i, text, dtype.name, shape)
        if ours_dtype != {"float32": "float", "float64": "double", "float16": "half"}.get(dtype.name, dtype.name):
            return said
        if shape is not None and ours is None:
            return said
        if shape is None or ours is None:
            continue
        if len(shape) != len(ours) or any(a is not None and b is not None and a != b for a, b in zip(shape, ours)):
            return said
        if any(a is not None and b is None and not (a == 1 and op in STRETCHES) for a, b in zip(shape, ours)):
            return said
    return None


def runs(definition, inputs):
    """Whether TensorFlow computes the op when it sees no shape before it runs."""
    graph = graph_of(definition, [(a, None) for a, _ in inputs], "")
    with tf.Graph().as_default() as whole:
        tf.import_graph_def(graph, name="")
        feeds = {"in%d:0" % i: a for i, (a, _) in enumerate(inputs)}
        with v1.Session(graph=whole) as session:
            try:
                session.run(whole.get_operation_by_name("op").outputs, feeds)
            except (tf.errors.OpError, ValueError, TypeError):
                return False
    return True


def judge(definition, inputs, want, got):
    status, rest = got
    if status == "refused":
        return None if isinstance(want, str) or not runs(definition, inputs) else "refused: %s" % rest[0]
    if is_unsound(definition, [shown for _, shown in inputs]):
        return None
    if isinstance(want, str):
        # A picture smaller than the window by less than a stride: kernels give no place where shape functions refuse.
        return None if "Negative dimension" in want else "%s %s, TensorFlow refuses: %s" % (status, rest, want)
    return differ(definition.op, want, rest)


def describe(definition, inputs):
    shown = ["%s%s" % (a.dtype, "=%s" % a.tolist() if isinstance(s, str) else s) for a, s in inputs]
    return "%s(%s) %s" % (definition.op, ", ".join(shown), " ".join(str(dict(definition.attr)).split())[:600])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("-v", action="store_true")
    a = parser.parse_args()
    rng = np.random.default_rng(a.seed)
    only = set(filter(None, a.only.split(",")))
    asked = []
    for case in list(CASES(rng)) + list(SHAPE_CASES(rng)):
        definition = definition_of(case) if not only or case.op in only else None
        for inputs in variants(rng, case, a.variants) if definition else ():
            prefix = "c%d_" % len(asked)
            asked.append((definition, inputs, graph_of(definition, inputs, prefix)))
    answers = of_ours(a.program, [graph for _, _, graph in asked])
    failures, compared, ops = {}, 0, set()
    for definition, inputs, graph in asked:
        got = answers[graph.node[-1].name]
        if got[0] == "no rule":
            continue
        compared += 1
        ops.add(definition.op)
        why = judge(definition, inputs, of_tensorflow(graph), got)
        if why:
            failures.setdefault(definition.op, []).append((describe(definition, inputs), why))
    for op, list_ in sorted(failures.items()):
        for what, why in list_[:100 if a.v else 3]:
            print("FAIL %s\n     %s" % (what, why))
    print("%d variants of %d ops, %d failures in %d ops" %
          (compared, len(ops), sum(map(len, failures.values())), len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
