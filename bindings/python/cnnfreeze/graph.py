# SPDX-License-Identifier: Apache-2.0
"""Graphs: loaded, looked at, frozen, written, run."""
from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from ctypes import byref, c_int64, c_uint64
from typing import Callable, Iterator

from . import _reading
from ._arrays import to_array
from ._interrupt import Hook, progress_hook
from ._library import Handle, Options, Owner, call, encode, encode_path, lib, listed, make, report_format, take_bytes, take_text, text
from ._svg import svg_of_dot
from .checkpoint import missing_files
from .context import Context, default_context
from .evaluator import Evaluator
from .transform import CheckReport, Difference, Pipeline

Progress = Callable[[int, "int | None"], object]

# include/cnnfreeze/graph.h, loader.h
_STRING, _INT, _FLOAT, _BOOL, _TYPE, _SHAPE, _TENSOR, _FUNC, _LIST = 1, 2, 3, 4, 5, 6, 7, 8, 10
_VARIABLES = {"auto": 0, "reference": 1, "resource": 2}
_FORMATS = {"keras": 1, "graphdef": 3, "metagraph": 5, "saved_model": 7}


def _choice(table, value, what):
    if value is not None and value not in table:
        raise ValueError(f"{what} {value!r}: it is one of {', '.join(table)}")
    return table.get(value)


def _load_options(context, hook, name_suffix=None, training_state=True, architecture=None, map_layer=(), drop_layer=(),
                  lambdas=(), variables=None, tags=(), signature=None, format=None, saver=None, input_shape=None, rnn_steps=0,
                  ask_libhdf5=False):
    options = Options(lib.load_options_new, lib.load_options_free, context)
    options.set(lib.load_options_set_training_state, int(training_state))
    options.set(lib.load_options_set_rnn_steps, rnn_steps)
    options.set(lib.load_options_set_ask_libhdf5, int(ask_libhdf5))
    options.set(lib.load_options_set_name_suffix, name_suffix and encode(name_suffix))
    options.set(lib.load_options_set_architecture_file, architecture and encode_path(architecture))
    options.set(lib.load_options_set_variables, _choice(_VARIABLES, variables, "variables"))
    options.set(lib.load_options_set_format, _choice(_FORMATS, format, "format"))
    options.set(lib.load_options_set_signature, signature and encode(signature))
    options.set(lib.load_options_set_saver_file, saver and encode_path(saver))
    if input_shape is not None:
        dims = [-1 if dim is None else int(dim) for dim in input_shape]
        options.set(lib.load_options_set_input_shape, len(dims), (c_int64 * len(dims))(*dims))
    for old, new in dict(map_layer).items():
        options.set(lib.load_options_map_layer, encode(old), encode(new))
    for name, expression in dict(lambdas).items():
        options.set(lib.load_options_add_lambda, encode(name), encode(expression))
    for name in listed(drop_layer):
        options.set(lib.load_options_drop_layer, encode(name))
    for tag in listed(tags):
        options.set(lib.load_options_add_tag, encode(tag))
    options.set(lib.load_options_set_progress, hook.native, None)
    return options.handle


def _content(source):
    """(bytes, name) of bytes, a buffer or an open file; None for a path."""
    if hasattr(source, "read"):
        data = source.read()
        if isinstance(data, str):
            raise TypeError("the file is open as text: open it with 'rb'")
        return bytes(data), str(getattr(source, "name", "file"))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "memory"
    return None


