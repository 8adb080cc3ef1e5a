# SPDX-License-Identifier: Apache-2.0
"""Files that other projects wrote, where they lie beside the project; skipped where they are absent."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build"))
REAL = ROOT.parent / "shared/real"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the files of other projects are not here")


def cnnfreeze(*arguments, ok=True):
    result = subprocess.run([str(BUILD / "tools/cnnfreeze"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert not ok or result.returncode == 0, result.stderr
    return result.stdout


def files(pattern):
    return sorted(REAL.glob(pattern)) if REAL.is_dir() else []


def io_names(printed):
    lines = dict(line.strip().split(":", 1) for line in printed.splitlines() if "names" in line)
    lines = {key.strip(): [name.strip() for name in value.split(",")] for key, value in lines.items()}
    return lines["Input names"], lines["Output names"]


@pytest.mark.parametrize("model", files("keras-h5/*.h5") + files("keras-h5/*.hdf5"), ids=lambda p: p.stem)
def test_keras_model(model, tmp_path):
    printed = cnnfreeze("freeze", model, "-o", tmp_path / "frozen.pb")
    inputs, outputs = io_names(printed)
    stem = model.with_suffix("")
    cnnfreeze("predict", f"--graph={tmp_path}/frozen.pb", "--feed", f"{inputs[0]}={stem}.x0.npy", "--fetch",
              f"{outputs[0]}={tmp_path}/y.npy")
    expected, y = np.load(f"{stem}.y0.npy"), np.load(tmp_path / "y.npy")
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("folder", files("tutorial-repo/*"), ids=lambda p: p.name)
def test_tutorial_repository(folder, tmp_path):
    """TensorFlow 1.15's training graphs; their values are not there."""
    assert "tensors" in cnnfreeze("inspect_checkpoint", folder / "tfchkpt.ckpt.index")
    for name in ("tf_complete_model.pb", "tfchkpt.ckpt.meta"):
        cnnfreeze("transform_graph", f"--in_graph={folder / name}", f"--out_graph={tmp_path}/out.pb",
                  "--transforms=sort_by_execution_order")


@pytest.mark.parametrize("path", files("checkpoints/*"), ids=lambda p: p.name)
def test_checkpoint(path):
    member = next(p for p in sorted(path.iterdir()) if p.name.endswith(".index") or p.name.startswith("export-"))
    assert "crc32c ok" in cnnfreeze("inspect_checkpoint", member, "--verify")


@pytest.mark.parametrize("folder", files("saved-models/*"), ids=lambda p: p.name)
def test_saved_model(folder, tmp_path):
    """Frozen to one flat graph, which TensorFlow imports and which computes what the SavedModel does."""
    tf2 = pytest.importorskip("tensorflow")
    tf = tf2.compat.v1
    printed = cnnfreeze("freeze", folder, "-o", tmp_path / "frozen.pb")
    inputs, outputs = io_names(printed)
    graph_def = tf.GraphDef()
    graph_def.ParseFromString((tmp_path / "frozen.pb").read_bytes())
    assert not any(node.op in ("VariableV2", "VarHandleOp", "PartitionedCall", "StatefulPartitionedCall") for node in graph_def.node)
    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.loader.load(session, ["serve"], str(folder))
        signature = loaded.signature_def["serving_default"] if "serving_default" in loaded.signature_def else None
        if signature is None:
            return
        x_info = next(iter(signature.inputs.values()))
        if x_info.dtype != tf.float32.as_datatype_enum:
            return
        shape = [d.size if d.size > 0 else 2 for d in x_info.tensor_shape.dim]
        x = np.random.default_rng(1).random(shape, dtype=np.float32)
        expected = session.run(next(iter(signature.outputs.values())).name, {x_info.name: x})
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        with tf.Session() as session:
            y = session.run(outputs[0] + ":0", {inputs[0] + ":0": x})
    np.testing.assert_allclose(y, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("path", files("frozen-graphs/**/*.pb"), ids=lambda p: p.stem)
def test_frozen_graph_loads(path, tmp_path):
    cnnfreeze("transform_graph", f"--in_graph={path}", f"--out_graph={tmp_path}/out.pb", "--transforms=sort_by_execution_order")
