# SPDX-License-Identifier: Apache-2.0
"""Outputs under every fault: killed, interrupted or refused at each call that changes files (fault_preload.c).

What must hold at each point: all files of a checkpoint are the old ones or all the new ones, as any reader sees them;
the same for a graph; the next run ends what was begun and leaves nothing but its results.
"""
import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND, SHIM = os.environ["CNNFREEZE_COMMAND"], os.environ["FAULT_SHIM"]
OLD, NEW = ROOT / "tests/golden/keras/k225_sequential.h5", ROOT / "tests/golden/keras/k225_nested.h5"
DIGITS, DATA = ROOT / "examples/data/keras_trained_model.h5", ROOT / "examples/data/digits_test.csv"
SET = ("m.ckpt.data-00000-of-00001", "m.ckpt.index", "m.ckpt.meta", "checkpoint")
GRAPH = "tf_complete_model.pb"


def default_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def run(*arguments, at=0, count=None, **fault):
    env = dict(os.environ)
    if at or count:
        env |= {"LD_PRELOAD": SHIM, "FAULT_AT": str(at)} | {f"FAULT_{k.upper()}": str(int(v)) for k, v in fault.items()}
    if count:
        env["FAULT_COUNT"] = str(count)
    return subprocess.run([COMMAND, *map(str, arguments)], env=env, capture_output=True, timeout=120, preexec_fn=default_signals)


