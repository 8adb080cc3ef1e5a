# SPDX-License-Identifier: Apache-2.0
"""Evaluators, data sets, metrics, comparisons; Ctrl-C; threads and processes."""
import base64
import os
import pickle
import re
import signal
import struct
import sys
import tempfile
import threading
import time
import unittest
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cnnfreeze
from support import DIGITS, MODEL, graph, needs_numpy, node, np, placeholder

CLASSES = 25


# The bounds on the time after it leave room for a busy machine; on a quiet one it is a few milliseconds.
def interrupt_after(seconds):
    """Ctrl-C for this process, from a thread; the moment it was sent, in the list."""
    sent = []
    # A shell's background job starts with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def send():
        time.sleep(seconds)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=send, daemon=True).start()
    return sent


def slow_graph(ops=4000):
    """A chain of convolutions that takes long, and each of them little."""
    nodes = [placeholder("x", "DT_FLOAT"), node("k", "Const", dtype="type: DT_FLOAT",
             value="tensor { dtype: DT_FLOAT tensor_shape { dim { size: 3 } dim { size: 3 } dim { size: 16 } dim { size: 16 } } float_val: 0 }")]
    last = "x"
    for i in range(ops):
        nodes.append(node(f"c{i}", "Conv2D", last, "k", T="type: DT_FLOAT", strides="list { i: 1 i: 1 i: 1 i: 1 }",
                          padding='s: "SAME"', data_format='s: "NHWC"'))
        last = f"c{i}"
    return graph(*nodes), last


def accuracy_of_rows(rows):
    """In a process of the pool: the metrics of part of the data set."""
    frozen = cnnfreeze.load(MODEL).freeze()
    metrics = cnnfreeze.Metrics(CLASSES)
    with cnnfreeze.Dataset(DIGITS, (28, 28, 1)) as data:
        images, labels = data.next(400)
    metrics.add(frozen.predict(images[rows])[0], labels[rows], first_row=rows.start)
    return metrics


