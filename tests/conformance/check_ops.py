#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every op of the portable kernels against TensorFlow: random shapes, attributes and types in one graph and one process.

Usage: check_ops.py LIBRARY [--only OP[,OP]] [--seed N] [--graphs FOLDER] [-v]
Needs TensorFlow 2; exits 77 (skipped) without it. A case passes when both give the same numbers, or both refuse.
"""
import argparse
import ctypes
import os
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
try:
    import tensorflow as tf
except ImportError:
    sys.exit(77)
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import op_def_library, op_def_registry

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ops_cases import CASES, Const  # noqa: E402

v1 = tf.compat.v1


class Ours:
    """The library through its C interface."""

    def __init__(self, path):
        self.lib = lib = ctypes.CDLL(path)
        for name in ("cnnf_error_message", "cnnf_op_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        for name in ("cnnf_tensor_data", "cnnf_error_new"):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ("cnnf_tensor_dim", "cnnf_tensor_element_count"):
            getattr(lib, name).restype = ctypes.c_int64
        lib.cnnf_tensor_byte_size.restype = ctypes.c_size_t
        self.error = ctypes.c_void_p(lib.cnnf_error_new())
        self.context = self.out(lambda p: lib.cnnf_context_new(p, None, self.error))
        self.graph = self.evaluator = ctypes.c_void_p()

    def load(self, graphdef):
        lib = self.lib
        lib.cnnf_evaluator_free(self.evaluator)
        lib.cnnf_graph_unref(self.graph)
        self.graph = self.out(lambda p: lib.cnnf_load_memory(p, self.context, graphdef, ctypes.c_size_t(len(graphdef)), b"cases", None, self.error))
        self.evaluator = self.out(lambda p: lib.cnnf_evaluator_new(p, self.graph, None, self.error))

    def ops(self):
        return [self.lib.cnnf_op_name(i).decode() for i in range(self.lib.cnnf_op_count())]

    def message(self):
        return self.lib.cnnf_error_message(self.error).decode()

    def out(self, call):
        pointer = ctypes.c_void_p()
        if call(ctypes.byref(pointer)) != 0:
            raise RuntimeError(self.message())
        return pointer

    def tensor(self, array):
        array = np.ascontiguousarray(array).reshape(array.shape)
        dims = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
        dtype = tf.as_dtype(array.dtype).as_datatype_enum
        return self.out(lambda p: self.lib.cnnf_tensor_wrap(
            p, self.context, dtype, array.ndim, dims, array.tobytes(), ctypes.c_size_t(array.nbytes), None, None, self.error))

    def array(self, tensor):
        dtype = tf.as_dtype(self.lib.cnnf_tensor_dtype(tensor)).as_numpy_dtype
        shape = [self.lib.cnnf_tensor_dim(tensor, i) for i in range(self.lib.cnnf_tensor_rank(tensor))]
        size = self.lib.cnnf_tensor_byte_size(tensor)
        data = ctypes.string_at(self.lib.cnnf_tensor_data(tensor), size) if size else b""
        return np.frombuffer(data, dtype=dtype).reshape(shape)

    def run(self, feeds, fetches):
        names = (ctypes.c_char_p * max(len(feeds), 1))(*[n.encode() for n in feeds])
        tensors = (ctypes.c_void_p * max(len(feeds), 1))(*[self.tensor(a).value for a in feeds.values()])
        wanted = (ctypes.c_char_p * len(fetches))(*[n.encode() for n in fetches])
        outputs = (ctypes.c_void_p * len(fetches))()
        status = self.lib.cnnf_evaluator_run(outputs, self.evaluator, names, tensors, ctypes.c_size_t(len(feeds)), wanted,
                                             ctypes.c_size_t(len(fetches)), self.error)
        for t in tensors:
            if t:
                self.lib.cnnf_tensor_unref(ctypes.c_void_p(t))
        if status != 0:
            raise RuntimeError(self.message())
        results = [self.array(ctypes.c_void_p(t)) for t in outputs]
        for t in outputs:
            self.lib.cnnf_tensor_unref(ctypes.c_void_p(t))
        return results


def make_input(value, name, feeds, all_fed):
    """A placeholder or a constant; lists stay lists."""
    if isinstance(value, list):
        return [make_input(v, "%s_%d" % (name, i), feeds, all_fed) for i, v in enumerate(value)]
    if isinstance(value, Const) and not all_fed:
        return tf.constant(value.array, name=name)
    array = value.array if isinstance(value, Const) else value
    placeholder = v1.placeholder(array.dtype, [None] * array.ndim if all_fed else array.shape, name=name)
    feeds[placeholder.op.name] = array
    return placeholder


def plain(value):
    """An attribute's default as the op library takes it."""
    kind = value.WhichOneof("value")
    if kind == "list":
        return [x for field in ("i", "f", "b", "s", "type") for x in getattr(value.list, field)]
    return tf.TensorShape(value.shape) if kind == "shape" else getattr(value, kind)


