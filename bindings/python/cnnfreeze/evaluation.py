# SPDX-License-Identifier: Apache-2.0
"""Data sets, accuracy, and the numbers of two graphs side by side."""
from __future__ import annotations

import json
import os
import time
from ctypes import byref, c_double, c_int64, c_void_p
from html import escape
from typing import NamedTuple

from ._arrays import to_array, to_tensor
from ._interrupt import Hook, interruptible
from ._library import Handle, Options, Owner, call, encode, encode_path, lib, listed, make, report_format, take_bytes, take_text, text
from ._reading import dtype_number, outputs_or_fail
from .context import Context, default_context
from .graph import Graph, Progress

_INT64 = 9
_FLOAT = 1


def _per_channel(mean, std):
    """Number of channels, means and standard deviations, the shorter repeated."""
    rows = [[value] if isinstance(value, (int, float)) else list(value) for value in (0.0 if mean is None else mean,
                                                                                     1.0 if std is None else std)]
    channels = max(map(len, rows))
    rows = [row * channels if len(row) == 1 else row for row in rows]
    if len(rows[0]) != len(rows[1]):
        raise ValueError(f"{len(rows[0])} means and {len(rows[1])} standard deviations")
    return channels, *((c_double * channels)(*row) for row in rows)


class Dataset(Owner):
    """Labelled examples of a file or folder: CSV, IDX, NPY, NPZ, PNG/JPEG folders, plain or .gz (include/cnnfreeze/dataset.h).

    shape           of one example, without the batch: (28, 28, 1); needed where the file does not say
    scale           pixels are divided by it in float32: default 255 for CSV, IDX and images, 1 for NPY and NPZ
    mean, std       then (v - mean) / std; a number, or one per channel
    channel_order   "bgr": red and blue change places before mean and std
    preprocess      "caffe", "tf" or "torch": scale, order, mean and std as keras.applications' preprocess_input
    resize          images: "area" (OpenCV), "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos" (as load_img),
                    "tf_nearest" or "tf_bilinear" (as image_dataset_from_directory)
    crop            images: "none", "aspect" (load_img's keep_aspect_ratio) or "center" (224 out of 256)
    transpose       rows and columns change places, as in EMNIST's files
    labels          a file with the labels (IDX, NPY, image folders)
    label_map       a text file that gives classes to labels
    label_column    CSV: the label's column, by name or number; -1 is the last
    one_hot         CSV: so many columns are a one-hot label
    channels_first  examples are wanted as (C, H, W)
    shard           (k, n): the k-th of n parts, from 1

    The path may have '*' and '?' in its last part: several files as one. One thread at a time. MissingFileError, FormatError,
    CorruptError (with line and column), MismatchError, NotFoundError, LimitError.
    """

    def __init__(self, path, shape=None, *, scale: float | None = None, mean=None, std=None, labels=None, label_map=None,
                 one_hot: int | None = None, channels_first: bool = False, channel_order: str | None = None,
                 preprocess: str | None = None, resize: str | None = None, crop: str | None = None, transpose: bool = False,
                 label_column: str | int | None = None, shard: tuple[int, int] | None = None, context: Context | None = None):
        self._context, self._path = context or default_context(), path
        options = Options(lib.dataset_options_new, lib.dataset_options_free, self._context)
        if shape is not None:
            options.set(lib.dataset_options_set_shape, len(shape), (c_int64 * max(len(shape), 1))(*shape))
        options.set(lib.dataset_options_set_preprocess, preprocess and encode(preprocess))
        options.set(lib.dataset_options_set_scale, scale)
        if mean is not None or std is not None:
            channels, means, deviations = _per_channel(mean, std)
            options.set(lib.dataset_options_set_channel_normalization, channels, means, deviations)
        options.set(lib.dataset_options_set_channel_order, channel_order and encode(channel_order))
        options.set(lib.dataset_options_set_resize, resize and encode(resize))
        options.set(lib.dataset_options_set_crop, crop and encode(crop))
        options.set(lib.dataset_options_set_transpose, int(transpose))
        options.set(lib.dataset_options_set_label_column, None if label_column is None else encode(str(label_column)))
        if shard is not None:
            number, count = shard
            options.set(lib.dataset_options_set_shard, number, count)
        options.set(lib.dataset_options_set_labels_file, labels and encode_path(labels))
        options.set(lib.dataset_options_set_label_map, label_map and encode_path(label_map))
        options.set(lib.dataset_options_set_one_hot, one_hot)
        options.set(lib.dataset_options_set_channels_first, int(channels_first))
        self._handle = make(lib.dataset_open, lib.dataset_free, self._context.handle, context=self._context.handle,
                            path=encode_path(path), options=options.handle)

    @property
    def count(self) -> int | None:
        """Examples in all; None when the file must be read to know."""
        count = lib.dataset_count(self.handle)
        return None if count < 0 else count

    @property
    def position(self) -> int:
        """The number of the example that comes next, counted over the whole data set also in a shard."""
        return lib.dataset_position(self.handle)

    def file(self, row: int) -> str | None:
        """The file of an example, where each has its own (images)."""
        path = lib.dataset_example_file(self.handle, row)
        return None if path is None else os.fsdecode(path)

    def class_name(self, label: int) -> str | None:
        """The name of a class: of its folder, or in the label map."""
        name = lib.dataset_class_name(self.handle, label)
        return None if name is None else text(name)

    def next(self, batch: int):
        """(images float32 (n, *shape), labels int64 (n,)) of the next `batch` examples; None at the end."""
        images, labels = c_void_p(), c_void_p()
        call(lib.dataset_next, dataset=self.handle, batch=batch, images=byref(images), labels=byref(labels))
        if not images.value:
            return None
        owners = [Handle(pointer.value, lib.tensor_unref, self._context.handle) for pointer in (images, labels)]
        return tuple(map(to_array, owners))

    def rewind(self) -> None:
        """Back to the first example."""
        call(lib.dataset_rewind, dataset=self.handle)

    def batches(self, batch: int = 32):
        """(images, labels) from the first example to the last; the last batch may be smaller."""
        self.rewind()
        return iter(lambda: self.next(batch), None)

    def __iter__(self):
        """(image, label) one by one."""
        return ((images[0], int(labels[0])) for images, labels in self.batches(1))

    def __repr__(self) -> str:
        state = f"{self.count or 'unknown number of'} examples" if self._handle else "closed"
        return f"<cnnfreeze.Dataset {str(self._path)!r}: {state}>"