@needs_numpy
class Evaluators(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(MODEL).freeze()
        self.x = np.linspace(0, 1, 2 * 28 * 28, dtype="f4").reshape(2, 28, 28, 1)

    def test_kept_by_the_graph(self):
        self.frozen.predict(self.x)
        self.assertIs(self.frozen.evaluator(), self.frozen.evaluator())
        self.assertIsNot(self.frozen.evaluator(), self.frozen.evaluator(threads=1))

    def test_freed_with_the_graph(self):
        context = cnnfreeze.Context()
        g = cnnfreeze.load(MODEL, context=context).freeze()
        g.predict(self.x)
        del g
        self.assertLess(context.memory(), 10000)

    def test_own(self):
        with cnnfreeze.Evaluator(self.frozen, threads=1, deterministic=True) as evaluator:
            self.assertEqual((evaluator.backend, len(evaluator.graph)), ("portable", 88))
            np.testing.assert_array_equal(evaluator.run(self.x)[0], self.frozen.predict(self.x)[0])
            steps = evaluator.describe(self.x)
            self.assertIn("arena_bytes", steps)
        with self.assertRaisesRegex(ValueError, "closed"):
            evaluator.run(self.x)
        self.assertIn("closed", repr(evaluator))

    def test_unknown_backend(self):
        with self.assertRaises(cnnfreeze.NotFoundError):
            self.frozen.evaluator(backend="none")

    def test_errors(self):
        with self.assertRaises(cnnfreeze.NotFoundError):
            self.frozen.predict(self.x, "nothing")
        with self.assertRaises(cnnfreeze.NotFoundError):
            self.frozen.predict({"nothing": self.x})
        with self.assertRaises(cnnfreeze.MismatchError):
            self.frozen.predict(self.x[:, :5])
        self.assertIn("Conv2D", cnnfreeze.ops())

    def test_many_threads(self):
        wanted = self.frozen.predict(self.x)[0]
        with ThreadPoolExecutor(4) as pool:
            for got in pool.map(lambda _: self.frozen.predict(self.x)[0], range(40)):
                np.testing.assert_array_equal(got, wanted)

    def test_after_a_fork(self):
        wanted, parents = self.frozen.predict(self.x)[0], self.frozen.evaluator()
        child = os.fork()
        if not child:
            same = np.array_equal(self.frozen.predict(self.x)[0], wanted)
            try:
                parents.run(self.x)
            except cnnfreeze.InvalidError:
                os._exit(0 if same else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_cancel(self):
        g, last = slow_graph()
        evaluator = g.evaluator(threads=1)
        threading.Timer(0.2, evaluator.cancel).start()
        with self.assertRaises(cnnfreeze.CancelledError):
            evaluator.run({"x": np.zeros((8, 64, 64, 16), "f4")}, last)

    def test_ctrl_c_ends_a_run(self):
        g, last = slow_graph()
        x = np.zeros((8, 64, 64, 16), "f4")
        # The plan first: making one is not ended, and this one takes longer than a network's.
        self.assertGreater(len(g.evaluator(threads=1).describe({"x": x}, last)["steps"]), 100)
        sent = interrupt_after(0.5)
        with self.assertRaises(KeyboardInterrupt):
            g.predict({"x": x}, last, threads=1)
        self.assertLess(time.monotonic() - sent[0], 1.5)
        # Nothing of it is left.
        self.assertEqual(g.predict({"x": np.zeros((1, 4, 4, 16), "f4")}, "c0").shape, (1, 4, 4, 16))


@needs_numpy
class DatasetOptions(unittest.TestCase):
    def folder(self, **files):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text)
        return folder

    def enterContext(self, manager):  # unittest has it from 3.11 on
        self.addCleanup(manager.__exit__, None, None, None)
        return manager.__enter__()

    def test_columns_and_separators(self):
        path = self.folder(a="p0;p1;label\n1;2;7\n3;4;8\n") / "a.csv"
        for column in "label", 2, -1, "-1":
            images, labels = cnnfreeze.Dataset(path, scale=1, label_column=column).next(9)
            self.assertEqual((images.tolist(), labels.tolist()), ([[1, 2], [3, 4]], [7, 8]))
        with self.assertRaisesRegex(cnnfreeze.NotFoundError, "did you mean 'label'"):
            cnnfreeze.Dataset(path, label_column="lable")

    def test_channels(self):
        path = self.folder(a="0,10,20,30\n") / "a.csv"
        pixel = lambda **options: cnnfreeze.Dataset(path, (1, 1, 3), **options).next(1)[0].ravel().tolist()
        self.assertEqual(pixel(scale=1, mean=[1, 2, 3], std=[1, 2, 3]), [9, 9, 9])
        self.assertEqual(pixel(scale=1, mean=(1, 2, 3), channel_order="bgr"), [29, 18, 7])
        self.assertEqual(pixel(scale=1, std=2), [5, 10, 15])
        self.assertEqual(pixel(preprocess="caffe"), (np.float32([30, 20, 10]) - np.float32([103.939, 116.779, 123.68])).tolist())
        with self.assertRaisesRegex(ValueError, "2 means and 3"):
            pixel(mean=[1, 2], std=[1, 2, 3])
        with self.assertRaisesRegex(cnnfreeze.InvalidError, "caffe, tf or torch"):
            pixel(preprocess="vgg")

    def test_shards_and_files(self):
        folder = self.folder(a1="0,10\n1,11\n", a2="2,12\n")
        got = []
        for shard in 1, 2:
            with cnnfreeze.Dataset(folder / "a?.csv", scale=1, shard=(shard, 2)) as data:
                self.assertEqual(data.position, len(got))
                got += data.next(9)[1].tolist()
        self.assertEqual(got, [0, 1, 2])

    def test_names(self):
        folder = self.folder(map="1 65 97\n2 66 98\n", a="2,5\n")
        with cnnfreeze.Dataset(folder / "a.csv", label_map=folder / "map.csv") as data:
            self.assertEqual((data.class_name(1), data.class_name(7), data.file(0)), ("B", None, None))


@needs_numpy
class Evaluating(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(MODEL).freeze()

    def test_accuracy(self):
        seen = []
        result = cnnfreeze.evaluate(self.frozen, DIGITS, worst=5, progress=lambda done, total: seen.append((done, total)))
        self.assertEqual((result["images"], result["correct"], result["accuracy"]), (400, 397, 0.9925))
        self.assertEqual(sum(map(sum, result["confusion"])), 400)
        self.assertEqual(seen[-1][0], 400)
        metrics = result["metrics"]
        self.assertEqual(len(metrics.worst), 3)
        self.assertEqual(sorted(metrics.worst, key=lambda m: -m.confidence), metrics.worst)
        self.assertTrue(all(m.label != m.guess and 0 <= m.row < 400 for m in metrics.worst))
        self.assertGreaterEqual(metrics.topk(2), metrics.accuracy)
        self.assertEqual(metrics.topk(CLASSES), 1)
        with self.assertRaises(ValueError):
            metrics.topk(0)

    def test_full_batches_only(self):
        self.assertEqual(cnnfreeze.evaluate(self.frozen, DIGITS, CLASSES, batch=150, full_batches_only=True)["images"], 300)

    def test_options_of_the_data_set(self):
        dark = cnnfreeze.evaluate(self.frozen, DIGITS, CLASSES, scale=25500.0)
        self.assertLess(dark["accuracy"], 0.9)
        with self.assertRaises(TypeError):
            cnnfreeze.evaluate(self.frozen, DIGITS, CLASSES, no_such_option=1)
        with self.assertRaises(FileNotFoundError):
            cnnfreeze.evaluate(self.frozen, "no-such.csv", CLASSES)

    def test_progress_stops(self):
        metrics = cnnfreeze.Metrics(CLASSES)
        with self.assertRaises(cnnfreeze.CancelledError):
            cnnfreeze.evaluate(self.frozen, DIGITS, batch=1, metrics=metrics, progress=lambda done, total: done > 3)
        self.assertLess(metrics.count, 400)
        with self.assertRaises(ZeroDivisionError):
            cnnfreeze.evaluate(self.frozen, DIGITS, batch=1, progress=lambda done, total: 1 / 0)

    def test_progress_on_another_thread(self):
        seen = []
        with ThreadPoolExecutor(1) as pool:
            pool.submit(cnnfreeze.evaluate, self.frozen, DIGITS, CLASSES, progress=lambda done, total: seen.append(done)).result()
        self.assertEqual(seen[-1], 400)

    def test_ctrl_c(self):
        with tempfile.TemporaryDirectory() as folder:
            many = Path(folder, "many.csv")
            many.write_text(DIGITS.read_text() + DIGITS.read_text().split("\n", 1)[1] * 60)
            metrics = cnnfreeze.Metrics(CLASSES)
            sent = interrupt_after(0.1)
            with self.assertRaises(KeyboardInterrupt):
                cnnfreeze.evaluate(self.frozen, many, metrics=metrics, threads=1)
            self.assertLess(time.monotonic() - sent[0], 1.5)
            self.assertLess(metrics.count, 24400)

    def test_merged_over_processes(self):
        whole = cnnfreeze.evaluate(self.frozen, DIGITS, CLASSES)["metrics"]
        with ProcessPoolExecutor(2) as pool:
            first, second = pool.map(accuracy_of_rows, (slice(0, 150), slice(150, 400)), timeout=100)
        first += second
        self.assertEqual((first.count, first.correct, first.confusion), (whole.count, whole.correct, whole.confusion))
        self.assertAlmostEqual(first.loss, whole.loss, places=12)
        self.assertEqual(pickle.loads(pickle.dumps(first)).save(), first.save())

    def test_metrics(self):
        metrics = cnnfreeze.Metrics(3, worst=2)
        metrics.add([[0.1, 0.9, 0], [1, 0, 0], [0, 0.2, 0.8], [0.6, 0.4, 0]], [1, 0, 1, 2], first_row=10)
        self.assertEqual((metrics.classes, metrics.count, metrics.correct, metrics.accuracy), (3, 4, 2, 0.5))
        self.assertEqual(metrics.confusion, [[1, 0, 0], [0, 1, 1], [1, 0, 0]])
        self.assertEqual((metrics.precision(1), metrics.recall(1), round(metrics.f1(1), 6)), (1, 0.5, round(2 / 3, 6)))
        self.assertEqual([(m.row, m.label, m.guess) for m in metrics.worst], [(12, 1, 2), (13, 2, 0)])
        with self.assertRaises(cnnfreeze.Error):
            metrics.add([[1, 0, 0]], [3])
        with self.assertRaises(cnnfreeze.Error):
            metrics += cnnfreeze.Metrics(4)
        with self.assertRaises(cnnfreeze.Error):
            cnnfreeze.Metrics.restore(b"nothing")
        with self.assertRaises(ValueError):
            metrics.recall(3)
        self.assertEqual(metrics.count, 4)


def png_pixels(uri):
    """(height, width, channels) of an 8-bit PNG in a data: URI."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    at, body, size = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        piece = data[at + 8:at + 8 + length]
        if struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0] != zlib.crc32(kind + piece):
            raise ValueError("checksum")
        if kind == b"IHDR":
            size = struct.unpack(">IIBB", piece[:10])
        body += piece if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour = size
    channels = {0: 1, 2: 3}[colour]
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * channels)
    rows = []
    for kind, row in zip(raw[:, 0], raw[:, 1:].astype(int)):
        before = rows[-1] if rows else np.zeros_like(row)
        row = row.copy()
        for i in range(len(row)):
            left = row[i - channels] if i >= channels else 0
            up, corner = before[i], before[i - channels] if i >= channels else 0
            paeth = min((left, up, corner), key=lambda v: (abs(left + up - corner - v)))
            row[i] = (row[i] + [0, left, up, (left + up) // 2, paeth][kind]) % 256
        rows.append(row)
    return np.array(rows).reshape(height, width, channels)


@needs_numpy
class Reports(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(MODEL).freeze()
        self.rough = self.frozen.transform("round_weights(num_steps=6)")

    def test_two_graphs(self):
        report = cnnfreeze.Report(CLASSES, title="Digits", class_names=[f"digit {i}" for i in range(10)], facts={"Data set": "digits"})
        first = cnnfreeze.evaluate(self.frozen, DIGITS, report=report, name="frozen")
        second = cnnfreeze.evaluate(self.rough, DIGITS, report=report, name="rough")
        found = report.json()
        self.assertEqual([run["name"] for run in found["runs"]], ["frozen", "rough"])
        with cnnfreeze.Dataset(DIGITS, (28, 28, 1)) as data:
            images, labels = data.next(400)
        for run, result, graph in zip(found["runs"], (first, second), (self.frozen, self.rough)):
            scores = graph.predict(images)[0]
            guesses, sure = scores.argmax(1), scores.max(1)
            self.assertEqual([run["images"], run["correct"]], [400, result["correct"]])
            self.assertEqual(run["accuracy"], (guesses == labels).mean())
            for row in run["classes"]:
                here, taken = labels == row["class"], guesses == row["class"]
                both = (here & taken).sum()
                self.assertEqual((row["images"], row["guesses"], row["correct"]), (here.sum(), taken.sum(), both))
                self.assertAlmostEqual(row["precision"], both / max(taken.sum(), 1))
                self.assertAlmostEqual(row["recall"], both / max(here.sum(), 1))
                self.assertEqual(row["name"], f"digit {row['class']}" if row["class"] < 10 else str(row["class"]))
            for bin in run["calibration"]["bins"]:
                inside = (sure >= np.float32(bin["from"])) & ((sure < np.float32(bin["to"])) | (bin["to"] == 1))
                self.assertEqual(bin["images"], inside.sum())
                if inside.any():
                    self.assertAlmostEqual(bin["accuracy"], (guesses == labels)[inside].mean())
                    self.assertAlmostEqual(bin["confidence"], sure[inside].astype(float).mean(), places=6)
            wrong = np.flatnonzero(guesses != labels)
            wrong = sorted(wrong, key=lambda row: (-sure[row], row))
            self.assertEqual([m["row"] for m in run["mistakes"]], wrong[:24])
        before, after = (graph.predict(images)[0].argmax(1) for graph in (self.frozen, self.rough))
        self.assertEqual(report.differing, (before != after).sum())
        self.assertEqual(found["comparison"]["now_wrong"], ((before == labels) & (after != labels)).sum())
        self.assertEqual({e["row"] for e in found["comparison"]["examples"]}, set(np.flatnonzero(before != after)))
        self.assertIn("digit 3", report.html())

    def test_pictures_are_the_images(self):
        """Of every scaling and layout the picture holds the file's bytes."""
        rng = np.random.default_rng(5)
        grey, colour = rng.integers(0, 256, (6, 9, 1)), rng.integers(0, 256, (6, 9, 3))
        for picture in grey, colour:
            picture[0, 0], picture[0, 1] = 0, 255
            for fed in picture.astype(float), picture / 255, picture / 127.5 - 1, picture / 50 - 3:
                for image in [fed] + [fed.transpose(2, 0, 1)] * (picture is colour) + [fed[:, :, 0]] * (picture is grey):
                    report = cnnfreeze.Report(2)
                    report.begin("x")
                    report.add(image[None], [[0.1, 0.9]], [0])
                    report.end()
                    uris = re.findall(r'data:image/png[^"]*', report.html())
                    self.assertEqual(len(uris), 1)
                    np.testing.assert_allclose(png_pixels(uris[0]), picture, atol=1)

    def test_large_pictures_are_averaged(self):
        image = np.kron(np.arange(96 * 48).reshape(96, 48) % 256, np.ones((3, 3)))[None, :, :, None]
        report = cnnfreeze.Report(2)
        report.begin("x")
        report.add(image, [[0.1, 0.9]], [0])
        report.end()
        uri, = re.findall(r'data:image/png[^"]*', report.html())
        np.testing.assert_allclose(png_pixels(uri)[:, :, 0], image[0, ::3, ::3, 0], atol=1)

    def test_data_sets_are_shown_as_they_lie_in_the_file(self):
        """What --scale, --mean and --std did is taken back."""
        uris = []
        for options in {}, {"mean": 0.3, "std": 0.2}, {"scale": 127.5, "mean": 1.0}:
            report = cnnfreeze.Report(CLASSES, 500)
            cnnfreeze.evaluate(self.frozen, DIGITS, report=report, **options)
            page = report.html()
            uris.append(dict(zip(re.findall(r'alt="row (\d+)', page), re.findall(r'data:image/png[^"]*', page))))
        common = set.intersection(*map(set, uris))
        self.assertTrue(common)
        pictures = [[png_pixels(u[row]) for row in sorted(common)] for u in uris]
        for other in pictures[1:]:
            np.testing.assert_allclose(pictures[0], other, atol=1)

    def test_order_of_calls(self):
        report = cnnfreeze.Report(3)
        with self.assertRaises(cnnfreeze.InvalidError):
            report.html()
        with self.assertRaises(cnnfreeze.InvalidError):
            report.end()
        with self.assertRaises(cnnfreeze.InvalidError):
            cnnfreeze.Report(0)
        with self.assertRaises(cnnfreeze.InvalidError):
            cnnfreeze.Report(3, class_names={3: "x"})
        report.begin("x")
        with self.assertRaises(cnnfreeze.MismatchError):
            report.add(None, [[0.5, 0.5]], [0])


@needs_numpy
class Datasets(unittest.TestCase):
    def test_batches(self):
        with cnnfreeze.Dataset(DIGITS, (28, 28, 1)) as data:
            sizes = [len(labels) for images, labels in data.batches(150)]
            self.assertEqual(sizes, [150, 150, 100])
            images, labels = next(data.batches(3))
            self.assertEqual((images.shape, images.dtype, labels.dtype), ((3, 28, 28, 1), np.float32, np.int64))
            self.assertLessEqual(images.max(), 1)
            image, label = next(iter(data))
            np.testing.assert_array_equal(image, images[0])
            self.assertEqual(label, labels[0])
            self.assertIn(data.count, (None, 400))
        with self.assertRaisesRegex(ValueError, "closed"):
            data.rewind()

    def test_normalization(self):
        plain, _ = cnnfreeze.Dataset(DIGITS, (28, 28, 1)).next(2)
        raw, _ = cnnfreeze.Dataset(DIGITS, (28, 28, 1), scale=1).next(2)
        shifted, _ = cnnfreeze.Dataset(DIGITS, (28, 28, 1), mean=0.5, std=2.0).next(2)
        np.testing.assert_array_equal(raw / np.float32(255), plain)
        np.testing.assert_allclose(shifted, (plain - 0.5) / 2, rtol=1e-6)

    def test_arrays(self):
        with tempfile.TemporaryDirectory() as folder:
            np.save(os.path.join(folder, "x.npy"), np.arange(24, dtype="f4").reshape(6, 4))
            np.save(os.path.join(folder, "labels.npy"), np.arange(6))
            data = cnnfreeze.Dataset(os.path.join(folder, "x.npy"), labels=os.path.join(folder, "labels.npy"))
            images, labels = data.next(10)
            np.testing.assert_array_equal(images, np.arange(24, dtype="f4").reshape(6, 4))
            self.assertEqual(labels.tolist(), list(range(6)))
            self.assertIsNone(data.next(10))


@needs_numpy
class Comparing(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(MODEL).freeze()

    def test_the_same(self):
        comparison = cnnfreeze.compare_numbers(self.frozen, self.frozen.transform("fold_constants fold_batch_norms"), tolerance=1e-4)
        self.assertTrue(comparison)
        self.assertTrue(comparison.within)
        self.assertLess(comparison.max_abs, 1e-4)
        self.assertIn("max", comparison.report() + str(comparison.report("json")))

    def test_different(self):
        a = graph(placeholder("x", "DT_FLOAT", "dim { size: 2 }"), node("m", "Neg", "x", T="type: DT_FLOAT"), node("y", "Exp", "m", T="type: DT_FLOAT"))
        b = graph(placeholder("x", "DT_FLOAT", "dim { size: 2 }"), node("m", "Exp", "x", T="type: DT_FLOAT"), node("y", "Exp", "m", T="type: DT_FLOAT"))
        comparison = cnnfreeze.compare_numbers(a, b, {"x": [1, 2]}, "y")
        self.assertFalse(comparison)
        self.assertEqual(comparison.first, "m")
        self.assertAlmostEqual(comparison.max_abs, np.exp(np.exp(2)) - np.exp(-2), delta=1e-3)
        self.assertEqual(comparison.count, 2)
        self.assertTrue(cnnfreeze.compare_numbers(a, b, {"x": [1, 2]}, [("x", "x")], inside=False))


@needs_numpy
class Quantizing(unittest.TestCase):
    def quantizer(self, **options):
        graph = cnnfreeze.load(MODEL).freeze()
        return cnnfreeze.Quantizer(graph, **options)

    def test_from_model_to_accuracy(self):
        data = cnnfreeze.Dataset(DIGITS, (28, 28, 1))
        quantizer = self.quantizer()
        quantizer.feed_dataset(data, batch=32, batches=2)
        quantized = quantizer.finish()
        self.assertEqual(quantizer.inputs, ["input_1"])
        self.assertEqual(quantizer.outputs, ["activation_6/Softmax/aquant"])
        self.assertEqual(sum(quantized[name].op == "FixNeuron" for name in quantized), len(quantizer.report()["fix_neurons"]))
        self.assertIn("SNR", str(quantizer))
        images, labels = next(data.batches(100))
        scores = quantized.predict(images)[0]
        self.assertGreater((scores.argmax(1) == labels).mean(), 0.95)

    def test_arrays_are_fed(self):
        quantizer = self.quantizer(method=0)
        quantizer.feed(np.random.default_rng(0).random((4, 28, 28, 1), "f"))
        self.assertEqual({fix["method"] for fix in quantizer.report()["fix_neurons"]}, {0})

    def test_what_is_wrong_is_raised(self):
        self.assertIn("align_pool", cnnfreeze.quantizer_options())
        with self.assertRaises(cnnfreeze.NotFoundError):
            self.quantizer(metod=1)
        with self.assertRaises(cnnfreeze.InvalidError):
            self.quantizer(method=7)
        with self.assertRaises(cnnfreeze.InvalidError):
            self.quantizer().finish()


if __name__ == "__main__":
    sys.exit(unittest.main())
