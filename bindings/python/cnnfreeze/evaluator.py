# SPDX-License-Identifier: Apache-2.0
"""Graph and arrays to arrays."""
from __future__ import annotations

import json
import time
from ctypes import c_char_p, c_void_p

from . import _reading
from ._arrays import to_array, to_tensor
from ._interrupt import interruptible
from ._library import Handle, Options, Owner, call, encode, lib, listed, make, take_text, text

# Below this a run is over before anybody misses Ctrl-C, and a thread of its own would cost more than it does.
_SHORT_SECONDS = 0.01
_MOST_SHORT = 100


class Evaluator(Owner):
    """Runs one graph; its plans and threads are kept, so keep it to run often. Many threads may run it at once.

    threads        the caller's included; 0 = as many as processors
    backend        "auto", "portable" or "onednn" (NotFoundError where it is not built in)
    isa            instruction set: "auto", "sse2", "avx2", "avx512", on ARM "neon"; UnsupportedError where the processor lacks it
    deterministic  the last bits never depend on the number of threads

    After a fork the child makes a new one (InvalidError otherwise; Graph.predict() does by itself).
    """

    def __init__(self, graph, threads: int = 0, backend: str = "auto", deterministic: bool = False, isa: str = "auto"):
        self._context, self._graph, self._default_outputs = graph._context, graph.handle, graph._outputs
        options = Options(lib.evaluator_options_new, lib.evaluator_options_free, self._context)
        options.set(lib.evaluator_options_set_threads, threads)
        options.set(lib.evaluator_options_set_backend, encode(backend))
        options.set(lib.evaluator_options_set_isa, encode(isa))
        options.set(lib.evaluator_options_set_deterministic, int(deterministic))
        self._handle = make(lib.evaluator_new, lib.evaluator_free, self._context.handle, graph=self._graph,
                            options=options.handle)
        self._dtypes: dict[str, int] = {}
        self._short: set[tuple] = set()
        self._outputs: list[str] | None = None

    @property
    def graph(self):
        from .graph import Graph
        return Graph(self._graph, self._context, self._default_outputs)

    @property
    def backend(self) -> str:
        """The backend in use: "portable" or "onednn"."""
        return text(lib.evaluator_backend(self.handle))

    def cancel(self) -> None:
        """Ends the runs under way with CancelledError; from any thread."""
        lib.evaluator_cancel(self.handle)

    def _named(self, feeds):
        """{name: value}; anything else is the value of the only input."""
        if hasattr(feeds, "items"):
            return dict(feeds)
        inputs = _reading.inputs(self._graph)
        if len(inputs) != 1:
            raise ValueError(f"the graph has {len(inputs)} inputs: give {{name: array}} of {', '.join(inputs)}")
        return {inputs[0]: feeds}

    def _dtype(self, name):
        if name not in self._dtypes:
            self._dtypes[name] = _reading.dtype_number(self._graph, name)
        return self._dtypes[name]

    def _default_fetches(self):
        if self._outputs is None:
            self._outputs = _reading.outputs_or_fail(self._graph, self._default_outputs)
        return self._outputs

    def _request(self, feeds, fetches):
        """(the arguments that a run and its description share, the tensors they point at, what tells plans apart)"""
        feeds = self._named(feeds)
        fetches = listed(fetches) or self._default_fetches()
        tensors = [to_tensor(value, self._context, self._dtype(name), f"feed {name!r}") for name, value in feeds.items()]
        arguments = dict(
            evaluator=self.handle, feed_names=(c_char_p * (len(feeds) + 1))(*map(encode, feeds)),
            feeds=(c_void_p * (len(feeds) + 1))(*[t._as_parameter_ for t in tensors]), feed_count=len(feeds),
            fetch_names=(c_char_p * (len(fetches) + 1))(*map(encode, fetches)), fetch_count=len(fetches))
        sizes = tuple(lib.tensor_element_count(t) for t in tensors)
        return arguments, tensors, (tuple(feeds), sizes, tuple(fetches))

    def _timed(self, arguments, key):
        begin = time.perf_counter()
        call(lib.evaluator_run, **arguments)
        if time.perf_counter() - begin > _SHORT_SECONDS or len(self._short) > _MOST_SHORT:
            self._short.clear()
        else:
            self._short.add(key)

    def run(self, feeds, fetches=None):
        """The arrays of `fetches`, in their order; the array alone when `fetches` is one name.

        feeds    {name: array, or what numpy makes one of}, or the array of the only input. Numbers are taken as the
                 placeholder's dtype where that changes none (floats are rounded); TypeError and ValueError otherwise.
        fetches  names ("node", "node:1"); default: the graph's outputs (Graph.outputs), ValueError when they are not clear

        NotFoundError (a name), MismatchError (a shape), UnsupportedError (an op), LimitError, CancelledError. Ctrl-C on the
        main thread stops it after the op under way.
        """
        arguments, tensors, key = self._request(feeds, fetches)
        count = arguments["fetch_count"]
        arguments["outputs"] = results = (c_void_p * count)()
        if key in self._short:
            self._timed(arguments, key)
        else:
            interruptible(lambda report: self._timed(arguments, key), self.cancel)
        owners = [Handle(pointer, lib.tensor_unref, self._context.handle) for pointer in results]
        arrays = [to_array(owner) for owner in owners]
        return arrays[0] if isinstance(fetches, (str, bytes)) else arrays

    def describe(self, feeds, fetches=None) -> dict:
        """How a run with feeds of these shapes is done: arena_bytes, and per step its node, op, backend, algorithm, shape."""
        arguments, tensors, _ = self._request(feeds, fetches)
        return json.loads(take_text(lib.evaluator_describe, **arguments))

    def __repr__(self) -> str:
        return f"<cnnfreeze.Evaluator: {self.backend if self._handle else 'closed'}>"


def ops() -> list[str]:
    """The ops the evaluator knows, sorted."""
    return [text(lib.op_name(i)) for i in range(lib.op_count())]
