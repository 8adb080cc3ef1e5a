# SPDX-License-Identifier: Apache-2.0
"""Layers in random configurations, built and run by live Keras, then by us from the file it saved.

ORACLE_ENV is the folder with tf215/ and k3/; CNNFREEZE_SEED and CNNFREEZE_CASES_PER_WORLD make others and more.
"""
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from layer_cases import cases  # noqa: E402
from model_cases import models  # noqa: E402

COMMAND = os.environ.get("CNNFREEZE", os.path.join(ROOT, "build/tools/cnnfreeze")).split()
ORACLE = os.environ.get("ORACLE_ENV", "/nowhere")
PYTHON = {"tfk": f"{ORACLE}/tf215/bin/python", "k3": f"{ORACLE}/k3/bin/python"}
SEED = os.environ.get("CNNFREEZE_SEED", "1")
COUNT = int(os.environ.get("CNNFREEZE_CASES_PER_WORLD", "48"))


def command(*arguments):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(said, which):
    return re.search(rf"{which} names ?: (.*)", said).group(1).split(", ")


def check(folder, model, *flags):
    said = command("freeze", f"{folder}/{model}", "-o", f"{folder}/frozen.pb", *flags)
    arguments = ["predict", f"--graph={folder}/frozen.pb"]
    for i, name in enumerate(names(said, "Input")):
        arguments += ["--feed", f"{name}={folder}/x{i}.npy"]
    outputs = names(said, "Output")
    for i, name in enumerate(outputs):
        arguments += ["--fetch", f"{name}={folder}/o{i}.npy"]
    command(*arguments)
    info = json.load(open(f"{folder}/case.json"))
    assert len(outputs) == info["n_out"]
    for i in range(info["n_out"]):
        ours, theirs = (np.load(f"{folder}/{k}{i}.npy").astype("float64") for k in "oy")
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max(initial=0) <= 1e-4 * max(1, np.abs(theirs).max(initial=0))


@pytest.mark.parametrize("world", PYTHON)
@pytest.mark.parametrize("kind", [cases, models])
def test_layers(kind, world, tmp_path):
    if not os.path.exists(PYTHON[world]):
        pytest.skip(f"no {PYTHON[world]}")
    hold(kind(world, SEED, COUNT), world, tmp_path)


@pytest.mark.skipif("KERAS225_FOLDER" not in os.environ, reason="no Keras 2.2.5")
def test_models_of_keras_2(tmp_path):
    hold(models("k225", SEED, COUNT), "k225", tmp_path)


def hold(made, world, tmp_path):
    subprocess.run([PYTHON.get(world, PYTHON["tfk"]), f"{HERE}/layer_worlds.py", world, str(tmp_path)], input=json.dumps(made), text=True, check=True,
                   timeout=900, stderr=subprocess.DEVNULL)
    failed, built = [], 0
    for case in made:
        folder = f"{tmp_path}/{case['id']}"
        if os.path.exists(f"{folder}/error"):  # Keras refuses the configuration, or cannot save it
            continue
        built += 1
        for model in ("model.h5", "model.keras") if world == "k3" else ("model.h5",):
            try:
                check(folder, model)
            except AssertionError as error:
                failed.append(f"{case['model']} {model}: {str(error)[:200]}")
    assert built >= 0.8 * len(made)
    assert not failed, f"{len(failed)} of {built}:\n" + "\n".join(failed[:20])
