# SPDX-License-Identifier: Apache-2.0
"""What Vitis AI's own quantizer wrote for graphs that lie beside the project; skipped where they are absent."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
VITIS = Path(os.environ.get("CNNFREEZE_VITIS", ROOT.parent / "shared/vitis"))
FOLDERS = sorted(p for p in VITIS.iterdir() if p.is_dir()) if VITIS.is_dir() else []
pytestmark = pytest.mark.skipif(not FOLDERS, reason="the quantizer's graphs are not here")

# The tool's own order of roundings in ten rounds of equalization is not known: the last bit of a weight may differ.
LAST_BIT = {"k225_bn_conv_relu-d_cle"}
# The tool leaves the convolution in float, we do not: more noise, and on the DPU.
LEFT_FLOAT = {"x_tr_pack": "t/kernel/wquant"}
# Nodes that other tools compute with other last bits, where no FixNeuron follows.
TRANSCENDENTAL = ("Softmax", "Sigmoid", "Tanh")


def cnnfreeze(*arguments):
    result = subprocess.run([str(BUILD / "tools/cnnfreeze"), *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def binding():
    os.environ.setdefault("CNNFREEZE_LIBRARY", str(BUILD / "lib/libcnnfreeze.so.0"))
    sys.path.insert(0, str(ROOT / "bindings/python"))
    return pytest.importorskip("cnnfreeze")


class Case:
    """A folder: the graph, the flags, what was fed."""

    def __init__(self, folder, scratch):
        words = (folder / "options.txt").read_text().split()[1:]
        self.flags = dict(zip(words[::2], words[1::2]))
        self.folder, self.result = folder, scratch
        self.graph = folder / "input.pb" if (folder / "input.pb").exists() else VITIS / "tutorial-d/input.pb"
        self.feeds, self.batch = {}, 32
        for i, name in enumerate(self.flags["--input_nodes"].split(",")):
            self.feeds[name] = folder / f"x{i}.npy"
            if self.feeds[name].exists():
                self.batch = len(np.load(self.feeds[name]))
            else:
                self.feeds[name] = scratch / "digits.npy"
                digits = np.load(VITIS / "tutorial-d/digits_test_u8.npy").reshape(-1, 28, 28, 1)
                np.save(self.feeds[name], digits.astype(np.float32) / np.float32(255))

    def quantize(self):
        taken = ("--input_nodes", "--output_nodes", "--calib_iter")
        known = taken + ("--method", "--do_cle", "--align_pool", "--align_concat", "--simulate_dpu", "--weight_bit",
                         "--activation_bit", "--adjust_shift_bias", "--adjust_shift_cut", "--replace_softmax")
        flags = [f"{key}={value}" for key, value in self.flags.items() if key in known]
        cnnfreeze("quantize", self.graph, "--for=vitis-ai", "--as_vai_q", f"--batchsize={self.batch}", "-o", self.result,
                  *flags, *[f"--calibration={name}={x}" for name, x in self.feeds.items()])
        return json.loads((self.result / "quantize_info.json").read_text())


@pytest.fixture(params=FOLDERS, ids=lambda p: p.name)
def case(request, tmp_path):
    return Case(request.param, tmp_path)


def positions(folder):
    rows = [line.split("\t") for line in (folder / "positions.tsv").read_text().splitlines()]
    columns = [rows[0].index(name) for name in ("fixneuron", "calibrated_pos", "final_pos")]
    return {row[columns[0]]: (int(row[columns[1]]), int(row[columns[2]])) for row in rows[1:]}


def test_as_the_tool(case, binding):
    info = case.quantize()
    if (case.folder / "positions.tsv").exists():
        found = {f["node"]: (f["calibrated_position"], f["position"]) for f in info["fix_neurons"]}
        assert found == positions(case.folder)
    check_graphs(case, binding)
    check_numbers(case, list(info["outputs"].values()))


def check_graphs(case, binding):
    for name in ("quantize_eval_model.pb", "deploy_model.pb"):
        if not (case.folder / name).exists():
            assert name != "deploy_model.pb" or not (case.result / name).exists(), "the tool has none"
            continue
        difference = binding.load(case.folder / name).compare(binding.load(case.result / name))
        if case.folder.name in LAST_BIT and name == "quantize_eval_model.pb":
            assert all("attribute value" in line for line in difference.text.splitlines()[1:]), difference.text
        else:
            assert not difference, difference.text


def check_numbers(case, outputs):
    fetches = [f"--fetch={name}={case.result}/y{i}.npy" for i, name in enumerate(outputs)]
    cnnfreeze("predict", f"--graph={case.result}/quantize_eval_model.pb", *fetches,
              *[f"--feed={name}={x}" for name, x in case.feeds.items()])
    for i, name in enumerate(outputs):
        want, got = np.load(case.folder / f"yq{i}.npy"), np.load(case.result / f"y{i}.npy")
        assert got.shape == want.shape
        if any(op in name for op in TRANSCENDENTAL):
            np.testing.assert_array_max_ulp(got, want, maxulp=1)
        else:
            assert got.tobytes() == want.tobytes(), name


def test_our_own_is_no_worse(case):
    """Without as_vai_q the noise against the float graph is the tool's or less."""
    info = case.quantize()
    outputs = case.flags["--output_nodes"]
    cnnfreeze("quantize", case.graph, "--for=vitis-ai", f"--batchsize={case.batch}", "-o", case.result / "own",
              f"--output_nodes={outputs}", *[f"--{k}={case.flags['--' + k]}" for k in ("method", "do_cle", "align_pool", "calib_iter")
                                            if f"--{k}" in case.flags],
              *[f"--calibration={name}={x}" for name, x in case.feeds.items()])
    own = json.loads((case.result / "own/quantize_info.json").read_text())
    if case.folder.name in LEFT_FLOAT:
        assert LEFT_FLOAT[case.folder.name] in {f["node"] for f in own["fix_neurons"]} - {f["node"] for f in info["fix_neurons"]}
        return
    for i, name in enumerate(outputs.split(",")):
        y = case.result / "own.npy"
        cnnfreeze("predict", f"--graph={case.result}/own/quantize_eval_model.pb", f"--fetch={own['outputs'][name]}={y}",
                  *[f"--feed={n}={x}" for n, x in case.feeds.items()])
        plain, theirs = np.load(case.folder / f"yf{i}.npy").ravel(), np.load(case.folder / f"yq{i}.npy").ravel()
        assert noise(plain, np.load(y).ravel()) <= 1.05 * noise(plain, theirs) + 1e-9, (name, info["outputs"][name])


def noise(want, got):
    return float(np.square(got.astype(np.float64) - want).mean())
