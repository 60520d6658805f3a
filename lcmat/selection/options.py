"""Checking the keyword arguments of a method against its signature, so that a wrong one is named and nothing runs."""

import numbers
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lcmat.config.base import recognised
from lcmat.config.registry import Method

_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "None"}
_NUMBERS = {int: numbers.Integral, float: numbers.Real}


def check_keywords(name: str, method: Method, arguments: Mapping[str, Any]) -> None:
    """Refuse options that the method does not have or cannot use, and a call without the evidence it needs.

    Args:
        name: of the method.
        method: its entry in the registry.
        arguments: the keyword arguments of the call, options and evidence.

    Raises:
        ValueError: the message names the argument and what would do.
    """
    kinds = get_type_hints(method.function)
    known = {**method.options, **dict.fromkeys(method.evidence)}
    for keyword, value in arguments.items():
        recognised(keyword, f"option of method {name!r}", known)
        if keyword in method.options and not any(_is_of(kind, value) for kind in _alternatives(kinds[keyword])):
            wanted = " or ".join(map(_type_name, _alternatives(kinds[keyword])))
            raise ValueError(f"{keyword} of method {name!r} must be {wanted}, got {value!r}")
    for keyword in method.evidence:
        if not isinstance(arguments.get(keyword), kinds[keyword]):
            form = kinds[keyword].__name__
            raise ValueError(
                f"method {name!r} needs {keyword}=, a {form}: see lcmat.selection.METHODS[{name!r}].function"
            )


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _is_of(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    return isinstance(value, kind)


def _type_name(kind: Any) -> str:
    return " or ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else _TYPE_NAMES[kind]
