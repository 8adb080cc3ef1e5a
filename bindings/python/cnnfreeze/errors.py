# SPDX-License-Identifier: Apache-2.0
"""The library's failures as exceptions: each is a cnnfreeze.Error, and what Python itself calls such a failure."""
from __future__ import annotations

import errno


class Error(Exception):
    """A failure of the library.

    code     "CORRUPT", "IO", ... (include/cnnfreeze/status.h)
    message  one line: file, format, place, what
    where    the file it is about, or ""
    node     the graph node, layer or tensor, or ""
    offset   the byte in the file, -1 when there is none
    """

    def __init__(self, message: str, code: str = "UNKNOWN", where: str = "", node: str = "", offset: int = -1):
        super().__init__(message)
        self.message, self.code, self.where, self.node, self.offset = message, code, where, node, offset

    def __str__(self) -> str:
        return self.message

    # Exception's own rule would call the class with `args` alone, in a process pool's parent too, which then hangs.
    def __reduce__(self):
        return type(self), (self.message, self.code, self.where, self.node, self.offset)


class InvalidError(Error, ValueError):
    """INVALID: an argument is wrong."""


class FileError(Error, OSError):
    """IO: the operating system refused, or a file changed while in use. `errno` and `filename` are set where known."""

    def __init__(self, message, code="IO", where="", node="", offset=-1):
        super().__init__(message, code, where, node, offset)
        self.filename = where or None
        self.errno = next((number for text, (number, _) in _SYSTEM.items() if message.endswith(text)), None)


class MissingFileError(FileError, FileNotFoundError):
    """A file that is not there."""


class NoPermissionError(FileError, PermissionError):
    """A file that may not be opened or made."""


class FolderError(FileError, IsADirectoryError):
    """A folder where a file is needed."""


class NoFolderError(FileError, NotADirectoryError):
    """A file where a folder is needed."""


class FormatError(Error, ValueError):
    """FORMAT: the file is of another kind; the message says which."""


class CorruptError(Error, ValueError):
    """CORRUPT: the file is of the right kind and damaged."""


class UnsupportedError(Error, NotImplementedError):
    """UNSUPPORTED: valid, but outside what the library does; the message names the layer, op or feature."""


class LimitError(Error, ValueError):
    """LIMIT: a limit of the context (cnnfreeze.Context) was reached; the message names it."""


class NotFoundError(Error, LookupError):
    """NOT_FOUND: there is nothing of that name; the message offers the nearest ones."""


class MismatchError(Error, ValueError):
    """MISMATCH: two things that must fit do not: shapes, dtypes, a checkpoint and its graph."""


class CancelledError(Error):
    """CANCELLED: a progress function or Evaluator.cancel() asked to stop."""


class OutOfMemoryError(Error, MemoryError):
    """NOMEM: the allocator refused."""


class InternalError(Error, RuntimeError):
    """INTERNAL: a defect of the library. Please report it with the message."""


_CLASSES = {"NOMEM": OutOfMemoryError, "INVALID": InvalidError, "IO": FileError, "FORMAT": FormatError, "CORRUPT": CorruptError,
            "UNSUPPORTED": UnsupportedError, "LIMIT": LimitError, "NOT_FOUND": NotFoundError, "MISMATCH": MismatchError,
            "CANCELLED": CancelledError, "INTERNAL": InternalError}
# The library's own words for errno (lib/base/os.c), which no locale changes.
_SYSTEM = {"No such file or directory": (errno.ENOENT, MissingFileError), "Permission denied": (errno.EACCES, NoPermissionError),
           "Operation not permitted": (errno.EPERM, NoPermissionError), "Is a directory": (errno.EISDIR, FolderError),
           "Not a directory": (errno.ENOTDIR, NoFolderError), "No space left on device": (errno.ENOSPC, FileError),
           "Read-only file system": (errno.EROFS, FileError), "File name too long": (errno.ENAMETOOLONG, FileError),
           "File exists": (errno.EEXIST, FileError), "Too many open files": (errno.EMFILE, FileError),
           "Input/output error": (errno.EIO, FileError)}


def error_of(code: str, message: str, where: str = "", node: str = "", offset: int = -1) -> Error:
    """The exception for a status, of the class that says most."""
    kind = _CLASSES.get(code, Error)
    if kind is FileError:
        kind = next((known for text, (_, known) in _SYSTEM.items() if message.endswith(text)), FileError)
    return kind(message, code, where, node, offset)
