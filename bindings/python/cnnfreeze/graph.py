# SPDX-License-Identifier: Apache-2.0
"""Graphs, checkpoints, evaluation: thin objects over the C handles."""
import ctypes
from ctypes import byref, c_char_p, c_int64, c_void_p

from ._library import Handle, call, context, encode, lib, make

# TensorFlow's dtype numbers and numpy's names.
NUMPY_NAMES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool",
               17: "uint16", 19: "float16", 22: "uint32", 23: "uint64", 8: "complex64", 18: "complex128"}
DTYPES = {name: number for number, name in NUMPY_NAMES.items()}


def _to_tensor(array):
    import numpy as np
    array = np.ascontiguousarray(array)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"arrays of {array.dtype} are not supported")
    dims = (c_int64 * max(array.ndim, 1))(*array.shape)
    tensor = make(lib.tensor_new, lib.tensor_unref, context().pointer, DTYPES[array.dtype.name], array.ndim, dims)
    if array.nbytes:
        ctypes.memmove(lib.tensor_data_mut(tensor.pointer), array.ctypes.data, array.nbytes)
    return tensor


def _to_array(pointer):
    import numpy as np
    shape = [lib.tensor_dim(pointer, axis) for axis in range(lib.tensor_rank(pointer))]
    array = np.empty(shape, NUMPY_NAMES[lib.tensor_dtype(pointer)])
    if array.nbytes:
        call(lib.tensor_read, array.ctypes.data, pointer, 0, array.nbytes)
    return array


def _load_options(name_suffix=None, training_state=True, architecture=None, map_layer=(), drop_layer=()):
    options = make(lib.load_options_new, lib.load_options_free, context().pointer)
    call(lib.load_options_set_training_state, options.pointer, int(training_state))
    if name_suffix:
        call(lib.load_options_set_name_suffix, options.pointer, encode(name_suffix))
    if architecture:
        call(lib.load_options_set_architecture_file, options.pointer, encode(architecture))
    for old, new in dict(map_layer).items():
        call(lib.load_options_map_layer, options.pointer, encode(old), encode(new))
    for name in drop_layer:
        call(lib.load_options_drop_layer, options.pointer, encode(name))
    return options


def load(source, **options):
    """A Graph from a file (H5, .keras, GraphDef, .meta, SavedModel folder) or from bytes.

    Keras options: name_suffix, training_state, architecture (JSON file), map_layer {old: new}, drop_layer [names].
    """
    settings = _load_options(**options)
    if isinstance(source, (bytes, bytearray)):
        data = bytes(source)
        return Graph(make(lib.load_memory, lib.graph_unref, context().pointer, data, len(data), b"memory", settings.pointer))
    return Graph(make(lib.load_file, lib.graph_unref, context().pointer, encode(source), settings.pointer))


def passes():
    """{name: description} of the passes transform() knows."""
    return {lib.pass_name(i).decode(): lib.pass_description(i).decode() for i in range(lib.pass_count())}


class Graph:
    """An immutable graph. Everything that changes one returns a new one."""

    def __init__(self, handle):
        self._handle = handle

    def __len__(self):
        return lib.graph_node_count(self._handle.pointer)

    @property
    def inputs(self):
        p = self._handle.pointer
        return [lib.graph_input_name(p, i).decode() for i in range(lib.graph_input_count(p))]

    @property
    def outputs(self):
        p = self._handle.pointer
        return [lib.graph_output_name(p, i).decode() for i in range(lib.graph_output_count(p))]

    @property
    def variable_count(self):
        return lib.graph_variable_count(self._handle.pointer)

    def nodes(self):
        """(name, op) of each node, in order."""
        for i in range(len(self)):
            node = lib.graph_node(self._handle.pointer, i)
            yield lib.node_name(node).decode(), lib.node_op(node).decode()

    def bind(self, checkpoint):
        """With the values of a checkpoint: prefix, folder or any of its files."""
        return Graph(make(lib.bind_checkpoint, lib.graph_unref, self._handle.pointer, encode(checkpoint), None))

    def freeze(self, outputs=()):
        """Variables become constants; outputs default to the declared ones."""
        options = make(lib.freeze_options_new, lib.freeze_options_free, context().pointer)
        for name in outputs:
            call(lib.freeze_options_add_output, options.pointer, encode(name))
        out, converted = c_void_p(), c_int64()
        call(lib.freeze, byref(out), byref(converted), self._handle.pointer, options.pointer)
        frozen = Graph(Handle(out.value, lib.graph_unref))
        frozen.converted = converted.value
        return frozen

    def transform(self, passes_text, inputs=(), outputs=()):
        """Runs passes, in the grammar of the Graph Transform Tool."""
        pipeline = make(lib.pipeline_new, lib.pipeline_free, context().pointer)
        for name in inputs:
            call(lib.pipeline_add_input, pipeline.pointer, encode(name))
        for name in outputs:
            call(lib.pipeline_add_output, pipeline.pointer, encode(name))
        call(lib.pipeline_add, pipeline.pointer, encode(passes_text))
        return Graph(make(lib.pipeline_run, lib.graph_unref, pipeline.pointer, self._handle.pointer))

    def write(self, path, text=False):
        """Writes a GraphDef; the file appears whole or not at all."""
        options = make(lib.write_options_new, lib.write_options_free, context().pointer)
        call(lib.write_options_set_text, options.pointer, int(text))
        call(lib.write_graphdef_file, self._handle.pointer, encode(path), options.pointer)

    def serialize(self, text=False):
        """The GraphDef as bytes."""
        options = make(lib.write_options_new, lib.write_options_free, context().pointer)
        call(lib.write_options_set_text, options.pointer, int(text))
        buffer = make(lib.write_graphdef_buffer, lib.buffer_free, self._handle.pointer, options.pointer)
        return ctypes.string_at(lib.buffer_data(buffer.pointer), lib.buffer_size(buffer.pointer))

    def with_saver(self):
        """With the nodes a TensorFlow Saver adds."""
        return Graph(make(lib.graph_with_saver, lib.graph_unref, self._handle.pointer))

    def write_checkpoint(self, prefix):
        """PREFIX.data-00000-of-00001, .index, .meta and the `checkpoint` file."""
        call(lib.write_checkpoint, self._handle.pointer, encode(prefix), None)

    def input_shape(self, name):
        """The declared shape of an input, None where it is not known."""
        node = lib.graph_find(self._handle.pointer, encode(name))
        dims = [lib.node_attr_shape_dim(node, b"shape", i) for i in range(lib.node_attr_shape_rank(node, b"shape"))]
        return [None if dim < 0 else dim for dim in dims]

    def predict(self, feeds, fetches=None, threads=0, backend="auto"):
        """Arrays of `fetches` (default: the declared outputs) from {name: array}."""
        return Evaluator(self, threads, backend).run(feeds, fetches)


