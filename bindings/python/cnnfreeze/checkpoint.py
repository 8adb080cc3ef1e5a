# SPDX-License-Identifier: Apache-2.0
"""The tensors of a TensorFlow checkpoint."""
from __future__ import annotations

import contextlib
from collections.abc import Mapping

from ._arrays import to_array
from ._library import Owner, call, encode, encode_path, lib, make, text
from .context import Context, default_context
from .errors import MissingFileError, NotFoundError


@contextlib.contextmanager
def missing_files():
    """For calls whose NOT_FOUND is a file of a checkpoint."""
    try:
        yield
    except NotFoundError as error:
        raise MissingFileError(error.message, error.code, error.where, error.node, error.offset) from None


class Checkpoint(Owner, Mapping):
    """{name: array} of a checkpoint: keys(), items(), `in`, len(); an array is read, and its checksum compared, when asked for.

    path: a prefix ("run/model.ckpt"), a folder or its `checkpoint` file (the latest one), or any member file. V1, V2 and
    object-based checkpoints. MissingFileError (FileNotFoundError), FormatError, CorruptError. Safe for many threads; as a
    context manager its files are closed at the end.
    """

    def __init__(self, path, context: Context | None = None):
        self._context = context or default_context()
        self._path = path
        with missing_files():
            self._handle = make(lib.checkpoint_open, lib.checkpoint_unref, self._context.handle, context=self._context.handle,
                                path=encode_path(path))

    def __len__(self) -> int:
        return lib.checkpoint_count(self.handle)

    def __iter__(self):
        return (text(lib.checkpoint_name(self.handle, i)) for i in range(len(self)))

    def __contains__(self, name) -> bool:
        return isinstance(name, (str, bytes)) and lib.checkpoint_find(self.handle, encode(name)) >= 0

    def _tensor(self, name):
        """(the tensor, borrowed; the checkpoint that it lives in, which another thread may close meanwhile)"""
        handle = self.handle
        index = lib.checkpoint_find(handle, encode(name))
        if index < 0:
            raise KeyError(name)
        return lib.checkpoint_tensor(handle, index), handle

    def __getitem__(self, name: str):
        """The array; KeyError, CorruptError (its checksum)."""
        tensor, _lender = self._tensor(name)
        return to_array(tensor)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, not reading it."""
        tensor, _lender = self._tensor(name)
        return tuple(lib.tensor_dim(tensor, axis) for axis in range(lib.tensor_rank(tensor)))

    def dtype(self, name: str) -> str:
        """TensorFlow's name of its element type: "float", "bfloat16", "string"."""
        tensor, _lender = self._tensor(name)
        return text(lib.dtype_name(lib.tensor_dtype(tensor)))

    def verify(self) -> None:
        """Reads every tensor and compares its checksum. CorruptError names the first that does not fit."""
        for index in range(len(self)):
            call(lib.checkpoint_verify, checkpoint=self.handle, index=index)

    @property
    def version(self) -> int:
        """1, 2, or 3 for an object-based checkpoint."""
        return lib.checkpoint_version(self.handle)

    def __repr__(self) -> str:
        state = f"{len(self)} tensors" if self._handle else "closed"
        return f"<cnnfreeze.Checkpoint {str(self._path)!r}: {state}>"
