# SPDX-License-Identifier: Apache-2.0
"""Passes, and what tools demand of a graph."""
from __future__ import annotations

import json
from ctypes import byref, c_void_p
from typing import Callable, NamedTuple

from ._interrupt import progress_hook
from ._library import Handle, buffer_bytes, call, encode, lib, listed, make, text
from .context import Context, default_context


class Argument(NamedTuple):
    """What a pass takes: kind is "string", "int", "float", "bool", "dtype" or "shape"."""
    name: str
    kind: str
    description: str
    required: bool
    repeatable: bool


_KINDS = ("string", "int", "float", "bool", "dtype", "shape")


class CheckReport(NamedTuple):
    """What a tool demands: how many required demands are not met, the report as text and as data. True when all are met.

    The text of such a graph ends with the tool's ready command line.
    """
    unmet: int
    text: str
    data: object

    def __bool__(self) -> bool:
        return self.unmet == 0


class Difference(NamedTuple):
    """How two graphs differ: the number of differences, a line for each, the same as data."""
    differences: int
    text: str
    data: object

    def __bool__(self) -> bool:
        return self.differences > 0


def passes() -> dict[str, str]:
    """{name: description} of the passes that transform() and Pipeline know (docs/passes.md)."""
    return {text(lib.pass_name(i)): text(lib.pass_description(i)) for i in range(lib.pass_count())}


def onnx_opset_of(op: str) -> int:
    """The lowest ONNX opset in which an op of TensorFlow's can be said; 0: in none."""
    return lib.onnx_opset_of(encode(op))


def tflite_has_op(op: str) -> bool:
    """Whether an op of TensorFlow's can be said in TFLite, perhaps not for every dtype and attribute."""
    return bool(lib.tflite_has_op(encode(op)))


def pass_arguments(name: str) -> list[Argument]:
    """The arguments of a pass; KeyError."""
    number = list(passes()).index(name) if name in passes() else None
    if number is None:
        raise KeyError(name)
    return [Argument(text(lib.pass_argument_name(number, i)), _KINDS[lib.pass_argument_kind(number, i)],
                     text(lib.pass_argument_description(number, i)), bool(lib.pass_argument_is_required(number, i)),
                     bool(lib.pass_argument_is_repeatable(number, i))) for i in range(lib.pass_argument_count(number))]


def check_targets() -> dict[str, str]:
    """{tool: the passes that make a frozen graph fit for it} of the tools that Graph.check() knows."""
    names = [lib.check_target_name(i) for i in range(lib.check_target_count())]
    return {text(name): text(lib.check_target_passes(name)) for name in names}


class Pipeline:
    """Passes to run on graphs, many times and on many threads.

    passes           in the grammar of the Graph Transform Tool, "fold_batch_norms remove_nodes(op=Identity)"; a str or several
    inputs, outputs  nodes that keep name and meaning; default: the graph's
    progress         function(passes done, of how many); a true result or an exception stops; Ctrl-C does without one

    NotFoundError (a pass or an argument), InvalidError (grammar).
    """

    def __init__(self, passes="", inputs=(), outputs=(), context: Context | None = None,
                 progress: Callable[[int, int | None], object] | None = None):
        self._context, self._outputs, self._hook = context or default_context(), listed(outputs), progress_hook(progress)
        self._handle = make(lib.pipeline_new, lib.pipeline_free, self._context.handle, context=self._context.handle)
        call(lib.pipeline_set_progress, pipeline=self._handle, progress=self._hook.native, user=None)
        for name in listed(inputs):
            call(lib.pipeline_add_input, pipeline=self._handle, name=encode(name))
        for name in self._outputs:
            call(lib.pipeline_add_output, pipeline=self._handle, name=encode(name))
        for words in filter(None, listed(passes)):
            call(lib.pipeline_add, pipeline=self._handle, passes=encode(words))

    def run(self, graph):
        """The Graph that the passes make; UnsupportedError where one would not be exact."""
        with self._hook.raising():
            handle = make(lib.pipeline_run, lib.graph_unref, graph.handle.keep, pipeline=self._handle, graph=graph.handle)
        return graph._with(handle, self._outputs or None)

    def run_with_report(self, graph):
        """(Graph, report): per pass what changed, per batch norm where it went or why it stayed."""
        report = c_void_p()
        with self._hook.raising():
            handle = make(lib.pipeline_run_report, lib.graph_unref, graph.handle.keep, report=byref(report),
                          pipeline=self._handle, graph=graph.handle)
        buffer = Handle(report.value, lib.buffer_free)
        return graph._with(handle, self._outputs or None), json.loads(text(buffer_bytes(buffer)))