class Evaluator:
    """Runs one graph; keep it to run often. Safe for many threads."""

    def __init__(self, graph, threads=0, backend="auto"):
        options = make(lib.evaluator_options_new, lib.evaluator_options_free, context().pointer)
        call(lib.evaluator_options_set_threads, options.pointer, threads)
        call(lib.evaluator_options_set_backend, options.pointer, encode(backend))
        self.graph = graph
        self._handle = make(lib.evaluator_new, lib.evaluator_free, graph._handle.pointer, options.pointer)

    def run(self, feeds, fetches=None):
        fetches = list(fetches or self.graph.outputs)
        tensors = [_to_tensor(array) for array in feeds.values()]
        names = (c_char_p * max(len(feeds), 1))(*[encode(name) for name in feeds])
        values = (c_void_p * max(len(feeds), 1))(*[tensor.pointer for tensor in tensors])
        wanted = (c_char_p * max(len(fetches), 1))(*[encode(name) for name in fetches])
        results = (c_void_p * max(len(fetches), 1))()
        call(lib.evaluator_run, results, self._handle.pointer, names, values, len(feeds), wanted, len(fetches))
        owners = [Handle(pointer, lib.tensor_unref) for pointer in results[:len(fetches)]]
        return [_to_array(owner.pointer) for owner in owners]


class Checkpoint:
    """The tensors of a checkpoint by name; values are numpy arrays, checksums verified."""

    def __init__(self, path):
        self._handle = make(lib.checkpoint_open, lib.checkpoint_unref, context().pointer, encode(path))

    def __len__(self):
        return lib.checkpoint_count(self._handle.pointer)

    def __iter__(self):
        return (lib.checkpoint_name(self._handle.pointer, i).decode() for i in range(len(self)))

    def __getitem__(self, name):
        index = lib.checkpoint_find(self._handle.pointer, encode(name))
        if index < 0:
            raise KeyError(name)
        return _to_array(lib.checkpoint_tensor(self._handle.pointer, index))


def evaluate(graph, dataset, classes, input_node=None, output_node=None, batch=32, full_batches_only=False, threads=0):
    """{"images", "correct", "accuracy", "loss", "confusion"} of a graph on a data set file."""
    input_node, output_node = input_node or graph.inputs[0], output_node or graph.outputs[0]
    shape = graph.input_shape(input_node)[1:]
    options = make(lib.dataset_options_new, lib.dataset_options_free, context().pointer)
    if shape and None not in shape:
        call(lib.dataset_options_set_shape, options.pointer, len(shape), (c_int64 * len(shape))(*shape))
    data = make(lib.dataset_open, lib.dataset_free, context().pointer, encode(dataset), options.pointer)
    metrics = make(lib.metrics_new, lib.metrics_free, context().pointer, classes, 0)
    evaluator = Evaluator(graph, threads)
    options = make(lib.evaluate_options_new, lib.evaluate_options_free, context().pointer)
    call(lib.evaluate_options_set_input, options.pointer, encode(input_node))
    call(lib.evaluate_options_set_output, options.pointer, encode(output_node))
    call(lib.evaluate_options_set_batch, options.pointer, batch)
    call(lib.evaluate_options_set_full_batches_only, options.pointer, int(full_batches_only))
    call(lib.evaluate_dataset, metrics.pointer, evaluator._handle.pointer, data.pointer, options.pointer)
    p = metrics.pointer
    return {"images": lib.metrics_count(p), "correct": lib.metrics_correct(p), "accuracy": lib.metrics_accuracy(p),
            "loss": lib.metrics_loss(p),
            "confusion": [[lib.metrics_confusion(p, label, guess) for guess in range(classes)] for label in range(classes)]}
