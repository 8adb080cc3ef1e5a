# SPDX-License-Identifier: Apache-2.0
"""The tutorial's own world: Keras 2.2.5 on TensorFlow 1.15.5.

Its graphs, attribute by attribute and in its order; its freeze_graph; and, where ORACLE_ENV/tf115 is, graphs lowered for it
run there. Cases are folders k115/<case> under CNNFREEZE_CASES, by default ../shared/fixtures.
"""
import glob
import json
import os
import subprocess

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
from tensorflow.core.framework import graph_pb2  # noqa: E402
from tensorflow.python.framework import graph_util_impl  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.environ.get("CNNFREEZE", os.path.join(ROOT, "build/tools/cnnfreeze")).split()
CASES = os.environ.get("CNNFREEZE_CASES", os.path.join(ROOT, "../shared/fixtures"))
TF115 = os.path.join(os.environ.get("ORACLE_ENV", "/nowhere"), "tf115/bin/python")


def cases():
    found = [os.path.dirname(f) for f in sorted(glob.glob(f"{CASES}/k115/*/case.json"))]
    return [pytest.param(d, id=os.path.basename(d)) for d in found]


def command(*arguments):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def read_graph(path):
    with open(path, "rb") as file:
        return graph_pb2.GraphDef.FromString(file.read())


@pytest.mark.parametrize("case", cases())
def test_nodes(case, tmp_path):
    info = json.load(open(f"{case}/case.json"))
    command("keras2tf", f"{case}/model.h5", f"{tmp_path}/model.ckpt", str(tmp_path))
    ours, theirs = (graph_util_impl.extract_sub_graph(read_graph(f"{folder}/tf_complete_model.pb"), info["outputs"]).node
                    for folder in (tmp_path, f"{case}/train"))
    assert [node.name for node in ours] == [node.name for node in theirs]
    for our, their in zip(ours, theirs):
        assert our == their


@pytest.mark.parametrize("source", ["tf_complete_model.pb", "tf_complete_model.pbtxt", "own"])
@pytest.mark.parametrize("case", cases())
def test_freeze_graph(case, source, tmp_path):
    """TensorFlow 1.15 writes a node's attributes in the order of a hash table, another one each time: both are compared
    with their keys sorted, which is how we write them."""
    info = json.load(open(f"{case}/case.json"))
    if not info["variables"]:
        pytest.skip("no variables")
    prefix, graph = f"{case}/train/tfchkpt.ckpt", f"{case}/train/{source}"
    if source == "own":
        prefix, graph = f"{tmp_path}/model.ckpt", f"{tmp_path}/tf_complete_model.pb"
        command("keras2tf", f"{case}/model.h5", prefix, str(tmp_path))
    command("freeze_graph", f"--input_graph={graph}", "--input_binary=true", f"--input_checkpoint={prefix}",
            f"--output_graph={tmp_path}/frozen.pb", "--output_node_names=" + ",".join(info["outputs"]))
    with open(f"{tmp_path}/frozen.pb", "rb") as file:
        assert file.read() == read_graph(f"{case}/frozen.pb").SerializeToString(deterministic=True)


LOWERED = {
    "groups": lambda k, x: k.layers.Conv2D(6, 3, groups=2, padding="same", activation="relu")(x),
    "groups_1d": lambda k, x: k.layers.Conv1D(8, 3, groups=4)(k.layers.Reshape((36, 4))(x)),
    "layer_norm": lambda k, x: k.layers.LayerNormalization(axis=[2, 3])(x),
    "batch_norm_first": lambda k, x: k.layers.BatchNormalization(axis=1)(x),
    "batch_norm_3d": lambda k, x: k.layers.BatchNormalization()(k.layers.Reshape((6, 2, 3, 4))(x)),
    "batch_norm_3d_first": lambda k, x: k.layers.BatchNormalization(axis=1)(k.layers.Reshape((6, 2, 3, 4))(x)),
}
RUN = """
import sys, numpy as np, tensorflow as tf
for name in sys.argv[2:]:
    graph = tf.GraphDef(); graph.ParseFromString(open(sys.argv[1] + "/" + name + ".pb", "rb").read())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph, name="")
        x = np.load(sys.argv[1] + "/x.npy")
        np.save(sys.argv[1] + "/" + name, session.run(graph.node[-1].name + ":0", {graph.node[0].name + ":0": x}))
"""


@pytest.mark.skipif(not os.path.exists(TF115), reason="no TensorFlow 1.15")
def test_lowered_graphs_run(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (3, 6, 6, 4)).astype("float32")
    np.save(f"{tmp_path}/x.npy", x)
    want = {}
    for name, layers in LOWERED.items():
        image = tf.keras.Input((6, 6, 4))
        model = tf.keras.Model(image, layers(tf.keras, image))
        model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
        model.save(f"{tmp_path}/{name}.h5")
        want[name] = model(x, training=False)
        command("freeze", f"{tmp_path}/{name}.h5", "-o", f"{tmp_path}/{name}.pb")
    done = subprocess.run([TF115, "-c", RUN, str(tmp_path), *LOWERED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in LOWERED:
        np.testing.assert_allclose(np.load(f"{tmp_path}/{name}.npy"), want[name], atol=1e-4)
