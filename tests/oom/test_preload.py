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
JUDGED, COUNTED = ("libjansson", "libprotobuf-c", "libcnnfreeze"), ("libhdf5",)
MAX_POINTS = {"libjansson": 120, "libprotobuf-c": 120, "libcnnfreeze": 60, "libhdf5": 40}


def run(folder, library, at=0, persist=False):
    env = dict(os.environ, LD_PRELOAD=shim, OOM_LIB=library, OOM_AT=str(at), OOM_COUNT=f"{folder}/count")
    if persist:
        env["OOM_PERSIST"] = "1"
    result = subprocess.run([command, "keras2tf", model, f"{folder}/m.ckpt", folder], env=env, capture_output=True, text=True,
                            timeout=60)
    return result.returncode, result.stderr


failed = 0
with tempfile.TemporaryDirectory() as folder:
    for library in JUDGED + COUNTED:
        code, words = run(folder, library)
        if code:
            sys.exit(f"without a fault: exit {code}: {words}")
        total = int(open(f"{folder}/count").read())
        step = max(1, total // MAX_POINTS[library])
        points = [(n, persist) for n in range(1, total + 1, step) for persist in (False, True)]
        deaths = []
        for n, persist in points:
            code, words = run(folder, library, n, persist)
            # jansson's own failures can look like a damaged file (3) or an absent value (6); a signal is never right.
            if code not in (0, 3, 5, 6) or (code and not words):
                deaths.append((n, persist, code))
        print(f"{library}: {total} allocations, {len(points)} failures tried, {len(deaths)} ended badly {deaths[:5]}")
        failed += len(deaths) if library in JUDGED else 0
sys.exit(bool(failed))