def load(source, *, context: Context | None = None, progress: Progress | None = None, **options) -> Graph:
    """A Graph of a file, or of its content.

    source    a path (str, os.PathLike): H5, .keras, GraphDef and MetaGraphDef (binary or text), SavedModel folder; or the
              content: bytes, bytearray, memoryview, a file open in binary mode
    progress  function(done, total) in bytes, total None when it is not known; a true result or an exception stops
    format    demand one of "keras", "graphdef", "metagraph", "saved_model"

    Keras: name_suffix (of every node), training_state (False: no optimizer's variables), architecture (JSON file of a
    weights-only file), variables ("reference" or "resource"), map_layer {class: class}
    (or "ReLU(max_value: cap)", fields from constants or the class' own), lambdas {layer or class: expression} (what a Lambda
    or custom layer computes: "x / 127.5 - 1"), drop_layer [layer names], rnn_steps (recurrent layers of open length are written out for so many steps; 0: they loop), ask_libhdf5 (True: libhdf5 must open the file too).
    SavedModel: tags, signature.

    MissingFileError and other FileErrors (OSError), FormatError (the message says what the file is), CorruptError,
    UnsupportedError, LimitError, MismatchError, NotFoundError, CancelledError.
    """
    context, hook = context or default_context(), progress_hook(progress)
    settings, content = _load_options(context, hook, **options), _content(source)
    with hook.raising():
        if content is None:
            handle = make(lib.load_file, lib.graph_unref, context.handle, context=context.handle, path=encode_path(source),
                          options=settings)
        else:
            data, name = content
            handle = make(lib.load_memory, lib.graph_unref, context.handle, context=context.handle, data=data, size=len(data),
                          name=encode(name.replace("\0", "?")), options=settings)
    return Graph(handle, context)


def detect_format(path, context: Context | None = None) -> str:
    """What a file is, by its content: "a Keras H5 model", "a checkpoint's data shard", ... FileError."""
    context, found = context or default_context(), ctypes.c_int32()
    call(lib.format_detect, out=byref(found), context=context.handle, path=encode_path(path))
    return text(lib.format_name(found.value))


def check_saver_file(path, context: Context | None = None) -> None:
    """Whether a file is a readable SaverDef; FormatError or CorruptError when not."""
    call(lib.check_saver_file, context=(context or default_context()).handle, path=encode_path(path))


