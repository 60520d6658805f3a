"""Numbers as other libraries hold them, as tensors: nothing is cut down, and what cannot be meant is refused."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcmat.config.annotations import described

ELEMENTS_PER_PART = 1 << 22  # looked at together; the rest of a memory-mapped file stays where it is


def as_tensor(name: str, values: Any) -> Tensor:
    """Real numbers or truth values as a tensor, in their dtype, without a copy where that is possible.

    Args:
        name: of the argument, for errors.
        values: a tensor, an array (of a file mapped into memory, too), a column of pandas, numbers in lists, or a list
            of tensors of one shape.

    Raises:
        ValueError: they are something else.

    >>> as_tensor("labels", [1, 2])
    tensor([1, 2])
    """
    if isinstance(values, Sequence) and len(values) and all(isinstance(each, Tensor) for each in values):
        shapes = {tuple(each.shape) for each in values}
        if len(shapes) > 1:
            raise ValueError(f"{name} must be numbers in rows of one length, got tensors of {sorted(shapes)[:2]}")
        values = torch.stack(list(values))
    tensor = values.detach() if isinstance(values, Tensor) else _from_numpy(name, values)
    if tensor.is_complex() or tensor.is_quantized or tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(f"{name} must be real numbers in a dense tensor or array, got {described(values)}")
    return tensor


def whole_numbers(name: str, values: Any) -> Tensor:
    """Whole numbers as an int64 tensor.

    Args:
        name: of the argument, for errors.
        values: as for `as_tensor`, of any dtype of integers; floating-point numbers are refused even where they are
            whole, for nothing tells whether they were meant to be.

    Raises:
        ValueError: they are something else.

    >>> whole_numbers("labels", [2.0])
    Traceback (most recent call last):
    ValueError: labels must be whole numbers, not torch.float64 (1,): convert them, once they are whole, with .long()
    """
    tensor = torch.empty(0, dtype=torch.int64) if isinstance(values, Sequence) and not len(values) else None
    tensor = as_tensor(name, values) if tensor is None else tensor
    if tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise ValueError(
            f"{name} must be whole numbers, not {tensor.dtype} {tuple(tensor.shape)}: convert them, once they are "
            "whole, with .long()"
        )
    return tensor.to(torch.int64)


def check_finite(name: str, values: Tensor) -> None:
    """Refuse NaN and infinity, without a copy of the whole.

    Raises:
        ValueError: there is one.
    """
    rows = max(1, ELEMENTS_PER_PART // max(1, values[:1].numel()))
    if values.is_floating_point() and not all(bool(part.isfinite().all()) for part in values.split(rows)):
        raise ValueError(f"{name} contain NaN or infinity: did the network's training diverge?")


def _from_numpy(name: str, values: Any) -> Tensor:
    """The tensor of anything that numpy takes for numbers."""
    try:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be numbers in rows of one length, got {described(values)} ({error})") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers, got {described(values)} ({array.dtype}): convert them before")
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must be below 2^63, got {array.max()}")
    array = array.astype(_NATIVE.get(array.dtype.str[1:], array.dtype.newbyteorder("=")), copy=False)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # it is not written to
        return torch.from_numpy(array)


_NATIVE = {"f16": np.float64, "f12": np.float64, "u2": np.int64, "u4": np.int64, "u8": np.int64}
"""Dtypes of numpy that torch does not have, or not fully."""
