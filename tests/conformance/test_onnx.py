# SPDX-License-Identifier: Apache-2.0
"""ONNX models as ONNX Runtime runs them: op by op against TensorFlow, and whole networks against Keras."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
os.environ["CNNFREEZE_LIBRARY"] = str(BUILD / "lib/libcnnfreeze.so.0")
sys.path[:0] = [str(ROOT / "bindings/python"), str(Path(__file__).parent)]
import cnnfreeze  # noqa: E402
import check_ops  # noqa: E402
from ops_cases import CASES  # noqa: E402

v1 = tf.compat.v1
ort.set_default_logger_severity(4)


def new_runtime(model, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model, feeds):
    """Checked, and run by ONNX Runtime; None where that has no kernel for the dtype."""
    onnx.checker.check_model(model, full_check=True)
    names = {i.name for i in onnx.load_from_string(model).graph.input}
    feeds = {n: a for n, a in feeds.items() if n in names}
    try:
        return new_runtime(model).run(None, feeds)
    except Exception as e:  # its classes have no common base
        if "NOT_IMPLEMENTED" in str(e) or "NotImplemented" in type(e).__name__ or "data type is not supported" in str(e):
            return None
        if "ScalesValidation" not in str(e):
            raise
    # Before 1.21 its optimiser moves a Transpose over a cubic Resize, which that then refuses.
    return new_runtime(model, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, feeds)


def open_places(case, want):
    """Where TensorFlow's value or the input is no finite number, or as large as numbers get: ONNX leaves that to the runtime."""
    place = ~np.isfinite(want) | (np.abs(want) > 1e20)
    for array in arrays(case):
        if array.shape == want.shape and array.dtype.kind == "f":
            place |= ~np.isfinite(array)
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
        model = ours.onnx(wanted, opset=18)
    except cnnfreeze.UnsupportedError:
        return "refused"
    got = run(model, feeds)
    if got is None:
        return "no kernel"
    for name, a, b in zip(fetches, want, got):
        why = close(case, np.asarray(a), b)
        if why:
            return "%s: %s" % (name, why)
    return None


def arrays(case):
    for value in case.inputs:
        yield from (getattr(v, "array", v) for v in (value if isinstance(value, list) else [value]))


def attempt(case, index):
    """check_case(), where an invalid model is a reason like others."""
    # Of nothing ONNX Runtime has no maximum; NumPy and ONNX have no common bfloat16.
    if any(a.size == 0 or a.dtype == tf.bfloat16.as_numpy_dtype for a in arrays(case)) or tf.bfloat16 in case.attrs.values():
        return "no case"
    try:
        return check_case(case, index)
    except Exception as e:
        return "%s: %s" % (type(e).__name__, str(e).split("\n")[0])


def cases_of(op):
    return [(i, c) for i, c in enumerate(CASES(np.random.default_rng(1))) if c.op == op]


EXPORTED = sorted({c.op for c in CASES(np.random.default_rng(1)) if cnnfreeze.onnx_opset_of(c.op)})


@pytest.mark.parametrize("op", EXPORTED)
def test_op(op):
    results = [(case, attempt(case, i)) for i, case in cases_of(op)]
    told = {None, "no case", "refused", "no kernel"}
    wrong = [check_ops.describe(case) + ": " + str(why)[:300] for case, why in results if why not in told]
    assert not wrong, "\n".join(wrong)
    assert any(why is None for _, why in results) or all(why in ("no kernel", "no case") for _, why in results), \
        "nothing of it was exported: %s" % {why for _, why in results}


# ---- networks ----

GOLDEN = sorted(p.parent for p in (ROOT / "tests/golden").glob("*/*/x0.npy") if list(p.parent.glob("model.*")))


def largest_difference(model, feeds, wanted):
    return max(np.abs(a.astype(np.float64) - b).max() / max(1, np.abs(b).max())
               for a, b in zip(run(model, feeds), wanted, strict=True))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda p: p.name)
@pytest.mark.parametrize("opset", [13, 17, 21])
def test_golden_model(folder, opset):
    if list(folder.glob("*.json")):
        pytest.skip("weights apart")
    if not (folder / "y0.npy").exists() or folder.name == "s_no_shape":
        pytest.skip("its input has no shape")
    graph = cnnfreeze.load(next(folder.glob("model.*"))).freeze()
    ops = {op for _, op in graph.nodes()} - {"NoOp", "Assert"}
    if any(not 0 < cnnfreeze.onnx_opset_of(op) <= opset for op in ops):
        with pytest.raises(cnnfreeze.UnsupportedError):
            graph.onnx(opset=opset)
        return
    feeds = {}
    for i, name in enumerate(graph.inputs):
        array = np.load(folder / ("x%d.npy" % i))
        feeds[name] = array.astype(tf.as_dtype(graph.input_dtype(name)).as_numpy_dtype)
    wanted = [np.load(folder / ("y%d.npy" % i)) for i in range(len(graph.outputs))]
    assert largest_difference(graph.onnx(opset=opset), feeds, wanted) < 1e-4


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


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    """Equal numbers, and no Transpose but where an image comes in."""
    network = make_network(name)
    network.save(tmp_path / "model.h5")
    x = np.random.default_rng(0).random((2, *network.input_shape[1:]), np.float32)
    graph = cnnfreeze.load(tmp_path / "model.h5").freeze().transform("fold_batch_norms fold_constants")
    model = graph.onnx()
    assert largest_difference(model, {graph.inputs[0]: x}, [network(x).numpy()]) < 1e-4
    ops = [n.op_type for n in onnx.load_from_string(model).graph.node]
    assert ops.count("Transpose") <= 1
    assert not {"Identity", "Shape", "BatchNormalization"} & set(ops)


def test_inputs_as_nchw(tmp_path):
    network = make_network("MobileNetV2")
    network.save(tmp_path / "model.h5")
    x = np.random.default_rng(0).random((2, *network.input_shape[1:]), np.float32)
    graph = cnnfreeze.load(tmp_path / "model.h5").freeze()
    model = graph.onnx(inputs_as_nchw=True)
    assert largest_difference(model, {graph.inputs[0]: np.moveaxis(x, -1, 1)}, [network(x).numpy()]) < 1e-4
    assert "Transpose" not in [n.op_type for n in onnx.load_from_string(model).graph.node]


def test_external_data(tmp_path):
    network = make_network("MobileNetV2")
    network.save(tmp_path / "model.h5")
    x = np.random.default_rng(0).random((1, *network.input_shape[1:]), np.float32)
    graph = cnnfreeze.load(tmp_path / "model.h5").freeze()
    graph.write_onnx(tmp_path / "out.onnx", external_data=True)
    assert (tmp_path / "out.onnx.data").stat().st_size > 10 * (tmp_path / "out.onnx").stat().st_size
    onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)
    got, = new_runtime(str(tmp_path / "out.onnx")).run(None, {graph.inputs[0]: x})
    assert np.abs(got - network(x).numpy()).max() < 1e-4