class Mistake(NamedTuple):
    """One of the worst: the row of the data set, its label, what the graph took it for, and how sure it was."""
    row: int
    label: int
    guess: int
    confidence: float


class Metrics:
    """Accuracy and what stands behind it, collected batch by batch. One thread per object, then merge().

    classes  how many; worst: how many of the most confident mistakes are kept. Can be pickled.
    """

    def __init__(self, classes: int, worst: int = 0, context: Context | None = None):
        self._context = context or default_context()
        self._handle = make(lib.metrics_new, lib.metrics_free, self._context.handle, context=self._context.handle,
                            classes=classes, worst=worst)

    @property
    def handle(self) -> Handle:
        return self._handle

    def add(self, predictions, labels, first_row: int = 0) -> None:
        """Adds a batch: predictions (n, classes), labels (n) in 0 .. classes-1; first_row is the first example's index.

        MismatchError, InvalidError; nothing is added then.
        """
        call(lib.metrics_add, metrics=self.handle, predictions=to_tensor(predictions, self._context, _FLOAT, "predictions"),
             labels=to_tensor(labels, self._context, _INT64, "labels"), first_row=first_row)

    def merge(self, other: Metrics) -> Metrics:
        """Adds what `other` holds; gives itself. InvalidError or MismatchError for another number of classes."""
        call(lib.metrics_merge, metrics=self.handle, other=other.handle)
        return self

    def __iadd__(self, other: Metrics) -> Metrics:
        return self.merge(other)

    def save(self) -> bytes:
        """The state, for Metrics.restore() in another process."""
        return take_bytes(lib.metrics_save, metrics=self.handle)

    @classmethod
    def restore(cls, data: bytes, context: Context | None = None) -> Metrics:
        """From what save() gave. CorruptError."""
        metrics = cls.__new__(cls)
        metrics._context = context or default_context()
        metrics._handle = make(lib.metrics_restore, lib.metrics_free, metrics._context.handle, context=metrics._context.handle,
                               data=bytes(data), size=len(data))
        return metrics

    def __reduce__(self):
        return Metrics.restore, (self.save(),)

    @property
    def classes(self) -> int:
        return lib.metrics_classes(self.handle)

    @property
    def count(self) -> int:
        """Examples seen."""
        return lib.metrics_count(self.handle)

    @property
    def correct(self) -> int:
        """Examples whose largest prediction (the first of equals) is the label."""
        return lib.metrics_correct(self.handle)

    @property
    def accuracy(self) -> float:
        """correct / count; 0 when empty."""
        return lib.metrics_accuracy(self.handle)

    @property
    def loss(self) -> float:
        """Mean cross entropy, clipped as Keras does."""
        return lib.metrics_loss(self.handle)

    def topk(self, k: int) -> float:
        """Share of examples whose label is among the k largest. ValueError outside 1 .. classes."""
        if not 1 <= k <= self.classes:
            raise ValueError(f"k is in 1 .. {self.classes}, not {k}")
        return lib.metrics_topk(self.handle, k)

    def _label(self, label):
        if not 0 <= label < self.classes:
            raise ValueError(f"a label is in 0 .. {self.classes - 1}, not {label}")
        return label

    def precision(self, label: int) -> float:
        return lib.metrics_precision(self.handle, self._label(label))

    def recall(self, label: int) -> float:
        return lib.metrics_recall(self.handle, self._label(label))

    def f1(self, label: int) -> float:
        return lib.metrics_f1(self.handle, self._label(label))

    @property
    def confusion(self) -> list[list[int]]:
        """[label][guess]: how many examples."""
        classes = range(self.classes)
        return [[lib.metrics_confusion(self.handle, label, guess) for guess in classes] for label in classes]

    @property
    def worst(self) -> list[Mistake]:
        """The worst mistakes kept, the most confident first."""
        return [self._worst(index) for index in range(lib.metrics_worst_count(self.handle))]

    def _worst(self, index):
        row, label, guess, confidence = c_int64(), c_int64(), c_int64(), c_double()
        call(lib.metrics_worst, metrics=self.handle, index=index, row=byref(row), label=byref(label), guess=byref(guess),
             confidence=byref(confidence))
        return Mistake(row.value, label.value, guess.value, confidence.value)

    def __repr__(self) -> str:
        return f"<cnnfreeze.Metrics: {self.correct} of {self.count} right, accuracy {self.accuracy:.4f}, loss {self.loss:.4f}>"