def attributes(case, op):
    """Those of the case, and the defaults of the others that the inputs do not settle."""
    settled = {n for a in op.input_arg for n in (a.type_attr, a.number_attr, a.type_list_attr)}
    default = {a.name: plain(a.default_value) for a in op.attr if a.HasField("default_value") and a.name not in settled}
    return {**default, **case.attrs}


def build(case, index, all_fed):
    """The case's op in the default graph: feeds, fetches; None when TensorFlow refuses to build it."""
    feeds = {}
    op = op_def_registry.get(case.op)
    try:
        inputs = {n: make_input(v, "c%d_%s" % (index, n), feeds, all_fed) for n, v in zip([a.name for a in op.input_arg], case.inputs)}
        result = op_def_library.apply_op(case.op, name="case%d" % index, **inputs, **attributes(case, op))
    except (ValueError, TypeError, NotImplementedError, tf.errors.OpError) as e:
        if "unexpected keyword" in str(e) or "No argument" in str(e):
            raise
        return None
    if result is None or isinstance(result, tf.Operation):
        return None
    outputs = result if isinstance(result, (list, tuple)) else [result]
    return feeds, [t.name for t in outputs]


def differ(case, want, got):
    """Why two arrays are not the same, or None."""
    if want.dtype != got.dtype or want.shape != got.shape:
        return "%s%s, TensorFlow has %s%s" % (got.dtype, got.shape, want.dtype, want.shape)
    if want.dtype.kind in "iub":
        if np.array_equal(want, got):
            return None
        bad = np.flatnonzero(want.ravel() != got.ravel())
        return "%d differ, first %s, TensorFlow has %s" % (len(bad), got.ravel()[bad[0]], want.ravel()[bad[0]])
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    a, b = want.astype(wide), got.astype(wide)
    rtol = case.rtol or {2: 4e-3, 4: 2e-5, 8: 2e-5 if wide == np.complex128 else 1e-9, 16: 1e-9}[want.dtype.itemsize]
    if want.dtype == tf.bfloat16.as_numpy_dtype:
        rtol = max(rtol, 2e-2)
    finite = a[np.isfinite(a)]
    scale = np.abs(finite).max() if finite.size and case.relative_to_largest else 0
    with np.errstate(all="ignore"):
        good = np.isclose(a, b, rtol=rtol, atol=rtol * max(scale, case.atol), equal_nan=True)
    if good.all():
        return None
    bad = np.flatnonzero(~good.ravel())
    return "%d of %d differ, first [%d] %r, TensorFlow has %r" % (len(bad), a.size, bad[0], b.ravel()[bad[0]], a.ravel()[bad[0]])


def check(case, built, session, ours):
    """None, or what is wrong."""
    feeds, fetches = built
    try:
        want = session.run(fetches, {n + ":0": a for n, a in feeds.items()})
    except (tf.errors.OpError, ValueError) as e:
        if "No OpKernel" in str(e):
            return None
        want = e
    try:
        got = ours.run(feeds, fetches)
    except RuntimeError as e:
        got = e
    if isinstance(want, Exception) and isinstance(got, Exception):
        return None
    if isinstance(want, Exception):
        return None if case.may_differ else "computed, TensorFlow refuses: %s" % " ".join(str(want).split())[:200]
    if isinstance(got, Exception):
        return "refused: %s" % got
    for name, a, b in zip(fetches, want, got):
        why = differ(case, np.asarray(a), b)
        if why:
            return "%s: %s" % (name, why)
    return None


