# SPDX-License-Identifier: Apache-2.0
"""Runs passes of the built library on TensorFlow GraphDefs, and both graphs in TensorFlow, to hold them side by side."""
import ctypes
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf2
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import tensor_util

tf = tf2.compat.v1
HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.environ.get("CNNFREEZE_LIBRARY", os.path.join(HERE, "../../build/lib/libcnnfreeze.so"))
_lib = ctypes.CDLL(LIBRARY)
_P, _S = ctypes.c_void_p, ctypes.c_char_p
for _name, _restype, _argtypes in [
    ("cnnf_context_new", ctypes.c_int32, [_P, _P, _P]),
    ("cnnf_error_new", _P, []), ("cnnf_error_free", None, [_P]), ("cnnf_error_message", _S, [_P]),
    ("cnnf_load_memory", ctypes.c_int32, [_P, _P, _S, ctypes.c_size_t, _S, _P, _P]),
    ("cnnf_bind_checkpoint", ctypes.c_int32, None),
    ("cnnf_pipeline_new", ctypes.c_int32, [_P, _P, _P]), ("cnnf_pipeline_free", None, [_P]),
    ("cnnf_pipeline_add", ctypes.c_int32, [_P, _S, _P]),
    ("cnnf_pipeline_add_input", ctypes.c_int32, [_P, _S, _P]),
    ("cnnf_pipeline_add_output", ctypes.c_int32, [_P, _S, _P]),
    ("cnnf_pipeline_run_report", ctypes.c_int32, [_P, _P, _P, _P, _P]),
    ("cnnf_write_graphdef_buffer", ctypes.c_int32, [_P, _P, _P, _P]),
    ("cnnf_buffer_data", _P, [_P]), ("cnnf_buffer_size", ctypes.c_size_t, [_P]), ("cnnf_buffer_free", None, [_P]),
    ("cnnf_graph_unref", None, [_P]), ("cnnf_context_unref", None, [_P]),
]:
    getattr(_lib, _name).restype = _restype
    if _argtypes is not None:
        getattr(_lib, _name).argtypes = _argtypes


class PassError(Exception):
    pass


def _check(status, error):
    if status:
        raise PassError(f"{status}: {_lib.cnnf_error_message(error).decode()}")


def _take(buffer):
    data = ctypes.string_at(_lib.cnnf_buffer_data(buffer), _lib.cnnf_buffer_size(buffer))
    _lib.cnnf_buffer_free(buffer)
    return data


def transform(graph_def, passes, outputs=(), inputs=()):
    """The GraphDef after the passes, and the report (a list, one entry per pass)."""
    data = graph_def.SerializeToString()
    context, graph, pipeline, result, report, buffer = (_P() for _ in range(6))
    error = _lib.cnnf_error_new()
    try:
        _check(_lib.cnnf_context_new(ctypes.byref(context), None, error), error)
        _check(_lib.cnnf_load_memory(ctypes.byref(graph), context, data, len(data), b"graph", None, error), error)
        _check(_lib.cnnf_pipeline_new(ctypes.byref(pipeline), context, error), error)
        _check(_lib.cnnf_pipeline_add(pipeline, passes.encode(), error), error)
        for name in inputs:
            _check(_lib.cnnf_pipeline_add_input(pipeline, name.encode(), error), error)
        for name in outputs:
            _check(_lib.cnnf_pipeline_add_output(pipeline, name.encode(), error), error)
        _check(_lib.cnnf_pipeline_run_report(ctypes.byref(result), ctypes.byref(report), pipeline, graph, error), error)
        _check(_lib.cnnf_write_graphdef_buffer(ctypes.byref(buffer), result, None, error), error)
        out = graph_pb2.GraphDef()
        out.ParseFromString(_take(buffer))
        return out, json.loads(_take(report))["passes"]
    finally:
        for release, handle in [(_lib.cnnf_graph_unref, graph), (_lib.cnnf_graph_unref, result),
                                (_lib.cnnf_pipeline_free, pipeline), (_lib.cnnf_context_unref, context)]:
            release(handle)
        _lib.cnnf_error_free(error)


def run(graph_def, feeds, outputs):
    """Outputs of the graph in TensorFlow; feeds {node: array}."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        present = {n.name for n in graph_def.node}
        with tf.Session(graph=graph) as session:
            return session.run([o if ":" in o else o + ":0" for o in outputs],
                               {k + ":0": v for k, v in feeds.items() if k in present})


def worst(a, b):
    """Largest difference, relative to the larger of 1 and the largest value."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) if a.size else 0.0


def ops(graph_def):
    return {n.op for n in graph_def.node}


def names(graph_def, *op):
    return [n.name for n in graph_def.node if n.op in op]


def feeds_for(graph_def, seed=0, batch=2):
    """Random values for every Placeholder."""
    rng, feeds = np.random.RandomState(seed), {}
    for n in graph_def.node:
        if n.op == "Placeholder":
            dims = [d.size if d.size > 0 else batch for d in n.attr["shape"].shape.dim]
            feeds[n.name] = rng.uniform(-1, 1, dims).astype(tf.as_dtype(n.attr["dtype"].type).as_numpy_dtype)
    return feeds


def held(graph_def, passes, outputs, feeds=None, tolerance=1e-5):
    """Transforms, checks that the outputs stay and that a second run changes nothing; (graph, report)."""
    feeds = feeds_for(graph_def) if feeds is None else feeds
    out, report = transform(graph_def, passes, outputs)
    for a, b, name in zip(run(out, feeds, outputs), run(graph_def, feeds, outputs), outputs):
        assert worst(a, b) < tolerance, f"{name} differs by {worst(a, b):.2e}"
    again, _ = transform(out, passes, outputs)
    assert again == out, "a second run changes the graph"
    return out, report
