# SPDX-License-Identifier: Apache-2.0
"""Questions to a graph's handle that several modules ask."""
from __future__ import annotations

from ._library import encode, lib, take_text, text


def inputs(graph) -> list[str]:
    return [text(lib.graph_input_name(graph, i)) for i in range(lib.graph_input_count(graph))]


def declared_outputs(graph) -> list[str]:
    return [text(lib.graph_output_name(graph, i)) for i in range(lib.graph_output_count(graph))]


def guessed_outputs(graph) -> list[str]:
    """Ranked, the likeliest first."""
    return take_text(lib.graph_guess_outputs, graph=graph).split("\n")[:-1]


def outputs(graph, known=()) -> list[str]:
    """What the file declares, else what the caller knows, else what the graph shows; [] where that is not clear."""
    try:
        return outputs_or_fail(graph, known)
    except ValueError:
        return []


def outputs_or_fail(graph, known=()) -> list[str]:
    """The same, but ValueError with the candidates where it is not clear."""
    found = declared_outputs(graph) or list(known) or guessed_outputs(graph)
    if not found:
        raise ValueError("the graph declares no outputs and none can be guessed; name them")
    return found


def node_or_fail(graph, name):
    node = lib.graph_find(graph, encode(name))
    if not node:
        raise KeyError(name)
    return node


def dtype_number(graph, name: str) -> int:
    """The dtype of a placeholder; 0 for every other node."""
    node = lib.graph_find(graph, encode(name[:-2] if name.endswith(":0") else name))
    if not node or not text(lib.node_op(node)).startswith("Placeholder"):
        return 0
    return lib.node_attr_type(node, b"dtype", 0)


def shape(node) -> tuple | None:
    """A node's attribute `shape`: None per unknown size, None alone for an unknown rank."""
    rank = lib.node_attr_shape_rank(node, b"shape")
    if rank < 0:
        return None
    dims = (lib.node_attr_shape_dim(node, b"shape", axis) for axis in range(rank))
    return tuple(None if dim < 0 else dim for dim in dims)
