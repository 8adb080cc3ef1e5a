# SPDX-License-Identifier: Apache-2.0
"""What the binding's tests share: the example model and small graphs in text format."""
import unittest
from pathlib import Path

import cnnfreeze

try:
    import numpy as np
except ImportError:
    np = None

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples/data/keras_trained_model.h5"
DIGITS = ROOT / "examples/data/digits_test.csv"

needs_numpy = unittest.skipUnless(np, "numpy is not installed")


def node(name, op, *inputs, **attrs):
    """A node of a GraphDef as text; attributes as the text of their value: dtype="type: DT_FLOAT"."""
    fields = [f'name: "{name}"', f'op: "{op}"'] + [f'input: "{i}"' for i in inputs]
    fields += [f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attrs.items()]
    return "node { " + " ".join(fields) + " }\n"


def graph(*nodes):
    return cnnfreeze.load("".join(nodes).encode())


def placeholder(name, dtype, shape="unknown_rank: true"):
    return node(name, "Placeholder", dtype=f"type: {dtype}", shape=f"shape {{ {shape} }}")


def echo(dtype):
    """x -> y, the same numbers."""
    return graph(placeholder("x", dtype), node("y", "Identity", "x", T=f"type: {dtype}"))


def constant(dtype, *values, shape=""):
    """A graph of one Const, values as the text of a TensorProto's fields."""
    return graph(node("c", "Const", dtype=f"type: {dtype}",
                      value=f"tensor {{ dtype: {dtype} tensor_shape {{ {shape} }} {' '.join(values)} }}"))
