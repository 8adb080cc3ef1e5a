# SPDX-License-Identifier: Apache-2.0
"""libcnnfreeze from Python, through ctypes: no compiler, no TensorFlow.

    import cnnfreeze
    model = cnnfreeze.load("model.h5")
    frozen = model.freeze().transform("fold_batch_norms")
    frozen.write("frozen_graph.pb")
    y, = frozen.predict({"input_1": x})

Every failure of the library is raised as a cnnfreeze.Error with its code, message, file, node and byte offset; its class says
what Python calls such a failure (FileNotFoundError, ValueError, ...: cnnfreeze.errors). Wrong arguments that the library never
sees are TypeError and ValueError. Graphs are immutable and may be used from many threads; numpy is needed for arrays only.
docs/python.md is the guide.
"""
from ._arrays import load_npy, save_npy
from ._library import ABI_VERSION, lib as _lib, version
from .checkpoint import Checkpoint
from .context import Context, default_context, limit_names
from .errors import (CancelledError, CorruptError, Error, FileError, FormatError, InternalError, InvalidError,
                     LimitError, MismatchError, MissingFileError, NotFoundError, OutOfMemoryError, UnsupportedError)
from .evaluation import Comparison, Dataset, Metrics, Mistake, Report, compare_numbers, evaluate
from .evaluator import Evaluator, ops
from .graph import Graph, Node, check_saver_file, detect_format, load
from .quantizer import Quantizer, quantizer_options
from .transform import Argument, CheckReport, Difference, Pipeline, check_targets, onnx_opset_of, pass_arguments, passes, tflite_has_op

__version__ = version()


def has_feature(feature: str) -> bool:
    """Whether an optional part was built in: "keras_h5", "keras_v3", "snappy", "onednn", "gzip", "images"."""
    return bool(_lib.has_feature(feature.encode()))


__all__ = ["ABI_VERSION", "Argument", "CancelledError", "CheckReport", "Checkpoint", "Comparison", "Context", "CorruptError",
           "Dataset", "Difference", "Error", "Evaluator", "FileError", "FormatError", "Graph", "InternalError", "InvalidError",
           "LimitError", "Metrics", "MismatchError", "MissingFileError", "Mistake", "Node", "NotFoundError", "OutOfMemoryError",
           "Pipeline", "Quantizer", "Report", "UnsupportedError", "__version__", "check_saver_file", "check_targets", "compare_numbers",
           "default_context", "detect_format", "evaluate", "has_feature", "limit_names", "load", "load_npy", "ops", "pass_arguments", "passes",
           "quantizer_options", "save_npy", "tflite_has_op", "version"]
