# SPDX-License-Identifier: Apache-2.0
"""The binding without numpy: finding the library, failures as exceptions, what goes in and out of files, Ctrl-C, lifetimes."""
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cnnfreeze
from support import MODEL, ROOT, graph, node

LIBRARY = os.environ.get("CNNFREEZE_LIBRARY", "")


def python(code, **environment):
    """(exit code, what it said) of another Python."""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class Library(unittest.TestCase):
    def test_a_wrong_library_is_an_error(self):
        code, said = python("import cnnfreeze", CNNFREEZE_LIBRARY="/no/such/libcnnfreeze.so")
        self.assertNotEqual(code, 0)
        self.assertRegex(said, r"ImportError: CNNFREEZE_LIBRARY: /no/such/libcnnfreeze.so")

    def test_another_library_is_an_error(self):
        code, said = python("import cnnfreeze", CNNFREEZE_LIBRARY="libm.so.6")
        self.assertNotEqual(code, 0)
        self.assertIn("ImportError: libm.so.6 is not libcnnfreeze", said)

    @unittest.skipUnless(LIBRARY, "CNNFREEZE_LIBRARY is not set")
    def test_the_abi_is_compared_before_anything_is_bound(self):
        code, said = python("""
import ctypes
asked = []
class Other:
    def __call__(self):
        return 7
def find(self, name):
    asked.append(name)
    return Other()
ctypes.CDLL.__getattr__ = ctypes.CDLL.__getitem__ = find
try:
    import cnnfreeze
finally:
    print(asked)
""")
        self.assertNotEqual(code, 0)
        self.assertIn("has ABI 7, this package is for 0", said)
        self.assertIn("['cnnf_abi_version']\n", said)

    def test_one_version(self):
        self.assertEqual(cnnfreeze.__version__, cnnfreeze.version())
        project = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text()).group(1)
        self.assertEqual(cnnfreeze.__version__, project)
        self.assertIn('dynamic = ["version"]', (ROOT / "pyproject.toml").read_text())

    def test_every_file_is_installed(self):
        listed = re.findall(r"'cnnfreeze/([\w.]+)'", (ROOT / "bindings/python/meson.build").read_text())
        package = ROOT / "bindings/python/cnnfreeze"
        self.assertEqual(sorted(listed), sorted(path.name for path in package.iterdir() if path.is_file()))

    def test_typed(self):
        self.assertTrue((Path(cnnfreeze.__file__).parent / "py.typed").exists())

    def test_everything_public_is_documented(self):
        undocumented = [name for name in cnnfreeze.__all__
                        if callable(getattr(cnnfreeze, name)) and not (getattr(cnnfreeze, name).__doc__ or "").strip()]
        self.assertEqual(undocumented, [])


