# SPDX-License-Identifier: Apache-2.0
"""The command as users see it: what it prints, where, its exit codes, and that a failure leaves no file."""
import json
import os
import pty
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = os.environ["CNNFREEZE_COMMAND"]
MODEL, DATA = ROOT / "examples/data/keras_trained_model.h5", ROOT / "examples/data/digits_test.csv"
OUTPUT = "activation_6/Softmax"


def run(*arguments, program=COMMAND):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)


class Command(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.dir = Path(cls.keep.name)
        result = run("keras2tf", MODEL, cls.dir / "tfchkpt.ckpt", cls.dir)
        assert result.returncode == 0, result.stderr
        assert result.stdout == " Input names : input_1\n Output names: activation_6/Softmax\n", result.stdout
        result = run("freeze", MODEL, "-o", cls.dir / "frozen.pb")
        assert result.returncode == 0, result.stderr

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def evaluate(self, data, *more):
        return run("evaluate", f"--graph={self.dir}/frozen.pb", "--input_node=input_1", f"--output_node={OUTPUT}",
                   f"--dataset={data}", *more)

    def test_accuracy(self):
        self.assertEqual(self.evaluate(DATA).stdout, "Graph accuracy with validation dataset: 0.9925\n")
        self.assertEqual(self.evaluate(DATA, "--full_batches_only").stdout, "Graph accuracy with validation dataset: 0.9922\n")

    def test_csv_without_header_and_with_crlf(self):
        lines = DATA.read_text().splitlines()
        for name, text in (("bare.csv", "\n".join(lines[1:]) + "\n"), ("crlf.csv", "\r\n".join(lines) + "\r\n"),
                           ("open.csv", "\n".join(lines))):
            (self.dir / name).write_text(text, newline="")
            self.assertIn("0.9925", self.evaluate(self.dir / name).stdout, name)

    def test_model_and_graph_give_the_same(self):
        result = run("evaluate", f"--model={MODEL}", f"--dataset={DATA}", f"--against={self.dir}/frozen.pb")
        self.assertIn("0.9925", result.stdout)
        self.assertIn("+0.0000", result.stdout)

    def test_json_and_confusion(self):
        report = json.loads(self.evaluate(DATA, "--format=json", "--topk=3").stdout)
        self.assertEqual((report["images"], report["correct"]), (400, 397))
        self.assertEqual(sum(map(sum, report["confusion"])), 400)
        self.evaluate(DATA, f"--confusion={self.dir}/confusion.csv")
        rows = [list(map(int, line.split(","))) for line in (self.dir / "confusion.csv").read_text().splitlines()]
        self.assertEqual(rows, report["confusion"])

    def test_bad_rows_are_named(self):
        lines = DATA.read_text().splitlines()
        (self.dir / "bad.csv").write_text("\n".join(lines[:5] + [lines[5] + ",1"]) + "\n")
        result = self.evaluate(self.dir / "bad.csv")
        self.assertEqual(result.returncode, 3)
        self.assertIn("bad.csv:6", result.stderr)

    def test_progress_bar_on_a_terminal_only(self):
        self.assertNotIn("[#", self.evaluate(DATA).stderr)
        parent, child = pty.openpty()
        process = subprocess.Popen([COMMAND, "evaluate", f"--graph={self.dir}/frozen.pb", f"--dataset={DATA}"],
                                   stdout=subprocess.PIPE, stderr=child)
        os.close(child)
        shown = b""
        while True:
            try:
                piece = os.read(parent, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        process.communicate()
        os.close(parent)
        self.assertRegex(shown, rb"400(/400)? images")

    def test_freeze_graph_under_its_own_name(self):
        link = self.dir / "freeze_graph"
        link.symlink_to(Path(COMMAND).resolve())
        result = run(f"--input_graph={self.dir}/tf_complete_model.pb", f"--input_checkpoint={self.dir}/tfchkpt.ckpt",
                     "--input_binary", f"--output_graph={self.dir}/named.pb", f"--output_node_names={OUTPUT},",
                     program=str(link))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Froze 24 variables.\nConverted 24 variables to const ops.\n", result.stdout)

    def test_exit_codes(self):
        missing, empty, page, cut = (self.dir / name for name in ("no-such.pb", "empty.pb", "page.pb", "cut.h5"))
        empty.write_bytes(b"")
        page.write_text("<!DOCTYPE html><html><body>404</body></html>")
        cut.write_bytes(MODEL.read_bytes()[:5000])
        out = self.dir / "never.pb"
        for code, arguments in (
                (2, ["no_such_subcommand"]), (2, ["freeze", MODEL]), (2, ["freeze", MODEL, "--no_such_flag", "-o", out]),
                (4, ["freeze", missing, "-o", out]), (3, ["freeze", empty, "-o", out]), (3, ["freeze", page, "-o", out]),
                (3, ["freeze", cut, "-o", out]), (3, ["freeze", MODEL, "-o", out, "--output_node_names=nobody"]),
                (4, ["freeze", MODEL, "-o", self.dir / "no/such/folder.pb"]),
                (2, ["freeze_graph", f"--input_graph={missing}", "--checkpoint_version=3"]),
                (0, ["--help"]), (0, ["evaluate", "--help"]), (0, ["--version"])):
            result = run(*arguments)
            self.assertEqual(result.returncode, code, (arguments, result.stderr))
            self.assertFalse(out.exists(), arguments)
            if code > 2:
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        self.assertFalse(list(self.dir.glob(".cnnfreeze-*")))

    def test_a_failed_write_keeps_the_old_file(self):
        old = self.dir / "old.pb"
        old.write_bytes(b"old")
        run("freeze", MODEL, "-o", old, "--output_node_names=nobody")
        self.assertEqual(old.read_bytes(), b"old")

    def test_folding_verified(self):
        result = run("freeze", MODEL, "-o", self.dir / "folded.pb", "--fold", "--verify", f"--report={self.dir}/report.json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Verified:", result.stdout)
        json.loads((self.dir / "report.json").read_text())
        self.assertNotIn("BatchNorm", run("summarize_graph", self.dir / "folded.pb").stdout)

    def test_summary(self):
        text = run("summarize_graph", self.dir / "frozen.pb").stdout
        self.assertIn("Found 1 possible inputs: (name=input_1", text)
        self.assertIn("Op types used:", text)
        json.loads(run("summarize_graph", self.dir / "frozen.pb", "--format=json").stdout)
        self.assertIn("digraph", run("summarize_graph", self.dir / "frozen.pb", "--format=dot").stdout)

    def test_vitis_ai(self):
        result = run("freeze", MODEL, "-o", self.dir / "vitis.pb", "--for=vitis-ai")
        self.assertEqual(result.returncode, 0, result.stderr)
        result = run("check", self.dir / "vitis.pb", "--for=vitis-ai")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("vai_q_tensorflow quantize", result.stdout)
        self.assertIn("0.9925", run("evaluate", f"--graph={self.dir}/vitis.pb", f"--dataset={DATA}", "--input_node=input_1",
                                    f"--output_node={OUTPUT}").stdout)

    def test_comparison(self):
        result = run("compare_graphs", self.dir / "frozen.pb", self.dir / "frozen.pb")
        self.assertEqual(result.returncode, 0, result.stderr)
        run("transform_graph", f"--in_graph={self.dir}/frozen.pb", f"--out_graph={self.dir}/rounded.pb",
            "--transforms=round_weights(num_steps=4)")
        result = run("compare_graphs", self.dir / "frozen.pb", self.dir / "rounded.pb")
        self.assertEqual(result.returncode, 1, result.stdout)

    def test_every_subcommand_has_help(self):
        listed = [line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ")]
        self.assertEqual(len(listed), 11)
        for name in listed:
            result = run(name, "--help")
            self.assertEqual(result.returncode, 0, name)
            self.assertIn("usage: cnnfreeze " + name, result.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
