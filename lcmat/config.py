"""The parameters of the experiments: their only definition, validated before anything runs.

This module imports neither torch nor the rest of the package, so that a misspelt parameter is refused at once. The
four tables below repeat what the registries of data sets, networks and methods say; a test keeps them in agreement.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType, ModuleType, NoneType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from lcmat.defaults import DATASET_DEFAULTS, METHOD_OPTIONS, NETWORK_WIDTHS, ZOO_PREFIX, Values

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class ParameterError(ValueError):
    """A parameter that no run can use; the message names it and what is expected."""


class Experiment(BaseModel):
    """Base of the parameter models: immutable, no unknown names, no silent conversion, and a key.

    Two runs are the same run exactly when their keys agree. The key hashes the resolved parameters, without those
    that are None: a parameter added later, with the default None, leaves the keys of older records as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    experiment: ClassVar[str]

    def canonical(self) -> dict[str, Any]:
        """The resolved parameters, in the order of their declaration, without those that are None."""
        return self.model_dump(exclude_none=True)

    @property
    def key(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the experiment's name and `canonical`."""
        content = {"experiment": self.experiment, "parameters": self.canonical()}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class SelectionParameters(Experiment):
    """One run of the selection benchmark: choose a coreset, train a network on it, measure its accuracy.

    None stands for the default of the data set, network or method and is resolved at once.

    >>> SelectionParameters(method="lcmat-s").rho
    0.1
    >>> SelectionParameters(dataset="cifar10").network
    'resnet18'
    """

    experiment: ClassVar[str] = "selection"

    dataset: str = Field("digits", description="data set, as `lcmat datasets` lists it")
    method: str = Field("lcmat-s", description="selection method, as `lcmat methods` lists it")
    fraction: float = Field(0.05, gt=0, le=1, description="share of each class that is selected")
    seed: int = Field(0, ge=0, lt=2**31, description="of both networks' initial weights and of every random draw")
    rho: float | None = Field(None, ge=0, description="radius of the parameter perturbation (lcmat-s)")
    top_k: int | None = Field(None, ge=1, description="Hessian dimensions of largest variance that count (lcmat-s)")
    loss_reduction: Literal["mean-per-batch"] | None = Field(
        None, description="scale the samples' losses as the official code does (gradient-based methods)"
    )
    double_softmax: bool | None = Field(
        None, description="differentiate the loss of softmax(softmax(logits)) as the official baselines do"
    )
    gradients: Literal["logits", "last-layer"] | None = Field(
        None, description="whose gradients are compared: in the logits, or in the last layer's parameters (craig)"
    )
    ridge: float | None = Field(None, ge=0, description="weight of the squared weights in the regression (gradmatch)")
    eta: float | None = Field(None, gt=0, description="size of the gradient step that is judged (glister)")
    rounds: int | None = Field(None, ge=1, description="renewals of the gradient; each choice by default (glister)")
    damping: float | None = Field(None, ge=0, description="added to Hessians, as a share of their mean (adacore)")
    official_kernel: bool | None = Field(None, description="divide by Hessians as the official code does (adacore)")
    cut_lambda: float | None = Field(None, ge=0, description="likeness to all against likeness inside (graph-cut)")
    raw_logits: bool | None = Field(
        None, description="compare logits, not probabilities, as the official code does (least-confidence)"
    )
    official_order: bool | None = Field(
        None, description="choose from the wrong end as the official code does (herding, cal)"
    )
    num_neighbours: int | None = Field(None, ge=1, description="samples that predictions are compared with (cal)")
    batch_norm: Literal["batch"] | None = Field(
        None, description="embed with the statistics of single-class batches, as the official code does"
    )
    weighted: bool = Field(False, description="train with the weights of the coreset (the paper does not)")
    network: str | None = Field(None, description="architecture, of the selecting and of the trained network")
    width: int | None = Field(None, ge=1, description="channels of its first stage; the published width by default")
    selection_epochs: int | None = Field(None, ge=1, description="epochs of the selecting network, on all images")
    epochs: int | None = Field(None, ge=1, description="epochs of the network trained on the coreset")
    evaluate_every: int | None = Field(None, ge=1, description="epochs between test accuracies; the last always counts")
    batch_size: int = Field(128, ge=1, description="images per step, in both trainings")
    learning_rate: float = Field(0.1, gt=0, description="of the first step, in both trainings")
    crop_padding: int | None = Field(None, ge=0, description="largest shift of the random crop in pixels")
    flip: bool | None = Field(None, description="mirror half of the images")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the products, in both trainings")
    compile: bool = Field(False, description="use torch.compile, in both trainings")

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Put the defaults of data set, network and method in the place of None."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        dataset, method = (given.get(name, cls.model_fields[name].default) for name in ("dataset", "method"))
        resolved = {**_entry(DATASET_DEFAULTS, dataset), **_entry(METHOD_OPTIONS, method), **given}
        width = _entry(NETWORK_WIDTHS, resolved.get("network"))
        return {**({"width": width} if width else {}), **resolved}

    @field_validator("dataset", "method", "network")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        """Refuse names that are in no registry."""
        known = {"dataset": DATASET_DEFAULTS, "method": METHOD_OPTIONS, "network": NETWORK_WIDTHS}[info.field_name]
        if value in known or (info.field_name == "network" and value.startswith(ZOO_PREFIX)):
            return value
        raise ValueError(f"{value!r} is no {info.field_name}; {nearest(value, known)}")

    @field_validator("fraction", "rho", "learning_rate", "ridge", "damping", "cut_lambda")
    @classmethod
    def _unsigned_zero(cls, value: float | None) -> float | None:
        """-0.0 equals 0.0 but would have another key."""
        return value if value is None else value + 0.0

    @model_validator(mode="after")
    def _options_of_method(self) -> Self:
        """Refuse options that the method does not have."""
        options = METHOD_OPTIONS[self.method]
        for name in {option for known in METHOD_OPTIONS.values() for option in known}:
            if getattr(self, name) is not None and name not in options:
                has = ", ".join(options) or "no options"
                raise ValueError(f"{name}: method {self.method!r} has none ({self.method}: {has}); leave it out")
        return self


EXPERIMENTS: Mapping[str, type[Experiment]] = MappingProxyType({"selection": SelectionParameters})


def parse(experiment: str, values: Values) -> Experiment:
    """Parameters from Python values or from strings as they come from a command line.

    Args:
        experiment: a key of `EXPERIMENTS`.
        values: name -> value; a string given for a number or a truth value is read as one.

    Raises:
        ParameterError: a name or value is not acceptable; the message says what would be.

    >>> parse("selection", {"fraction": "1e-3"}).fraction
    0.001
    >>> parse("selection", {"fracton": "0.1"})
    Traceback (most recent call last):
    lcmat.config.ParameterError: fracton is no parameter of 'selection'; did you mean 'fraction'?
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
    for text in assignments:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise ParameterError(f"{text!r} is no assignment; expected NAME=VALUE, for instance fraction=0.05")
        if name in values:
            raise ParameterError(f"{name} is given twice ({values[name]!r} and {value!r}); give it once")
        values[name] = value
    return parse(experiment, values)


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


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """A hint: the known name most like `name`, or all of them.

    >>> nearest("lcmatt", METHOD_OPTIONS)
    "did you mean 'lcmat-s'?"
    """
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def expected(field: FieldInfo) -> str:
    """What values a parameter takes, in words.

    >>> expected(SelectionParameters.model_fields["fraction"])
    'a number > 0 and <= 1'
    """
    kinds = _kinds(field)
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if choices:
        return "one of " + ", ".join(map(repr, choices)) if len(choices) > 1 else f"{choices[0]!r} or none"
    word = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [f"{sign} {getattr(rule, s)}" for rule in field.metadata for s, sign in signs.items() if hasattr(rule, s)]
    return next(word[kind] for kind in word if kind in kinds) + (" " + " and ".join(limits) if limits else "")


def _entry(table: Mapping[str, Any], name: Any) -> Any:
    """The table's entry, or nothing for whatever is no key: validation reports that later."""
    return table.get(name, {}) if isinstance(name, str) else {}


def _kinds(field: FieldInfo) -> set[Any]:
    """The alternatives of its annotation; a `Literal` is one."""
    annotation = field.annotation
    return {annotation} if get_origin(annotation) is Literal else set(get_args(annotation)) or {annotation}


def _convert(name: str, value: Any, field: FieldInfo) -> Any:
    """Read a string as what its field holds; leave everything else to strict validation."""
    kinds = _kinds(field)
    if not isinstance(value, str) or str in kinds:
        return value
    text = value.strip()
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
