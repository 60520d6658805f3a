"""Defaults of the selection benchmark by data set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Values = Mapping[str, Any]

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
