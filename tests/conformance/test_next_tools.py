# SPDX-License-Identifier: Apache-2.0
"""What check says about a next tool, and what the tool does: no miss, no false alarm, equal numbers.

    CNNF_NEXT_TOOLS=DIR pytest tests/conformance/test_next_tools.py

Installs OpenCV 4.10 and 5, OpenVINO in DIR (once), takes TFLite from the TensorFlow it runs in and, where a Python 3.7 is
found, TensorFlow 1.15.5 for the graphs of Vitis AI. Without CNNF_NEXT_TOOLS, and where a tool cannot be had, tests are
skipped. CNNF_NEXT_TOOLS_CASES: a folder WORLD/CASE/{model.h5,x0.npy,y0.npy,case.json} of Keras models to run, too.
Prints the table of docs/next-tools.md.
"""
import glob
import json
import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
CLI = Path(os.environ.get("CNNFREEZE_BUILD", HERE.parents[1] / "build")) / "tools/cnnfreeze"
ROOM = os.environ.get("CNNF_NEXT_TOOLS")
pytestmark = pytest.mark.skipif(not ROOM, reason="CNNF_NEXT_TOOLS=DIR asks for the next tools")

PACKAGES = {
    "opencv": ("python3", "cv4", ["opencv-python-headless==4.10.0.84", "numpy<2"]),
    "opencv5": ("python3", "cv5", ["opencv-python-headless==5.0.0.93"]),
    "openvino": ("python3", "openvino", ["openvino==2026.4.1"]),
    "vitis-ai": ("python3.7", "tf115", ["tensorflow==1.15.5", "protobuf<3.21", "numpy<1.19"]),
}
# What the tool is called in --for: a release of OpenCV where they differ.
TARGETS = {"opencv": "opencv4", "opencv5": "opencv5"}


def python_of(tool):
    """The Python that has the tool; skips where it cannot be had."""
    if tool == "tflite":
        return sys.executable
    base, folder, packages = PACKAGES[tool]
    python = Path(ROOM) / folder / "bin/python"
    if not shutil.which(base) and not python.exists():
        pytest.skip(f"{tool}: no {base}")
    if not python.exists():
        made = subprocess.run([base, "-m", "venv", str(python.parents[1])], capture_output=True, timeout=120)
        got = made.returncode or subprocess.run([str(python), "-m", "pip", "install", "-q", *packages],
                                                capture_output=True, timeout=900).returncode
        if got:
            shutil.rmtree(python.parents[1], ignore_errors=True)
            pytest.skip(f"{tool}: cannot be installed")
    return str(python)


class Worker:
    """The tool in a process of its own, started again when a graph brings it down."""

    def __init__(self, tool):
        self.command = [python_of(tool), str(HERE / "run_next_tool.py"), tool.rstrip("5")]
        self.process = None

    def ask(self, job):
        if not self.process or self.process.poll() is not None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 180)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.end()
        return {"taken": False, "why": "it crashed"}

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def cnnfreeze(*arguments):
    return subprocess.run([str(CLI), *map(str, arguments)], capture_output=True, text=True, timeout=300)


def names(printed, what):
    return [n.strip().split(":")[0] for n in re.search(what + r" names\s*:\s*(.*)", printed).group(1).split(",")]


def aliases(graph, outputs, tmp):
    """Where OpenCV merges an output into the layer before it, the names of those layers."""
    cnnfreeze("freeze", graph, "-o", tmp / "names.pbtxt", "--as_text", "--output_node_names=" + ",".join(outputs))
    nodes = {}
    for text in re.findall(r"^node \{\n(.*?)^\}", (tmp / "names.pbtxt").read_text(), re.S | re.M):
        nodes[re.search(r'^  name: "(.*)"', text, re.M).group(1)] = (
            re.search(r'^  op: "(.*)"', text, re.M).group(1), re.findall(r'^  input: "\^?([^":]*)', text, re.M))
    found = {}
    for output in outputs:
        node, found[output] = output, []
        while node in nodes and nodes[node][0] in ("BiasAdd", "Add", "AddV2", "Identity", "Maximum", "BatchToSpaceND"):
            data = [i for i in nodes[node][1] if nodes.get(i, ("Const",))[0] != "Const"]
            if not data:
                break
            node = data[0]
            found[output].append(node)
    return found


