# SPDX-License-Identifier: Apache-2.0
"""Allocations inside other libraries fail, one by one: the command must end with a message, never with a signal.

    test_preload.py SHIM COMMAND MODEL

First those of one library at a time, so that each is met; then those of the whole process, whoever asks. A sample of
them, or with OOM_EVERY=1 in the environment every one (some 40,000 runs, minutes).
"""
import gzip
import os
import struct
import subprocess
import sys
import tempfile

shim, command, model = sys.argv[1:4]
# "" is all of them. libhdf5 is not asked here; when it is (--ask_libhdf5), it does not survive.
POINTS = {"libjansson": 120, "libprotobuf-c": 60, "cnnfreeze": 60, "libhdf5": 40, "libz": 20, "": 60}
EVERY = bool(os.environ.get("OOM_EVERY"))


def run(arguments, library):
    """(allocations, runs, bad runs, what the bad ones said); the shim runs the command once for each point."""
    env = dict(os.environ, LD_PRELOAD=shim, OOM_LIB=library, OOM_POINTS="0" if EVERY else str(POINTS[library]))
    result = subprocess.run([command, *arguments], env=env, capture_output=True, text=True, errors="replace")
    *bad, numbers = result.stdout.splitlines() or [""]
    if result.returncode or len(numbers.split()) != 3:
        sys.exit(f"{arguments}: without a fault: exit {result.returncode}: {result.stdout}{result.stderr}")
    return (*map(int, numbers.split()), bad)


def make_inputs(folder):
    """Two pictures of 8 x 8 x 3 as the model takes them, as an array and as a data set of labels and pixels."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 8, 3), }".ljust(117) + b"\n"
    with open(f"{folder}/x.npy", "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.write(struct.pack("<384f", *(k % 7 / 7 for k in range(384))))
    with gzip.open(f"{folder}/x.csv.gz", "wt") as file:
        for label in range(2):
            file.write(",".join([str(label), *(str(k % 256) for k in range(192))]) + "\n")


def commands(folder):
    """Each with what it needs: made by those before it."""
    checkpoint, graph = f"{folder}/m.ckpt", f"{folder}/f.pb"
    yield ["keras2tf", model, checkpoint, folder]
    yield ["freeze", model, "-o", graph, f"--report={folder}/r.json"]
    yield ["freeze_graph", f"--input_meta_graph={checkpoint}.meta", f"--input_checkpoint={checkpoint}", f"--output_graph={folder}/g.pb"]
    yield ["summarize_graph", f"{checkpoint}.meta"]
    yield ["inspect_checkpoint", checkpoint, "--verify"]
    yield ["predict", f"--graph={graph}", f"--feed=input_1={folder}/x.npy", f"--fetch=dense_1/BiasAdd={folder}/y.npy"]
    yield ["evaluate", f"--graph={graph}", f"--dataset={folder}/x.csv.gz", "--input_node=input_1", "--output_node=dense_1/BiasAdd"]


failed = 0
with tempfile.TemporaryDirectory() as folder:
    make_inputs(folder)
    for arguments in commands(folder):
        subprocess.run([command, *arguments], check=True, capture_output=True)
        for library in POINTS:
            total, runs, bad, words = run(arguments, library)
            if total:
                print(f"{arguments[0]}, {library or 'all'}: {total} allocations, {runs} runs, {bad} ended badly", words[:5], flush=True)
            failed += bad
sys.exit(bool(failed))
