# SPDX-License-Identifier: Apache-2.0
"""Limits and the log: what every other object is made in."""
from __future__ import annotations

import logging
from typing import Callable, Mapping

from ._library import Options, call, encode_path, lib, make, text
from ._prototypes import callback

_LEVELS = {0: logging.DEBUG, 1: logging.INFO, 2: logging.WARNING}
_log = logging.getLogger("cnnfreeze")
_log.addHandler(logging.NullHandler())


def _to_logging(level: int, message: str) -> None:
    _log.log(level, "%s", message)


def limit_names() -> list[str]:
    """The limits a context has, as messages name them: "max_file_bytes", "max_memory", ..."""
    found: list[str] = []
    while text(lib.limit_name(len(found))) != "unknown":
        found.append(text(lib.limit_name(len(found))))
    return found


class _ContextOptions(Options):
    """The one kind of options that exists before a context does."""

    def __init__(self):
        self.handle = make(lib.context_options_new, lib.context_options_free)


class Context:
    """Limits, and where messages go. Immutable; may be used from many threads.

    untrusted  the limits for files from strangers: 256 MiB files, 1 GiB memory, 100,000 nodes, depth 32
    limits     {name of limit_names(): value}, on top of it
    log        function(level, message), level a number of the module logging; default: the logger "cnnfreeze"
    temporary_folder  where files without a name go that are too large for memory; default: the library's

    ValueError for an unknown limit.
    """

    def __init__(self, untrusted: bool = False, limits: Mapping[str, int] | None = None,
                 log: Callable[[int, str], None] | None = None, temporary_folder=None):
        options, names = _ContextOptions(), limit_names()
        if untrusted:
            call(lib.context_options_set_untrusted, options.handle)
        for name, value in dict(limits or {}).items():
            if name not in names:
                raise ValueError(f"no limit {name!r}; there are {', '.join(names)}")
            options.set(lib.context_options_set_limit, names.index(name), value)
        options.set(lib.context_options_set_temporary_folder, temporary_folder and encode_path(temporary_folder))
        log = log or _to_logging
        # Kept by every object made in the context, which may log as long as it lives.
        self._log = callback("cnnf_log_fn")(lambda level, message, user: log(_LEVELS.get(level, logging.WARNING), text(message)))
        call(lib.context_options_set_log, options=options.handle, log_fn=self._log, min_level=0, user=None)
        self.handle = make(lib.context_new, lib.context_unref, self._log, options=options.handle)

    @property
    def limits(self) -> dict[str, int]:
        """The limits in force."""
        return {name: lib.context_limit(self.handle, number) for number, name in enumerate(limit_names())}

    def memory(self, peak: bool = False) -> int:
        """Bytes that the objects of the context hold now; the most they ever held with `peak`."""
        return lib.context_memory(self.handle, int(peak))

    def __repr__(self) -> str:
        return f"<cnnfreeze.Context: {self.memory()} bytes held>"


_default: Context | None = None


def default_context() -> Context:
    """The context of every call that is given none; made at first use."""
    global _default
    if _default is None:
        _default = Context()
    return _default
