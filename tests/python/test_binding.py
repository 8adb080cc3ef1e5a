# SPDX-License-Identifier: Apache-2.0
"""The ctypes binding: signatures fit the headers, failures are exceptions, objects may die in any order."""
import importlib.util
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

import cnnfreeze
from cnnfreeze import _library

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples/data/keras_trained_model.h5"


def declarations():
    """name -> number of arguments, from the public headers."""
    found = {}
    for header in (ROOT / "include/cnnfreeze").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        for name, arguments in re.findall(r"CNNF_API\s[^;(]*?\bcnnf_(\w+)\s*\(([^;]*)\)\s*;", text):
            found[name] = 0 if arguments.strip() == "void" else arguments.count(",") + 1
    return found


class Binding(unittest.TestCase):
    def test_signatures_fit_the_headers(self):
        declared = declarations()
        for name, (_, arguments) in _library.SIGNATURES.items():
            self.assertIn(name, declared)
            self.assertEqual(len(arguments), declared[name], name)

    def test_failure_is_an_exception(self):
        with self.assertRaises(cnnfreeze.Error) as caught:
            cnnfreeze.load("no-such-file.h5")
        self.assertEqual(caught.exception.code, "IO")
        self.assertIn("no-such-file.h5", str(caught.exception))

    def test_bytes_are_loaded_as_files_are(self):
        self.assertEqual(list(cnnfreeze.load(MODEL).nodes()), list(cnnfreeze.load(MODEL.read_bytes()).nodes()))

    def test_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            model = cnnfreeze.load(MODEL)
            model.with_saver().write_checkpoint(os.path.join(folder, "m.ckpt"))
            self.assertEqual(len(cnnfreeze.Checkpoint(folder)), 95)
            frozen = model.freeze()
            self.assertEqual(frozen.converted, 24)
            self.assertEqual(frozen.variable_count, 0)
            again = cnnfreeze.load(frozen.serialize())
            self.assertEqual(list(again.nodes()), list(frozen.nodes()))

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "values are numpy arrays")
    def test_damaged_tensors_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "m.ckpt")
            cnnfreeze.load(MODEL).with_saver().write_checkpoint(prefix)
            checkpoint = cnnfreeze.Checkpoint(prefix)
            name = next(n for n in checkpoint if checkpoint[n].size > 100)
            with open(prefix + ".data-00000-of-00001", "r+b") as file:
                data = bytearray(file.read())
                data[data.index(checkpoint[name].tobytes()) + 40] ^= 1
                file.seek(0)
                file.write(data)
            with self.assertRaises(cnnfreeze.Error) as caught:
                cnnfreeze.Checkpoint(prefix)[name]
            self.assertEqual(caught.exception.code, "CORRUPT")

    def test_passes_are_listed(self):
        self.assertIn("fold_batch_norms", cnnfreeze.passes())


if __name__ == "__main__":
    sys.exit(unittest.main())
