# SPDX-License-Identifier: Apache-2.0
"""int8 models in ONNX Runtime: as our FakeQuant graph says, and no worse than ONNX Runtime's own quantizer on the same examples.

CNNF_INT8_MODELS=FOLDER: networks to run, too, as FOLDER/NAME/{model.h5,x0.npy}; the examples calibrate and are compared.
"""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
quantization = pytest.importorskip("onnxruntime.quantization")

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
MODEL, DIGITS = ROOT / "examples/data/keras_trained_model.h5", ROOT / "examples/data/digits_test.csv"
ort.set_default_logger_severity(4)


def cnnfreeze(*arguments):
    result = subprocess.run([str(BUILD / "tools/cnnfreeze"), *map(str, arguments)], capture_output=True, text=True, timeout=1200)
    assert result.returncode == 0, result.stderr
    return result.stdout


def run(path, x, batch=32):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i:i + batch]})[0] for i in range(0, len(x), batch)])


def decibels(want, got):
    want, got = want.astype(np.float64), got.astype(np.float64)
    return 10 * np.log10(np.square(want).sum() / max(np.square(want - got).sum(), 1e-30))


def agreement(want, got):
    return float((want.argmax(-1) == got.argmax(-1)).mean())


class Examples(quantization.CalibrationDataReader):
    def __init__(self, name, x, batch):
        self.batches = iter([{name: x[i:i + batch]} for i in range(0, len(x), batch)])

    def get_next(self):
        return next(self.batches, None)


def theirs(float_model, x, folder, batch):
    """quantize_static on the same examples, as its documentation asks for: shapes inferred before, QDQ, a scale a channel."""
    prepared, out = folder / "prepared.onnx", folder / "theirs.onnx"
    quantization.shape_inference.quant_pre_process(str(float_model), str(prepared), skip_symbolic_shape=True)
    name = onnx.load(str(float_model)).graph.input[0].name
    quantization.quantize_static(str(prepared), str(out), Examples(name, x, batch), per_channel=True)
    return out


def models():
    found = [pytest.param(MODEL, DIGITS, id="tutorial")]
    for path in sorted(Path(os.environ.get("CNNF_INT8_MODELS", "/nowhere")).glob("*/model.h5")):
        found.append(pytest.param(path, path.parent / "x0.npy", id=path.parent.name))
    return found


def examples_of(data):
    if data.suffix == ".npy":
        return np.load(data), None
    rows = np.loadtxt(data, delimiter=",", skiprows=1)
    return (rows[:, 1:].reshape(-1, 28, 28, 1) / np.float32(255)).astype(np.float32), rows[:, 0].astype(int)


@pytest.mark.parametrize("model,data", models())
def test_no_worse_than_the_runtimes_own(model, data, tmp_path):
    x, labels = examples_of(data)
    batch = 32 if x[0].size < 50000 else 5
    calibration = tmp_path / "x.npy"
    np.save(calibration, x[:320])
    cnnfreeze("export", model, tmp_path / "float.onnx")
    cnnfreeze("quantize", model, "--for=onnx", f"--calibration={calibration}", f"--batchsize={batch}", "-o", tmp_path)
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    want, ours = run(tmp_path / "float.onnx", x, batch), run(tmp_path / "model.onnx", x, batch)
    other = run(theirs(tmp_path / "float.onnx", x[:320], tmp_path, batch), x, batch)
    size = [(tmp_path / n).stat().st_size for n in ("float.onnx", "model.onnx", "theirs.onnx")]
    print(f"\n| {model.parent.name if labels is None else 'tutorial'} | float | ours | quantize_static |")
    if labels is not None:
        print(f"| accuracy | {(want.argmax(-1) == labels).mean():.4f} | {(ours.argmax(-1) == labels).mean():.4f} | "
              f"{(other.argmax(-1) == labels).mean():.4f} |")
    print(f"| top-1 agreement | 1 | {agreement(want, ours):.4f} | {agreement(want, other):.4f} |")
    print(f"| SNR at the output, dB | | {decibels(want, ours):.1f} | {decibels(want, other):.1f} |")
    print(f"| bytes | {size[0]:,} | {size[1]:,} | {size[2]:,} |")
    assert decibels(want, ours) >= decibels(want, other) - 1
    if labels is not None:
        assert agreement(want, ours) >= agreement(want, other) - 0.5 / len(x)
    assert size[1] < 0.35 * size[0] + 20000


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse", "entropy"])
def test_the_runtime_computes_our_graph(ranges, tmp_path):
    x, labels = examples_of(DIGITS)
    calibration = tmp_path / "x.npy"
    np.save(calibration, x[:320])
    cnnfreeze("quantize", MODEL, "--for=onnx", f"--calibration={calibration}", "-o", tmp_path, f"--ranges={ranges}")
    info = json.loads((tmp_path / "quantize_info.json").read_text())
    assert info["products"] == 8 and all(t["scale"] > 0 for t in info["tensors"])
    np.save(tmp_path / "all.npy", x)
    cnnfreeze("predict", f"--graph={tmp_path}/quantize_eval_model.pb", f"--feed=input_1={tmp_path}/all.npy",
              f"--fetch=activation_6/Softmax={tmp_path}/y.npy")
    ours, theirs_of_ours = np.load(tmp_path / "y.npy"), run(tmp_path / "model.onnx", x)
    assert agreement(ours, theirs_of_ours) >= 0.995 and decibels(ours, theirs_of_ours) > 40
    assert (theirs_of_ours.argmax(-1) == labels).mean() > 0.985
