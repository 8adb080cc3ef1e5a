# SPDX-License-Identifier: Apache-2.0
"""The few calls of the library that the conformance scripts need, through ctypes."""
import ctypes as C
import os

import numpy as np

LIB = os.environ.get("CNNFREEZE_LIB", os.path.join(os.path.dirname(__file__), "../../build/lib/libcnnfreeze.so"))
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 10: np.bool_,
          17: np.uint16, 19: np.float16, 22: np.uint32, 23: np.uint64, 8: np.complex64, 18: np.complex128}
NUMBERS = {np.dtype(v): k for k, v in DTYPES.items()}

lib = C.CDLL(os.path.abspath(LIB))
P = C.c_void_p
for _name, _result, _args in [
        ("cnnf_context_new", C.c_int32, [P, P, P]), ("cnnf_error_new", P, []), ("cnnf_error_message", C.c_char_p, [P]),
        ("cnnf_error_clear", None, [P]), ("cnnf_load_memory", C.c_int32, [P, P, P, C.c_size_t, C.c_char_p, P, P]),
        ("cnnf_load_file", C.c_int32, [P, P, C.c_char_p, P, P]),
        ("cnnf_evaluator_options_new", C.c_int32, [P, P, P]), ("cnnf_evaluator_options_set_threads", C.c_int32, [P, C.c_int32, P]),
        ("cnnf_evaluator_options_set_backend", C.c_int32, [P, C.c_char_p, P]),
        ("cnnf_evaluator_new", C.c_int32, [P, P, P, P]), ("cnnf_evaluator_free", None, [P]),
        ("cnnf_evaluator_run", C.c_int32, [P, P, P, P, C.c_size_t, P, C.c_size_t, P]),
        ("cnnf_tensor_wrap", C.c_int32, [P, P, C.c_int32, C.c_int32, P, P, C.c_size_t, P, P, P]),
        ("cnnf_tensor_unref", None, [P]), ("cnnf_tensor_rank", C.c_int32, [P]), ("cnnf_tensor_dtype", C.c_int32, [P]),
        ("cnnf_tensor_dim", C.c_int64, [P, C.c_int32]), ("cnnf_tensor_data", P, [P]), ("cnnf_tensor_byte_size", C.c_size_t, [P]),
        ("cnnf_graph_unref", None, [P]), ("cnnf_op_count", C.c_int32, []), ("cnnf_op_name", C.c_char_p, [C.c_int32])]:
    _f = getattr(lib, _name)
    _f.restype, _f.argtypes = _result, _args

error = lib.cnnf_error_new()
context = P()
assert lib.cnnf_context_new(C.byref(context), None, None) == 0


class Failure(RuntimeError):
    def __init__(self, status):
        super().__init__(f"{status}: {lib.cnnf_error_message(error).decode()}")
        self.status = status
        lib.cnnf_error_clear(error)


def check(status):
    if status:
        raise Failure(status)


def tensor(array):
    array = np.ascontiguousarray(array) if array.ndim else array.copy()
    dims = (C.c_int64 * max(array.ndim, 1))(*array.shape)
    out = P()
    check(lib.cnnf_tensor_wrap(C.byref(out), context, NUMBERS[array.dtype], array.ndim, dims, array.ctypes.data, array.nbytes,
                               None, None, error))
    return out


def array(t):
    shape = [lib.cnnf_tensor_dim(t, i) for i in range(lib.cnnf_tensor_rank(t))]
    dtype = np.dtype(DTYPES[lib.cnnf_tensor_dtype(t)])
    size = lib.cnnf_tensor_byte_size(t)
    return np.frombuffer(C.string_at(lib.cnnf_tensor_data(t), size) if size else b"", dtype).reshape(shape)


def has_backend(name):
    options = P()
    check(lib.cnnf_evaluator_options_new(C.byref(options), context, error))
    return lib.cnnf_evaluator_options_set_backend(options, name.encode(), None) == 0


class Evaluator:
    """A graph (path or serialised GraphDef) ready to run."""

    def __init__(self, source, threads=1, backend="auto"):
        graph, options, self.handle = P(), P(), P()
        if isinstance(source, bytes):
            check(lib.cnnf_load_memory(C.byref(graph), context, source, len(source), b"graph", None, error))
        else:
            check(lib.cnnf_load_file(C.byref(graph), context, source.encode(), None, error))
        check(lib.cnnf_evaluator_options_new(C.byref(options), context, error))
        check(lib.cnnf_evaluator_options_set_threads(options, threads, error))
        check(lib.cnnf_evaluator_options_set_backend(options, backend.encode(), error))
        check(lib.cnnf_evaluator_new(C.byref(self.handle), graph, options, error))
        lib.cnnf_graph_unref(graph)

    def prepare(self, feeds, fetches):
        """A call to be repeated: the feeds stay in the library's memory, outputs are dropped."""
        names = (C.c_char_p * max(len(feeds), 1))(*[n.encode() for n in feeds])
        tensors = (P * max(len(feeds), 1))(*[tensor(v) for v in feeds.values()])
        wanted = (C.c_char_p * len(fetches))(*[n.encode() for n in fetches])
        outputs = (P * len(fetches))()

        def call():
            check(lib.cnnf_evaluator_run(outputs, self.handle, names, tensors, len(feeds), wanted, len(fetches), error))
            return outputs
        return call, tensors

    def run(self, feeds, fetches):
        call, tensors = self.prepare(feeds, fetches)
        try:
            outputs = call()
            results = [array(o) for o in outputs]
            for o in outputs:
                lib.cnnf_tensor_unref(o)
            return results
        finally:
            for t in list(tensors)[:len(feeds)]:
                lib.cnnf_tensor_unref(t)
