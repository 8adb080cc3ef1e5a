# SPDX-License-Identifier: Apache-2.0
"""TFLite models as TFLite's interpreter runs them: op by op against TensorFlow, whole networks against Keras, and beside
what TensorFlow's own converter makes of the same graphs."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
os.environ["CNNFREEZE_LIBRARY"] = str(BUILD / "lib/libcnnfreeze.so.0")
sys.path[:0] = [str(ROOT / "bindings/python"), str(Path(__file__).parent)]
import cnnfreeze  # noqa: E402
import check_ops  # noqa: E402
from ops_cases import CASES  # noqa: E402

v1 = tf.compat.v1
PASSES = "static_shapes fold_batch_norms fold_constants remove_identity"


def new_interpreter(model, feeds):
    """Sized for the feeds, and filled."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    inputs = {d["name"]: d for d in interpreter.get_input_details()}
    for name, d in inputs.items():
        if tuple(d["shape"]) != feeds[name].shape:
            interpreter.resize_tensor_input(d["index"], feeds[name].shape)
    interpreter.allocate_tensors()
    for name, d in inputs.items():
        interpreter.set_tensor(d["index"], feeds[name])
    return interpreter


def run(model, feeds):
    interpreter = new_interpreter(model, feeds)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


# ---- ops ----

def arrays(case):
    for value in case.inputs:
        yield from (getattr(v, "array", v) for v in (value if isinstance(value, list) else [value]))


def open_places(case, want):
    """Where TensorFlow's value or the input is no finite number, or as large as numbers get: that is left to the runtime."""
    place = ~np.isfinite(want) | (np.abs(want) > 1e20)
    for array in arrays(case):
        if array.shape == want.shape and array.dtype.kind == "f":
            place |= ~np.isfinite(array) | (np.abs(array) > 1e20)
    return place


def close(case, want, got):
    """differ(), but as loose as another runtime's kernels are."""
    if want.dtype.kind == "f" and want.dtype.itemsize > 2:
        scale = np.abs(want[np.isfinite(want)]).max() if np.isfinite(want).any() else 0
        if want.shape != got.shape or want.dtype != got.dtype:
            return "%s%s, TensorFlow has %s%s" % (got.dtype, got.shape, want.dtype, want.shape)
        same = np.isclose(want, got, rtol=1e-4, atol=1e-5 * max(min(scale, 1e3), 1)) | open_places(case, want)
        return None if same.all() else "differs: %r, TensorFlow has %r" % (got[~same][:4], want[~same][:4])
    return check_ops.differ(case, want, got)


def check_case(case, index):
    graph = tf.Graph()
    with graph.as_default():
        built = check_ops.build(case, index, False)
        if built is None:
            return "no case"
        feeds, fetches = built
        with check_ops.new_session(graph) as session:
            try:
                want = session.run(fetches, {n + ":0": a for n, a in feeds.items()})
            except (tf.errors.OpError, ValueError):
                return "no case"
    ours = cnnfreeze.load(graph.as_graph_def().SerializeToString(), format="graphdef")
    wanted = [f[:-2] if f.endswith(":0") else f for f in fetches]
    try:
        model = ours.tflite(wanted)
    except cnnfreeze.UnsupportedError:
        return "refused"
    if any(np.size(a) == 0 for a in want):
        return "no case"  # the interpreter hands out nothing of no size
    for name, a, b in zip(fetches, want, run(model, feeds), strict=True):
        why = close(case, np.asarray(a), b)
        if why:
            return "%s: %s" % (name, why)
    return None


def attempt(case, index):
    """check_case(), where an invalid model is a reason like others."""
    if any(a.size == 0 for a in arrays(case)):
        return "no case"
    try:
        return check_case(case, index)
    except Exception as e:
        return "%s: %s" % (type(e).__name__, str(e).split("\n")[0])


def cases_of(op):
    return [(i, c) for i, c in enumerate(CASES(np.random.default_rng(1))) if c.op == op]


EXPORTED = sorted({c.op for c in CASES(np.random.default_rng(1)) if cnnfreeze.tflite_has_op(c.op)})


