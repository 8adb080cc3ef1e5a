# SPDX-License-Identifier: Apache-2.0
"""Allocations inside other libraries fail, one by one: the command must end with a message, never with a signal.

    test_preload.py SHIM COMMAND MODEL

libhdf5 is known not to survive this everywhere; its points are counted and printed, not judged.
"""
import os
import subprocess
import sys
import tempfile

shim, command, model = sys.argv[1:4]
JUDGED, COUNTED = ("libjansson", "libprotobuf-c", "cnnfreeze"), ("libhdf5",)
MAX_POINTS = {"libjansson": 120, "libprotobuf-c": 60, "cnnfreeze": 40, "libhdf5": 40}


def run(folder, arguments, library="none", at=0, persist=False):
    env = dict(os.environ, LD_PRELOAD=shim, OOM_LIB=library, OOM_AT=str(at), OOM_COUNT=f"{folder}/count")
    if persist:
        env["OOM_PERSIST"] = "1"
    result = subprocess.run([command, *arguments], env=env, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stderr


def commands(folder):
    """Each with what it needs: made by those before it."""
    checkpoint, graph = f"{folder}/m.ckpt", f"{folder}/f.pb"
    yield ["keras2tf", model, checkpoint, folder]
    yield ["freeze", model, "-o", graph, f"--report={folder}/r.json"]
    yield ["freeze_graph", f"--input_meta_graph={checkpoint}.meta", f"--input_checkpoint={checkpoint}", f"--output_graph={folder}/g.pb"]
    yield ["summarize_graph", f"{checkpoint}.meta"]
    yield ["inspect_checkpoint", checkpoint, "--verify"]


failed = 0
with tempfile.TemporaryDirectory() as folder:
    for arguments in commands(folder):
        code, words = run(folder, arguments)
        if code:
            sys.exit(f"{arguments}: without a fault: exit {code}: {words}")
        for library in JUDGED + COUNTED:
            run(folder, arguments, library)
            total = int(open(f"{folder}/count").read())
            step = max(1, total // MAX_POINTS[library])
            points = [(n, persist) for n in range(1, total + 1, step) for persist in (False, True)]
            bad = []
            for n, persist in points:
                code, words = run(folder, arguments, library, n, persist)
                # Memory that ran out is said as such; what libhdf5 makes of it is its own.
                if code not in ((0, 3, 5, 6) if library in COUNTED else (0, 5)) or (code and not words):
                    bad.append((n, persist, code, words))
            if total:
                print(f"{arguments[0]}, {library}: {total} allocations, {len(points)} failures tried, {len(bad)} ended badly", bad[:5])
            failed += len(bad) if library in JUDGED else 0
sys.exit(bool(failed))
