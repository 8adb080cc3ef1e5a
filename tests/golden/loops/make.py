# SPDX-License-Identifier: Apache-2.0
"""Graphs with loops, branches, lists and arrays, and TensorFlow's numbers for them.

    python make.py          needs TensorFlow 2.15; writes *.pb here

Beside the program, a graph holds its own question and answer: Consts `given_I_R` (what `feed_I` is fed in round R) and
`wanted_I_R` (what `out_I` then is).
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../conformance"))
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import test_control_flow as programs  # noqa: E402
from tensorflow.core.framework import graph_pb2  # noqa: E402

WANTED = {"frames": ["count_to", "nested", "growing", "branch_in_loop", "loop_in_branch", "array_grows", "array_split",
                     "array_read_before", "scanned", "dynamic_rnn"],
          "functions": ["nested", "growing", "branch_in_loop", "switched", "lists", "list_kept", "lists_of_lists", "array_grows",
                        "scanned", "mapped_pairs"],
          "called": ["invariant_weights"]}


def strip(node):
    for key in ("_output_shapes", "_num_original_outputs", "_read_only_resource_inputs", "_XlaMustCompile", "config_proto",
                "executor_type", "_lower_using_switch_merge", "_gradient_op_type", "_class", "_grad_op_type"):
        if key in node.attr:
            del node.attr[key]


def constant(graph, name, value):
    graph.node.append(tf.compat.v1.NodeDef(name=name, op="Const"))
    graph.node[-1].attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    graph.node[-1].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


for mode, names in WANTED.items():
    for case in programs.PROGRAMS + programs.VARIABLES:
        if case[0].__name__ not in names:
            continue
        data, fetches, rounds = programs.build(case[0], case[1:], mode, False)
        graph = graph_pb2.GraphDef.FromString(data)
        for node in list(graph.node) + [n for f in graph.library.function for n in f.node_def]:
            strip(node)
        for function in graph.library.function:
            function.attr.clear()
            function.arg_attr.clear()
        del graph.library.gradient[:]
        for r, (values, wanted) in enumerate(rounds):
            for i, value in enumerate(values):
                constant(graph, f"given_{i}_{r}", np.asarray(value))
            for i, value in enumerate(wanted):
                constant(graph, f"wanted_{i}_{r}", np.asarray(value))
        with open(os.path.join(HERE, f"{case[0].__name__}.{mode}.pb"), "wb") as file:
            file.write(graph.SerializeToString(deterministic=True))
