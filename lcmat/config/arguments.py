"""The one place where arguments of public functions are checked: against annotations, shapes and ranges.

A function says what it takes once, in its signature and in the line above it::

    @checked(features="n d", labels="int<c n", rho="[0, inf)")

Annotations give the types.  To a tensor belongs its shape, a letter for each dimension: the same letter is the same
size throughout a call, ``n+`` is at least 1, ``n++`` at least 2, ``_`` is any
size, ``...`` stands for any further dimensions.  Of several tensors each has the form.  A kind may precede it:

    float   a floating dtype, the same for all such tensors of a call, without NaN and infinity (the default)
    full    likewise, float32 or float64; ``double`` float64 alone
    real    any real dtype, without NaN and infinity
    any     a floating dtype, whatever its values
    all     any dtype, whatever its values
    int     int64; ``int<c`` from 0 up to below the size c, ``int<7`` below 7
    bool    truth values

To a number belongs an interval, whose ends are numbers, letters or earlier whole numbers.  A float is never NaN, and
infinite only where the interval includes infinity.  To a text may belong the word ``device`` or ``path``.  The values
of tensors are looked at in the outermost call alone: what is computed within may diverge.
"""

import builtins
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from re import sub
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_type_hints

from lcmat.config.annotations import NUMBERS, alternatives, described, is_of, plain, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

FORMS: dict[Callable[..., Any], Mapping[str, str]] = {}
"""The checked functions and the forms of their arguments."""

_PARTS: dict[Any, Mapping[str, str]] = {}
_KINDS = ("float", "full", "double", "real", "any", "all", "int", "bool")
_FINITE = ("float", "full", "double", "real")
_DTYPES = {"int": "int64", "bool": "bool", "real": "a real dtype", "full": "float32 or float64", "double": "float64"}
_WITHIN = ContextVar("within a checked call", default=False)