class Prototypes(unittest.TestCase):
    """The lint test `prototypes` finds what it is for."""

    def said_of(self, path, old, new):
        """What check_prototypes.py says of the sources with one change."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for part in ("include", "bindings"):
                shutil.copytree(ROOT / part, root / part)
            (root / "lib").mkdir()
            shutil.copy(ROOT / "lib/cnnfreeze.map", root / "lib")
            text = (root / path).read_text()
            self.assertIn(old, text)
            (root / path).write_text(text.replace(old, new, 1))
            done = subprocess.run([sys.executable, str(ROOT / "tests/python/check_prototypes.py"), folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, int(old != new), done.stdout + done.stderr)
        return done.stdout

    def test_as_they_are(self):
        self.assertIn("functions agree", self.said_of("lib/cnnfreeze.map", "global:", "global:"))

    def test_arguments_in_another_order(self):
        said = self.said_of("include/cnnfreeze/metrics.h", "int64_t classes, int64_t worst", "int64_t worst, int64_t classes")
        self.assertRegex(said, r"headers: .*int64_t worst, int64_t classes.*\n.*table: .*\n.*evaluation.py:\d+")

    def test_a_new_function(self):
        said = self.said_of("include/cnnfreeze/version.h", "CNNF_API uint32_t cnnf_abi",
                            "CNNF_API int32_t cnnf_new_one(const char *name);\nCNNF_API uint32_t cnnf_abi")
        self.assertIn("neither called nor in UNUSED with a reason: cnnf_new_one", said)

    def test_a_wrong_call(self):
        package = "bindings/python/cnnfreeze/"
        self.assertIn("cnnf_freeze takes", self.said_of(package + "graph.py", "converted=byref(converted)", "convertd=byref(converted)"))
        self.assertIn("cnnf_graph_find takes", self.said_of(package + "_reading.py", "lib.graph_find(graph, encode(name))",
                                                            "lib.graph_find(graph)"))
        self.assertIn("no such function: cnnf_graph_fnd", self.said_of(package + "_reading.py", "lib.graph_find", "lib.graph_fnd"))


class Failures(unittest.TestCase):
    def raised(self, function, *arguments, **named):
        with self.assertRaises(cnnfreeze.Error) as caught:
            function(*arguments, **named)
        return caught.exception

    def test_a_missing_file(self):
        error = self.raised(cnnfreeze.load, "no-such-file.h5")
        self.assertIsInstance(error, FileNotFoundError)
        self.assertEqual((error.code, error.errno, error.filename, error.where), ("IO", 2, "no-such-file.h5", "no-such-file.h5"))
        self.assertIn("no-such-file.h5", str(error))

    def test_a_missing_checkpoint(self):
        self.assertIsInstance(self.raised(cnnfreeze.Checkpoint, "no/such/prefix"), FileNotFoundError)
        self.assertIsInstance(self.raised(cnnfreeze.load(MODEL).bind, "no/such/prefix"), FileNotFoundError)

    def test_what_python_calls_them(self):
        model = cnnfreeze.load(MODEL)
        self.assertIsInstance(self.raised(cnnfreeze.load, b"no model"), ValueError)
        self.assertIsInstance(self.raised(model.freeze, "nothing"), LookupError)
        self.assertIsInstance(self.raised(model.transform, "no_such_pass"), LookupError)
        self.assertIsInstance(self.raised(model.transform, "fold_batch_norms("), ValueError)
        self.assertIsInstance(self.raised(model.write, "/no/such/folder/x.pb"), FileNotFoundError)

    def test_a_setter_says_which(self):
        self.assertRegex(str(self.raised(cnnfreeze.load(MODEL).evaluator, threads=-1)), r"-1 threads: 0 to 1024 are possible")

    def test_numbers_beyond_the_argument_are_refused(self):
        with self.assertRaisesRegex(ValueError, "4294967297"):
            cnnfreeze.load(MODEL).evaluator(threads=2**32 + 1)

    def test_they_are_pickled(self):
        for error in (self.raised(cnnfreeze.load, "no-such-file.h5"), self.raised(cnnfreeze.load, b"no model"),
                      self.raised(cnnfreeze.load(MODEL).freeze, "nothing")):
            again = pickle.loads(pickle.dumps(error))
            self.assertIs(type(again), type(error))
            self.assertEqual(vars(again), vars(error))
            self.assertEqual(str(again), str(error))

    def test_they_come_out_of_a_process_pool(self):
        with ProcessPoolExecutor(1) as pool, self.assertRaises(FileNotFoundError) as caught:
            pool.submit(cnnfreeze.load, "no-such-file.h5").result(timeout=60)
        self.assertEqual(caught.exception.code, "IO")

    def test_names_are_whole(self):
        for call in (lambda: cnnfreeze.load("a\0b"), lambda: cnnfreeze.load(MODEL).freeze("activation_6/Softmax\0x"),
                     lambda: cnnfreeze.load(MODEL).write("a\0b"), lambda: cnnfreeze.Checkpoint(b"a\0b")):
            with self.assertRaisesRegex(ValueError, "zero byte"):
                call()

    def test_what_is_no_path_is_refused(self):
        for call in (lambda: cnnfreeze.load(7), lambda: cnnfreeze.load(None), lambda: cnnfreeze.load(MODEL).write(7),
                     lambda: cnnfreeze.load(io.StringIO("text")), lambda: cnnfreeze.Checkpoint(object())):
            with self.assertRaises(TypeError):
                call()


class Files(unittest.TestCase):
    def setUp(self):
        self.model = cnnfreeze.load(MODEL)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_every_kind_of_source(self):
        wanted = list(self.model.nodes())
        data = MODEL.read_bytes()
        with open(MODEL, "rb") as file:
            for source in (str(MODEL), MODEL, data, bytearray(data), memoryview(data), io.BytesIO(data), file):
                self.assertEqual(list(cnnfreeze.load(source).nodes()), wanted)

    def test_a_files_name_is_in_the_message(self):
        path = os.path.join(self.folder, "text.h5")
        Path(path).write_bytes(b"no model")
        with open(path, "rb") as file, self.assertRaisesRegex(cnnfreeze.FormatError, "text.h5"):
            cnnfreeze.load(file)

    def test_every_kind_of_target(self):
        wanted = self.model.serialize()
        self.assertEqual(len(wanted), self.model.graphdef_size)
        memory, path = io.BytesIO(), Path(self.folder, "g.pb")
        self.model.write(memory)
        self.model.write(path)
        with open(os.path.join(self.folder, "f.pb"), "wb") as file:
            self.model.write(file)
        self.assertEqual([memory.getvalue(), path.read_bytes(), Path(self.folder, "f.pb").read_bytes()], [wanted] * 3)
        self.assertEqual(sorted(os.listdir(self.folder)), ["f.pb", "g.pb"])
        self.assertEqual(list(cnnfreeze.load(self.model.serialize(text=True)).nodes()), list(self.model.nodes()))

    def test_what_a_target_raises_comes_out(self):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError(28, "full")
        with self.assertRaisesRegex(OSError, "full"):
            self.model.write(Full())
        with self.assertRaises(TypeError):
            self.model.write(io.StringIO())

    def test_round_trip(self):
        self.model.with_saver().write_checkpoint(Path(self.folder, "m.ckpt"))
        with cnnfreeze.Checkpoint(self.folder) as checkpoint:
            self.assertEqual(len(checkpoint), 95)
            self.assertEqual(checkpoint.version, 2)
            self.assertEqual(sorted(checkpoint), list(checkpoint.keys()))
            self.assertIn("conv2d_1/kernel", checkpoint)
            self.assertEqual((checkpoint.shape("conv2d_1/kernel"), checkpoint.dtype("conv2d_1/kernel")), ((3, 3, 1, 16), "float"))
            self.assertNotIn("nothing", checkpoint)
            with self.assertRaises(KeyError):
                checkpoint.shape("nothing")
        with self.assertRaisesRegex(ValueError, "closed"):
            len(checkpoint)
        self.assertIn("closed", repr(checkpoint))
        bare = cnnfreeze.load(self.model.serialize()).bind(self.folder)
        frozen = bare.freeze(self.model.outputs)
        self.assertEqual((frozen.converted, frozen.variable_count), (24, 0))
        again = cnnfreeze.load(frozen.serialize())
        self.assertEqual(list(again.nodes()), list(frozen.nodes()))

    def test_progress(self):
        seen = []
        self.model.write_checkpoint(os.path.join(self.folder, "m.ckpt"), progress=lambda done, total: seen.append((done, total)))
        self.assertEqual(seen, sorted(seen))
        self.assertTrue(seen and seen[-1][0] <= seen[-1][1])
        cnnfreeze.load(MODEL, progress=lambda done, total: seen.append(None))
        self.assertIsNone(seen[-1])

    def test_progress_stops(self):
        path = os.path.join(self.folder, "g.pb")
        with self.assertRaises(cnnfreeze.CancelledError):
            self.model.freeze().write(path, progress=lambda done, total: True)
        with self.assertRaises(ZeroDivisionError):
            self.model.freeze().write(path, progress=lambda done, total: 1 / 0)
        with self.assertRaises(KeyboardInterrupt):
            cnnfreeze.load(MODEL, progress=lambda done, total: (_ for _ in ()).throw(KeyboardInterrupt))
        self.assertEqual(os.listdir(self.folder), [])

    def test_load_options(self):
        self.assertEqual(cnnfreeze.load(MODEL, name_suffix="_1").inputs, ["input_1_1"])
        self.assertEqual(cnnfreeze.load(MODEL, training_state=False).freeze().converted, 24)
        resource = cnnfreeze.load(MODEL, variables="resource")
        self.assertIn("VarHandleOp", {op for _, op in resource.nodes()})
        with self.assertRaisesRegex(ValueError, "auto, reference, resource"):
            cnnfreeze.load(MODEL, variables="other")
        with self.assertRaises(cnnfreeze.FormatError):
            cnnfreeze.load(MODEL, format="graphdef")
        with self.assertRaises(TypeError):
            cnnfreeze.load(MODEL, no_such_option=1)

    def test_formats_are_told_apart(self):
        self.assertEqual(cnnfreeze.detect_format(MODEL), "a Keras H5 model")


class Looking(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(MODEL).freeze()

    def test_nodes(self):
        conv = self.frozen["conv2d_1/convolution"]
        self.assertEqual((conv.name, conv.op, conv.inputs[0]), ("conv2d_1/convolution", "Conv2D", "input_1"))
        self.assertEqual({name: conv.attrs[name] for name in ("T", "strides", "padding", "data_format")},
                         {"T": "float", "strides": [1, 1, 1, 1], "padding": b"SAME", "data_format": b"NHWC"})
        self.assertEqual(self.frozen["input_1"].attrs["shape"], (None, 28, 28, 1))
        self.assertIn("Conv2D(input_1", repr(conv))
        self.assertIn("input_1", self.frozen)
        with self.assertRaises(KeyError):
            self.frozen["nothing"]

    def test_every_kind_of_attribute(self):
        attrs = graph(node("n", "NoOp", s='s: "a"', i="i: -3", f="f: 0.5", b="b: true", t="type: DT_HALF", l="list { i: 4 i: 0 }",
                           r="shape { unknown_rank: true }", d="shape { dim { size: -1 } dim { size: 2 } }",
                           w='list { s: "a" s: "b" }', e="list { }", u='func { name: "f" }'))["n"].attrs
        self.assertEqual(attrs, {"s": b"a", "i": -3, "f": 0.5, "b": True, "t": "half", "l": [4, 0], "r": None, "d": (None, 2),
                                 "w": [b"a", b"b"], "e": [], "u": "f"})

    def test_graph(self):
        self.assertEqual((self.frozen.inputs, self.frozen.outputs), (["input_1"], ["activation_6/Softmax"]))
        self.assertEqual((self.frozen.input_shape("input_1"), self.frozen.input_dtype("input_1")), ([None, 28, 28, 1], "float"))
        self.assertEqual(len(list(self.frozen)), len(self.frozen))
        self.assertEqual(self.frozen.summary("json")["const_parameters"], 66510)
        self.assertIn("66.51k", self.frozen.summary("gtt"))
        self.assertRegex(self.frozen.summary(), r"(?m)^Parameters 66,505$")
        self.assertRegex(repr(self.frozen), r"88 nodes, 0 variables, input_1 -> activation_6/Softmax")
        self.assertNotEqual(self.frozen, cnnfreeze.load(MODEL).freeze())
        with self.assertRaises(KeyError):
            self.frozen.input_shape("nothing")

    def test_picture(self):
        from xml.etree import ElementTree
        picture = ElementTree.fromstring(self.frozen._repr_svg_())
        texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("conv2d_1", texts)
        self.assertGreater(len([e for e in picture.iter("{http://www.w3.org/2000/svg}path")]), 20)
        odd = graph(node("a<&>b", "Placeholder", dtype="type: DT_FLOAT"))._repr_svg_()
        self.assertIn("a<&>b", [element.text for element in ElementTree.fromstring(odd).iter() if element.text])

    def test_closed(self):
        with cnnfreeze.load(MODEL, context=cnnfreeze.Context()) as model:
            frozen, node = model.freeze(), model["conv2d_1/convolution"]
        for call in (lambda: len(model), lambda: model.inputs, lambda: model.freeze(), lambda: model.serialize()):
            with self.assertRaisesRegex(ValueError, "closed"):
                call()
        self.assertIn("closed", repr(model))
        self.assertEqual(len(frozen), 88)
        self.assertEqual((node.op, node.attrs["T"], len(node.inputs)), ("Conv2D", "float", 2))

    def test_pickling(self):
        again = pickle.loads(pickle.dumps(self.frozen))
        self.assertEqual(again.serialize(), self.frozen.serialize())
        self.assertEqual(again.outputs, self.frozen.outputs)
        with self.assertRaisesRegex(TypeError, "variables"):
            pickle.dumps(cnnfreeze.load(MODEL))


class Transforming(unittest.TestCase):
    def test_passes_are_listed(self):
        self.assertIn("fold_batch_norms", cnnfreeze.passes())

    def test_pipeline(self):
        frozen = cnnfreeze.load(MODEL).freeze()
        folded, report = cnnfreeze.Pipeline(["fold_constants", "fold_batch_norms"]).run_with_report(frozen)
        self.assertNotIn("FusedBatchNormV3", {op for _, op in folded.nodes()})
        self.assertIn("fold_batch_norms", str(report))
        self.assertEqual(folded.serialize(), frozen.transform("fold_constants fold_batch_norms").serialize())

    def test_check(self):
        frozen = cnnfreeze.load(MODEL).freeze()
        targets = cnnfreeze.check_targets()
        self.assertIn("vitis-ai", targets)
        report = frozen.check("vitis-ai")
        self.assertGreater(report.unmet, 0)
        self.assertFalse(report)
        self.assertIn("ok    frozen", report.text)
        self.assertTrue(report.data)
        better = frozen.transform(targets["vitis-ai"])
        self.assertLessEqual(better.check("vitis-ai").unmet, report.unmet)
        with self.assertRaises(cnnfreeze.NotFoundError):
            frozen.check("no tool")

    def test_compare(self):
        model = cnnfreeze.load(MODEL)
        frozen = model.freeze()
        self.assertEqual(frozen.compare(cnnfreeze.load(frozen.serialize())).differences, 0)
        difference = frozen.compare(model)
        self.assertTrue(difference)
        self.assertEqual(len(difference.text.splitlines()), difference.differences)

    def test_freeze_options(self):
        model = cnnfreeze.load(MODEL)
        part = model.freeze(deny="conv2d_1/*")
        self.assertEqual(part.converted, 22)
        with self.assertRaises(cnnfreeze.NotFoundError):
            model.freeze(allow=["no_such_variable"])


class Contexts(unittest.TestCase):
    def test_limits(self):
        tight = cnnfreeze.Context(limits={"max_nodes": 10})
        self.assertEqual(tight.limits["max_nodes"], 10)
        with self.assertRaisesRegex(cnnfreeze.LimitError, "max_nodes"):
            cnnfreeze.load(MODEL, context=tight)
        with self.assertRaisesRegex(ValueError, "max_nodes"):
            cnnfreeze.Context(limits={"nodes": 10})
        with self.assertRaises(ValueError):
            cnnfreeze.Context(limits={"max_nodes": -1})

    def test_steps(self):
        path = ROOT / "tests/golden/loops/array_grows.functions.pb"
        tight = cnnfreeze.load(path, context=cnnfreeze.Context(limits={"max_steps": 20}))
        self.assertEqual(cnnfreeze.Context(untrusted=True).limits["max_steps"], 30000000)
        with self.assertRaisesRegex(cnnfreeze.LimitError, "max_steps"):
            tight.transform("fold_constants inline_functions merge_duplicate_nodes prune", outputs=["out_0"])

    def test_untrusted(self):
        limits = cnnfreeze.Context(untrusted=True).limits
        self.assertEqual((limits["max_nodes"], limits["max_file_bytes"]), (100000, 256 << 20))
        self.assertEqual(cnnfreeze.Context(untrusted=True, limits={"max_nodes": 7}).limits["max_nodes"], 7)

    def test_memory(self):
        context = cnnfreeze.Context()
        model = cnnfreeze.load(MODEL, context=context)
        self.assertGreater(context.memory(), 10000)
        del model
        self.assertLess(context.memory(), 10000)
        self.assertGreater(context.memory(peak=True), 10000)

    def test_log(self):
        lines = []
        model = cnnfreeze.load(MODEL, context=cnnfreeze.Context(log=lambda level, message: lines.append((level, message))))
        model.freeze().freeze()
        self.assertIn((30, "the graph has no variables: it is frozen already, or never had any"), lines)

    def test_log_goes_to_logging(self):
        with self.assertLogs("cnnfreeze", "WARNING") as logged:
            cnnfreeze.load(MODEL).freeze().freeze()
        self.assertIn("no variables", logged.output[0])

    def test_silent_by_default(self):
        code, said = python(f"import cnnfreeze; cnnfreeze.load({str(MODEL)!r}).freeze().freeze()")
        self.assertEqual((code, said), (0, ""))

    def test_objects_may_die_in_any_order(self):
        code, said = python(f"""
