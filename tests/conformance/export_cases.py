# SPDX-License-Identifier: Apache-2.0
"""What an exported format is held to, whichever it is: ops against TensorFlow, golden models and networks against Keras."""
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

# ---- ops ----


def arrays(case):
    for value in case.inputs:
        yield from (getattr(v, "array", v) for v in (value if isinstance(value, list) else [value]))


def open_places(case, want, largest):
    """Where TensorFlow's value or the input is no finite number, or as large as numbers get: that is left to the runtime."""
    place = ~np.isfinite(want) | (np.abs(want) > 1e20)
    for array in arrays(case):
        if array.shape == want.shape and array.dtype.kind == "f":
            place |= ~np.isfinite(array) | (np.abs(array) > largest)
    return place


def close(case, want, got, largest):
    """differ(), but as loose as another runtime's kernels are."""
    if want.dtype.kind == "f" and want.dtype.itemsize > 2:
        scale = np.abs(want[np.isfinite(want)]).max() if np.isfinite(want).any() else 0
        if want.shape != got.shape or want.dtype != got.dtype:
            return "%s%s, TensorFlow has %s%s" % (got.dtype, got.shape, want.dtype, want.shape)
        same = np.isclose(want, got, rtol=1e-4, atol=1e-5 * max(min(scale, 1e3), 1)) | open_places(case, want, largest)
        return None if same.all() else "differs: %r, TensorFlow has %r" % (got[~same][:4], want[~same][:4])
    return check_ops.differ(case, want, got)


class Format:
    """export(graph, outputs) -> model; run(model, feeds) -> arrays, or None without a kernel; largest: of inputs that
    are looked at; sized: whether results of no size are handed out."""

    def __init__(self, export, run, largest=np.inf, sized=True):
        self.export, self.run, self.largest, self.sized = export, run, largest, sized

    def check_case(self, case, index):
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
            model = self.export(ours, wanted)
        except cnnfreeze.UnsupportedError:
            return "refused"
        if not self.sized and any(np.size(a) == 0 for a in want):
            return "no case"
        got = self.run(model, feeds)
        if got is None:
            return "no kernel"
        for name, a, b in zip(fetches, want, got, strict=True):
            why = close(case, np.asarray(a), b, self.largest)
            if why:
                return "%s: %s" % (name, why)
        return None

    def attempt(self, case, index):
        """check_case(), where an invalid model is a reason like others."""
        if any(a.size == 0 for a in arrays(case)):  # of nothing runtimes have no maximum
            return "no case"
        try:
            return self.check_case(case, index)
        except Exception as e:
            return "%s: %s" % (type(e).__name__, str(e).split("\n")[0])

    def check_op(self, op, skip=lambda case: False):
        """Every case of the op is right or told to be impossible, and one at least is right."""
        cases = [(i, c) for i, c in enumerate(CASES(np.random.default_rng(1))) if c.op == op]
        results = [(c, "no case" if skip(c) else self.attempt(c, i)) for i, c in cases]
        told = {None, "no case", "refused", "no kernel"}
        wrong = [check_ops.describe(case) + ": " + str(why)[:300] for case, why in results if why not in told]
        assert not wrong, "\n".join(wrong)
        assert any(why is None for _, why in results) or all(why in ("no kernel", "no case") for _, why in results), \
            "nothing of it was exported: %s" % {why for _, why in results}

    def largest_difference(self, model, feeds, wanted):
        return max(np.abs(a.astype(np.float64) - b).max() / max(1, np.abs(b).max())
                   for a, b in zip(self.run(model, feeds), wanted, strict=True))


def ops_with(is_exported):
    return sorted({c.op for c in CASES(np.random.default_rng(1)) if is_exported(c.op)})


# ---- models ----

GOLDEN = sorted(p.parent for p in (ROOT / "tests/golden").glob("*/*/x0.npy") if list(p.parent.glob("model.*")))


def golden(folder):
    """The frozen graph of a golden model, what to feed, what Keras answered."""
    if list(folder.glob("*.json")):
        pytest.skip("weights apart")
    if not (folder / "y0.npy").exists() or folder.name == "s_no_shape":
        pytest.skip("its input has no shape")
    graph = cnnfreeze.load(next(folder.glob("model.*"))).freeze()
    feeds = {}
    for i, name in enumerate(graph.inputs):
        array = np.load(folder / ("x%d.npy" % i))
        feeds[name] = array.astype(tf.as_dtype(graph.input_dtype(name)).as_numpy_dtype)
    return graph, feeds, [np.load(folder / ("y%d.npy" % i)) for i in range(len(graph.outputs))]


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


def saved_network(name, folder, batch=2):
    """The network, its graph as loaded from H5, an input and the answer."""
    network = make_network(name)
    network.save(folder / "model.h5")
    x = np.random.default_rng(0).random((batch, *network.input_shape[1:]), np.float32)
    return network, cnnfreeze.load(folder / "model.h5").freeze(), x, network(x).numpy()
