"""How the runs of an experiment are named, grouped and compared: what the tables and figures of its pages ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from lcmat.config import Experiment, SelectionParameters
from lcmat.config.datasets import DATASETS
from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.config.registry import METHODS, MODELS, OPTIONS, title_of

Row = Mapping[Any, Any]


class Scheme(NamedTuple):
    """How the runs of an experiment are named, grouped and compared.

    Attributes:
        model: the parameters of the experiment.
        own: those in which a configuration may differ from the baseline it is compared with.
        title: names a configuration's method, which fixes its colour.
        label: names a configuration.
        describe: names what it shares with its baseline, the heading of a group of rows.
        columns: further columns of a table, heading -> text.
        order: columns by which differences are sorted.
        rank: sorts configurations.
    """

    model: type[Experiment]
    own: tuple[str, ...]
    title: Callable[[Row], str]
    label: Callable[[Row], str]
    describe: Callable[[Row], str]
    columns: Mapping[str, Callable[[Row], str]]
    order: tuple[str, ...]
    rank: Callable[[Row], tuple[Any, ...]]

    @property
    def setting(self) -> tuple[str, ...]:
        """Parameters that a configuration shares with its baseline."""
        return tuple(name for name in self.model.model_fields if name not in (*self.own, "seed"))


def method_label(method: str, options: Mapping[Any, Any] | None = None, default_rho: float | None = None) -> str:
    """Name a method as the paper spells it, with its radius and with every option that is not the default.

    Args:
        method: registry name.
        options: the run's parameters; others than this method's options, or missing ones, are passed over.
        default_rho: a radius that is not named.

    >>> method_label("uniform"), method_label("lcmat-s", {"rho": 0.5, "top_k": 100, "fraction": 0.1})
    ('Uniform', 'LCMat-S, ρ = 0.5')
    >>> method_label("craig", {"gradients": "last-layer", "double_softmax": True, "batch_norm": "batch"})
    'Craig, gradients: last-layer, double softmax, batch norm: batch'
    """
    title = title_of(method)
    own = METHODS[method].options if method in METHODS else {}
    defaults = {**own, "weighted": False, "batch_norm": None, "across_classes": None}
    defaults["rho"] = default_rho
    given = {name: (options or {}).get(name) for name in defaults}
    stated = {name: value for name, value in given.items() if not missing(value) and value != defaults[name]}
    return ", ".join([title, *(_option_text(name, value) for name, value in stated.items())])


def missing(value: Any) -> bool:
    """Whether a table has no value here."""
    return value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value))


def _option_text(name: str, value: Any) -> str:
    if name == "rho":
        return f"ρ = {value:g}"
    words = name.replace("_", " ")
    return words if value is True else f"{words}: {value}"


def data_text(name: str) -> str:
    """The title of a data set.

    >>> data_text("cifar10")
    'CIFAR-10'
    """
    return DATASETS[name].title if name in DATASETS else name


def network_text(row: Row) -> str:
    """The title of a network with its width, if that is known.

    >>> network_text({"network": "resnet18", "width": 16.0}), network_text({"network": "torchvision:densenet121"})
    ('ResNet-18, width 16', 'torchvision:densenet121')
    """
    name, width = row["network"], row.get("width")
    title = "" if missing(name) else MODELS[name].title if name in MODELS else str(name)
    return title + ("" if missing(width) else f", width {width:g}")


def _data_and_network(row: Row) -> str:
    return f"{data_text(row['dataset'])}, {network_text(row)}"


def _selection_setting(row: Row) -> str:
    return f"{_data_and_network(row)}, selecting network: {row['selection_epochs']} epochs"


def _selection_rank(row: Row) -> tuple[Any, ...]:
    """Without a radius before all radii."""
    return (row["dataset"], row["network"], row["method"], -1.0 if missing(row["rho"]) else row["rho"], row["fraction"])


_OPTIONS = sorted(OPTIONS)


def _choice_label(row: Row) -> str:
    """Beside the method how its radius was found and how long its network was trained, if not as usual."""
    usual = DATASET_DEFAULTS[row["dataset"]]["selection_epochs"]
    found = "" if missing(row["rho_choice"]) else ", ρ chosen on held-out images"
    trained = "" if row["selection_epochs"] == usual else f", selecting network: {row['selection_epochs']:g} epochs"
    return method_label(row["method"], row) + found + trained


SELECTION = Scheme(
    model=SelectionParameters,
    own=("method", "weighted", "batch_norm", "across_classes", *_OPTIONS),
    title=lambda row: title_of(row["method"]),
    label=lambda row: method_label(row["method"], row),
    describe=_selection_setting,
    columns={"Fraction": lambda row: f"{100 * row['fraction']:g} %"},
    order=("dataset", "network", "fraction", "rho"),
    rank=_selection_rank,
)

CHOICE = SELECTION._replace(
    own=(*SELECTION.own, "rho_choice", "selection_epochs"), label=_choice_label, describe=_data_and_network
)
"""Where how the radius was found and how long the selecting network was trained are part of what is compared."""
