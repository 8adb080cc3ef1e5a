# SPDX-License-Identifier: Apache-2.0
"""Conversion next to cp: a big Keras H5 to checkpoint and GraphDef, and the tutorial's three commands.

    python bench_convert.py [BUILD]      (needs h5py and numpy; prints ratios of one run, minimum of five, interleaved)
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build")
COMMAND = str(BUILD / "tools/cnnfreeze")
UNITS, LAYERS, RUNS = 2048, 6, 5


def timed(*arguments):
    """(seconds, peak resident MiB) of one process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"failed: {arguments}")
    return seconds, usage.ru_maxrss / 1024


def big_model(path):
    """A Sequential of wide Dense layers, as tf.keras writes it: about 100 MB. Runs in a process of its own."""
    import h5py
    import numpy as np
    rng = np.random.default_rng(1)
    layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, UNITS], "dtype": "float32", "name": "x"}}]
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        names = [f"dense_{i}" for i in range(LAYERS)]
        for name in names:
            layers.append({"class_name": "Dense", "config": {"name": name, "units": UNITS, "activation": "linear",
                                                             "use_bias": True, "dtype": "float32"}})
            group = weights.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=rng.normal(size=(UNITS, UNITS)).astype("f4"))
            group.create_dataset(f"{name}/bias:0", data=rng.normal(size=UNITS).astype("f4"))
        weights.attrs["layer_names"] = [b"x"] + [name.encode() for name in names]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config).encode()


def bench_h5(folder):
    model = folder / "big.h5"
    # The peak of a child counts from the fork: this process must stay small.
    subprocess.run([sys.executable, __file__, "--make", str(model)], check=True)
    size = model.stat().st_size / 2**20
    best = {"cp": 1e9, "keras2tf": 1e9}
    peak = 0.0
    for _ in range(RUNS):
        best["cp"] = min(best["cp"], timed("cp", model, folder / "copy.h5")[0])
        seconds, memory = timed(COMMAND, "keras2tf", model, folder / "big.ckpt", folder)
        best["keras2tf"], peak = min(best["keras2tf"], seconds), max(peak, memory)
    print(f"H5 of {size:.0f} MiB to checkpoint and graph: {best['keras2tf']:.3f} s, cp {best['cp']:.3f} s, "
          f"ratio {best['keras2tf'] / best['cp']:.2f}, peak {peak:.0f} MiB resident")


def bench_tutorial(folder):
    data = ROOT / "examples/data"
    commands = [
        ("keras2tf", data / "keras_trained_model.h5", folder / "tfchkpt.ckpt", folder),
        ("freeze_graph", f"--input_graph={folder}/tf_complete_model.pb", f"--input_checkpoint={folder}/tfchkpt.ckpt",
         f"--output_graph={folder}/frozen.pb", "--output_node_names=activation_6/Softmax", "--input_binary=true"),
        ("evaluate", f"--graph={folder}/frozen.pb", f"--dataset={data}/digits_test.csv", "--input_node=input_1",
         "--output_node=activation_6/Softmax"),
    ]
    totals = []
    for _ in range(RUNS):
        totals.append([timed(COMMAND, *command) for command in commands])
    for i, command in enumerate(commands):
        print(f"{command[0]}: {min(run[i][0] for run in totals) * 1000:.0f} ms, "
              f"peak {max(run[i][1] for run in totals):.0f} MiB resident")
    print(f"the three commands: {min(sum(step[0] for step in run) for run in totals) * 1000:.0f} ms")


if "--make" in sys.argv:
    big_model(sys.argv[2])
    sys.exit()
with tempfile.TemporaryDirectory() as name:
    bench_tutorial(Path(name))
    bench_h5(Path(name))
