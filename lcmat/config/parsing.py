"""Reading parameters from a command line or a notebook, and saying what they may be."""

import math
import re
from collections.abc import Iterable
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from lcmat.config.base import Experiment, ParameterError, nearest
from lcmat.config.defaults import Values
from lcmat.config.experiments import EXPERIMENTS

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def parse(experiment: str, values: Values) -> Experiment:
    """Parameters from Python values or from strings as they come from a command line.

    Args:
        experiment: a key of `EXPERIMENTS`.
        values: name -> value; a string given for a number or a truth value is read as one.

    Raises:
        ParameterError: a name or value is not acceptable; the message says what would be.

    >>> parse("selection", {"fraction": "1e-2"}).fraction
    0.01
    >>> parse("selection", {"fracton": "0.1"})
    Traceback (most recent call last):
    lcmat.config.base.ParameterError: fracton is no parameter of 'selection'; did you mean 'fraction'?
    """
    if experiment not in EXPERIMENTS:
        raise ParameterError(f"{experiment!r} is no experiment; {nearest(experiment, EXPERIMENTS)}")
    model = EXPERIMENTS[experiment]
    for name in values:
        if name not in model.model_fields:
            raise ParameterError(f"{name} is no parameter of {experiment!r}; {nearest(name, model.model_fields)}")
    converted = {name: _convert(name, value, model.model_fields[name]) for name, value in values.items()}
    try:
        return model(**converted)
    except ValidationError as error:
        raise ParameterError("; ".join(_explain(detail, model) for detail in error.errors())) from None


def parse_assignments(experiment: str, assignments: list[str]) -> Experiment:
    """Parameters from `name=value` texts, one per parameter.

    Raises:
        ParameterError: as for `parse`; also a text without `=`, or a name given twice.
    """
    values: dict[str, str] = {}
    for name, value in map(_split, assignments):
        if name in values:
            raise ParameterError(f"{name} is given twice ({values[name]!r} and {value!r}); give it once")
        values[name] = value
    return parse(experiment, values)


def having(runs: Iterable[Experiment], assignments: Iterable[str]) -> list[Experiment]:
    """The runs with these values of parameters, in their order.

    Args:
        runs: of any experiments.
        assignments: `name=value` texts; several of one name are alternatives.

    Raises:
        ParameterError: as for `parse_assignments`; also a name or a value that none of the runs has.

    >>> [run.seed for run in having([parse("selection", {"seed": n}) for n in range(4)], ["seed=1", "seed=3"])]
    [1, 3]
    """
    left, wanted = list(runs), [_split(text) for text in assignments]
    known = {name: None for run in left for name in type(run).model_fields}
    for name in dict.fromkeys(name for name, _ in wanted):
        if name not in known:
            raise ParameterError(f"{name} is no parameter of these runs; {nearest(name, known)}")
        texts = [text for other, text in wanted if other == name]
        found = [run for run in left if any(_has(run, name, text) for text in texts)]
        if not found:
            there = dict.fromkeys(str(getattr(run, name, None)) for run in left)
            raise ParameterError(f"none of the runs has {name}={' or '.join(texts)}; there are: {', '.join(there)}")
        left = found
    return left


def from_namespace(experiment: str, namespace: Values) -> Experiment:
    """Parameters from the variables of a notebook that so far has done nothing but assign them.

    Names with an underscore, IPython's own, modules and functions are passed over. All other variables must be
    parameters, so that a name misspelt on papermill's command line is noticed.

    Raises:
        ParameterError: as for `parse`.

    >>> from_namespace("selection", {"fraction": 0.1, "In": [], "_": 1}).fraction
    0.1
    """
    own = {name: value for name, value in namespace.items() if not name.startswith("_") and name not in ("In", "Out")}
    return parse(experiment, {n: v for n, v in own.items() if not callable(v) and not isinstance(v, ModuleType)})


def expected(field: FieldInfo) -> str:
    """What values a parameter takes, in words.

    >>> expected(EXPERIMENTS["selection"].model_fields["fraction"])
    'a number > 0 and <= 1'
    """
    kinds, choices = _kinds(field), _choices(field)
    if choices:
        return "one of " + ", ".join(map(repr, choices)) if len(choices) > 1 else f"{choices[0]!r} or none"
    word = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [f"{sign} {getattr(rule, s)}" for rule in field.metadata for s, sign in signs.items() if hasattr(rule, s)]
    return next(word[kind] for kind in word if kind in kinds) + (" " + " and ".join(limits) if limits else "")


def _split(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ParameterError(f"{text!r} is no assignment; expected NAME=VALUE, for instance fraction=0.05")
    return name, value


def _has(run: Experiment, name: str, text: str) -> bool:
    """Whether the text is the run's value, or how messages write it."""
    field = type(run).model_fields.get(name)
    return field is not None and (getattr(run, name) == _convert(name, text, field) or str(getattr(run, name)) == text)


def _kinds(field: FieldInfo) -> set[Any]:
    """The alternatives of its annotation; a `Literal` is one."""
    annotation = field.annotation
    return {annotation} if get_origin(annotation) is Literal else set(get_args(annotation)) or {annotation}


def _choices(field: FieldInfo) -> list[Any]:
    return [choice for kind in _kinds(field) if get_origin(kind) is Literal for choice in get_args(kind)]


def _convert(name: str, value: Any, field: FieldInfo) -> Any:
    """Read a string as what its field holds; leave everything else to strict validation."""
    kinds = _kinds(field)
    if not isinstance(value, str) or str in kinds:
        return value
    text = value.strip()
    kinds |= {type(choice) for choice in _choices(field)} - {str}
    if text.lower() == "none" and NoneType in kinds:
        return None
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if int in kinds and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if float in kinds and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kinds & {bool, int, float}:
        raise ParameterError(f"{name}={value}: expected {expected(field)}")
    return value


def _explain(detail: Any, model: type[Experiment]) -> str:
    """A pydantic error in the words of the command line."""
    if detail["type"] == "value_error":
        prefix = f"{detail['loc'][0]}: " if detail["loc"] else ""
        return prefix + str(detail["ctx"]["error"])
    name = str(detail["loc"][0])
    return f"{name}={detail['input']}: expected {expected(model.model_fields[name])}"
