# SPDX-License-Identifier: Apache-2.0
"""The Python binding beside TensorFlow: its tests under this environment's numpy, small floats, a model's numbers."""
import os
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
MODEL = ROOT / "examples/data/keras_trained_model.h5"

os.environ["CNNFREEZE_LIBRARY"] = str(BUILD / "lib/libcnnfreeze.so.0")
sys.path.insert(0, str(ROOT / "bindings/python"))
import cnnfreeze  # noqa: E402
from cnnfreeze import _arrays  # noqa: E402


@pytest.mark.parametrize("name", ["binding", "arrays", "evaluation"])
def test_of_the_binding(name):
    done = subprocess.run([sys.executable, "-W", "error", str(ROOT / f"tests/python/test_{name}.py")], capture_output=True, text=True,
                          timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python"),
                                            "CNNFREEZE_COMMAND": str(BUILD / "tools/cnnfreeze")})
    assert done.returncode == 0, done.stderr[-4000:]
    assert "skipped" not in done.stderr


@pytest.mark.parametrize("number, bits, name", [(14, "u2", "bfloat16"), (24, "u1", "float8_e5m2"), (25, "u1", "float8_e4m3fn")])
def test_every_small_float_is_widened(number, bits, name):
    raw = np.arange(1 << 8 * np.dtype(bits).itemsize, dtype=bits)
    np.testing.assert_array_equal(_arrays._widen(raw, number), raw.view(getattr(ml_dtypes, name)).astype("f4"))


def test_bfloat16_is_rounded_as_tensorflow_does():
    numbers = np.random.default_rng(1).integers(0, 1 << 32, 1000000, dtype="u4").view("f4")
    with np.errstate(all="ignore"):
        wanted = numbers.astype(ml_dtypes.bfloat16).view("u2")
    known = ~np.isnan(numbers)
    np.testing.assert_array_equal(_arrays._narrow_to_bfloat16(numbers)[known], wanted[known])


def test_arrays_as_session_run_takes_them():
    import tensorflow as tf
    frozen = cnnfreeze.load(MODEL).freeze()
    definition = tf.compat.v1.GraphDef.FromString(frozen.serialize())
    x = np.random.default_rng(2).random((3, 28, 28, 1))
    feeds = [x, x.astype(">f4"), x.tolist(), np.asfortranarray(x.astype("f4")), x.astype("f4")[::-1]]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(definition, name="")
        for feed in feeds:
            wanted = session.run("activation_6/Softmax:0", {"input_1:0": feed})
            np.testing.assert_allclose(frozen.predict({"input_1:0": feed}, "activation_6/Softmax:0"), wanted, atol=1e-6)
