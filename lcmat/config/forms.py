"""Whether a value has the form that `lcmat.config.arguments` describes: shapes, dtypes, intervals and words."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from re import sub
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

from lcmat.config.annotations import NUMBERS, described, is_of, type_name

if TYPE_CHECKING:
    from torch import Tensor

PARTS: dict[Any, Mapping[str, str]] = {}
"""Structures of tensors, and the forms of their parts."""

WITHIN = ContextVar("within a checked call", default=False)
"""Whether values of tensors have been looked at by the outermost call."""

_KINDS = ("float", "full", "double", "real", "any", "all", "int", "bool")
_FINITE = ("float", "full", "double", "real")
_DTYPES = {"int": "int64", "bool": "bool", "real": "a real dtype", "full": "float32 or float64", "double": "float64"}


@dataclass
class Call:
    """The arguments of one call under way: the sizes and the dtype that they must share."""

    sizes: dict[str, int] = field(default_factory=dict)
    dtype: tuple[str, Any] | None = None

    def check(self, name: str, value: Any, kinds: tuple[Any, ...], form: str | None) -> None:
        """Refuse a value that is of none of the kinds, or not of the form.

        Raises:
            ValueError: it is not; with the argument's name.
        """
        kind = next((kind for kind in kinds if is_of(kind, value)), None)
        if kind is None:
            raise ValueError(f"{name} must be {type_name(kinds)}, got {described(value)}{_conversion(kinds, value)}")
        if form == "type":
            return
        if kind in PARTS:
            for part, own in PARTS[kind].items():
                self.check(f"{name}.{part}", getattr(value, part), (tensor_type(),), _renamed(own, form or "n"))
        elif kind in NUMBERS:
            self._check_number(name, value, kind, form)
        elif form in _WORDS and value is not None:
            _WORDS[form](name, value)
        elif form is not None and kind is tensor_type():
            self._check_tensor(name, value, form)
        elif form is not None and value is not None and isinstance(value, Sequence):
            for number, each in enumerate(value):
                self._check_tensor(f"{name}[{number}]", each, form)

    def _check_number(self, name: str, value: Any, kind: Any, form: str | None) -> None:
        opening, low, high, closing = _interval(form or "(-inf, inf)")
        least, most = (float(self.sizes[end]) if end in self.sizes else float(end) for end in (low, high))
        above = least < value or (opening == "[" and least == value)
        if isinstance(value, int) and abs(value) >= 2**64:
            raise ValueError(f"{name} must be a number of at most 64 bits, got {shortened(value)}")
        if isinstance(value, float) and math.isinf(value * value) and not math.isinf(value):
            raise ValueError(f"{name} must be a number whose square is finite, got {value:g}")
        if not above or not (value < most or (closing == "]" and value == most)):
            sort = "whole " if kind is int else "finite " if closing == ")" and most == math.inf else ""
            words = f"a {sort}number{_range(opening, least, most, closing)}"
            raise ValueError(f"{name} must be {words}, got {shortened(value)}")
        if kind is int:
            self.sizes[name] = int(value)

    def _check_tensor(self, name: str, value: "Tensor", form: str) -> None:
        kind, dimensions = _parsed(form)
        self._check_dtype(name, value, kind.partition("<")[0])
        self._check_shape(name, value, dimensions)
        if not WITHIN.get():
            self._check_values(name, value, kind)

    def _check_dtype(self, name: str, value: "Tensor", kind: str) -> None:
        if not _is_dense(value.layout) or value.is_meta or value.is_quantized or not _is_sort(kind, value.dtype):
            wanted = _DTYPES.get(kind, "a floating dtype")
            raise ValueError(f"{name} must be a dense tensor of {wanted}, got {described(value)}: convert it")
        if kind in ("float", "full", "double"):
            first, dtype = self.dtype or (name, value.dtype)
            if dtype != value.dtype:
                raise ValueError(f"{first} and {name} must share a float dtype, got {dtype} and {value.dtype}")
            self.dtype = (first, dtype)

    def _check_shape(self, name: str, value: "Tensor", dimensions: list[str]) -> None:
        wanted, shape = dimensions, tuple(value.shape)
        if "..." in dimensions:
            place = dimensions.index("...")
            wanted = dimensions[:place] + dimensions[place + 1 :]
            shape = shape[:place] + shape[max(place, len(shape) - len(dimensions) + place + 1) :]
        before = self.sizes.copy()
        if len(shape) == len(wanted) and all(map(self._fits, wanted, shape)):
            return
        parts = [_dimension(each) for each in wanted]
        known = [f"the same {letter} = {before[letter]}" for letter, _, _ in parts if letter in before]
        least = [f"{letter} at least {n}" for letter, n, _ in parts if n]
        where = f" with {', '.join(known + least)}" if known or least else ""
        form = ", ".join(dimensions).replace("+", "") + ("," if len(dimensions) == 1 else "")
        raise ValueError(f"{name} must be ({form}){where}, got {tuple(value.shape)}")

    def _fits(self, dimension: str, size: int) -> bool:
        letter, least, fixed = _dimension(dimension)
        if letter is None:
            return fixed is None or size == fixed
        return size >= least and size == self.sizes.setdefault(letter, size)

    def _check_values(self, name: str, value: "Tensor", kind: str) -> None:
        kind, _, bound = kind.partition("<")
        if kind in _FINITE and value.is_floating_point() and not _has_norm(value):
            if not bool(value.isfinite().all()):
                raise ValueError(f"{name} must be finite numbers, and contain NaN or infinity: did a training diverge?")
            raise ValueError(f"{name} must be numbers the sum of whose squares is finite: scale them, or give float64")
        if bound and value.numel():
            high = self.sizes[bound] if bound in self.sizes else int(bound)
            low, top = int(value.min()), int(value.max())
            if low < 0 or top >= high:
                raise ValueError(f"{name} must lie in 0 .. {high - 1}, got {low} .. {top}")


@cache
def tensor_type() -> Any:
    """torch's, imported when it is asked for."""
    from torch import Tensor

    return Tensor


