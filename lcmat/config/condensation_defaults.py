"""Defaults of the condensation benchmark by data set and method, readable without importing torch.

A test keeps these tables in agreement with `lcmat.condensation` and the data sets.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lcmat.config.defaults import DATASET_DEFAULTS, Values

REAL_METHODS = ("random", "herding", "k-center")
"""Methods that take real images; the others learn images."""

CONTROLS = ("mean-control", "second-moment-control", "pooled-variance-control")
"""Objectives with another moment in the variance's place."""

_LEARNING = (
    *("init", "outer_iterations", "inner_steps", "real_batch", "image_learning_rate", "augmentation"),
    "classes_per_pass",
)
_GRADIENTS = (
    *_LEARNING,
    *("distance", "layers", "train_on", "network_learning_rate", "network_images", "network_augmentation", "cutmix"),
)
_PENALTY = (*_GRADIENTS, "rho", "norm")

METHOD_PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "random": (),
        "herding": ("selection_epochs",),
        "k-center": ("selection_epochs",),
        "dm": _LEARNING,
        "dc": _GRADIENTS,
        "dsa": _GRADIENTS,
        "idc-i": _GRADIENTS,
        "lcmat-c": _PENALTY,
        **dict.fromkeys(CONTROLS, (*_PENALTY, "strength_at")),
    }
)
"""Method -> parameters that it has beyond those of every run."""

_LCMAT_C = {
    "distance": "layerwise",
    "layers": "weights",
    "train_on": "original",
    "init": "noise",
    "image_learning_rate": 0.005,
    "rho": 10.0,
    "norm": "l2",
}

# A plain literal, so that its value is part of the fingerprint of the code that imports it.
PUBLISHED: Mapping[str, Values] = {
    "dm": {"init": "real", "image_learning_rate": 1.0},
    "dc": {
        "train_on": "synthetic",
        "image_learning_rate": 0.1,
        "augmentation": "none",
        "network_augmentation": "none",
        "cutmix": 0.0,
    },
    "dsa": {"train_on": "synthetic", "init": "real", "image_learning_rate": 0.1, "cutmix": 0.0},
    "idc-i": {"distance": "squared", "layers": "convolutions", "init": "real"},
}
"""In which parameters, of those that a data set does not set, methods were published otherwise than LCMat-C."""


def applicable(method: str, settings: Values) -> dict[str, Any]:
    """The settings without the parameters that the method does not have.

    >>> applicable("random", {"ipc": 5, "inner_steps": 3})
    {'ipc': 5}
    """
    own, varying = METHOD_PARAMETERS[method], {name for known in METHOD_PARAMETERS.values() for name in known}
    return {name: value for name, value in settings.items() if name in own or name not in varying}


METHOD_DEFAULTS: Mapping[str, Values] = MappingProxyType(
    {
        method: {**applicable(method, {**_LCMAT_C, "strength_at": "real"}), **PUBLISHED.get(method, {})}
        for method in METHOD_PARAMETERS
        if method not in REAL_METHODS
    }
)
"""As published, where that is published, at ten images per class; see `lcmat.condensation.published`."""

SCALED_RATES = frozenset({"idc-i", "lcmat-c", *CONTROLS})
"""Methods whose learning rate of the images grows as their number, because a step shares a mean among them."""

_PAPER = {
    "network": "convnet",
    "outer_iterations": 2000,
    "inner_steps": 100,
    "real_batch": 64,
    "network_images": 500,
    "network_learning_rate": 0.01,
    "augmentation": "color_crop_cutout",
    "network_augmentation": "color_crop",
    "cutmix": 0.5,
    "classes_per_pass": 1,
    "selection_epochs": 10,
    "evaluation_epochs": 1000,
    "evaluation_learning_rate": 0.01,
    "evaluation_cutmix": 0.5,
}
_DIGITS = {
    **_PAPER,
    "network": "digits-net",
    "width": 16,
    "outer_iterations": 4,
    "inner_steps": 10,
    "real_batch": 32,
    "network_images": 200,
    "augmentation": "color_crop",
    "cutmix": 0.0,
    "classes_per_pass": 10,
    "selection_epochs": 5,
    "evaluation_epochs": 200,
    "evaluation_learning_rate": 0.03,
    "evaluation_augmentation": "color_crop",
    "evaluation_cutmix": 0.0,
}


