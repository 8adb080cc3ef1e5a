#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lines of tests/unit/shape_rules.txt against TensorFlow's shape functions: check_shape_rules.py [FILE]

Needs TensorFlow; exits 77 (skipped) without it. A line that begins with '+' or '-' says more or less than TensorFlow, but nothing else.
"""
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import tensorflow as tf
except ImportError:
    sys.exit(77)
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import op_def_registry

DTYPES = {"f": tf.float32, "i": tf.int32, "l": tf.int64, "b": tf.bool, "c": tf.complex64}


def shape_of(text):
    if text == "*":
        return tf.TensorShape(None)
    return tf.TensorShape([None if d == "?" else int(d) for d in text.strip("[]").split(",") if d])


def name_of(dtype, shape):
    letter = next(k for k, v in DTYPES.items() if v == dtype)
    return letter + ("*" if shape.rank is None else "[" + ",".join("?" if d is None else str(d) for d in shape.as_list()) + "]")


def add_input(graph, index, text):
    dtype, shape, values = re.fullmatch(r"(\w)(\*|\[[^]]*\])(?:=(.*))?", text).groups()
    dtype, shape = DTYPES[dtype], shape_of(shape)
    node = graph.node.add(name=f"in{index}", op="Placeholder" if values is None else "Const")
    node.attr["dtype"].type = dtype.as_datatype_enum
    if values is None:
        node.attr["shape"].shape.CopyFrom(shape.as_proto())
    else:
        numbers = [int(v) for v in values.split(",") if v]
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(numbers, dtype=dtype, shape=shape.as_list()))
    return dtype


def set_attr(attr, value):
    if value.startswith("s:"):
        attr.s = value[2:].encode()
    elif value.startswith("lf:"):
        attr.list.f.extend(float(v) for v in value[3:].split(","))
    elif value.startswith("li:"):
        attr.list.i.extend(int(v) for v in value[3:].split(","))
    elif value.startswith("["):
        attr.shape.CopyFrom(shape_of(value).as_proto())
    elif value in DTYPES:
        attr.type = DTYPES[value].as_datatype_enum
    else:
        attr.i = int(value)


def ask(op, attrs, inputs):
    """TensorFlow's answer in the file's words."""
    graph = graph_pb2.GraphDef()
    graph.versions.producer = tf.version.GRAPH_DEF_VERSION  # before 24 a scalar placeholder has no shape
    dtypes = [add_input(graph, i, text) for i, text in enumerate(inputs)]
    node = graph.node.add(name="node", op=op, input=[f"in{i}" for i in range(len(inputs))])
    args, at = op_def_registry.get(op).input_arg, 0
    for k, arg in enumerate(args):
        repeated = [a for a in args if a.number_attr == arg.number_attr]
        width = (len(inputs) - (len(args) - len(repeated))) // len(repeated) if arg.number_attr else 1
        if arg.number_attr:
            node.attr[arg.number_attr].i = width
        if arg.type_attr:
            node.attr[arg.type_attr].type = dtypes[at].as_datatype_enum
        at += width
    for attr in attrs:
        key, value = attr.split("=", 1)
        set_attr(node.attr[key], value)
    with tf.Graph().as_default() as g:
        try:
            tf.import_graph_def(graph, name="")
        except ValueError as e:
            return "error", str(e)
        return " ".join(name_of(t.dtype, t.shape) for t in g.get_operation_by_name("node").outputs), ""


def fits(ours, theirs):
    """Nothing that TensorFlow knows differs from what we know."""
    if ours == theirs:
        return True
    a, b = ours.split(), theirs.split()
    return len(a) == len(b) and all(x[0] == y[0] and shape_of(x[1:]).is_compatible_with(shape_of(y[1:])) for x, y in zip(a, b))


path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "unit/shape_rules.txt"
lines = bad = 0
for line in path.read_text().splitlines():
    if not line or line.startswith("#"):
        continue
    op, attrs, inputs, want = (f.strip() for f in line.lstrip("+-").split("|"))
    said, why = ask(op, attrs.split(), inputs.split())
    lines += 1
    other = line[0] in "+-"
    if (said == want and not other) or (other and said != want and "error" not in (said, want) and fits(want, said)):
        continue
    bad += 1
    print(f"{line}\n    TensorFlow: {said} {why}")
print(f"{lines} lines, {bad} that TensorFlow does not say")
sys.exit(bad > 0)
