# SPDX-License-Identifier: Apache-2.0
"""Freezing a 550 MB checkpoint (VGG16's shapes) next to cp of the same bytes: minimum of five, interleaved.

    python bench_freeze.py [BUILD]      (standard library only; prints ratios of one run and the peak resident memory)
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build")
RUNS = 5


def timed(*arguments):
    """(seconds, peak resident MiB) of one process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"failed: {arguments}")
    return seconds, usage.ru_maxrss / 1024


def main():
    subprocess.run(["ninja", "-C", str(BUILD), "tests/bench/make_vgg16", "tools/cnnfreeze"], check=True,
                   stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(BUILD / "tests/bench/make_vgg16"), folder], check=True)
        data = Path(folder, "model.ckpt.data-00000-of-00001")
        commands = {
            "cp": ["cp", data, Path(folder, "copy")],
            "freeze_graph": [BUILD / "tools/cnnfreeze", "freeze_graph", f"--input_graph={folder}/graph.pb",
                             f"--input_checkpoint={folder}/model.ckpt", f"--output_graph={folder}/frozen.pb",
                             "--output_node_names=out"],
        }
        seconds, memory = {n: [] for n in commands}, dict.fromkeys(commands, 0.0)
        for _ in range(RUNS):
            for name, command in commands.items():
                for made in ("copy", "frozen.pb"):
                    Path(folder, made).unlink(missing_ok=True)
                took, resident = timed(*command)
                seconds[name].append(took)
                memory[name] = max(memory[name], resident)
        print(f"{data.stat().st_size / 1e6:.0f} MB")
        for name in commands:
            print(f"{name:14} {min(seconds[name]):6.3f} s  {min(seconds[name]) / min(seconds['cp']):5.2f} x cp"
                  f"  {memory[name]:6.1f} MiB resident")


main()
