# SPDX-License-Identifier: Apache-2.0
"""Keras files become, node for node, what their Keras builds: names, ops, inputs, attributes and variables.

Cases are folders <world>/<case> with model.h5, case.json and train/tf_complete_model.pb written by Keras 2.2.5 (k225) or
tf.keras (tfk): CNNFREEZE_CASES, by default ../shared/fixtures. CNNFREEZE names the command, by default build/tools/cnnfreeze.
"""
import glob
import json
import logging
import os
import subprocess

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
from tensorflow.core.framework import graph_pb2  # noqa: E402
from tensorflow.python.framework import graph_util_impl  # noqa: E402

logging.getLogger("tensorflow").setLevel(logging.ERROR)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.environ.get("CNNFREEZE", os.path.join(ROOT, "build/tools/cnnfreeze")).split()
CASES = os.environ.get("CNNFREEZE_CASES", os.path.join(ROOT, "../shared/fixtures"))
# Attributes that hold their default in both, newer than TensorFlow 1.15, or that only a gradient or a placer reads.
SKIPPED = {"explicit_paddings", "exponential_avg_factor", "half_pixel_centers", "incompatible_shape_error", "dilations",
           "_output_shapes", "_has_manual_control_dependencies", "allowed_devices", "debug_name", "container", "shared_name",
           "use_cudnn_on_gpu", "_class", "_gradient_op_type", "U", "grad_x", "grad_y"}


def cases():
    found = [os.path.dirname(f) for w in ("k225", "tfk") for f in sorted(glob.glob(f"{CASES}/{w}/*/case.json"))]
    return [pytest.param(d, id="/".join(d.split("/")[-2:])) for d in found]


def read_graph(path):
    graph = graph_pb2.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    return graph


def convert(model, folder, *options):
    result = subprocess.run([*COMMAND, "keras2tf", model, f"{folder}/model.ckpt", str(folder), *options],
                            capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return read_graph(f"{folder}/tf_complete_model.pb"), result.stdout


def needed(graph, outputs):
    return {node.name: node for node in graph_util_impl.extract_sub_graph(graph, outputs).node}


def attributes(node):
    return {key: value for key, value in node.attr.items() if key not in SKIPPED}


@pytest.mark.parametrize("case", cases())
def test_nodes(case, tmp_path):
    info = json.load(open(f"{case}/case.json"))
    graph, said = convert(f"{case}/model.h5", tmp_path, "--no_training_state")
    ours, theirs = needed(graph, info["outputs"]), needed(read_graph(f"{case}/train/tf_complete_model.pb"), info["outputs"])
    assert sorted(ours) == sorted(theirs)
    for name, node in theirs.items():
        assert ours[name].op == node.op, name
        assert list(ours[name].input) == list(node.input), name
        assert attributes(ours[name]) == attributes(node), name
    assert f" Input names : {', '.join(info['inputs'])}" in said
    assert f" Output names: {', '.join(info['outputs'])}" in said


@pytest.mark.parametrize("case", cases())
def test_checkpoint(case, tmp_path):
    info = json.load(open(f"{case}/case.json"))
    if not info["variables"]:
        pytest.skip("no variables")
    convert(f"{case}/model.h5", tmp_path, "--no_training_state")
    for part in ("index", "data-00000-of-00001"):
        ours, theirs = (open(f"{p}.{part}", "rb").read() for p in (f"{tmp_path}/model.ckpt", f"{case}/train/tfchkpt.ckpt"))
        assert ours == theirs, part


@pytest.mark.parametrize("kind", ["reference", "resource"])
@pytest.mark.parametrize("case", cases())
def test_numbers_with_either_kind_of_variable(case, kind, tmp_path):
    v1 = tf.compat.v1
    info = json.load(open(f"{case}/case.json"))
    graph, _ = convert(f"{case}/model.h5", tmp_path, f"--variables={kind}", "--no_training_state")
    feed = {f"{name}:0": np.load(f"{case}/x{i}.npy") for i, name in enumerate(info["inputs"])}
    outputs = [f"{name}:0" for name in info["outputs"]]
    with v1.Graph().as_default(), v1.Session() as session:
        if info["variables"]:
            v1.train.import_meta_graph(f"{tmp_path}/model.ckpt.meta").restore(session, f"{tmp_path}/model.ckpt")
        else:
            v1.import_graph_def(graph, name="")
        results = session.run(outputs, feed)
    for i, result in enumerate(results):
        truth = np.load(f"{case}/y{i}.npy")
        assert result.shape == truth.shape
        assert np.abs(result.astype(np.float64) - truth).max(initial=0) <= 1e-5 * max(1.0, np.abs(truth).max(initial=0))