def checked(**forms: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function check its arguments before it runs.

    Args:
        forms: what an annotation cannot say of an argument, by its name; see above.

    Returns:
        A decorator.  The function then raises a ValueError that names the argument, what it must be, and what it is.

    >>> @checked(share="(0, 1]")
    ... def half(share: float) -> float:
    ...     return share / 2
    >>> half(3)
    Traceback (most recent call last):
    ValueError: share must be a number in (0, 1], got 3
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.arguments.update({name: plain(value) for name, value in bound.arguments.items()})
            check_arguments(function, bound.arguments, forms)
            with _nested():
                return function(*bound.args, **bound.kwargs)

        FORMS[call] = forms
        return call

    return decorated


def made_of(structure: type, **forms: str) -> None:
    """Say of which tensors a class is made, so that they are checked wherever it is an argument.

    Args:
        structure: the class.
        forms: of its attributes; their letters mean the same as in the call.  The form of an argument of this class is
            another letter for their n.
    """
    _PARTS[structure] = forms


def check_fields(instance: Any, **forms: str) -> None:
    """Check the fields of a dataclass, as `checked` does arguments; without a form the type alone.  Before its use."""
    check_arguments(type(instance), vars(instance), dict.fromkeys(vars(instance), "type") | forms)


def check_arguments(owner: Any, arguments: Mapping[str, Any], forms: Mapping[str, str]) -> None:
    """Check values by name against the annotations of what they are given to.

    Args:
        owner: a function or a class.
        arguments: name -> value.
        forms: name -> form, as for `checked`.

    Raises:
        ValueError: the first that is wrong, by name.
    """
    kinds, call = _alternatives_of(owner), _Call()
    for name, value in arguments.items():
        if name in kinds:
            call.check(name, value, kinds[name], forms.get(name))


def check_tensors(tensors: Mapping[str, "Tensor"], forms: Iterable[str]) -> None:
    """Check tensors by name that belong together, whether or not a call is under way."""
    call, token = _Call(), _WITHIN.set(False)
    try:
        for (name, value), form in zip(tensors.items(), forms, strict=True):
            call.check(name, value, (_tensor(),), form)
    finally:
        _WITHIN.reset(token)


class _Call:
    """The arguments of one call under way: the sizes and the dtype that they must share."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.dtype: tuple[str, Any] | None = None

    def check(self, name: str, value: Any, kinds: tuple[Any, ...], form: str | None) -> None:
        kind = next((kind for kind in kinds if is_of(kind, value)), None)
        if kind is None:
            raise ValueError(f"{name} must be {type_name(kinds)}, got {described(value)}{_conversion(kinds, value)}")
        if form == "type":
            return
        if kind in _PARTS:
            for part, own in _PARTS[kind].items():
                self.check(f"{name}.{part}", getattr(value, part), (_tensor(),), sub(r"\bn\b", form or "n", own))
        elif kind in NUMBERS:
            self._check_number(name, value, kind, form)
        elif form in _WORDS and value is not None:
            _WORDS[form](name, value)
        elif form is not None and kind is _tensor():
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
        if not _WITHIN.get():
            self._check_values(name, value, kind)

    def _check_dtype(self, name: str, value: "Tensor", kind: str) -> None:
        sort, floating = str(value.dtype).removeprefix("torch."), value.is_floating_point()
        fits = {
            "full": sort in ("float32", "float64"),
            "double": sort == "float64",
            "real": not value.is_complex(),
            "all": True,
            "int": sort == "int64",
            "bool": sort == "bool",
        }
        unusual = str(value.layout) != "torch.strided" or value.is_meta or value.is_quantized
        if unusual or not fits.get(kind, floating):
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
        if len(shape) == len(wanted) and all(map(self._fits, wanted, shape)):
            return
        letters = [each.rstrip("+") for each in wanted]
        known = [f"the same {letter} = {self.sizes[letter]}" for letter in letters if letter in self.sizes]
        least = [f"{each.rstrip('+')} at least {each.count('+')}" for each in wanted if "+" in each]
        where = f" with {', '.join(known + least)}" if known or least else ""
        form = ", ".join(dimensions).replace("+", "") + ("," if len(dimensions) == 1 else "")
        raise ValueError(f"{name} must be ({form}){where}, got {tuple(value.shape)}")

    def _fits(self, dimension: str, size: int) -> bool:
        letter = dimension.rstrip("+")
        if letter.isdigit() or letter == "_":
            return letter == "_" or size == int(letter)
        return size >= dimension.count("+") and size == self.sizes.setdefault(letter, size)

    def _check_values(self, name: str, value: "Tensor", kind: str) -> None:
        kind, _, bound = kind.partition("<")
        if kind in _FINITE and value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} must be finite numbers, and contain NaN or infinity: did a training diverge?")
        if bound and value.numel():
            high = self.sizes[bound] if bound in self.sizes else int(bound)
            low, top = int(value.min()), int(value.max())
            if low < 0 or top >= high:
                raise ValueError(f"{name} must lie in 0 .. {high - 1}, got {low} .. {top}")


@contextmanager
def _nested() -> "Iterator[None]":
    token = _WITHIN.set(True)
    try:
        yield
    finally:
        _WITHIN.reset(token)


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
def _alternatives_of(owner: Any) -> dict[str, tuple[Any, ...]]:
    names = getattr(owner, "__globals__", None) or vars(sys.modules[owner.__module__])
    return {name: alternatives(kind) for name, kind in get_type_hints(owner, names, _Lenient(names)).items()}


class _Lenient(dict[str, Any]):
    """What an annotation may name: also what only a type checker imports, which then may be anything."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        return _tensor() if name == "Tensor" else Any


@cache
def _tensor() -> Any:
    from torch import Tensor

    return Tensor


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
    convertible = _tensor() in kinds and (hasattr(value, "__array__") or isinstance(value, list | tuple))
    return ": convert it with torch.as_tensor" if convertible else ""
