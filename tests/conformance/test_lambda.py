# SPDX-License-Identifier: Apache-2.0
"""Lambda layers by --lambda, and custom classes by --map_layer with fields: what live Keras computes with the code.

ORACLE_ENV is the folder with tf215/, k3/, keras225/ and oracle's keras225.py (KERAS225_FOLDER).
"""
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from test_layers_live import ORACLE, check  # noqa: E402

PYTHON = {"k225": f"{ORACLE}/tf215/bin/python", "tfk": f"{ORACLE}/tf215/bin/python", "k3": f"{ORACLE}/k3/bin/python"}
IMAGE, ROW, STEPS = [[[6, 4, 3], "float32", -1, 1]], [[[5], "float32", 0.1, 2]], [[[4, 6], "float32", -1, 1]]
BYTES = [[[6, 4, 3], "uint8", 0, 256]]

# inputs, what Python computes (t: the layer's input; K: keras.backend or keras.ops), what --lambda is told
EVERYWHERE = [
    (IMAGE, "t / 127.5 - 1", "x / 127.5 - 1"),
    (IMAGE, "(t - 0.5) * 2.0", "(x - 0.5) * 2"),
    (IMAGE, "1 - t", "1 - x"),
    (IMAGE, "2.0 / (t + 3)", "2 / (x + 3)"),
    (ROW, "t ** 2 - -t", "x ** 2 - -x"),
    (ROW, "2.0 ** t", "2 ** x"),
    (IMAGE, "t[:, :, :, ::-1]", "x[:, :, :, ::-1]"),
    (IMAGE, "t[:, 1:-1, ::2, 0]", "x[:, 1:-1, ::2, 0]"),
    (STEPS, "t[:, -1]", "x[:, -1]"),
    (STEPS, "t[:, -1, :]", "x[:, -1, :]"),
    (STEPS, "t[..., None]", "x[..., None]"),
    (ROW * 2, "K.abs(t[0] - t[1])", "K.abs(x[0] - x[1])"),
    (ROW * 2, "K.abs(t[0] - t[1])", "abs(x0 - x1)"),
    (ROW * 2, "K.sqrt(K.maximum(K.sum(K.square(t[0] - t[1]), axis=1, keepdims=True), 1e-7))",
     "K.sqrt(K.maximum(K.sum(K.square(x[0] - x[1]), axis=1, keepdims=True), K.epsilon()))"),
    (ROW * 2, "t[0] + K.exp(0.5 * t[1])", "x0 + exp(0.5 * x1)"),
    (STEPS, "K.mean(t, axis=1)", "mean(x, axis=1)"),
    (STEPS, "K.mean(t, axis=-1, keepdims=True)", "tf.reduce_mean(x, axis=-1, keepdims=True)"),
    (IMAGE, "K.max(t, axis=[1, 2])", "K.max(x, axis=(1, 2))"),
    (STEPS, "K.sum(t * t, axis=1)", "K.sum(x * x, 1)"),
    (STEPS, "K.expand_dims(t, -1)", "expand_dims(x, -1)"),
    (STEPS, "K.reshape(t, (-1, 24))", "reshape(x, (-1, 24))"),
    (STEPS, "K.reshape(t, (-1, 2, 12))", "tf.reshape(x, [-1, 2, 12])"),
    (STEPS, "K.concatenate([t, t * 2], axis=-1)", "concatenate([x, x * 2], axis=-1)"),
    (STEPS, "K.stack([t, -t], axis=1)", "stack([x, -x], 1)"),
    (ROW, "K.log(t) + K.sigmoid(t) * K.tanh(t)", "log(x) + sigmoid(x) * tf.tanh(x)"),
    (ROW, "K.clip(t, 0.5, 1.0)", "clip(x, 0.5, 1)"),
    (ROW, "K.minimum(t, 1.0)", "minimum(x, 1)"),
    (STEPS, "K.softmax(t)", "softmax(x)"),
    (STEPS, "K.relu(t)", "relu(x)"),
    (IMAGE, "K.cast(t > 0, 'float32')", "cast(x > 0, 'float32')"),
    (IMAGE, "K.cast(t, 'float64')", "cast(x, tf.float64)"),
    (BYTES, "K.cast(t, 'float32') / 255", "x / 255"),
    (STEPS, "[t, t + 1]", "[x, x + 1]"),
    (STEPS, "t - K.mean(t, axis=1, keepdims=True)", "x - mean(x, axis=1, keepdims=True)"),
]
# only where keras.backend is the module, as in Keras 2
BACKEND = [
    (STEPS, "K.l2_normalize(t, axis=1)", "K.l2_normalize(x, axis=1)"),
    (STEPS, "K.l2_normalize(t, axis=-1)", "l2_normalize(x, -1)"),
    (STEPS, "K.permute_dimensions(t, (0, 2, 1))", "K.permute_dimensions(x, (0, 2, 1))"),
    (STEPS, "K.reverse(t, 1)", "K.reverse(x, 1)"),
    (STEPS, "K.squeeze(K.expand_dims(t, 2), 2)", "K.squeeze(K.expand_dims(x, 2), 2)"),
    (STEPS, "K.std(t, axis=1)", "K.std(x, axis=1)"),
    (STEPS, "K.repeat_elements(t, 3, 1)", "K.repeat_elements(x, 3, 1)"),
    (STEPS, "K.tile(t, (1, 2, 1))", "tile(x, (1, 2, 1))"),
    (STEPS, "K.pow(t, 2)", "pow(x, 2)"),
    (STEPS, "K.logsumexp(t, axis=1)", "K.logsumexp(x, axis=1)"),
]
OPS = [
    (STEPS, "K.transpose(t, (0, 2, 1))", "ops.transpose(x, (0, 2, 1))"),
    (STEPS, "K.log_softmax(t)", "keras.ops.log_softmax(x)"),
    (STEPS, "K.where(t > 0, t, t * 0.1)", "where(x > 0, x, x * 0.1)"),
    (IMAGE, "K.image.resize(t, (9, 7))", "tf.image.resize(x, (9, 7))"),
    (IMAGE, "K.image.resize(t, (9, 7), interpolation='nearest')", "tf.image.resize(x, (9, 7), method='nearest')"),
    (STEPS, "K.flip(t, axis=1)", "flip(x, axis=1)"),
    (STEPS, "K.argmax(t, axis=-1)", "argmax(x, axis=-1)"),
]
CASES = {"k225": EVERYWHERE + BACKEND, "tfk": EVERYWHERE + BACKEND, "k3": EVERYWHERE + OPS}


