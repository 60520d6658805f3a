"""Checking the keyword arguments of a method against its signature, so that a wrong one is named and nothing runs."""

from collections.abc import Mapping
from typing import Any

from lcmat.config.annotations import alternatives, is_of, type_name
from lcmat.config.base import recognised
from lcmat.config.registry import Method


def check_keywords(name: str, method: Method, arguments: Mapping[str, Any]) -> None:
    """Refuse options that the method does not have or cannot use, and a call without the evidence it needs.

    Args:
        name: of the method.
        method: its entry in the registry.
        arguments: the keyword arguments of the call, options and evidence.

    Raises:
        ValueError: the message names the argument and what would do.
    """
    kinds = method.kinds
    known = {**method.options, **dict.fromkeys(method.evidence)}
    for keyword, value in arguments.items():
        recognised(keyword, f"option of method {name!r}", known)
        if keyword in method.options and not any(is_of(kind, value) for kind in alternatives(kinds[keyword])):
            wanted = type_name(alternatives(kinds[keyword]))
            raise ValueError(f"{keyword} of method {name!r} must be {wanted}, got {value!r}")
    for keyword in method.evidence:
        if not isinstance(arguments.get(keyword), kinds[keyword]):
            form = kinds[keyword].__name__
            raise ValueError(
                f"method {name!r} needs {keyword}=, a {form}: see lcmat.selection.METHODS[{name!r}].function"
            )