import cnnfreeze, gc
context = cnnfreeze.Context(log=lambda level, message: None)
model = cnnfreeze.load({str(MODEL)!r}, context=context)
frozen = model.freeze()
del context, model
gc.collect()
frozen.freeze()
keep = [frozen.evaluator(), frozen, cnnfreeze.Metrics(3)]
""")
        self.assertEqual((code, said), (0, ""))


class Command(unittest.TestCase):
    @unittest.skipUnless(os.environ.get("CNNFREEZE_COMMAND"), "CNNFREEZE_COMMAND is not set")
    def test_it_is_run(self):
        done = subprocess.run([sys.executable, "-m", "cnnfreeze", "freeze", "no-such-file.h5", "-o", "x.pb"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 4)
        self.assertIn("no-such-file.h5", done.stderr)

    def test_it_does_not_run_itself_for_ever(self):
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "cnnfreeze")
            script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m cnnfreeze \"$@\"\n")
            script.chmod(0o755)
            done = subprocess.run([str(script), "--help"], env={**os.environ, "CNNFREEZE_COMMAND": str(script), "PATH": "/nowhere"},
                                  capture_output=True, text=True, timeout=30)
        self.assertIn(done.returncode, (0, 127))

    def test_version(self):
        done = subprocess.run([sys.executable, "-m", "cnnfreeze", "--version"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout.split()[:2]), (0, ["cnnfreeze", cnnfreeze.__version__]))

    @unittest.skipIf((Path(cnnfreeze.__file__).parent / "bin").exists(), "a wheel has the command inside")
    def test_it_says_what_is_missing(self):
        done = subprocess.run([sys.executable, "-m", "cnnfreeze", "freeze"], capture_output=True, text=True,
                              env={**os.environ, "CNNFREEZE_COMMAND": "", "PATH": "/nowhere"})
        self.assertEqual(done.returncode, 127)
        self.assertIn("not on the PATH", done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