def new_session(graph):
    config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    return v1.Session(graph=graph, config=config)


def describe(case):
    def show(v):
        if isinstance(v, list):
            return "[%s]" % ", ".join(map(show, v))
        a = v.array if isinstance(v, Const) else v
        return "%s%s%s" % (a.dtype, list(a.shape), "=%s" % a.tolist() if isinstance(v, Const) and a.size < 12 else "")
    return "%s(%s%s)" % (case.op, ", ".join(map(show, case.inputs)), "".join(", %s=%s" % i for i in case.attrs.items()))


def check_case(library, case, index):
    """(built, why) in a graph of its own: an op without a kernel would poison its neighbours."""
    graph = tf.Graph()
    with graph.as_default():
        built = build(case, index, index % 3 == 2)
    if built is None:
        return False, None
    library.load(graph.as_graph_def().SerializeToString())
    with new_session(graph) as session:
        return True, check(case, built, session, library)


def check_cases(library, only, seed, verbose):
    rng = np.random.default_rng(seed)
    cases = [c for c in CASES(rng) if not only or c.op in only]
    failures, done, seen = {}, 0, set()
    for i, case in enumerate(cases):
        built, why = check_case(library, case, i)
        done += built
        if built:
            seen.add(case.op)
        if why:
            failures.setdefault(case.op, []).append((describe(case), why))
    for op, list_ in sorted(failures.items()):
        for what, why in list_[:100 if verbose else 3]:
            print("FAIL %s\n     %s" % (what, why))
    print("%d cases of %d ops, %d failures in %d ops; %d cases TensorFlow does not build" %
          (done, len(seen), sum(map(len, failures.values())), len(failures), len(cases) - done))
    if not only:
        print("ops of the table without a case: %s" % " ".join(sorted(set(library.ops()) - seen)))
    return not failures


def random_feed(rng, node):
    dtype = tf.as_dtype(node.attr["dtype"].type).as_numpy_dtype
    shape = [d.size if d.size > 0 else 2 for d in node.attr["shape"].shape.dim]
    return (rng.standard_normal(shape) if np.dtype(dtype).kind == "f" else rng.integers(0, 2, shape)).astype(dtype)


def check_graph(library, path, rng):
    """All tensors of a frozen graph, one fetch each so that the first wrong one is named."""
    definition = graph_pb2.GraphDef()
    with open(path, "rb") as f:
        definition.ParseFromString(f.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    feeds = {n.name: random_feed(rng, n) for n in definition.node if n.op == "Placeholder"}
    fetches = [t.name for op in graph.get_operations() for t in op.outputs
               if op.type not in ("Placeholder", "Const") and t.dtype != tf.string and not (op.type.startswith("FusedBatchNorm") and t.value_index > 2)]
    library.load(definition.SerializeToString())
    with new_session(graph) as session:
        for fetch in fetches:
            case = type("Any", (), {"rtol": 1e-4, "atol": 1.0, "relative_to_largest": True, "may_differ": True})
            why = check(case, (feeds, [fetch]), session, library)
            if why:
                print("FAIL %s: %s" % (path, why))
                return False
    return True


def check_graphs(library, folder, seed):
    rng = np.random.default_rng(seed)
    paths = sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names if f.endswith(".pb"))
    good = sum(check_graph(library, p, rng) for p in paths)
    print("%d of %d graphs agree" % (good, len(paths)))
    return good == len(paths)


def main():
    v1.disable_eager_execution()
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--graphs")
    parser.add_argument("-v", action="store_true")
    a = parser.parse_args()
    library = Ours(a.library)
    good = check_cases(library, set(filter(None, a.only.split(","))), a.seed, a.v)
    if a.graphs and os.path.isdir(a.graphs):
        good = check_graphs(library, a.graphs, a.seed) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