class Report(Owner):
    """One file that shows what an evaluation found, of one graph or of two (include/cnnfreeze/report.h).

    classes      of the examples
    pictures     of the most confident mistakes, and of the examples that the two graphs take for different classes
    title        the heading
    class_names  a list from class 0, or {class: name}
    facts        {"Data set": "digits_test.csv"}: lines below the heading

    Given to evaluate(report=...), once or twice; or filled by begin(), add() and end(). One thread at a time.
    """

    def __init__(self, classes: int, pictures: int = 24, *, title: str | None = None, class_names=None, facts=None,
                 context: Context | None = None):
        self._context = context or default_context()
        self._handle = make(lib.report_new, lib.report_free, self._context.handle, context=self._context.handle,
                            classes=classes, pictures=pictures)
        if title is not None:
            call(lib.report_set_title, report=self.handle, title=encode(title))
        names = class_names or {}
        for label, name in names.items() if hasattr(names, "items") else enumerate(names):
            call(lib.report_set_class_name, report=self.handle, label=label, name=encode(name))
        for name, value in (facts or {}).items():
            self.add_fact(name, value)

    def add_fact(self, name: str, value) -> None:
        call(lib.report_add_fact, report=self.handle, name=encode(name), value=encode(str(value)))

    def begin(self, name: str) -> None:
        """The run of a graph, the first or the second."""
        call(lib.report_begin, report=self.handle, name=encode(name))

    def add(self, images, predictions, labels, first_row: int = 0) -> None:
        """A batch of the run; images (n, H, W, C), (n, H, W) or None: no pictures."""
        call(lib.report_add, report=self.handle,
             images=None if images is None else to_tensor(images, self._context, _FLOAT, "images"),
             predictions=to_tensor(predictions, self._context, _FLOAT, "predictions"),
             labels=to_tensor(labels, self._context, _INT64, "labels"), first_row=first_row)

    def end(self, seconds: float = 0.0) -> None:
        """The run took so many seconds; 0: not known."""
        call(lib.report_end, report=self.handle, seconds=seconds)

    @property
    def differing(self) -> int:
        """Examples that the two graphs take for different classes."""
        return lib.report_differing(self.handle)

    def html(self) -> str:
        """The page."""
        return take_text(lib.report_write, report=self.handle, format=report_format("html"))

    def json(self) -> dict:
        """The same numbers (docs/report.schema.json)."""
        return json.loads(take_text(lib.report_write, report=self.handle, format=report_format("json")))

    def write(self, path) -> None:
        """The page, or the numbers where the name ends in .json."""
        form = "json" if str(path).lower().endswith(".json") else "html"
        data = take_bytes(lib.report_write, report=self.handle, format=report_format(form))
        with open(path, "wb") as file:
            file.write(data)

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html())}" width="100%" height="800"></iframe>'