def worst(a, b):
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a.astype(np.float64) - b).max() / max(1.0, np.abs(b).max())) if a.size else 0.0


def apart(tool, got, want):
    """How far; an image that OpenCV gives as the graph says NCHW was not to be turned."""
    turned = np.moveaxis(got, -1, 1) if tool.startswith("opencv") and got.ndim == 4 else got
    return min(worst(got, want), worst(turned, want))


@pytest.fixture(scope="session")
def small_graphs(tmp_path_factory):
    out = tmp_path_factory.mktemp("next_tools")
    subprocess.run([sys.executable, str(HERE / "next_tools_cases.py"), str(out)], check=True, capture_output=True, timeout=600)
    return sorted(out.glob("*/case.json"))


def models():
    return sorted(map(Path, glob.glob(os.environ.get("CNNF_NEXT_TOOLS_CASES", "") + "/*/*/case.json")))


def run(tool, cases, form, tmp):
    """(graphs, taken, lines of what check and the tool do not agree on)"""
    worker, target, taken, wrong = Worker(tool), TARGETS.get(tool, tool), 0, []
    for case in cases:
        info, folder, graph = json.loads(case.read_text()), case.parent, tmp / "graph.pb"
        source = next(p for p in [*folder.glob("graph.pb"), *folder.glob("model.h5"), *folder.glob("*.keras")])
        given = ["--output_node_names=" + ",".join(info["outputs"])] if source.name == "graph.pb" else []
        made = cnnfreeze("freeze", source, "-o", graph, *given, *{"for": [f"--for={target}"], "fold": ["--fold"], "plain": []}[form])
        assert made.returncode in (0, 1), f"{case}: {made.stderr}"
        inputs, outputs = names(made.stdout, "Input"), names(made.stdout, "Output")
        checked = cnnfreeze("check", graph, f"--for={target}", "--output_node_names=" + ",".join(outputs))
        assert checked.returncode in (0, 1), f"{case}: {checked.stderr}"
        if form == "for":
            assert made.returncode == checked.returncode, f"{case}: freeze and check do not agree"
        results = [tmp / f"y{k}.npy" for k in range(len(outputs))]
        answer = worker.ask({"graph": str(graph), "feeds": {n: str(folder / f"x{k}.npy") for k, n in enumerate(inputs)},
                             "outputs": outputs, "results": list(map(str, results)),
                             "aliases": aliases(graph, outputs, tmp) if tool.startswith("opencv") else {}})
        error = max(apart(tool, np.load(y), np.load(folder / f"y{k}.npy")) for k, y in enumerate(results)) if answer["taken"] else 9
        right = answer["taken"] and error < info.get("tolerance", 1e-3)
        taken += right
        if right != (checked.returncode == 0):
            wrong.append(f"{case.parent.name}: {'false alarm' if right else 'miss'}: {answer['why'][-200:]} {error:.3g}")
    worker.end()
    print(f"| {tool} | {form} | {len(cases)} | {taken} | {len(wrong)} |")
    return wrong


@pytest.mark.parametrize("form", ["plain", "for"])
@pytest.mark.parametrize("tool", ["opencv", "opencv5", "tflite", "openvino"])
def test_small_graphs(tool, form, small_graphs, tmp_path):
    assert not run(tool, small_graphs, form, tmp_path)


@pytest.fixture(scope="session")
def small_models(tmp_path_factory):
    out = tmp_path_factory.mktemp("next_models")
    subprocess.run([sys.executable, str(HERE / "next_tools_models.py"), str(out)], check=True, capture_output=True, timeout=1800)
    return sorted(out.glob("*/*/case.json"))


@pytest.mark.parametrize("tool", ["opencv", "opencv5", "tflite", "openvino"])
def test_small_models(tool, small_models, tmp_path):
    assert not run(tool, small_models, "for", tmp_path)


@pytest.mark.parametrize("form", ["plain", "fold", "for"])
@pytest.mark.parametrize("tool", ["opencv", "opencv5", "tflite", "openvino"])
def test_models(tool, form, tmp_path):
    cases = models() or pytest.skip("CNNF_NEXT_TOOLS_CASES=DIR")
    assert not run(tool, cases, form, tmp_path)