class Node:
    """One node: name, op, device, inputs, attrs, value. Keeps its graph's memory, also when the Graph is closed."""

    def __init__(self, graph: Handle, pointer):
        self._lender, self._pointer = graph, pointer

    @property
    def name(self) -> str:
        return text(lib.node_name(self._pointer))

    @property
    def op(self) -> str:
        return text(lib.node_op(self._pointer))

    @property
    def device(self) -> str:
        """"" when none."""
        return text(lib.node_device(self._pointer))

    @property
    def inputs(self) -> list[str]:
        """As written: "node", "node:1", "^control"."""
        return [text(lib.node_input(self._pointer, i)) for i in range(lib.node_input_count(self._pointer))]

    @property
    def is_variable(self) -> bool:
        return bool(lib.node_is_variable(self._pointer))

    @property
    def attrs(self) -> dict[str, object]:
        """Attributes by name: str as bytes, numbers, dtypes by TensorFlow's names, shapes as tuples (None: not known), arrays,
        lists of integers; None for kinds that have no plain value (functions, other lists)."""
        names = [text(lib.node_attr_name(self._pointer, i)) for i in range(lib.node_attr_count(self._pointer))]
        return {name: self._attr(encode(name)) for name in names}

    def _attr(self, name):
        node = self._pointer
        readers = {_STRING: self._string, _INT: lambda n: lib.node_attr_int(node, n, 0),
                   _FLOAT: lambda n: lib.node_attr_float(node, n, 0), _BOOL: lambda n: bool(lib.node_attr_bool(node, n, 0)),
                   _TYPE: lambda n: text(lib.dtype_name(lib.node_attr_type(node, n, 0))), _SHAPE: self._shape,
                   _TENSOR: lambda n: to_array(lib.node_attr_tensor(node, n)), _LIST: self._list,
                   _FUNC: lambda n: text(lib.node_attr_func(node, n))}
        reader = readers.get(lib.node_attr_kind(self._pointer, name))
        return reader and reader(name)

    def _string(self, name):
        size = ctypes.c_size_t()
        return ctypes.string_at(lib.node_attr_string(byref(size), self._pointer, name), size.value)

    def _shape(self, name):
        rank = lib.node_attr_shape_rank(self._pointer, name)
        dims = [lib.node_attr_shape_dim(self._pointer, name, axis) for axis in range(max(rank, 0))]
        return None if rank < 0 else tuple(None if dim < 0 else dim for dim in dims)

    def _list(self, name):
        """A list of one kind of items; empty when nobody can say of what."""
        node = self._pointer
        readers = {_STRING: lambda i: self._list_string(name, i), _INT: lambda i: lib.node_attr_list_int(node, name, i, 0),
                   _FLOAT: lambda i: lib.node_attr_list_float(node, name, i, 0),
                   _BOOL: lambda i: bool(lib.node_attr_list_bool(node, name, i, 0)),
                   _TYPE: lambda i: text(lib.dtype_name(lib.node_attr_list_type(node, name, i, 0))), _SHAPE: lambda i: self._list_shape(name, i),
                   _TENSOR: lambda i: to_array(lib.node_attr_list_tensor(node, name, i)),
                   _FUNC: lambda i: text(lib.node_attr_list_func(node, name, i))}
        kind, count = lib.node_attr_list_kind(node, name), lib.node_attr_list_count(node, name)
        return [readers[kind](i) for i in range(count)] if kind in readers else []

    def _list_string(self, name, index):
        size = ctypes.c_size_t()
        return ctypes.string_at(lib.node_attr_list_string(byref(size), self._pointer, name, index), size.value)

    def _list_shape(self, name, index):
        rank = lib.node_attr_list_shape_rank(self._pointer, name, index)
        dims = [lib.node_attr_list_shape_dim(self._pointer, name, index, axis) for axis in range(max(rank, 0))]
        return None if rank < 0 else tuple(None if dim < 0 else dim for dim in dims)

    @property
    def value(self):
        """The array of a Const or of a variable with a value; None for other nodes."""
        tensor = lib.node_value(self._pointer) or (self.op == "Const" and lib.node_attr_tensor(self._pointer, b"value"))
        return to_array(tensor) if tensor else None

    def __repr__(self) -> str:
        return f"<cnnfreeze.Node {self.name!r}: {self.op}({', '.join(self.inputs)})>"


