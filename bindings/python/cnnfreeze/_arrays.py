# SPDX-License-Identifier: Apache-2.0
"""numpy arrays to tensors of the library and back."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int64, c_size_t

from ._library import Handle, call, encode_path, lib, make, text
from ._prototypes import callback
from .context import Context, default_context

_STRING, _BFLOAT16, _E5M2, _E4M3FN = 7, 14, 24, 25
# TensorFlow's dtype numbers and numpy's names. Quantized types are their integers; 4-bit ones have a byte each.
_NUMPY_NAMES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 8: "complex64", 9: "int64", 10: "bool",
                11: "int8", 12: "uint8", 13: "int32", 15: "int16", 16: "uint16", 17: "uint16", 18: "complex128", 19: "float16",
                22: "uint32", 23: "uint64", 29: "int8", 30: "uint8"}
_NUMBERS = {name: number for number, name in reversed(list(_NUMPY_NAMES.items()))}
# Floats that numpy lacks: (dtype of their bits, bits of the mantissa, bias of the exponent).
_SMALL_FLOATS = {_BFLOAT16: ("uint16", 7, 127), _E5M2: ("uint8", 2, 15), _E4M3FN: ("uint8", 3, 7)}
# NULL: the library copies the bytes.
_NO_RELEASE = callback("cnnf_release_fn")()
# Arrays of the package ml_dtypes, whose bits are taken as they are.
_ML_DTYPES = {"bfloat16": _BFLOAT16, "float8_e5m2": _E5M2, "float8_e4m3fn": _E4M3FN}


def numpy():
    try:
        import numpy as np
    except ImportError:
        raise ImportError("cnnfreeze needs numpy for arrays: pip install numpy") from None
    return np


def _widen(bits, number):
    """float32 of small floats, exactly."""
    np = numpy()
    if number == _BFLOAT16:
        return (bits.astype(np.uint32) << 16).view(np.float32)
    _, mantissa_bits, bias = _SMALL_FLOATS[number]
    sign = np.where(bits >> 7, np.float32(-1), np.float32(1))
    exponent = ((bits >> mantissa_bits) & (0x7F >> mantissa_bits)).astype(np.int32)
    mantissa = (bits & ((1 << mantissa_bits) - 1)).astype(np.float32) / np.float32(1 << mantissa_bits)
    value = np.ldexp(np.where(exponent > 0, 1 + mantissa, mantissa).astype(np.float32), np.maximum(exponent, 1) - bias)
    if number == _E5M2:
        value = np.where(exponent == 31, np.where(mantissa > 0, np.float32("nan"), np.float32("inf")), value)
    else:
        value = np.where((bits & 0x7F) == 0x7F, np.float32("nan"), value)
    return (sign * value).astype(np.float32)


def _narrow_to_bfloat16(array):
    """The nearest bfloat16, ties to even, as TensorFlow's cast; NaN stays NaN."""
    np = numpy()
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).reshape(array.shape)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.asarray(np.where(np.isnan(array), 0x7FC0, rounded), np.uint16)


def _same_numbers(array, converted):
    """Whether a conversion to integers lost nothing; to floats: made no infinity."""
    np = numpy()
    if converted.dtype.kind in "iu":
        # Through Python's integers where uint64 meets a sign: numpy would compare in float64.
        kinds, most = array.dtype.kind + converted.dtype.kind, np.iinfo(converted.dtype).max
        if kinds == "ui" and array.size and int(array.max()) > most or kinds == "iu" and array.size and int(array.min()) < 0:
            return False
        return bool((converted.astype(array.dtype) == array).all())
    return array.dtype.kind not in "fc" or bool((np.isfinite(converted) == np.isfinite(array)).all())


def _convert(array, name, what):
    """As the dtype that is asked for: floats to floats, whole numbers to any that hold them, as numpy's same_kind does."""
    np = numpy()
    wanted = np.dtype(name)
    # Also the way from a foreign byte order and from strides; 0-d stays 0-d.
    if array.dtype == wanted or array.dtype.newbyteorder("=") == wanted:
        return np.asarray(array, wanted, order="C")
    integers = array.dtype.kind in "iub" and wanted.kind in "iu"
    if not integers and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise TypeError(f"{what}: an array of {array.dtype} is not one of {wanted}")
    with np.errstate(over="ignore"):
        converted = np.asarray(array.astype(wanted), order="C")
    if not _same_numbers(array, converted):
        raise ValueError(f"{what}: numbers of {array.dtype} that {wanted} cannot hold")
    return converted


