# SPDX-License-Identifier: Apache-2.0
"""The command on graphs as people have them: what freezes also verifies, predicts, evaluates and compares."""
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = os.environ["CNNFREEZE_COMMAND"]
FROZEN = ROOT / "tests/golden/frozen"
CALL = "StatefulPartitionedCall"


def run(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def floats(path):
    """The elements of a float32 .npy file of version 1."""
    data = Path(path).read_bytes()
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    assert b"'<f4'" in data[:start] and b"True" not in data[:start], data[:start]
    return struct.unpack(f"<{(len(data) - start) // 4}f", data[start:])


class Graphs(unittest.TestCase):
    def setUp(self):
        self.keep = tempfile.TemporaryDirectory()
        self.dir = Path(self.keep.name)

    def tearDown(self):
        self.keep.cleanup()

    def good(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, (arguments, result.stderr))
        return result

    def assert_close(self, got, want, bound=1e-4):
        got, want = floats(got), floats(want)
        self.assertEqual(len(got), len(want))
        for a, b in zip(got, want):
            self.assertLessEqual(abs(a - b), bound * max(1, abs(b)))

    MODELS = (("gather/sm", [], "serving_default_ids", CALL, "x", "y"),
              ("open_sizes/sm", [], "serving_default_img", CALL, "x", "y"),
              ("fixed_batch/sm", [], "serving_default_img", CALL, "x", "y"),
              ("function_constant/sm", [], "serving_default_x", CALL, "x0", "y0"),
              ("after_fit/fit.ckpt.meta", ["--input_checkpoint", FROZEN / "after_fit/fit.ckpt"], "conv2d_input", "probs", "x", "y"),
              ("phase_of_any_name/g.pbtxt", ["--input_checkpoint", FROZEN / "phase_of_any_name/m.ckpt"], "input", "out", "x", "y"),
              ("two_heads/g.pbtxt", ["--input_checkpoint", FROZEN / "two_heads/m.ckpt"], "image", "cls/Softmax", "x0", "y0"))

    def test_what_freezes_is_verified(self):
        for path, more, *_ in self.MODELS:
            for flags in ([], ["--fold"], ["--inline_functions=false"]):
                result = self.good("freeze", FROZEN / path, self.dir / "out.pb", "--verify", *more, *flags)
                self.assertIn("Verified: largest difference", result.stdout)
                self.assertNotIn("no variables", result.stderr)

    def test_what_freezes_predicts(self):
        for path, more, feed, fetch, x, y in self.MODELS:
            folder = (FROZEN / path).parent
            self.good("predict", "--graph", FROZEN / path, *more, f"--feed={feed}={folder}/{x}.npy",
                      f"--fetch={fetch}={self.dir}/y.npy")
            self.assert_close(self.dir / "y.npy", folder / f"{y}.npy")

    def test_what_freezes_compares(self):
        for path, more, *_ in self.MODELS:
            self.good("freeze", FROZEN / path, self.dir / "out.pb", *more)
            result = self.good("compare_graphs", FROZEN / path, self.dir / "out.pb", "--numbers_only", *more)
            self.assertIn("all within the tolerance", result.stdout)

    def test_sizes_are_said(self):
        result = self.good("freeze", FROZEN / "open_sizes/open.h5", self.dir / "out.pb", "--verify")
        self.assertIn("heights and widths that are not known are 32 here", result.stderr)

    def test_input_shape(self):
        for flags, shape in ((["--input_shape=1,64,48,3"], "[1,64,48,3]"), (["--input_shape", "[64, 48, 3]"], "[?,64,48,3]"),
                             (["--input_shape=input_1:0:?x64x48x3", "--batch=5"], "[5,64,48,3]"),
                             (["--input_shape=input_1[2,64,48,3]"], "[2,64,48,3]"), (["--batch", 7], "[7,?,?,3]")):
            self.good("freeze", FROZEN / "open_sizes/open.h5", self.dir / "out.pb", "--verify", *flags)
            summary = self.good("summarize_graph", self.dir / "out.pb", "--format=gtt").stdout
            self.assertIn(f"shape={shape})", summary, flags)
        for flag, code in (("--input_shape=nobody:1,2,3,3", 3), ("--input_shape=1,2", 3), ("--input_shape=1,a,3", 2),
                           ("--input_shape=1,,2", 2), ("--batch=-1", 2)):
            result = run("freeze", FROZEN / "open_sizes/open.h5", self.dir / "never.pb", flag)
            self.assertEqual(result.returncode, code, (flag, result.stderr))
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
            self.assertFalse((self.dir / "never.pb").exists())

    def test_phase(self):
        folder = FROZEN / "phase_of_any_name"
        graph = ["--input_checkpoint", folder / "m.ckpt", "--output_node_names=out"]
        for flag in ("--phase=mode/flag", "--phase=mode/flag=false", "--phase=mode/flag:0=0"):
            self.good("freeze", folder / "g.pbtxt", self.dir / "out.pb", *graph, flag, "--verify")
            self.good("predict", "--graph", self.dir / "out.pb", f"--feed=input={folder}/x.npy", f"--fetch=out={self.dir}/y.npy")
            self.assert_close(self.dir / "y.npy", folder / "y.npy")
        result = run("freeze", folder / "g.pbtxt", self.dir / "never.pb", *graph, "--phase=mode/flagg")
        self.assertEqual((result.returncode, result.stderr), (3, "cnnfreeze: --phase: there is no node 'mode/flagg'\n"))

    def test_a_fed_phase_is_the_callers(self):
        """Nothing is set where the caller feeds the truth: dropout's random numbers stay, and are refused."""
        folder = FROZEN / "phase_of_any_name"
        truth = self.dir / "truth.npy"
        header = "{'descr': '|b1', 'fortran_order': False, 'shape': (), }"
        header += " " * (117 - len(header)) + "\n"
        truth.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"\x00")
        result = run("predict", "--graph", folder / "g.pbtxt", "--input_checkpoint", folder / "m.ckpt", f"--feed=input={folder}/x.npy",
                     f"--feed=mode/flag={truth}", f"--fetch=out={self.dir}/y.npy")
        self.assertIn("RandomUniform", result.stderr)
        self.assertEqual(result.returncode, 6)

    def run_folder(self):
        folder = self.dir / "run"
        shutil.copytree(FROZEN / "after_fit", folder)
        for step in (5, 40):
            for ending in (".meta", ".index", ".data-00000-of-00001"):
                shutil.copy(folder / f"fit.ckpt{ending}", folder / f"model.ckpt-{step}{ending}")
        return folder

    def test_what_a_run_left(self):
        """Its folder, a prefix, any file of a checkpoint: the .meta beside it, with its values."""
        folder = self.run_folder()
        self.good("freeze", folder / "fit.ckpt.meta", self.dir / "want.pb", "--input_checkpoint", folder / "fit.ckpt")
        want = (self.dir / "want.pb").read_bytes()
        for name in ("fit.ckpt", "fit.ckpt.meta", "fit.ckpt.index", "fit.ckpt.data-00000-of-00001", "model.ckpt-5", "fit.c*",
                     "model.ckpt-?", "model.ckpt-4*", "."):
            self.good("freeze", folder / name, self.dir / "out.pb")
            self.assertEqual((self.dir / "out.pb").read_bytes(), want, name)
        self.assertIn("model.ckpt-40.meta", self.good("freeze", folder, self.dir / "out.pb").stderr)
        (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-5"\n')
        self.assertIn("model.ckpt-5.meta", self.good("freeze", folder, self.dir / "out.pb").stderr)
        self.good("freeze", folder / "checkpoint", self.dir / "out.pb")
        self.good("freeze", folder / "fit.ckpt.meta", self.dir / "out.pb", "--input_checkpoint", folder / "model.ckpt-4?")

    def test_what_a_run_did_not_leave(self):
        folder = self.run_folder()
        result = run("freeze", folder / "model.ckpt-*", self.dir / "never.pb")
        self.assertEqual(result.returncode, 4, result.stderr)
        result = run("freeze", folder / "fit.ckpt.meta", self.dir / "never.pb", "--input_checkpoint", folder / "model.ckpt-*")
        self.assertEqual(result.returncode, 2)
        self.assertIn("fits 2 checkpoints", result.stderr)
        for meta in folder.glob("*.meta"):
            meta.unlink()
        for name, text in ((".", "without saved_model.pb, saved_model.pbtxt or a .meta"), ("fit.ckpt.index", "a checkpoint's index"),
                           ("fit.ckpt", "cannot open")):
            result = run("freeze", folder / name, self.dir / "never.pb")
            self.assertIn(text, result.stderr)
            self.assertIn(result.returncode, (3, 4))
        self.assertFalse((self.dir / "never.pb").exists())

    def test_convert_changes_nothing(self):
        for path in ("gather/sm", "after_fit/fit.ckpt.meta", "two_heads/g.pbtxt", "moving_averages/eval.pb"):
            binary, text, again = (self.dir / name for name in ("a.pb", "a.pbtxt", "b.pb"))
            self.good("convert", FROZEN / path, binary)
            self.good("convert", binary, text)
            self.assertTrue(text.read_text().startswith("node {"))
            self.good("convert", text, again)
            self.assertEqual(binary.read_bytes(), again.read_bytes(), path)
        self.good("convert", binary, self.dir / "c.pbtxt", "--as_binary")
        self.assertEqual(binary.read_bytes(), (self.dir / "c.pbtxt").read_bytes())
        self.assertEqual(run("convert", binary, binary).returncode, 2)

    def test_optimize_for_inference(self):
        folder = FROZEN / "after_fit"
        for more in ([], ["--input_names=conv2d_input", "--output_names=probs/Softmax", "--placeholder_type_enum=1"]):
            self.good("optimize_for_inference", f"--input={folder}/fit.ckpt", f"--output={self.dir}/out.pb", *more)
            summary = self.good("summarize_graph", self.dir / "out.pb", "--format=gtt").stdout
            self.assertNotIn("BatchNorm", summary)
            self.assertNotIn("Identity", summary)
            self.good("predict", "--graph", self.dir / "out.pb", f"--feed=conv2d_input={folder}/x.npy",
                      f"--fetch=probs/Softmax={self.dir}/y.npy")
            self.assert_close(self.dir / "y.npy", folder / "y.npy")
        self.good("optimize_for_inference", f"--input={folder}/fit.ckpt", f"--output={self.dir}/out.pbtxt", "--frozen_graph=false")
        self.assertTrue((self.dir / "out.pbtxt").read_text().startswith("node {"))

    def test_strip_unused(self):
        folder = FROZEN / "after_fit"
        self.good("freeze", folder / "fit.ckpt", self.dir / "frozen.pb")
        result = self.good("strip_unused", f"--input_graph={self.dir}/frozen.pb", f"--output_graph={self.dir}/out.pb",
                           "--input_node_names=activation/Relu", "--output_node_names=dense/BiasAdd", "--placeholder_type_enum=1")
        self.assertRegex(result.stdout, r"^\d+ ops in the final graph\.\n$")
        summary = self.good("summarize_graph", self.dir / "out.pb", "--print_structure").stdout
        self.assertIn("activation/Relu (Placeholder): []\n", summary)
        self.assertIn("dense/BiasAdd (BiasAdd): [dense/MatMul, dense/BiasAdd/ReadVariableOp]\n", summary)
        self.assertRegex(summary, r"dense/bias \(Const\): \[\], value=Tensor<type: float shape: \[3\] values: \S+ \S+ \S+>\n")
        result = run("strip_unused", f"--input_graph={self.dir}/frozen.pb", f"--output_graph={self.dir}/never.pb",
                     "--input_node_names=activation/Relu", "--output_node_names=dense/BiasAdd", "--placeholder_type_enum=1,1")
        self.assertEqual((result.returncode, result.stderr),
                         (2, "cnnfreeze: --placeholder_type_enum has 2 types for 1 inputs\n"))
        result = run("strip_unused", f"--input_graph={self.dir}/frozen.pb", f"--output_graph={self.dir}/never.pb",
                     "--input_node_names=nobody", "--output_node_names=dense/BiasAdd")
        self.assertEqual(result.returncode, 3)


if __name__ == "__main__":
    unittest.main()