def files(folder):
    """What a reader sees: name to bytes, names that lead nowhere left out."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")}


class Outputs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.dir = Path(cls.keep.name)
        cls.sets = {}
        for name, model in (("old", OLD), ("new", NEW)):
            folder = cls.dir / name
            folder.mkdir()
            result = run("keras2tf", model, folder / "m.ckpt", folder)
            assert result.returncode == 0, result.stderr
            cls.sets[name] = files(folder)
        assert set(cls.sets["old"]) == set(cls.sets["new"]) == {*SET, GRAPH}
        result = run("freeze", DIGITS, "-o", cls.dir / "digits.pb")
        assert result.returncode == 0, result.stderr
        cls.n = 0

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def folder(self, of=None):
        Outputs.n += 1
        folder = self.dir / f"run{Outputs.n}"
        if of:
            shutil.copytree(self.dir / of, folder)
        else:
            folder.mkdir()
        return folder

    def points(self, of, *command):
        """How many calls change files in a whole run of `command`, which is given a folder."""
        folder, count = self.folder(of), self.dir / "count"
        result = run(*[str(c).replace("@", str(folder)) for c in command], count=count)
        self.assertEqual(result.returncode, 0, result.stderr)
        shutil.rmtree(folder)
        return int(count.read_text())

    def whole(self, seen, before):
        """Old or new, and which."""
        new, old = self.sets["new"], self.sets[before] if before else {}
        self.assertIn(seen.get(GRAPH), (old.get(GRAPH), new[GRAPH]))
        part = {name: seen[name] for name in SET if name in seen}
        for name, wanted in (("old", old), ("new", new)):
            if part == {k: v for k, v in wanted.items() if k in SET}:
                return name
        self.fail(f"half a set: {[(k, v == new[k], v == old.get(k)) for k, v in part.items()]}")

    def kill_everywhere(self, before):
        command = ("keras2tf", NEW, "@/m.ckpt", "@")
        seen = []
        for at in range(1, self.points(before, *command) + 1):
            folder = self.folder(before)
            here = [str(c).replace("@", str(folder)) for c in command]
            result = run(*here, at=at, signal=signal.SIGKILL)
            self.assertEqual(result.returncode, -signal.SIGKILL)
            with self.subTest(at=at, before=before):
                seen.append(self.whole(files(folder), before))
                if seen[-1] == "new" or before:  # readable by us too
                    result = run("inspect_checkpoint", folder / "m.ckpt", "--verify")
                    self.assertEqual(result.returncode, 0, result.stderr)
                result = run(*here)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(files(folder), self.sets["new"])
                self.assertEqual({p.name for p in folder.iterdir()}, {*SET, GRAPH})
                self.assertFalse([p for p in folder.iterdir() if p.is_symlink()])
            shutil.rmtree(folder)
        self.assertEqual(seen, sorted(seen, reverse=True))  # old, old, ... new, new
        self.assertEqual(set(seen), {"old", "new"})

    def test_killed_over_an_old_set(self):
        self.kill_everywhere("old")

    def test_killed_in_an_empty_folder(self):
        self.kill_everywhere(None)

    def test_recovery_may_be_killed_too(self):
        command = ("keras2tf", NEW, "@/m.ckpt", "@")
        total = self.points("old", *command)
        for first in range(total // 3, total, 7):
            for at in range(1, 24, 3):
                folder = self.folder("old")
                here = [str(c).replace("@", str(folder)) for c in command]
                run(*here, at=first, signal=signal.SIGKILL)
                run(*here, at=at, signal=signal.SIGKILL)
                with self.subTest(first=first, at=at):
                    self.whole(files(folder), "old")
                    self.assertEqual(run(*here).returncode, 0)
                    self.assertEqual({p.name for p in folder.iterdir()}, {*SET, GRAPH})
                    self.assertEqual(files(folder), self.sets["new"])
                shutil.rmtree(folder)

    def test_every_call_may_fail(self):
        command = ("keras2tf", NEW, "@/m.ckpt", "@")
        for at in range(1, self.points("old", *command) + 1):
            for code in (errno.ENOSPC, errno.EIO, errno.EPERM):
                folder = self.folder("old")
                result = run(*[str(c).replace("@", str(folder)) for c in command], at=at, errno=code)
                with self.subTest(at=at, code=code):
                    self.assertIn(result.returncode, (0, 4), result.stderr)
                    state = self.whole(files(folder), "old")
                    if result.returncode == 0:
                        self.assertEqual(state, "new")
                    self.assertFalse([p for p in folder.iterdir() if p.is_symlink()])
                shutil.rmtree(folder)

    def test_frozen_graph_is_old_or_new(self):
        command = ("freeze_graph", f"--input_meta_graph={self.dir}/new/m.ckpt.meta", f"--input_checkpoint={self.dir}/new/m.ckpt",
                   "--output_graph=@/" + GRAPH)
        folder = self.folder("old")
        self.assertEqual(run(*[c.replace("@", str(folder)) for c in command]).returncode, 0)
        wanted = (folder / GRAPH).read_bytes()
        for at in range(1, self.points("old", *command) + 1):
            folder = self.folder("old")
            here = [c.replace("@", str(folder)) for c in command]
            self.assertEqual(run(*here, at=at, signal=signal.SIGKILL).returncode, -signal.SIGKILL)
            self.assertIn((folder / GRAPH).read_bytes(), (self.sets["old"][GRAPH], wanted))
            self.assertEqual(run(*here).returncode, 0)
            self.assertEqual({p.name for p in folder.iterdir()}, {*SET, GRAPH})

    def writers(self):
        """A call of every subcommand that writes; "@" is its folder."""
        new, digits, array = self.dir / "new", self.dir / "digits.pb", self.dir / "x.npy"
        array.exists() or self.make_npy(array)
        output = "activation_6/Softmax"
        return {
            "keras2tf": ("keras2tf", NEW, "@/m.ckpt", "@"),
            "freeze": ("freeze", DIGITS, "-o", "@/f.pb", "--report=@/r.json"),
            "freeze_graph": ("freeze_graph", f"--input_meta_graph={new}/m.ckpt.meta", f"--input_checkpoint={new}/m.ckpt",
                             "--output_graph=@/f.pb"),
            "transform_graph": ("transform_graph", f"--in_graph={digits}", "--out_graph=@/f.pb", "--transforms=fold_constants",
                                f"--outputs={output}", "--report=@/r.json"),
            "predict": ("predict", f"--graph={digits}", f"--feed=input_1={array}", f"--fetch={output}=@/y.npy"),
            "evaluate": ("evaluate", f"--graph={digits}", f"--dataset={DATA}", "--confusion=@/c.csv"),
            "convert": ("convert", digits, "@/f.pbtxt"),
            "export": ("export", digits, "@/f.onnx", "--external_data"),
            "strip_unused": ("strip_unused", f"--input_graph={digits}", "--output_graph=@/f.pb", "--input_node_names=input_1",
                             f"--output_node_names={output}", "--input_binary"),
            "optimize_for_inference": ("optimize_for_inference", f"--input={digits}", "--output=@/f.pb", "--input_names=input_1",
                                       f"--output_names={output}"),
            "quantize": ("quantize", digits, "--for=vitis-ai", f"--calibration=input_1={array}", "-o", "@", "--calib_iter=1"),
        }

    def call(self, command, folder):
        return [str(c).replace("@", str(folder)) for c in command]

    def test_no_writer_survives_a_full_disk(self):
        """No room for a byte, for some, no right to write: exit 4, nothing new, and what was there is as it was."""
        def limited(size):
            default_signals()
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        def nobody():
            default_signals()
            if os.geteuid() == 0:  # root may write anywhere
                os.setuid(65534)
        self.dir.chmod(0o755)
        for name, command in self.writers().items():
            before = self.folder()
            self.assertEqual(run(*self.call(command, before)).returncode, 0, name)
            old = {p.name: b"old " + p.name.encode() for p in before.iterdir()}
            self.assertTrue(old, name)
            for fault, prepare in (("no room", lambda: limited(0)), ("little room", lambda: limited(40)), ("read only", nobody)):
                folder = self.folder()
                for file, content in old.items():
                    (folder / file).write_bytes(content)
                    (folder / file).chmod(0o444)
                if fault == "read only":
                    folder.chmod(0o555)
                result = subprocess.run([COMMAND, *self.call(command, folder)], capture_output=True, preexec_fn=prepare, timeout=60)
                with self.subTest(command=name, fault=fault):
                    self.assertEqual(result.returncode, 4, result.stderr)
                    self.assertEqual({p.name: p.read_bytes() for p in folder.iterdir()}, old)
                folder.chmod(0o755)

    def test_every_writer_follows_links_and_writes_through(self):
        for name, command in self.writers().items():
            if name in ("keras2tf", "quantize"):  # folders, whose files have names of their own
                continue
            plain, linked, through = self.folder(), self.folder(), self.folder()
            self.assertEqual(run(*self.call(command, plain)).returncode, 0, name)
            wanted = {p.name: p.read_bytes() for p in plain.iterdir()}
            (linked / "sub").mkdir()
            for file in wanted:
                (linked / file).symlink_to(f"sub/{file}")
                (through / file).symlink_to("/dev/null")
            for folder in (linked, through):
                self.assertEqual(run(*self.call(command, folder)).returncode, 0, name)
                self.assertTrue(all((folder / file).is_symlink() for file in wanted), name)
            seen = {p.name for p in (linked / "sub").iterdir()}
            self.assertEqual(seen, set(wanted), name)
            self.assertFalse([p for p in through.iterdir() if not p.is_symlink()], name)
            self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_signals_leave_nothing(self):
        commands = self.writers()
        for name, command in commands.items():
            total = self.points(None, *command)
            for at in range(1, total + 1, 1 + total // 25):
                number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[at % 3]
                folder = self.folder()
                result = run(*[str(c).replace("@", str(folder)) for c in command], at=at, signal=number)
                with self.subTest(command=name, at=at, signal=number):
                    self.assertEqual(result.returncode, 128 + number, result.stderr)
                    self.assertFalse([p.name for p in folder.iterdir() if p.name.startswith(".") or p.is_symlink()])

    def make_npy(self, path):
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 28, 28, 1), }"
        header += " " * (63 - (len(header) + 10) % 64) + "\n"
        path.write_bytes(b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode() + bytes(28 * 28 * 4))

    def test_full_disk_and_size_limit(self):
        def small_files():
            default_signals()
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        folder = self.folder("old")
        for command in (("keras2tf", NEW, folder / "m.ckpt", folder), ("freeze", DIGITS, "-o", folder / GRAPH)):
            result = subprocess.run([COMMAND, *map(str, command)], capture_output=True, preexec_fn=small_files, timeout=60)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn(b"File too large", result.stderr)
            self.assertEqual(files(folder), self.sets["old"])
            self.assertEqual({p.name for p in folder.iterdir()}, {*SET, GRAPH})
        self.assertEqual(run("freeze", DIGITS, "-o", "/dev/full").returncode, 4)

    def test_read_only_folder(self):
        def nobody():
            default_signals()
            if os.geteuid() == 0:  # root may write anywhere
                os.setuid(65534)
        folder = self.folder("old")
        self.dir.chmod(0o755)
        shutil.copy(NEW, self.dir / "model.h5")
        folder.chmod(0o555)
        for command in (("keras2tf", self.dir / "model.h5", folder / "m.ckpt", folder), ("freeze", self.dir / "model.h5", "-o", folder / GRAPH)):
            result = subprocess.run([COMMAND, *map(str, command)], capture_output=True, preexec_fn=nobody, timeout=60)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn(b"Permission denied", result.stderr)
        folder.chmod(0o755)
        self.assertEqual(files(folder), self.sets["old"])

    def test_links_devices_pipes(self):
        folder = self.folder()
        wanted = (self.dir / "digits.pb").read_bytes()
        (folder / "sub").mkdir()
        (folder / "sub/target").write_text("old")
        (folder / "link").symlink_to("hop")
        (folder / "hop").symlink_to("sub/target")
        (folder / "new").symlink_to("sub/none")
        for name, target in (("link", "sub/target"), ("new", "sub/none")):
            self.assertEqual(run("freeze", DIGITS, "-o", folder / name).returncode, 0)
            self.assertTrue((folder / name).is_symlink())
            self.assertFalse((folder / target).is_symlink())
            self.assertEqual((folder / target).read_bytes(), wanted)
        os.mkfifo(folder / "fifo")
        got = []
        reader = threading.Thread(target=lambda: got.append((folder / "fifo").read_bytes()))
        reader.start()
        self.assertEqual(run("freeze", DIGITS, "-o", folder / "fifo").returncode, 0)
        reader.join()
        self.assertEqual(got, [wanted])
        result = run("freeze", DIGITS, "-o", folder / "fifo")  # nobody reads
        self.assertEqual(result.returncode, 4)
        self.assertTrue(stat.S_ISFIFO(os.stat(folder / "fifo").st_mode))
        self.assertEqual(run("freeze", DIGITS, "-o", "/dev/null").returncode, 0)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_modes(self):
        folder = self.folder()
        (folder / "kept").write_text("")
        (folder / "kept").chmod(0o604)
        for name, umask, mode in (("kept", 0o077, 0o604), ("a", 0o022, 0o644), ("b", 0o077, 0o600), ("c", 0o002, 0o664)):
            result = subprocess.run([COMMAND, "freeze", DIGITS, "-o", folder / name], capture_output=True, umask=umask)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(stat.S_IMODE((folder / name).stat().st_mode), mode, name)

    def test_temporary_files_are_private(self):
        folder = self.folder()
        os.mkfifo(folder / "stop")
        process = subprocess.Popen([COMMAND, "freeze", DIGITS, "-o", folder / "f.pb"], stdout=subprocess.PIPE,
                                   env=dict(os.environ, LD_PRELOAD=SHIM, FAULT_AT="3", FAULT_SIGNAL=str(int(signal.SIGSTOP))))
        for _ in range(1000):
            left = list(folder.glob(".cnnfreeze-*"))
            if left and Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T":
                break
            time.sleep(0.01)
        self.assertEqual([stat.S_IMODE(p.stat().st_mode) for p in left], [0o600])
        # A living process' file stays.
        self.assertEqual(run("freeze", DIGITS, "-o", folder / "g.pb").returncode, 0)
        self.assertEqual(list(folder.glob(".cnnfreeze-*")), left)
        process.send_signal(signal.SIGCONT)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual({p.name for p in folder.iterdir()}, {"stop", "f.pb", "g.pb"})

    def test_strangers_files_stay(self):
        folder = self.folder()
        names = (".cnnfreeze-notes", ".cnnfreeze-12-x", ".cnnfreeze-1-2.tmp.bak", "cnnfreeze-1-2.tmp")
        for name in names:
            (folder / name).write_text("mine")
        (folder / ".cnnfreeze-1-2.tmp").symlink_to("f.pb")
        self.assertEqual(run("freeze", DIGITS, "-o", folder / "f.pb").returncode, 0)
        self.assertEqual({p.name for p in folder.iterdir()}, {*names, ".cnnfreeze-1-2.tmp", "f.pb"})


if __name__ == "__main__":
    if not os.path.exists(SHIM):
        sys.exit(77)
    unittest.main(verbosity=2)