def _as_stored(value, number, what):
    """(array of the stored bits, dtype number) of anything numpy takes; `number` 0: the array's own dtype."""
    np = numpy()
    array = np.asarray(value)
    number = number or _ML_DTYPES.get(array.dtype.name) or _NUMBERS.get(array.dtype.name, 0)
    if number in _SMALL_FLOATS:
        bits = np.dtype(_SMALL_FLOATS[number][0])
        if _ML_DTYPES.get(array.dtype.name) == number:
            return np.ascontiguousarray(array).view(bits).reshape(array.shape), number
        if number == _BFLOAT16:
            return _narrow_to_bfloat16(_convert(array, "float32", what)), number
    if number not in _NUMPY_NAMES or array.dtype.kind not in "biufc":
        raise TypeError(f"{what}: an array of {array.dtype} cannot be taken as {text(lib.dtype_name(number))}"
                        if number else f"{what}: arrays of {array.dtype} are not supported")
    return _convert(array, _NUMPY_NAMES[number], what), number


def to_tensor(value, context: Context, number: int = 0, what: str = "array") -> Handle:
    """A tensor with a copy of the numbers. TypeError for another kind of number, ValueError for those that would change."""
    array, number = _as_stored(value, number, what)
    dims = (c_int64 * max(array.ndim, 1))(*array.shape)
    return make(lib.tensor_wrap, lib.tensor_unref, context.handle, context=context.handle, dtype=number, rank=array.ndim,
                dims=dims, data=array.ctypes.data, size=array.nbytes, release=_NO_RELEASE, user=None)


def _strings(tensor, shape):
    np = numpy()
    data, size = c_char_p(), c_size_t()
    array = np.empty(shape, object)
    flat = array.reshape(-1)
    for index in range(array.size):
        call(lib.tensor_string, tensor=tensor, index=index, data=byref(data), size=byref(size))
        flat[index] = ctypes.string_at(data, size.value) if size.value else b""
    return array if array.ndim else flat.reshape(())


def to_array(pointer):
    """An array of its own with the numbers of a tensor (Handle or borrowed pointer), its checksum compared.

    bfloat16 and float8 come as float32, exactly; strings as objects of type bytes. TypeError for resources and variants.
    """
    np = numpy()
    tensor = make(lib.tensor_load, lib.tensor_unref, pointer, tensor=pointer)
    number = lib.tensor_dtype(tensor)
    shape = tuple(lib.tensor_dim(tensor, axis) for axis in range(lib.tensor_rank(tensor)))
    if number == _STRING:
        return _strings(tensor, shape)
    if number not in _NUMPY_NAMES and number not in _SMALL_FLOATS:
        raise TypeError(f"a tensor of {text(lib.dtype_name(number))} has no numbers")
    array = np.empty(shape, _SMALL_FLOATS[number][0] if number in _SMALL_FLOATS else _NUMPY_NAMES[number])
    if array.nbytes:
        ctypes.memmove(array.ctypes.data, lib.tensor_data(tensor), array.nbytes)
    if number in _SMALL_FLOATS:
        return _widen(array, number)
    # A file may hold any byte where numpy wants 0 or 1.
    return array.view(np.uint8) != 0 if array.dtype == bool else array


def load_npy(path, context: Context | None = None):
    """The array of a file of numpy.save(), plain or .gz, within the limits of the context; nothing in it is unpickled."""
    context = context or default_context()
    return to_array(make(lib.npy_load, lib.tensor_unref, context=context.handle, path=encode_path(path)))


def save_npy(path, array, context: Context | None = None) -> None:
    """Writes an array as numpy.save() does; the file appears whole or not at all."""
    call(lib.npy_save, tensor=to_tensor(array, context or default_context()), path=encode_path(path))