class Graph(Owner, Mapping):
    """An immutable graph, {name: Node}. What changes one returns a new one. Many threads may use it at once.

    Made by load(); with variables that have values, it writes checkpoints and freezes; frozen, it runs.
    A context manager: at its end the files that its tensors are in are closed.
    """

    def __init__(self, handle: Handle, context: Context, outputs=()):
        self._handle, self._context, self._outputs, self.converted = handle, context, tuple(outputs), 0
        self._evaluators: dict[tuple, Evaluator] = {}

    def _with(self, handle, outputs=None) -> Graph:
        return Graph(handle, self._context, self._outputs if outputs is None else outputs)

    def close(self) -> None:
        """Gives memory, files and threads back, when no other object and no call under way uses them."""
        super().close()
        self._evaluators = {}

    # ---- looking ----

    def __len__(self) -> int:
        return lib.graph_node_count(self.handle)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.nodes())

    def __getitem__(self, name: str) -> Node:
        handle = self.handle
        return Node(handle, _reading.node_or_fail(handle, name))

    # A graph without nodes is a graph, and two are not compared node by node for `==`.
    def __bool__(self) -> bool:
        return True

    __eq__, __hash__ = object.__eq__, object.__hash__

    def nodes(self) -> Iterator[tuple[str, str]]:
        """(name, op) of each node, in the file's order."""
        handle = self.handle
        for i in range(lib.graph_node_count(handle)):
            node = lib.graph_node(handle, i)
            yield text(lib.node_name(node)), text(lib.node_op(node))

    @property
    def inputs(self) -> list[str]:
        """The declared inputs, else the placeholders."""
        return _reading.inputs(self.handle)

    @property
    def outputs(self) -> list[str]:
        """The declared outputs; where a file declares none, as a frozen GraphDef, what it shows; [] when that is not clear."""
        return _reading.outputs(self.handle, self._outputs)

    def guess_outputs(self) -> list[str]:
        """The outputs that the graph shows, never save, init, summary or training nodes; InvalidError with the candidates
        where it leaves more than one answer."""
        return _reading.guessed_outputs(self.handle)

    @property
    def variable_count(self) -> int:
        """Variables, with a value or not; 0 means frozen."""
        return lib.graph_variable_count(self.handle)

    @property
    def function_count(self) -> int:
        """Functions in the library of the graph."""
        return lib.graph_function_count(self.handle)

    def input_shape(self, name: str) -> list[int | None]:
        """The declared shape of an input, None where it is not known. KeyError; ValueError when it is not declared at all."""
        shape = _reading.shape(_reading.node_or_fail(self.handle, name))
        if shape is None:
            raise ValueError(f"{name}: its shape is not known")
        return list(shape)

    def input_dtype(self, name: str) -> str:
        """TensorFlow's name of an input's dtype: "float". KeyError."""
        _reading.node_or_fail(self.handle, name)
        return text(lib.dtype_name(_reading.dtype_number(self.handle, name)))

    @property
    def functions(self) -> list[str]:
        """Names of the functions in its library."""
        return [text(lib.graph_function_name(self.handle, i)) for i in range(lib.graph_function_count(self.handle))]

    def summary(self, format: str = "text"):
        """Inputs, outputs, parameters, sizes: "text" (a table of layers as Keras' summary()), "gtt" (the lines of TensorFlow's
        summarize_graph), "json" (a dict) or "dot" (Graphviz, layers as boxes)."""
        words = take_text(lib.graph_summary, graph=self.handle, format=report_format(format))
        return json.loads(words) if format == "json" else words

    def __repr__(self) -> str:
        if not self._handle:
            return "<cnnfreeze.Graph: closed>"
        return (f"<cnnfreeze.Graph: {len(self)} nodes, {self.variable_count} variables, {', '.join(self.inputs) or 'no inputs'} -> "
                f"{', '.join(self.outputs) or 'no declared outputs'}>")

    def _repr_svg_(self) -> str | None:
        return svg_of_dot(self.summary("dot")) if self._handle else None

    # ---- changing ----

    def bind(self, checkpoint, *, saver=None) -> Graph:
        """With the values of a checkpoint: a prefix, a folder or any of its files.

        saver  a SaverDef file whose restore ops say which tensor is a variable's (a moving average, another name)

        Variables that it lacks stay without one. MissingFileError, FormatError, CorruptError, MismatchError (a shape or dtype).
        """
        with missing_files():
            return self._with(make(lib.bind_checkpoint, lib.graph_unref, self._context.handle, graph=self.handle,
                                   path=encode_path(checkpoint),
                                   options=saver and _load_options(self._context, progress_hook(None), saver=saver)))

    def freeze(self, outputs=(), *, allow=(), deny=(), initializers=(), clear_devices: bool = True,
               default_attrs: bool = False, as_tf: str = "2.15") -> Graph:
        """Variables become constants, as TensorFlow's freeze_graph does; .converted of the result is their number.

        outputs        names of nodes or Keras layers; default: the graph's
        allow, deny    names or globs of the variables to freeze or to leave
        initializers   nodes whose assignments run first
        default_attrs  add the attributes that nodes lack, as TensorFlow's import does
        as_tf          whose freeze_graph: "2.15", "1.15" (adds no attributes, writes no versions) or "auto" (the graph's)

        NotFoundError (a name, a variable without a value), UnsupportedError, LimitError (more than 2 GiB).
        """
        options = Options(lib.freeze_options_new, lib.freeze_options_free, self._context)
        names = listed(outputs) or ([] if _reading.declared_outputs(self.handle) else list(self._outputs))
        for setter, values in ((lib.freeze_options_add_output, names), (lib.freeze_options_allow, listed(allow)),
                               (lib.freeze_options_deny, listed(deny)), (lib.freeze_options_add_initializer, listed(initializers))):
            for value in values:
                options.set(setter, encode(value))
        options.set(lib.freeze_options_set_clear_devices, int(clear_devices))
        options.set(lib.freeze_options_set_default_attrs, int(default_attrs))
        options.set(lib.freeze_options_set_as_tf, encode(as_tf))
        converted = c_int64()
        frozen = self._with(make(lib.freeze, lib.graph_unref, self._context.handle, converted=byref(converted), graph=self.handle,
                                 options=options.handle), names or None)
        frozen.converted = converted.value
        return frozen

    def transform(self, passes, inputs=(), outputs=()) -> Graph:
        """Runs passes (cnnfreeze.passes()) in the grammar of the Graph Transform Tool: a str or several.

        `inputs` and `outputs` keep name and meaning; default: the graph's. NotFoundError, UnsupportedError. For a report, and
        to run the same passes often: Pipeline.
        """
        return Pipeline(passes, inputs, outputs, context=self._context).run(self)

    def with_saver(self) -> Graph:
        """With the nodes a TensorFlow Saver adds."""
        return self._with(make(lib.graph_with_saver, lib.graph_unref, self._context.handle, graph=self.handle))

    # ---- writing ----

    def _write_options(self, text, fsync, hook):
        options = Options(lib.write_options_new, lib.write_options_free, self._context)
        options.set(lib.write_options_set_text, int(text))
        options.set(lib.write_options_set_fsync, int(fsync))
        options.set(lib.write_options_set_progress, hook.native, None)
        return options.handle

    def write(self, target, text: bool = False, *, fsync: bool = False, progress: Progress | None = None) -> None:
        """Writes a GraphDef to a path, where it appears whole or not at all, or to a file open for bytes.

        FileError (OSError), CorruptError (a checksum of the weights' file), LimitError (2 GiB), CancelledError.
        """
        hook = progress_hook(progress)
        options = self._write_options(text, fsync, hook)
        if not hasattr(target, "write") or isinstance(target, os.PathLike):
            with hook.raising():
                call(lib.write_graphdef_file, graph=self.handle, path=encode_path(target), options=options)
            return
        sink = Hook("cnnf_write_fn", lambda data, size: target.write(ctypes.string_at(data, size)) and 0)
        with hook.raising(), sink.raising():
            call(lib.write_graphdef_stream, graph=self.handle, write=sink.native, user=None, options=options)

    def serialize(self, text: bool = False) -> bytes:
        """The GraphDef as bytes."""
        hook = progress_hook(None)
        with hook.raising():
            return take_bytes(lib.write_graphdef_buffer, graph=self.handle, options=self._write_options(text, False, hook))

    @property
    def graphdef_size(self) -> int:
        """Bytes the binary GraphDef has, before any work."""
        size = c_uint64()
        call(lib.graphdef_size, out=byref(size), graph=self.handle)
        return size.value

    def write_checkpoint(self, prefix, *, fsync: bool = False, progress: Progress | None = None) -> None:
        """PREFIX.data-00000-of-00001, .index, .meta and the `checkpoint` file. NotFoundError when no variable has a value."""
        hook = progress_hook(progress)
        with hook.raising():
            call(lib.write_checkpoint, graph=self.handle, prefix=encode_path(prefix),
                 options=self._write_options(False, fsync, hook))

    def _onnx_options(self, outputs, opset, inputs_as_nchw, external_data):
        options = Options(lib.onnx_options_new, lib.onnx_options_free, self._context)
        for name in outputs or self.outputs:
            options.set(lib.onnx_options_add_output, encode(name))
        options.set(lib.onnx_options_set_opset, opset)
        options.set(lib.onnx_options_set_inputs_as_nchw, int(inputs_as_nchw))
        options.set(lib.onnx_options_set_external_data, int(external_data))
        return options.handle

    def write_onnx(self, path, outputs=(), *, opset: int = 17, inputs_as_nchw: bool = False, external_data: bool = False,
                   fsync: bool = False, progress: Progress | None = None) -> None:
        """Writes the frozen graph as an ONNX model (docs/formats/onnx.md); outputs: names, default the graph's.

        inputs_as_nchw: images come channels-first. external_data: the weights in `path`.data. UnsupportedError names the node
        that ONNX cannot say; FileError, CancelledError.
        """
        hook = progress_hook(progress)
        with hook.raising():
            call(lib.write_onnx_file, graph=self.handle, path=encode_path(path),
                 options=self._onnx_options(outputs, opset, inputs_as_nchw, external_data),
                 write_options=self._write_options(False, fsync, hook))

    def onnx(self, outputs=(), *, opset: int = 17, inputs_as_nchw: bool = False) -> bytes:
        """The frozen graph as an ONNX model's bytes."""
        return take_bytes(lib.write_onnx_buffer, graph=self.handle,
                          options=self._onnx_options(outputs, opset, inputs_as_nchw, False))

    def _tflite_options(self, outputs):
        options = Options(lib.tflite_options_new, lib.tflite_options_free, self._context)
        for name in outputs or self.outputs:
            options.set(lib.tflite_options_add_output, encode(name))
        return options.handle

    def write_tflite(self, path, outputs=(), *, fsync: bool = False, progress: Progress | None = None) -> None:
        """Writes the frozen graph as a TFLite model (docs/formats/tflite.md); outputs: names, default the graph's.

        UnsupportedError names the node that TFLite has no builtin operator for; LimitError, FileError, CancelledError.
        """
        hook = progress_hook(progress)
        with hook.raising():
            call(lib.write_tflite_file, graph=self.handle, path=encode_path(path), options=self._tflite_options(outputs),
                 write_options=self._write_options(False, fsync, hook))

    def tflite(self, outputs=()) -> bytes:
        """The frozen graph as a TFLite model's bytes."""
        return take_bytes(lib.write_tflite_buffer, graph=self.handle, options=self._tflite_options(outputs))

    # Weights of a graph with variables are no part of a GraphDef.
    def __reduce__(self):
        if self.variable_count:
            raise TypeError("a graph with variables cannot be pickled: freeze it, or write a checkpoint")
        return _unpickle, (self.serialize(), self.outputs)

    # ---- running and judging ----

    def evaluator(self, threads: int = 0, backend: str = "auto") -> Evaluator:
        """The evaluator that predict() uses: one per process and settings, its plans kept as long as the graph."""
        key = (os.getpid(), threads, backend)
        return self._evaluators.get(key) or self._evaluators.setdefault(key, Evaluator(self, threads, backend))

    def predict(self, feeds, fetches=None, threads: int = 0, backend: str = "auto"):
        """Arrays of `fetches` from `feeds`: see Evaluator.run()."""
        return self.evaluator(threads, backend).run(feeds, fetches)

    def check(self, target: str, file: str = "frozen_graph.pb") -> CheckReport:
        """What a tool of check_targets() demands of a frozen graph, one by one; `file`: its name in the ready command. NotFoundError."""
        reports, unmet = {}, c_int64()
        for format in ("text", "json"):
            reports[format] = take_text(lib.check_graph_file, unmet=byref(unmet), graph=self.handle, file=encode(file),
                                        target=encode(target), format=report_format(format))
        return CheckReport(unmet.value, reports["text"], json.loads(reports["json"]))

    def compare(self, other: Graph) -> Difference:
        """How two graphs differ: nodes, ops, inputs, attributes, values. Neither order nor `:0` counts."""
        reports, count = {}, c_int64()
        for format in ("text", "json"):
            reports[format] = take_text(lib.compare_graphs, differences=byref(count), a=self.handle, b=other.handle,
                                        format=report_format(format))
        return Difference(count.value, reports["text"], json.loads(reports["json"] or "[]"))


def _unpickle(data, outputs):
    loaded = load(data, format="graphdef")
    return Graph(loaded.handle, loaded._context, outputs)