def _count_classes(evaluator, graph, input_node, output_node):
    """The last axis of the output for one example of zeros."""
    import numpy as np
    shape = graph.input_shape(input_node)[1:]
    if None in shape:
        raise ValueError("give the number of classes: the input's shape is not known")
    return int(evaluator.run({input_node: np.zeros([1, *shape])}, output_node).shape[-1])


def _open_dataset(graph, dataset, input_node, options):
    if isinstance(dataset, Dataset):
        if options:
            raise TypeError("options of the data set are given where it is opened")
        return dataset
    try:
        shape = graph.input_shape(input_node)[1:]
    except ValueError:
        shape = []
    if "shape" not in options and shape and None not in shape:
        options["shape"] = shape
    return Dataset(dataset, context=graph._context, **options)


def evaluate(graph: Graph, dataset, classes: int | None = None, input_node: str | None = None, output_node: str | None = None,
             batch: int = 32, full_batches_only: bool = False, threads: int = 0, *, worst: int = 0,
             metrics: Metrics | None = None, progress: Progress | None = None, backend: str = "auto",
             report: Report | None = None, name: str = "graph", **options) -> dict:
    """{"images", "correct", "accuracy", "loss", "confusion", "metrics"} of a graph on a data set.

    dataset            a path, with options of Dataset (scale=, labels=, ...); or a Dataset, from where it stands
    classes            default: the output's last axis
    input_node, output_node  default: the graph's first ones (ValueError when they are not clear)
    full_batches_only  leaves a last partial batch out
    worst              most confident mistakes kept: metrics.worst
    metrics            what the examples are added to; after Ctrl-C or a stop by `progress` it holds what was done
    report             a Report, which takes the run under `name`; call again with another graph to compare
    progress           function(images done, of how many or None); a true result stops with CancelledError
    """
    inputs = [input_node] if input_node else graph.inputs
    if not inputs:
        raise ValueError("the graph has no inputs: name the input_node")
    input_node = inputs[0]
    output_node = output_node or outputs_or_fail(graph.handle, graph._outputs)[0]
    evaluator = graph.evaluator(threads, backend)
    if metrics is None:
        metrics = Metrics(classes or _count_classes(evaluator, graph, input_node, output_node), worst, graph._context)
    data = _open_dataset(graph, dataset, input_node, options)

    def work(tell):
        hook = Hook("cnnf_progress_fn", tell)
        with hook.raising():
            options = Options(lib.evaluate_options_new, lib.evaluate_options_free, graph._context)
            options.set(lib.evaluate_options_set_input, encode(input_node))
            options.set(lib.evaluate_options_set_output, encode(output_node))
            options.set(lib.evaluate_options_set_batch, batch)
            options.set(lib.evaluate_options_set_full_batches_only, int(full_batches_only))
            options.set(lib.evaluate_options_set_progress, hook.native, None)
            options.set(lib.evaluate_options_set_report, report and report.handle)
            call(lib.evaluate_dataset, metrics=metrics.handle, evaluator=evaluator.handle, dataset=data.handle,
                 options=options.handle)
    start = time.monotonic()
    if report:
        report.begin(name)
    try:
        interruptible(work, evaluator.cancel, progress)
    finally:
        if report:
            report.end(time.monotonic() - start)
    return {"images": metrics.count, "correct": metrics.correct, "accuracy": metrics.accuracy, "loss": metrics.loss,
            "confusion": metrics.confusion, "metrics": metrics}


