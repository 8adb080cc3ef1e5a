# SPDX-License-Identifier: Apache-2.0
"""The shared library: found, compared by its ABI number, its functions bound at their first use and called by name."""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import byref, c_void_p
from typing import TypeVar

from ._prototypes import signature
from .errors import error_of

ABI_VERSION = 0
# ctypes would take other numbers modulo the type's size.
_RANGES = {ctypes.c_int32: (-2**31, 2**31 - 1), ctypes.c_int64: (-2**63, 2**63 - 1), ctypes.c_uint64: (0, 2**64 - 1),
           ctypes.c_size_t: (0, 2**64 - 1)}
_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _candidates():
    """CNNFREEZE_LIBRARY alone when it is set; else the one inside the package (a wheel's), else the system's of this ABI."""
    named = os.environ.get("CNNFREEZE_LIBRARY")
    if named:
        return [named]
    inside = os.path.join(_FOLDER, "lib", f"libcnnfreeze.so.{ABI_VERSION}")
    return [inside] * os.path.exists(inside) + [f"libcnnfreeze.so.{ABI_VERSION}"]


def _open():
    problems = []
    for name in _candidates():
        try:
            return ctypes.CDLL(name), name
        except OSError as problem:
            problems.append(str(problem))
    source = "CNNFREEZE_LIBRARY" if os.environ.get("CNNFREEZE_LIBRARY") else "libcnnfreeze was not found"
    raise ImportError(f"{source}: {'; '.join(problems)}")


def _require_abi(native, path):
    """Before anything else is bound (docs/abi.md): another number means other arguments behind the same names."""
    try:
        function = native.cnnf_abi_version
    except AttributeError:
        raise ImportError(f"{path} is not libcnnfreeze: it has no cnnf_abi_version") from None
    function.restype, function.argtypes = ctypes.c_uint32, []
    if function() != ABI_VERSION:
        raise ImportError(f"{path} has ABI {function()}, this package is for {ABI_VERSION}")


class Library:
    """The functions as attributes without cnnf_; each knows the names of its parameters."""

    def __init__(self):
        self._native, self.path = _open()
        _require_abi(self._native, self.path)

    def __getattr__(self, name):
        result, types, names = signature(name)
        try:
            function = self._native["cnnf_" + name]
        except AttributeError:
            raise ImportError(f"{self.path} has no cnnf_{name}: it is older than this package") from None
        function.restype, function.argtypes = result, types
        function.has_error = names[-1:] == ["error"]
        function.names = names[:-1] if function.has_error else names
        function.ranges = [(place, *_RANGES[kind]) for place, kind in enumerate(types) if kind in _RANGES]
        setattr(self, name, function)
        return function


lib = Library()


def text(raw: bytes | None) -> str:
    """UTF-8 of the library."""
    return (raw or b"").decode("utf-8", "replace")


def _error(status, handle, function, arguments):
    code = text(lib.status_name(status))
    message = text(lib.error_message(handle)) if handle else ""
    if not message or message == code:
        shown = ", ".join(repr(a) for a in arguments if isinstance(a, (int, float, str, bytes)))
        message = f"{function.__name__}({shown}): {code}"
    if not handle:
        return error_of(code, message)
    return error_of(code, message, text(lib.error_where(handle)), text(lib.error_node(handle)), lib.error_offset(handle))


def call(function, /, *arguments, **named):
    """Calls a function that gives a status, its arguments in order or by the headers' names; raises Error on failure."""
    rest = function.names[len(arguments):]
    if len(rest) != len(named) or not named.keys() >= set(rest):
        raise TypeError(f"{function.__name__} takes {function.names}")
    values = [*arguments, *[named[name] for name in rest]]
    for place, least, most in function.ranges:
        if isinstance(values[place], int) and not least <= values[place] <= most:
            raise ValueError(f"{function.__name__}: {function.names[place]} is in {least} .. {most}, not {values[place]}")
    handle = lib.error_new() if function.has_error else None
    try:
        status = function(*values, handle) if function.has_error else function(*values)
        if status:
            raise _error(status, handle, function, values)
    finally:
        if handle:
            lib.error_free(handle)


class Handle:
    """Owns one reference, given back when nothing uses it any more, at interpreter shutdown too.

    An argument of a call as it is: the call then keeps it alive, whatever other threads do meanwhile.
    """

    __slots__ = ("_as_parameter_", "_release", "keep")

    def __init__(self, pointer, release, keep=None):
        self._as_parameter_, self._release, self.keep = pointer, release, keep

    def __del__(self):
        pointer, self._as_parameter_ = getattr(self, "_as_parameter_", None), None
        if pointer:
            self._release(pointer)


class Owner:
    """An object with a handle, given back at the latest when it is collected; a context manager closes it."""

    _handle: Handle | None = None
    _Self = TypeVar("_Self", bound="Owner")

    @property
    def handle(self) -> Handle:
        if not self._handle:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._handle

    def close(self) -> None:
        """Gives memory, files and threads back, when no other object and no call under way uses them."""
        self._handle = None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make(function, release, keep=None, /, **named) -> Handle:
    """A new object of a function with the out-parameter `out`; `keep` lives as long as it does (a context's log)."""
    out = c_void_p()
    call(function, out=byref(out), **named)
    return Handle(out.value, release, keep)


class Options:
    """Options of one call; settings that are None stay at the library's default."""

    def __init__(self, new, free, context):
        self.handle = make(new, free, context, context=context.handle)

    def set(self, setter, *values):
        if values[0] is not None:
            call(setter, self.handle, *values)


_REPORTS = {"text": 0, "json": 1, "dot": 2, "html": 3, "svg": 4, "gtt": 5}


def report_format(name: str) -> int:
    """CNNF_REPORT_*; ValueError."""
    if name not in _REPORTS:
        raise ValueError(f"format {name!r}: it is one of {', '.join(_REPORTS)}")
    return _REPORTS[name]


def take_text(function, /, **named) -> str:
    """The text of a function that gives a new buffer as `out`."""
    return take_bytes(function, **named).decode("utf-8", "replace")


def take_bytes(function, /, **named) -> bytes:
    return buffer_bytes(make(function, lib.buffer_free, **named))


def buffer_bytes(buffer: Handle) -> bytes:
    return ctypes.string_at(lib.buffer_data(buffer), lib.buffer_size(buffer))


def _whole(raw: bytes) -> bytes:
    if b"\0" in raw:
        raise ValueError(f"a zero byte inside {raw!r}")
    return raw


def encode_path(path) -> bytes:
    """A path (str, bytes, os.PathLike) as bytes; a zero byte would cut it short."""
    return _whole(os.fsencode(path))


def encode(name) -> bytes:
    """A name as UTF-8."""
    if isinstance(name, str):
        name = name.encode()
    if not isinstance(name, bytes):
        raise TypeError(f"a name is a str, not {type(name).__name__}")
    return _whole(name)


def listed(names) -> list:
    """One name or several: a str is one name, not its letters."""
    return [] if names is None else [names] if isinstance(names, (str, bytes)) else list(names)


def version() -> str:
    """The library's version, "0.1.0"."""
    return text(lib.version_string())
