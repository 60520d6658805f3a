"""Defaults of the selection benchmark by data set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lcmat.config.registry import METHODS, MODELS

Values = Mapping[str, Any]

METHOD_OPTIONS: Mapping[str, Values] = MappingProxyType({name: m.options for name, m in METHODS.items()})
METHOD_TITLES: Mapping[str, str] = MappingProxyType({name: m.title for name, m in METHODS.items()})
METHOD_EVIDENCE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: m.evidence for name, m in METHODS.items() if m.evidence}
)
METHODS_WITHOUT_VIEW = tuple(name for name, m in METHODS.items() if not m.looks)
NETWORK_WIDTHS: Mapping[str, int] = MappingProxyType({name: m.width for name, m in MODELS.items()})

_PAPER = {"network": "resnet18", "selection_epochs": 10, "epochs": 200, "evaluate_every": 20, "crop_padding": 4}
_DIGITS = {"network": "digits-net", "selection_epochs": 5, "epochs": 40, "evaluate_every": 5, "crop_padding": 1}

DATASET_DEFAULTS: Mapping[str, Values] = MappingProxyType(
    {
        "digits": {**_DIGITS, "flip": False},
        "mnist": {**_PAPER, "flip": False},
        "fashion-mnist": {**_PAPER, "flip": True},
        "cifar10": {**_PAPER, "flip": True},
        "cifar100": {**_PAPER, "flip": True},
        "svhn": {**_PAPER, "flip": False},
        "tiny-imagenet-32": {**_PAPER, "flip": True},
    }
)


AUGMENTATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")
"""Operations of which condensation's augmentations are made, joined by underscores."""
