# SPDX-License-Identifier: Apache-2.0
"""Recurrent and masked models predict what the Keras that saved them predicts, live in every Keras that is here.

ORACLE_ENV is a folder with an environment for each world: tf115/bin/python (Keras 2.2.5 on TensorFlow 1.15), tf215 (tf.keras)
and k3 (Keras 3). Without it the running Python makes the cases of the Keras it has. CNNFREEZE names the command.
"""
import functools
import glob
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import recurrent_cases

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMMAND = os.environ.get("CNNFREEZE", os.path.join(ROOT, "build/tools/cnnfreeze")).split()
ENVIRONMENTS = {"k225": "tf115", "tfk": "tf215", "k3": "k3"}
TOLERANCE = 1e-4


def interpreter(world):
    path = os.path.join(os.environ.get("ORACLE_ENV", ""), ENVIRONMENTS[world], "bin/python")
    if os.environ.get("ORACLE_ENV"):
        return path if os.path.exists(path) else None
    if world == "tfk":
        return sys.executable if importlib.util.find_spec("tensorflow") else None
    # The Keras beside TensorFlow 2.15 is Keras 2.
    keras3 = world == "k3" and importlib.util.find_spec("keras") and importlib.metadata.version("keras").startswith("3.")
    return sys.executable if keras3 else None


@functools.lru_cache(maxsize=None)
def folder(world, base):
    python = interpreter(world)
    if not python:
        pytest.skip(f"no {world} here")
    out = os.path.join(base, world)
    result = subprocess.run([python, os.path.join(HERE, "recurrent_cases.py"), world, out], capture_output=True, text=True,
                            timeout=1800)
    assert result.returncode == 0, result.stderr[-2000:]
    return out


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return str(tmp_path_factory.mktemp("recurrent"))


def cases():
    return [(world, name) for name, (worlds, _) in recurrent_cases.CASES.items() for world in worlds]


def run(*arguments):
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def names(said, what):
    return re.search(rf" {what} names *: (.*)", said).group(1).split(", ")


@pytest.mark.parametrize("world,name", cases(), ids=lambda value: value)
def test_numbers(world, name, base, tmp_path):
    case = os.path.join(folder(world, base), name)
    models = sorted(glob.glob(f"{case}/model.*"))
    if not glob.glob(f"{case}/y0.npy"):
        pytest.skip("this Keras refuses to make it")
    for model in models:
        said = run("freeze", model, "-o", f"{tmp_path}/frozen.pb")
        feeds = [f"--feed={n}={case}/x{i}.npy" for i, n in enumerate(names(said, "Input"))]
        outputs = names(said, "Output")
        run("predict", f"--graph={tmp_path}/frozen.pb", *feeds, *[f"--fetch={n}={tmp_path}/y{i}.npy" for i, n in enumerate(outputs)])
        for i in range(len(outputs)):
            ours, truth = np.load(f"{tmp_path}/y{i}.npy"), np.load(f"{case}/y{i}.npy")
            assert ours.shape == truth.shape, (model, i)
            error = np.abs(ours.astype(np.float64) - truth).max(initial=0)
            assert error <= TOLERANCE * max(1.0, np.abs(truth).max(initial=0)), (model, i)


@pytest.mark.parametrize("world", list(ENVIRONMENTS))
@pytest.mark.parametrize("name", ["open_lstm_all_masked", "open_bidirectional_masked", "open_states"])
def test_written_out(world, name, base, tmp_path):
    case = os.path.join(folder(world, base), name)
    if not os.path.exists(f"{case}/x0.npy"):
        pytest.skip("this Keras does not make it")
    steps = np.load(f"{case}/x0.npy").shape[1]
    said = run("freeze", f"{case}/model.h5", "-o", f"{tmp_path}/frozen.pb", f"--rnn_steps={steps}")
    outputs = names(said, "Output")
    run("predict", f"--graph={tmp_path}/frozen.pb", f"--feed={names(said, 'Input')[0]}={case}/x0.npy",
        *[f"--fetch={n}={tmp_path}/y{i}.npy" for i, n in enumerate(outputs)])
    assert b"TensorArray" not in open(f"{tmp_path}/frozen.pb", "rb").read()
    for i in range(len(outputs)):
        assert np.abs(np.load(f"{tmp_path}/y{i}.npy") - np.load(f"{case}/y{i}.npy")).max() <= TOLERANCE
