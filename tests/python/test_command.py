# SPDX-License-Identifier: Apache-2.0
"""The command as users see it: what it prints, where, its exit codes, and that a failure leaves no file."""
import json
import re
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = os.environ["CNNFREEZE_COMMAND"]
MODEL, DATA = ROOT / "examples/data/keras_trained_model.h5", ROOT / "examples/data/digits_test.csv"
OUTPUT = "activation_6/Softmax"


def npy(dtype, shape, data):
    """The bytes of a .npy file."""
    head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (117 - len(head)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


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
        self.assertNotIn("BatchNorm", run("summarize_graph", self.dir / "folded.pb", "--format=gtt").stdout)

    def test_standard_output_and_input(self):
        wanted = (self.dir / "frozen.pb").read_bytes()
        for name in ("-", "/dev/stdout"):
            result = subprocess.run([COMMAND, "freeze", MODEL, "-o", name], capture_output=True, timeout=60)
            self.assertEqual((result.returncode, result.stdout), (0, wanted), result.stderr)
            self.assertIn(b" Output names: activation_6/Softmax", result.stderr)
        result = run("freeze", MODEL, "-o", self.dir / "said.pb", "--report=-")
        json.loads(result.stdout)
        self.assertIn("88 ops", result.stderr)
        for arguments, output in ((["transform_graph", "--in_graph=-", "--out_graph=-", "--transforms=fold_constants"], b"\n"),
                                  (["summarize_graph", "-", "--format=gtt"], b"Found 1 possible inputs"),
                                  (["summarize_graph", "/dev/stdin"], b"Parameters 66,505"),
                                  (["freeze_graph", "--input_graph=-", "--output_graph=-", f"--output_node_names={OUTPUT}"], b"\n"),
                                  (["check", "-", "--for=vitis-ai"], b"")):
            result = subprocess.run([COMMAND, *arguments], input=wanted, capture_output=True, timeout=60)
            self.assertIn(result.returncode, (0, 1), (arguments, result.stderr))
            self.assertIn(output, result.stdout, arguments)
        # Through a descriptor that is open already: what is there stays.
        both = subprocess.run(f"{{ printf head; '{COMMAND}' freeze '{MODEL}' -o -; }} > '{self.dir}/both'", shell=True,
                              capture_output=True, timeout=60)
        self.assertEqual(both.returncode, 0, both.stderr)
        self.assertEqual((self.dir / "both").read_bytes(), b"head" + wanted)
        self.assertEqual(run("freeze", MODEL, "-o", "-", "--report=-").returncode, 2)
        empty = subprocess.run([COMMAND, "summarize_graph", "-"], input=b"", capture_output=True, timeout=60)
        self.assertEqual(empty.returncode, 3, empty.stderr)
        closed = subprocess.run(f"'{COMMAND}' freeze '{MODEL}' -o - >&-", shell=True, capture_output=True, timeout=60)
        self.assertEqual(closed.returncode, 4, closed.stderr)

    def test_input_is_not_overwritten(self):
        model, graph, array = (self.dir / name for name in ("same.h5", "same.pb", "same.npy"))
        shutil.copy(MODEL, model)
        shutil.copy(self.dir / "frozen.pb", graph)
        (self.dir / "link.pb").symlink_to("same.pb")
        os.link(graph, self.dir / "hard.pb")
        for arguments in (["freeze", graph, "-o", graph], ["freeze", graph, "-o", self.dir / "link.pb"],
                          ["freeze", graph, "-o", self.dir / "hard.pb"], ["freeze", model, "-o", model],
                          ["freeze", model, "-o", self.dir / "n.pb", f"--report={model}"],
                          ["freeze", model, "-o", self.dir / "n.pb", f"--report={self.dir}/n.pb"],
                          ["keras2tf", model, self.dir / "c", self.dir, "--graph_name=same.h5"],
                          ["transform_graph", f"--in_graph={graph}", f"--out_graph={graph}", "--transforms=prune"],
                          ["freeze_graph", f"--input_graph={graph}", f"--output_graph={graph}"],
                          ["freeze_graph", f"--input_meta_graph={self.dir}/tfchkpt.ckpt.meta", f"--input_checkpoint={self.dir}/tfchkpt.ckpt",
                           f"--output_graph={self.dir}/tfchkpt.ckpt.index"],
                          ["predict", f"--graph={graph}", f"--fetch={OUTPUT}={graph}"],
                          ["evaluate", f"--graph={graph}", f"--dataset={DATA}", f"--confusion={graph}"]):
            before = model.read_bytes(), graph.read_bytes()
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))
            self.assertEqual(len(result.stderr.strip().splitlines()), 1)
            self.assertEqual((model.read_bytes(), graph.read_bytes()), before)
        self.assertFalse((self.dir / "n.pb").exists())
        result = run("transform_graph", f"--in_graph={graph}", f"--out_graph={graph}", "--transforms=prune", f"--outputs={OUTPUT}",
                     "--in_place")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_output_is_read_back(self):
        for arguments in (["freeze", MODEL, "-o", self.dir / "back.pb"], ["freeze", MODEL, "-o", self.dir / "back.pb", "--as_text"],
                          ["keras2tf", MODEL, self.dir / "back.ckpt", self.dir, "--graph_name=back.pb"],
                          ["transform_graph", f"--in_graph={self.dir}/frozen.pb", f"--out_graph={self.dir}/back.pb",
                           "--transforms=fold_constants", f"--outputs={OUTPUT}"],
                          ["freeze_graph", f"--input_graph={self.dir}/frozen.pb", f"--output_graph={self.dir}/back.pb"]):
            result = run(*arguments, "--check_output")
            self.assertEqual(result.returncode, 0, (arguments, result.stderr))

    def test_a_loop_and_its_steps(self):
        graph = ROOT / "tests/golden/loops/nested.functions.pb"
        n, x, y = self.dir / "n.npy", self.dir / "x.npy", self.dir / "y.npy"
        n.write_bytes(npy("<i4", (), struct.pack("<i", 1000000)))
        x.write_bytes(npy("<f4", (3,), struct.pack("<3f", 1, 2, 3)))
        call = ["predict", f"--graph={graph}", f"--feed=feed_0={n}", f"--feed=feed_1={x}", f"--fetch=out_0={y}"]
        result = run(*call, "--limit=max_steps=100000")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("max_steps", result.stderr)
        n.write_bytes(npy("<i4", (), struct.pack("<i", 5)))
        self.assertEqual(run(*call, "--untrusted").returncode, 0)
        self.assertEqual(len(y.read_bytes()), 128 + 12)

    def test_limits(self):
        out = self.dir / "limited.pb"
        ok = (["--untrusted"], ["--limit=max_nodes=1000"], ["--untrusted", "--limit", "max_file_bytes=1M"], ["--limit=max_memory=1G"])
        for flags in ok:
            self.assertEqual(run("freeze", MODEL, "-o", out, *flags).returncode, 0, flags)
        out.unlink()
        for flags, word in ((["--limit=max_nodes=3"], "max_nodes"), (["--limit=max_file_bytes=1K"], "max_file_bytes"),
                            (["--untrusted", "--limit=max_file_bytes=4096"], "max_file_bytes")):
            result = run("freeze", MODEL, "-o", out, *flags)
            self.assertEqual(result.returncode, 5, (flags, result.stderr))
            self.assertIn(word, result.stderr)
        for flags in (["--limit=nodes=3"], ["--limit=max_nodes"], ["--limit=max_nodes=0"], ["--limit=max_nodes=-1"],
                      ["--limit=max_nodes=3x"], ["--limit=max_nodes=99999999999999999999"], ["--limit=max_depth=1000"]):
            result = run("freeze", MODEL, "-o", out, *flags)
            self.assertEqual(result.returncode, 2, (flags, result.stderr))
        self.assertIn("max_file_bytes, max_tensor_bytes", run("freeze", MODEL, "-o", out, "--limit=nodes=3").stderr)
        self.assertFalse(out.exists())
        # Every subcommand that reads a file has them.
        graph, array = self.dir / "frozen.pb", self.dir / "tfchkpt.ckpt"
        for arguments in (["keras2tf", MODEL, self.dir / "l.ckpt", self.dir], ["freeze", graph, "-o", out],
                          ["freeze_graph", f"--input_graph={graph}", f"--output_graph={out}"], ["summarize_graph", graph],
                          ["transform_graph", f"--in_graph={graph}", f"--out_graph={out}", "--transforms=prune"],
                          ["inspect_checkpoint", array], ["compare_graphs", graph, graph], ["check", graph, "--for=vitis-ai"],
                          ["predict", f"--graph={graph}", f"--fetch={OUTPUT}={out}"], ["benchmark_model", f"--graph={graph}"],
                          ["evaluate", f"--graph={graph}", f"--dataset={DATA}"]):
            result = run(*arguments, "--limit=max_file_bytes=100")
            self.assertEqual(result.returncode, 5, (arguments, result.stderr))
            self.assertIn("--untrusted", run(arguments[0], "--help").stdout)
            self.assertIn("--limit=NAME=VALUE", run(arguments[0], "--help").stdout)

    def test_quiet_and_verbose(self):
        arguments = ["transform_graph", f"--in_graph={self.dir}/frozen.pb", f"--out_graph={self.dir}/said.pb",
                     "--transforms=fold_batch_norms"]
        self.assertIn("Applying fold_batch_norms", run(*arguments, "--verbose").stderr)
        self.assertEqual(run(*arguments, "--quiet").stderr, "")
        evaluate = ["evaluate", f"--graph={self.dir}/frozen.pb", f"--dataset={DATA}"]
        spoken, quiet = run(*evaluate), run(*evaluate, "--quiet")
        self.assertEqual((spoken.stdout, quiet.stderr), (quiet.stdout, ""))

    def test_summary(self):
        text = run("summarize_graph", self.dir / "frozen.pb", "--format=gtt").stdout
        self.assertIn("Found 1 possible inputs: (name=input_1", text)
        self.assertIn("Op types used:", text)
        json.loads(run("summarize_graph", self.dir / "frozen.pb", "--format=json").stdout)
        self.assertIn("digraph", run("summarize_graph", self.dir / "frozen.pb", "--format=dot").stdout)
        svg = run("summarize_graph", self.dir / "frozen.pb", "--format=svg").stdout
        self.assertEqual(len(re.findall("<rect", svg)), 25)
        self.assertIn(">batch_normalization_3</text>", svg)
        result = run("transform_graph", f"--in_graph={self.dir}/frozen.pb", f"--out_graph={self.dir}/folded.pb", "--inputs=input_1",
                     f"--outputs={OUTPUT}", "--transforms=fold_batch_norms", f"--picture={self.dir}/both.html")
        self.assertEqual(result.returncode, 0, result.stderr)
        page = (self.dir / "both.html").read_text()
        self.assertEqual((page.count("<svg"), page.count(">batch_normalization_3</text>")), (2, 1))

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
        self.assertEqual(len(listed), 17)
        for name in listed:
            result = run(name, "--help")
            self.assertEqual(result.returncode, 0, name)
            self.assertIn("usage: cnnfreeze " + name, result.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
