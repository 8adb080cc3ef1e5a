# SPDX-License-Identifier: Apache-2.0
"""The shared library, its signatures, and its errors as exceptions."""
import ctypes
import ctypes.util
import os
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

ABI_VERSION = 0
OUT = POINTER(c_void_p)

# name: (result, arguments). Handles are void pointers; a cnnf_error is always the last argument.
SIGNATURES = {
    "abi_version": (c_uint32, []),
    "version_string": (c_char_p, []),
    "status_name": (c_char_p, [c_int32]),
    "error_new": (c_void_p, []),
    "error_free": (None, [c_void_p]),
    "error_message": (c_char_p, [c_void_p]),
    "error_where": (c_char_p, [c_void_p]),
    "error_node": (c_char_p, [c_void_p]),
    "error_offset": (c_int64, [c_void_p]),
    "context_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "context_unref": (None, [c_void_p]),
    "buffer_data": (c_void_p, [c_void_p]),
    "buffer_size": (c_size_t, [c_void_p]),
    "buffer_free": (None, [c_void_p]),
    "tensor_new": (c_int32, [OUT, c_void_p, c_int32, c_int32, POINTER(c_int64), c_void_p]),
    "tensor_unref": (None, [c_void_p]),
    "tensor_dtype": (c_int32, [c_void_p]),
    "tensor_rank": (c_int32, [c_void_p]),
    "tensor_dim": (c_int64, [c_void_p, c_int32]),
    "tensor_byte_size": (c_size_t, [c_void_p]),
    "tensor_data_mut": (c_void_p, [c_void_p]),
    "tensor_read": (c_int32, [c_void_p, c_void_p, c_size_t, c_size_t, c_void_p]),
    "graph_unref": (None, [c_void_p]),
    "graph_node_count": (c_int64, [c_void_p]),
    "graph_node": (c_void_p, [c_void_p, c_int64]),
    "graph_find": (c_void_p, [c_void_p, c_char_p]),
    "graph_input_count": (c_int64, [c_void_p]),
    "graph_input_name": (c_char_p, [c_void_p, c_int64]),
    "graph_output_count": (c_int64, [c_void_p]),
    "graph_output_name": (c_char_p, [c_void_p, c_int64]),
    "graph_variable_count": (c_int64, [c_void_p]),
    "node_name": (c_char_p, [c_void_p]),
    "node_op": (c_char_p, [c_void_p]),
    "node_attr_shape_rank": (c_int32, [c_void_p, c_char_p]),
    "node_attr_shape_dim": (c_int64, [c_void_p, c_char_p, c_int32]),
    "load_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "load_options_free": (None, [c_void_p]),
    "load_options_set_name_suffix": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "load_options_set_training_state": (c_int32, [c_void_p, c_int32, c_void_p]),
    "load_options_set_architecture_file": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "load_options_map_layer": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "load_options_drop_layer": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "load_file": (c_int32, [OUT, c_void_p, c_char_p, c_void_p, c_void_p]),
    "load_memory": (c_int32, [OUT, c_void_p, c_char_p, c_size_t, c_char_p, c_void_p, c_void_p]),
    "bind_checkpoint": (c_int32, [OUT, c_void_p, c_char_p, c_void_p, c_void_p]),
    "checkpoint_open": (c_int32, [OUT, c_void_p, c_char_p, c_void_p]),
    "checkpoint_unref": (None, [c_void_p]),
    "checkpoint_count": (c_int64, [c_void_p]),
    "checkpoint_name": (c_char_p, [c_void_p, c_int64]),
    "checkpoint_find": (c_int64, [c_void_p, c_char_p]),
    "checkpoint_tensor": (c_void_p, [c_void_p, c_int64]),
    "freeze_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "freeze_options_free": (None, [c_void_p]),
    "freeze_options_add_output": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "freeze": (c_int32, [OUT, POINTER(c_int64), c_void_p, c_void_p, c_void_p]),
    "pass_count": (c_int32, []),
    "pass_name": (c_char_p, [c_int32]),
    "pass_description": (c_char_p, [c_int32]),
    "pipeline_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "pipeline_free": (None, [c_void_p]),
    "pipeline_add": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "pipeline_add_input": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "pipeline_add_output": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "pipeline_run": (c_int32, [OUT, c_void_p, c_void_p, c_void_p]),
    "write_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "write_options_free": (None, [c_void_p]),
    "write_options_set_text": (c_int32, [c_void_p, c_int32, c_void_p]),
    "write_graphdef_file": (c_int32, [c_void_p, c_char_p, c_void_p, c_void_p]),
    "write_graphdef_buffer": (c_int32, [OUT, c_void_p, c_void_p, c_void_p]),
    "graph_with_saver": (c_int32, [OUT, c_void_p, c_void_p]),
    "write_checkpoint": (c_int32, [c_void_p, c_char_p, c_void_p, c_void_p]),
    "evaluator_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "evaluator_options_free": (None, [c_void_p]),
    "evaluator_options_set_threads": (c_int32, [c_void_p, c_int32, c_void_p]),
    "evaluator_options_set_backend": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "evaluator_new": (c_int32, [OUT, c_void_p, c_void_p, c_void_p]),
    "evaluator_free": (None, [c_void_p]),
    "evaluator_run": (c_int32, [OUT, c_void_p, POINTER(c_char_p), OUT, c_size_t, POINTER(c_char_p), c_size_t, c_void_p]),
    "dataset_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "dataset_options_free": (None, [c_void_p]),
    "dataset_options_set_shape": (c_int32, [c_void_p, c_int32, POINTER(c_int64), c_void_p]),
    "dataset_open": (c_int32, [OUT, c_void_p, c_char_p, c_void_p, c_void_p]),
    "dataset_free": (None, [c_void_p]),
    "metrics_new": (c_int32, [OUT, c_void_p, c_int64, c_int64, c_void_p]),
    "metrics_free": (None, [c_void_p]),
    "metrics_count": (c_int64, [c_void_p]),
    "metrics_correct": (c_int64, [c_void_p]),
    "metrics_accuracy": (c_double, [c_void_p]),
    "metrics_loss": (c_double, [c_void_p]),
    "metrics_confusion": (c_int64, [c_void_p, c_int64, c_int64]),
    "evaluate_options_new": (c_int32, [OUT, c_void_p, c_void_p]),
    "evaluate_options_free": (None, [c_void_p]),
    "evaluate_options_set_input": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "evaluate_options_set_output": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "evaluate_options_set_batch": (c_int32, [c_void_p, c_int64, c_void_p]),
    "evaluate_options_set_full_batches_only": (c_int32, [c_void_p, c_int32, c_void_p]),
    "evaluate_dataset": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
}


