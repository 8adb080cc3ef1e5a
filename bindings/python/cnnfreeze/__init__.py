# SPDX-License-Identifier: Apache-2.0
"""libcnnfreeze from Python, through ctypes: no compiler, no TensorFlow.

    import cnnfreeze
    model = cnnfreeze.load("model.h5")
    frozen = model.freeze().transform("fold_batch_norms")
    frozen.write("frozen_graph.pb")
    y = frozen.predict({"input_1": x}, ["activation_6/Softmax"])[0]

Every failure of the library is raised as cnnfreeze.Error with its code, message, file, node and byte offset.
Graphs are immutable and may be used from many threads; numpy is needed for predict() only.
"""
from ._library import ABI_VERSION, Error, version
from .graph import Checkpoint, Evaluator, Graph, evaluate, load, passes

__all__ = ["ABI_VERSION", "Checkpoint", "Error", "Evaluator", "Graph", "evaluate", "load", "passes", "version"]
