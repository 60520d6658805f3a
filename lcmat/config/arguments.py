"""The one place where arguments of public functions are checked: against annotations, shapes and ranges.

A function says what it takes once, in its signature and in the line above it::

    @checked(features="n d", labels="int<c n", rho="[0, inf)")

Annotations give the types.  To a tensor belongs its shape, a letter for each dimension: the same letter is the same
size throughout a call, ``n+`` is at least 1, ``n++`` at least 2, ``height`` and ``width`` are at least 1, ``_`` is any
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
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_type_hints

from lcmat.config.annotations import alternatives, plain
from lcmat.config.forms import PARTS, WITHIN, Call, tensor_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

FORMS: dict[Callable[..., Any], Mapping[str, str]] = {}
"""The checked functions and the forms of their arguments."""


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
    PARTS[structure] = forms


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
    kinds, call = _alternatives_of(owner), Call()
    for name, value in arguments.items():
        if name in kinds:
            call.check(name, value, kinds[name], forms.get(name))


def check_tensors(tensors: Mapping[str, "Tensor"], forms: Iterable[str]) -> None:
    """Check tensors by name that belong together, whether or not a call is under way."""
    call, token = Call(), WITHIN.set(False)
    try:
        for (name, value), form in zip(tensors.items(), forms, strict=True):
            call.check(name, value, (tensor_type(),), form)
    finally:
        WITHIN.reset(token)


@contextmanager
def _nested() -> "Iterator[None]":
    token = WITHIN.set(True)
    try:
        yield
    finally:
        WITHIN.reset(token)


@cache
def _alternatives_of(owner: Any) -> dict[str, tuple[Any, ...]]:
    names = getattr(owner, "__globals__", None) or vars(sys.modules[owner.__module__])
    return {name: alternatives(kind) for name, kind in get_type_hints(owner, names, _Lenient(names)).items()}


class _Lenient(dict[str, Any]):
    """What an annotation may name: also what only a type checker imports, which then may be anything."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        return tensor_type() if name == "Tensor" else Any
