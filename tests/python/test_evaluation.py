# SPDX-License-Identifier: Apache-2.0
"""Evaluators, data sets, metrics, comparisons; Ctrl-C; threads and processes."""
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import unittest
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
