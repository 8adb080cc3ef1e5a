# SPDX-License-Identifier: Apache-2.0
"""The comparisons that are programs of their own (they set TensorFlow up for a whole process), a bounded share of each."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", HERE.parents[1] / "build")).resolve()
LIBRARY = str(BUILD / "lib/libcnnfreeze.so")
PRINT_SHAPES = str(BUILD / "tests/conformance/print_shapes")


@pytest.mark.parametrize("arguments", [["check_ops.py", LIBRARY], ["check_shapes.py", PRINT_SHAPES], ["check_evaluator.py", "300"],
                                       ["check_hostile_ops.py", "2000"]],
                         ids=lambda a: a[0])
def test_program(arguments):
    done = subprocess.run([sys.executable, str(HERE / arguments[0]), *arguments[1:]], capture_output=True, text=True,
                          timeout=900, env=dict(os.environ, CNNFREEZE_LIB=LIBRARY), cwd=HERE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