@pytest.mark.parametrize("op", EXPORTED)
def test_op(op):
    results = [(case, attempt(case, i)) for i, case in cases_of(op)]
    told = {None, "no case", "refused"}
    wrong = [check_ops.describe(case) + ": " + str(why)[:300] for case, why in results if why not in told]
    assert not wrong, "\n".join(wrong)
    assert any(why is None for _, why in results) or all(why == "no case" for _, why in results), \
        "nothing of it was exported: %s" % {why for _, why in results}


# ---- networks ----

GOLDEN = sorted(p.parent for p in (ROOT / "tests/golden").glob("*/*/x0.npy") if list(p.parent.glob("model.*")))


def largest_difference(model, feeds, wanted):
    return max(np.abs(a.astype(np.float64) - b).max() / max(1, np.abs(b).max())
               for a, b in zip(run(model, feeds), wanted, strict=True))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda p: p.name)
def test_golden_model(folder):
    if list(folder.glob("*.json")):
        pytest.skip("weights apart")
    if not (folder / "y0.npy").exists() or folder.name == "s_no_shape":
        pytest.skip("its input has no shape")
    graph = cnnfreeze.load(next(folder.glob("model.*"))).freeze().transform(PASSES)
    feeds = {}
    for i, name in enumerate(graph.inputs):
        array = np.load(folder / ("x%d.npy" % i))
        feeds[name] = array.astype(tf.as_dtype(graph.input_dtype(name)).as_numpy_dtype)
    wanted = [np.load(folder / ("y%d.npy" % i)) for i in range(len(graph.outputs))]
    try:
        model = graph.tflite()
    except cnnfreeze.UnsupportedError as e:
        assert e.node, e
        return
    assert largest_difference(model, feeds, wanted) < 1e-4


NETWORKS = {
    "MobileNetV2": ((96, 96, 3), {"alpha": 0.35}),
    "MobileNetV3Small": ((96, 96, 3), {}),
    "EfficientNetB0": ((64, 64, 3), {}),
    "ResNet50V2": ((64, 64, 3), {}),
    "DenseNet121": ((64, 64, 3), {}),
    "NASNetMobile": ((64, 64, 3), {"include_top": False, "pooling": "avg"}),
    "Xception": ((96, 96, 3), {}),
}


def make_network(name):
    shape, settings = NETWORKS[name]
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(1)
    network = getattr(tf.keras.applications, name)(weights=None, input_shape=shape, **settings)
    for weight in network.weights:
        if "moving_variance" in weight.name:
            weight.assign(tf.random.uniform(weight.shape, 0.5, 1.5))
        if "moving_mean" in weight.name:
            weight.assign(tf.random.normal(weight.shape) * 0.1)
    return network


def operators(model):
    interpreter = tf.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return [d["op_name"] for d in interpreter._get_ops_details()]


# Networks of which the converter makes fewer operators: HARD_SWISH is not made, nor a constant taken into another.
FEWER_THERE = ("MobileNetV3Small", "EfficientNetB0", "NASNetMobile")


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    """Equal numbers, in no more operators than TensorFlow's converter needs."""
    network = make_network(name)
    network.save(tmp_path / "model.h5")
    x = np.random.default_rng(0).random((2, *network.input_shape[1:]), np.float32)
    graph = cnnfreeze.load(tmp_path / "model.h5").freeze().transform(PASSES)
    model = graph.tflite()
    assert largest_difference(model, {graph.inputs[0]: x}, [network(x).numpy()]) < 1e-4
    theirs = tf.lite.TFLiteConverter.from_keras_model(network).convert()
    if name in FEWER_THERE:
        pytest.xfail(f"{len(operators(model))} operators, the converter's {len(operators(theirs))}")
    assert len(operators(model)) <= len(operators(theirs))


def test_signature(tmp_path):
    """Called by Keras' names, for any batch."""
    network = make_network("MobileNetV2")
    network.save(tmp_path / "model.h5")
    graph = cnnfreeze.load(tmp_path / "model.h5").freeze().transform(PASSES)
    graph.write_tflite(tmp_path / "model.tflite")
    runner = tf.lite.Interpreter(model_path=str(tmp_path / "model.tflite")).get_signature_runner("serving_default")
    x = np.random.default_rng(0).random((3, *network.input_shape[1:]), np.float32)
    got = runner(**{network.input_names[0]: x})
    assert list(got) == network.output_names
    assert np.abs(got[network.output_names[0]] - network(x).numpy()).max() < 1e-4