class Comparison:
    """What compare_numbers() found."""

    def __init__(self, handle: Handle):
        self._handle = handle

    @property
    def within(self) -> bool:
        """Whether every output is within the tolerance; the truth value of the object too."""
        return bool(lib.comparison_within(self._handle))

    def __bool__(self) -> bool:
        return self.within

    @property
    def max_abs(self) -> float:
        """Largest |a - b| over the outputs; infinite when shapes differ, or one has a NaN where the other has none."""
        return lib.comparison_max_abs(self._handle)

    @property
    def max_rel(self) -> float:
        """The same relative to the largest number of each tensor."""
        return lib.comparison_max_rel(self._handle)

    @property
    def first(self) -> str | None:
        """The first common tensor, in the order of execution, beyond the tolerance."""
        name = lib.comparison_first(self._handle)
        return None if name is None else text(name)

    @property
    def count(self) -> int:
        """Tensors compared."""
        return lib.comparison_count(self._handle)

    def report(self, format: str = "text"):
        """As "text", or "json" (a dict)."""
        words = take_text(lib.comparison_report, comparison=self._handle, format=report_format(format))
        return json.loads(words) if format == "json" else words

    def __repr__(self) -> str:
        return f"<cnnfreeze.Comparison: {'within' if self.within else 'beyond'} the tolerance, {self.max_abs:g} apart at most>"


def compare_numbers(a: Graph, b: Graph, feeds=None, outputs=(), *, runs: int = 1, seed: int = 1, batch: int = 2,
                    tolerance: float = 1e-5, inside: bool = True) -> Comparison:
    """Runs both graphs on the same inputs and holds their outputs, and the tensors inside, against each other.

    feeds      {input: array}; inputs without one are random (`runs` times, from `seed`), unknown first axes are `batch`
    outputs    names, or pairs (in a, in b); default: the outputs of `a`
    tolerance  of an error relative to the largest number of a tensor
    inside     whether tensors that both graphs have by name are compared too

    NotFoundError (a name), InvalidError (an input's shape is not known: feed it), and what Evaluator.run() raises.
    """
    options = Options(lib.comparison_options_new, lib.comparison_options_free, a._context)
    options.set(lib.comparison_options_set_random, runs, seed)
    options.set(lib.comparison_options_set_batch, batch)
    options.set(lib.comparison_options_set_tolerance, tolerance)
    options.set(lib.comparison_options_set_inside, int(inside))
    for name, value in dict(feeds or {}).items():
        tensor = to_tensor(value, a._context, dtype_number(a.handle, name), f"feed {name!r}")
        options.set(lib.comparison_options_add_feed, encode(name), tensor)
    for pair in listed(outputs):
        first, second = (pair, None) if isinstance(pair, (str, bytes)) else pair
        options.set(lib.comparison_options_add_output, encode(first), second and encode(second))
    return Comparison(make(lib.compare_numbers, lib.comparison_free, a._context.handle, a=a.handle, b=b.handle,
                           options=options.handle))
