# SPDX-License-Identifier: Apache-2.0
"""A frozen graph to what Vitis AI's quantizer makes of it for the DPU."""
from __future__ import annotations

import json
from ctypes import c_char_p, c_void_p
from typing import Callable

from ._arrays import to_tensor
from ._interrupt import progress_hook
from ._library import Options, Owner, call, encode, lib, listed, make, take_text, text

_FLOAT = 1


def quantizer_options() -> dict[str, tuple[int, str]]:
    """{name: (default, description)} of what Quantizer takes, by the names of the tool's flags."""
    return {text(lib.quantizer_option_name(i)): (lib.quantizer_option_default(i), text(lib.quantizer_option_description(i)))
            for i in range(lib.quantizer_option_count())}


class Quantizer(Owner):
    """Calibrates a frozen graph batch by batch; then finish() and deploy() give the graphs of the DPU's tools.

    inputs, outputs  nodes to feed and to fetch; default: the graph's
    options          as quantizer_options() lists them: method=1, align_pool=0, as_vai_q=0 ...

    One thread at a time. NotFoundError (a name, an option), InvalidError (a value), UnsupportedError.
    """

    def __init__(self, graph, inputs=(), outputs=(), **options: int):
        self._context, self._graph = graph._context, graph
        chosen = Options(lib.quantizer_options_new, lib.quantizer_options_free, self._context)
        for name, value in options.items():
            call(lib.quantizer_options_set, options=chosen.handle, name=encode(name), value=int(value))
        for name in listed(inputs):
            call(lib.quantizer_options_add_input, options=chosen.handle, name=encode(name))
        for name in listed(outputs) or graph._outputs or ():
            call(lib.quantizer_options_add_output, options=chosen.handle, name=encode(name))
        self._handle = make(lib.quantizer_new, lib.quantizer_free, self._context.handle, graph=graph.handle,
                            options=chosen.handle)

    @property
    def inputs(self) -> list[str]:
        """What is fed."""
        return [text(lib.quantizer_input_name(self.handle, i)) for i in range(lib.quantizer_input_count(self.handle))]

    @property
    def outputs(self) -> list[str]:
        """For each output the node of the quantized graph that gives it."""
        return [text(lib.quantizer_output_name(self.handle, i)) for i in range(lib.quantizer_output_count(self.handle))]

    def feed(self, batch) -> None:
        """Calibrates with one batch: {name: array}, or the array of the only input."""
        feeds = dict(batch) if hasattr(batch, "items") else {self.inputs[0]: batch}
        tensors = [to_tensor(value, self._context, _FLOAT, f"feed {name!r}") for name, value in feeds.items()]
        call(lib.quantizer_feed, quantizer=self.handle, names=(c_char_p * (len(feeds) + 1))(*map(encode, feeds)),
             tensors=(c_void_p * (len(feeds) + 1))(*[t._as_parameter_ for t in tensors]), count=len(feeds))

    def feed_dataset(self, dataset, batch: int = 32, batches: int = 0,
                     progress: Callable[[int, int | None], object] | None = None) -> None:
        """Calibrates with the next `batches` (0: all) of a Dataset, for a graph with one input."""
        hook = progress_hook(progress)
        with hook.raising():
            call(lib.quantizer_feed_dataset, quantizer=self.handle, dataset=dataset.handle, batch=batch, batches=batches,
                 progress=hook.native, user=None)

    def finish(self):
        """The Graph with FixNeuron nodes at their positions: quantize_eval_model.pb."""
        handle = make(lib.quantizer_finish, lib.graph_unref, self._context.handle, quantizer=self.handle)
        return self._graph._with(handle, self.outputs)

    def deploy(self):
        """What the tool's older converter makes of it: deploy_model.pb. UnsupportedError."""
        handle = make(lib.quantizer_deploy, lib.graph_unref, self._context.handle, quantizer=self.handle)
        return self._graph._with(handle, None)

    def report(self) -> dict:
        """Positions, ranges, saturated shares, signal-to-noise ratios, notes: quantize_info.json."""
        return json.loads(take_text(lib.quantizer_report, quantizer=self.handle, json=1))

    def __str__(self) -> str:
        return take_text(lib.quantizer_report, quantizer=self.handle, json=0) if self._handle else repr(self)

    def __repr__(self) -> str:
        return f"<cnnfreeze.Quantizer: {', '.join(self.inputs) if self._handle else 'closed'}>"