@pytest.mark.parametrize("world", PYTHON)
def test_lambda(world, tmp_path):
    if not os.path.exists(PYTHON[world]) or (world == "k225" and "KERAS225_FOLDER" not in os.environ):
        pytest.skip(f"no {PYTHON[world]}")
    made = []
    for i, (inputs, theirs, ours) in enumerate(CASES[world]):
        argument = "x" if len(inputs) > 1 else "x[0]"
        made.append({"id": f"c{i}", "inputs": inputs, "ours": ours,
                     "model": f"L.Lambda(lambda t: {theirs}, name='lam')({argument})"})
    subprocess.run([PYTHON[world], f"{HERE}/layer_worlds.py", world, str(tmp_path)], input=json.dumps(made), text=True,
                   check=True, timeout=900, stderr=subprocess.DEVNULL)
    failed, built = [], 0
    for case in made:
        folder = f"{tmp_path}/{case['id']}"
        if os.path.exists(f"{folder}/error"):
            continue
        built += 1
        for model in ("model.h5", "model.keras") if world == "k3" else ("model.h5",):
            try:
                check(folder, model, f"--lambda=lam={case['ours']}")
            except AssertionError as error:
                failed.append(f"{case['model']} {model}: {str(error)[:300]}")
    assert built >= 0.9 * len(made)
    assert not failed, f"{len(failed)} of {built}:\n" + "\n".join(failed[:20])