def _has_norm(value: "Tensor") -> bool:
    """Whether the sum of squares is finite, and so every number; of half precision, for which sums are wider, those."""
    if value.element_size() <= 2:
        return bool(value.isfinite().all())
    return math.isfinite(float(value.detach().norm()))


@cache
def _is_dense(layout: Any) -> bool:
    return str(layout) == "torch.strided"


@cache
def _is_sort(kind: str, dtype: Any) -> bool:
    """Whether a dtype is of a kind of tensor."""
    sort = str(dtype).removeprefix("torch.")
    fits = {
        "full": sort in ("float32", "float64"),
        "double": sort == "float64",
        "real": not dtype.is_complex,
        "all": True,
        "int": sort == "int64",
        "bool": sort == "bool",
    }
    return fits.get(kind, bool(dtype.is_floating_point))


@cache
def _dimension(text: str) -> tuple[str | None, int, int | None]:
    """The letter of a dimension and its least size; or no letter, and its size if that is fixed."""
    letter = text.rstrip("+")
    if letter.isdigit() or letter == "_":
        return None, 0, int(letter) if letter != "_" else None
    return letter, max(text.count("+"), int(letter in ("height", "width"))), None


@cache
def _renamed(form: str, size: str) -> str:
    """A form with another letter, or other words, for n."""
    return sub(r"\bn\b", size, form)


def _check_device(name: str, value: str) -> None:
    import torch

    try:
        torch.empty(0, device=value)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"{name} must be a device of this machine, such as 'cpu', got {value!r} ({error})") from error


def _check_path(name: str, value: Any) -> None:
    if not Path(value).name or "\0" in str(value):
        raise ValueError(f"{name} must be the path of a file, got {str(value)!r}")


_WORDS: Mapping[str | None, Callable[[str, Any], None]] = {"device": _check_device, "path": _check_path}


@cache
def _parsed(form: str) -> tuple[str, list[str]]:
    words = form.split()
    return (words[0], words[1:]) if words and words[0].partition("<")[0] in _KINDS else ("float", words)


@cache
def _interval(form: str) -> tuple[str, str, str, str]:
    low, _, high = form[1:-1].partition(", ")
    return form[0], low, high, form[-1]


def _range(opening: str, low: float, high: float, closing: str) -> str:
    if math.inf in (-low, high):
        upper = f" < {high:g}" if high < math.inf else ""
        return (f" {'>=' if opening == '[' else '>'} {low:g}" if low > -math.inf else "") + upper
    return f" in {opening}{low:g}, {high:g}{closing}"


def _conversion(kinds: tuple[Any, ...], value: Any) -> str:
    convertible = tensor_type() in kinds and (hasattr(value, "__array__") or isinstance(value, list | tuple))
    return ": convert it with torch.as_tensor" if convertible else ""