def _open():
    """The library named by CNNFREEZE_LIBRARY, else the one of this ABI that the system knows."""
    names = [os.environ.get("CNNFREEZE_LIBRARY"), f"libcnnfreeze.so.{ABI_VERSION}", ctypes.util.find_library("cnnfreeze")]
    problems = []
    for name in filter(None, names):
        try:
            return ctypes.CDLL(name)
        except OSError as problem:
            problems.append(str(problem))
    raise ImportError("libcnnfreeze was not found: " + "; ".join(problems))


class Library:
    """cnnf_* functions with their signatures, as attributes without the prefix."""

    def __init__(self):
        native = _open()
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(native, "cnnf_" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        if self.abi_version() != ABI_VERSION:
            raise ImportError(f"libcnnfreeze has ABI {self.abi_version()}, this package is for {ABI_VERSION}")


lib = Library()


class Error(Exception):
    """A failure: .code ("CORRUPT", "IO", ...), .message, .where (file), .node, .offset (-1 = none)."""

    def __init__(self, status, handle):
        self.code = lib.status_name(status).decode()
        self.message = (lib.error_message(handle) or b"").decode(errors="replace") or self.code
        self.where = (lib.error_where(handle) or b"").decode(errors="replace")
        self.node = (lib.error_node(handle) or b"").decode(errors="replace")
        self.offset = lib.error_offset(handle)
        super().__init__(self.message)


def call(function, *arguments):
    """Calls a function whose last argument is a cnnf_error; raises Error on failure."""
    handle = lib.error_new()
    try:
        status = function(*arguments, handle)
        if status:
            raise Error(status, handle)
    finally:
        lib.error_free(handle)


def version():
    """The library's version, "0.1.0"."""
    return lib.version_string().decode()


class Handle:
    """Owns one reference; released when collected, in any order, also at interpreter shutdown."""

    def __init__(self, pointer, release):
        self.pointer, self._release = pointer, release

    def __del__(self):
        if getattr(self, "pointer", None):
            self._release(self.pointer)
            self.pointer = None


def make(function, release, *arguments):
    """A new object from a function whose first argument is the out-parameter."""
    out = c_void_p()
    call(function, ctypes.byref(out), *arguments)
    return Handle(out.value, release)


_context = None


def context():
    """One context for the process, made at first use."""
    global _context
    if _context is None:
        _context = make(lib.context_new, lib.context_unref, None)
    return _context


def encode(path):
    """A path or name as the UTF-8 the library takes."""
    return os.fsencode(path) if isinstance(path, os.PathLike) else str(path).encode()
