"""Annotations as a check at run time: whether a value is of a type, and types and values in words."""

import numbers
from collections.abc import Iterable, Mapping, Sequence
from reprlib import repr as shortened
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

NUMBERS = {int: numbers.Integral, float: numbers.Real}
_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "None", str: "a text"}


def is_of(kind: Any, value: Any) -> bool:
    """Whether a value is what an annotation without alternatives says.

    >>> is_of(float, 1), is_of(int, True), is_of(list[str], ["a"]), is_of(Literal["a"], "b")
    (True, False, True, False)
    """
    if kind is Any or isinstance(kind, TypeVar):
        return True
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind]) and not isinstance(value, bool)
    if isinstance(kind, type):
        return isinstance(value, kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in parts)
    if origin is None or not isinstance(value, origin):
        return origin is None
    if issubclass(origin, Mapping):
        return all(
            _is_any(alternatives(parts[0]), key) and _is_any(alternatives(parts[1]), value[key]) for key in value
        )
    if not issubclass(origin, Sequence):
        return True
    if isinstance(value, str):
        return False
    if origin is tuple and ... not in parts:
        return len(value) == len(parts) and all(map(_is_any, map(alternatives, parts), value))
    return all(_is_any(alternatives(parts[0]), each) for each in value)


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of which an annotation allows one.

    >>> alternatives(int | None)
    (<class 'int'>, <class 'NoneType'>)
    """
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def type_name(kinds: Iterable[Any]) -> str:
    """Types in words.

    >>> type_name((int, None.__class__)), type_name((Literal["a", "b"],))
    ('a whole number or None', "'a' or 'b'")
    """
    return " or ".join(map(_name_of, kinds))


def plain(value: Any) -> Any:
    """A number of numpy as one of Python, which all of torch takes; anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value


def described(value: Any) -> str:
    """What a value is, in a few words, for an error."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        kind = "tensor" if type(value).__module__.startswith("torch") else f"{type(value).__module__} array"
        return f"a {kind} of {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return shortened(value)


def _is_any(kinds: tuple[Any, ...], value: Any) -> bool:
    return any(is_of(kind, value) for kind in kinds)


def _name_of(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is not None and get_origin(kind) not in (Union, UnionType):
        base = get_origin(kind).__name__
        inner = [part for part in get_args(kind) if part is not ...]
        return "a function" if base == "Callable" else f"a {base} of {' and '.join(map(_name_of, inner))}"
    return _TYPE_NAMES.get(kind) or f"a {getattr(kind, '__name__', kind)}"
