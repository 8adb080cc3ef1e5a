# SPDX-License-Identifier: Apache-2.0
"""The tutorial's job, and TensorFlow taking what came of it as its own."""
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

tf2 = pytest.importorskip("tensorflow")
tf = tf2.compat.v1
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build"))
DATA = ROOT / "examples/data"
OUTPUT = "activation_6/Softmax"


def cnnfreeze(*arguments):
    result = subprocess.run([str(BUILD / "tools/cnnfreeze"), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    out = tmp_path_factory.mktemp("tutorial")
    cnnfreeze("keras2tf", DATA / "keras_trained_model.h5", out / "tfchkpt.ckpt", out)
    printed = cnnfreeze("freeze_graph", f"--input_graph={out}/tf_complete_model.pb", f"--input_checkpoint={out}/tfchkpt.ckpt",
                        "--input_binary=true", f"--output_graph={out}/frozen_graph.pb", f"--output_node_names={OUTPUT}")
    assert "Froze 24 variables." in printed and "Converted 24 variables to const ops." in printed
    assert re.search(r"^\d+ ops in the final graph\.$", printed, re.M)
    return out


def images(count=64):
    rows = np.loadtxt(DATA / "digits_test.csv", delimiter=",", skiprows=1, dtype=np.float32)[:count]
    return rows[:, 1:].reshape(-1, 28, 28, 1) / np.float32(255)


def run_frozen(path, x):
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        with tf.Session() as session:
            return session.run(OUTPUT + ":0", {"input_1:0": x})


def test_accuracy(job):
    arguments = ["evaluate", f"--graph={job}/frozen_graph.pb", "--input_node=input_1", f"--output_node={OUTPUT}",
                 "--batchsize=32", f"--dataset={DATA}/digits_test.csv"]
    assert "Graph accuracy with validation dataset: 0.9925" in cnnfreeze(*arguments)
    assert "Graph accuracy with validation dataset: 0.9922" in cnnfreeze(*arguments, "--full_batches_only")


def test_tensorflow_restores_our_checkpoint(job):
    x = images()
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(f"{job}/tfchkpt.ckpt.meta")
        saver.restore(session, tf.train.latest_checkpoint(str(job)))
        assert len(tf.global_variables()) == 95
        y = session.run(OUTPUT + ":0", {"input_1:0": x})
    np.testing.assert_allclose(y, run_frozen(job / "frozen_graph.pb", x), atol=1e-5)


def test_tensorflow_freezes_our_files(job):
    from tensorflow.python.tools import freeze_graph
    theirs = job / "theirs.pb"
    with tf.Graph().as_default():
        freeze_graph.freeze_graph(f"{job}/tf_complete_model.pb", "", True, f"{job}/tfchkpt.ckpt", OUTPUT, "", "", str(theirs), True, "")
    wrote, ours = tf.GraphDef(), tf.GraphDef()
    wrote.ParseFromString(theirs.read_bytes())
    # By itself it writes a graph of 1.15 as 1.15's freeze_graph does (test_tutorial_world.py).
    cnnfreeze("freeze_graph", "--as_tf=2.15", f"--input_graph={job}/tf_complete_model.pb", f"--input_checkpoint={job}/tfchkpt.ckpt",
              "--input_binary=true", f"--output_graph={job}/as_2_15.pb", f"--output_node_names={OUTPUT}")
    ours.ParseFromString((job / "as_2_15.pb").read_bytes())
    # Importing, TensorFlow 2.15 adds attributes that 1.15 does not know, at their default; all else is equal.
    for theirs_node, our_node in zip(wrote.node, ours.node):
        for name in set(theirs_node.attr) - set(our_node.attr):
            del theirs_node.attr[name]
    assert wrote == ours


def test_text_is_the_binary(job, tmp_path):
    from google.protobuf import text_format
    cnnfreeze("keras2tf", "--as_text", DATA / "keras_trained_model.h5", tmp_path / "t.ckpt", tmp_path)
    text, binary = tf.GraphDef(), tf.GraphDef()
    text_format.Parse((tmp_path / "tf_complete_model.pbtxt").read_text(), text)
    binary.ParseFromString((job / "tf_complete_model.pb").read_bytes())
    assert text == binary


def test_training_state_can_be_left_out(tmp_path):
    cnnfreeze("keras2tf", "--no_training_state", DATA / "keras_trained_model.h5", tmp_path / "t.ckpt", tmp_path)
    names = tf.train.load_checkpoint(str(tmp_path / "t.ckpt")).get_variable_to_shape_map()
    assert not any("Adam" in name for name in names)
    assert "conv2d_1/kernel" in names


def test_name_suffix(tmp_path):
    printed = cnnfreeze("keras2tf", "--name_suffix=_1", DATA / "keras_trained_model.h5", tmp_path / "t.ckpt", tmp_path)
    assert " Input names : input_1_1\n" in printed and " Output names: activation_6_1/Softmax\n" in printed