def _dataset(name: str) -> dict[str, Any]:
    """IDC's settings for small images; mirror images are of use where the selection benchmark mirrors, too.

    A test script of the authors names runs with 2000 network images on CIFAR-10, as IDC has, and 500 on CIFAR-100.
    """
    most = {"network_images": 2000} if name == "cifar10" else {}
    flip = "flip_" if DATASET_DEFAULTS[name]["flip"] else ""
    return (
        _DIGITS if name == "digits" else {**_PAPER, **most, "evaluation_augmentation": f"color_crop_{flip}scale_rotate"}
    )


DATASET_SETTINGS: Mapping[str, Values] = MappingProxyType({name: _dataset(name) for name in DATASET_DEFAULTS})

_NARROW = {
    "network": "convnet",
    "width": 16,
    "outer_iterations": 20,
    "inner_steps": 10,
    "real_batch": 32,
    "network_images": 200,
    "selection_epochs": 2,
    "evaluation_epochs": 100,
}

SMALL: Mapping[str, Values] = MappingProxyType(
    {
        "digits": {},
        "fashion-mnist": {**_NARROW, "evaluation_learning_rate": 0.03},
        "cifar10": {**_NARROW, "evaluation_learning_rate": 0.01},
    }
)
"""Settings with which a run takes about a minute of one core, where the defaults take longer."""

GRADIENTS_ALONE = "gradients-alone"
"""LCMat-C at rho = 0: a competitor with settings of its own."""

TUNED: Mapping[str, Mapping[str, Values]] = MappingProxyType(
    {
        "digits": {
            "dm": {"init": "real", "image_learning_rate": 3.0},
            "dc": {"init": "real", "image_learning_rate": 0.3},
            "dsa": {"init": "real", "image_learning_rate": 0.3},
            "idc-i": {"init": "real", "image_learning_rate": 0.3},
            GRADIENTS_ALONE: {"init": "real", "image_learning_rate": 0.1, "rho": 0.0},
            "lcmat-c": {"init": "real", "image_learning_rate": 0.3, "rho": 10.0},
        },
        "fashion-mnist": {
            "dm": {"init": "real", "image_learning_rate": 3.0},
            "dc": {"init": "real", "image_learning_rate": 3.0},
            "dsa": {"init": "real", "image_learning_rate": 3.0},
            "idc-i": {"init": "real", "image_learning_rate": 1.0},
            GRADIENTS_ALONE: {"init": "real", "image_learning_rate": 0.1, "rho": 0.0},
            "lcmat-c": {"init": "real", "image_learning_rate": 0.3, "rho": 10.0},
        },
        "cifar10": {
            "dm": {"init": "real", "image_learning_rate": 10.0},
            "dc": {"init": "real", "image_learning_rate": 30.0},
            "dsa": {"init": "real", "image_learning_rate": 10.0},
            "idc-i": {"init": "real", "image_learning_rate": 3.0},
            GRADIENTS_ALONE: {"init": "real", "image_learning_rate": 1.0, "rho": 0.0},
            "lcmat-c": {"init": "real", "image_learning_rate": 0.1, "rho": 100.0},
        },
    }
)
"""Data set -> competitor -> settings at ten images per class, chosen on held-out training images.

`lcmat measure condensation-tuning` chooses them, but for the start: in runs this short no method gets far from
noise, so that all start from the same real images. On digits they are the defaults of a run; controls have LCMat-C's.
"""


def method_defaults(dataset: str, method: str) -> dict[str, Any]:
    """Settings of a method that do not follow from the data set alone."""
    tuned = TUNED.get(dataset, {}) if dataset == "digits" else {}
    return {**METHOD_DEFAULTS.get(method, {}), **tuned.get("lcmat-c" if method in CONTROLS else method, {})}
