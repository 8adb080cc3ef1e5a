# SPDX-License-Identifier: Apache-2.0
"""Builds models in one Keras and keeps what it computes: run by that Keras' own Python, no test of its own.

    PYTHON layer_worlds.py WORLD FOLDER < cases.json

WORLD: k225 (Keras 2.2.5), tfk (tf.keras 2.15 in graph mode), k3 (Keras 3). Each case is {"id", "inputs": [[shape, dtype,
low, high], ...], "model": an expression of the list x of inputs, L (layers), M (models), K (ops or backend), np}. Writes
FOLDER/<id>/: model.h5 (k3: model.keras, too), x*.npy, y*.npy, case.json and, but for k3, graph.pb. A case that this Keras
does not build gives FOLDER/<id>/error.
"""
import json
import os
import sys
import traceback

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402

WORLD, FOLDER = sys.argv[1:3]
if WORLD == "k225":
    sys.path.insert(0, os.environ["KERAS225_FOLDER"])
    import keras225

    tf = keras225.tf
    import keras

    L, M, K = keras.layers, keras.models, keras.backend
elif WORLD == "tfk":
    import tensorflow as tf2

    tf = tf2.compat.v1
    tf.disable_v2_behavior()
    M, K = tf.keras.models, tf.keras.backend

    class L:  # noqa: N801
        pass

    for module in (tf2.keras.layers, tf.keras.layers):  # TensorFlow 1's form of a layer where it has two
        for name in dir(module):
            if not name.startswith("_"):
                setattr(L, name, staticmethod(getattr(module, name)))
else:
    import keras

    L, M, K = keras.layers, keras.models, keras.ops


def leaves(layer):
    inner = list(getattr(layer, "layers", None) or [])
    for name in ("layer", "forward_layer", "backward_layer") if not inner else ():
        if getattr(layer, name, None) is not None and not inner:
            inner = [getattr(layer, name)]
    return [leaf for part in inner for leaf in leaves(part)] if getattr(layer, "layers", None) else [layer]


def randomise(model, rng):
    """Nothing stays at its initial value; variances stay positive, counts and states of generators what they are."""
    for layer in leaves(model):
        new = []
        for variable, value in zip(layer.weights, layer.get_weights()):
            path = getattr(variable, "path", None) or variable.name
            if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or "seed" in path:
                new.append(value)
            elif "variance" in path:
                new.append(rng.uniform(0.3, 2.0, value.shape).astype(value.dtype))
            elif "gamma" in path or "scale" in path:
                new.append(rng.uniform(0.5, 1.5, value.shape).astype(value.dtype))
            else:
                new.append((value + rng.normal(0, 0.2, value.shape)).astype(value.dtype))
        if new:
            layer.set_weights(new)


def make_inputs(case, rng):
    values = []
    for shape, dtype, low, high in case["inputs"]:
        shape = [3 if i == 0 else 6 if d is None else d for i, d in enumerate([None, *shape])]
        whole = np.dtype(dtype).kind in "iub"
        values.append(rng.integers(int(low), int(high), shape).astype(dtype) if whole
                      else rng.uniform(low, high, shape).astype(dtype))
    return values


def build(case):
    x = [L.Input(shape=tuple(shape), dtype=dtype) for shape, dtype, _, _ in case["inputs"]]
    outputs = eval(case["model"], {"L": L, "M": M, "K": K, "x": x, "np": np})
    return outputs if hasattr(outputs, "summary") else M.Model(x if len(x) > 1 else x[0], outputs)


def one(case, folder):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(sum(map(ord, case["id"])))
    keras_of = keras if WORLD != "tfk" else tf.keras
    keras_of.backend.clear_session()
    info = {"id": case["id"], "world": WORLD}
    model = build(case)
    randomise(model, rng)
    values = make_inputs(case, rng)
    model.save(f"{folder}/model.h5")
    if WORLD == "k3":
        model.save(f"{folder}/model.keras")
        results = model(values if len(values) > 1 else values[0], training=False)
        results = [np.asarray(r) for r in (results if isinstance(results, (list, tuple)) else [results])]
    else:
        K.clear_session()
        K.set_learning_phase(0)
        model = M.load_model(f"{folder}/model.h5", compile=False, custom_objects={"K": K})
        session = K.get_session()
        results = session.run(list(model.outputs), dict(zip(model.inputs, values)))
        tf.train.write_graph(session.graph.as_graph_def(), folder, "graph.pb", as_text=False)
        info["inputs"] = [t.op.name for t in model.inputs]
        info["outputs"] = [t.op.name for t in model.outputs]
    for i, value in enumerate(values):
        np.save(f"{folder}/x{i}.npy", value)
    for i, value in enumerate(results):
        np.save(f"{folder}/y{i}.npy", value)
    info["n_in"], info["n_out"] = len(values), len(results)
    with open(f"{folder}/case.json", "w") as file:
        json.dump(info, file)


for case in json.load(sys.stdin):
    target = os.path.join(FOLDER, case["id"])
    try:
        one(case, target)
    except Exception:  # noqa: BLE001  the test says what to make of it
        os.makedirs(target, exist_ok=True)
        with open(f"{target}/error", "w") as file:
            file.write(traceback.format_exc())
