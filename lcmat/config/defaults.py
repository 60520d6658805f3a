"""Defaults of methods, data sets and networks: what the registries say, readable without importing torch.

A test keeps these tables in agreement with the registries.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Values = Mapping[str, Any]

_GRADIENT = {"double_softmax": False, "loss_reduction": None}
_GRADMATCH = {"ridge": 0.5, **_GRADIENT, "official_weights": None}
_GLISTER = {"eta": 0.01, "rounds": None, **_GRADIENT}

METHOD_OPTIONS: Mapping[str, Values] = MappingProxyType(
    {
        "uniform": {},
        "lcmat-s": {"rho": 0.1, "top_k": 100, "loss_reduction": None},
        "lcmat-s-spectral": {"rho": 0.1},
        "craig": {"gradients": "logits", **_GRADIENT, "official_weights": None},
        "gradmatch": _GRADMATCH,
        "gradmatch-val": _GRADMATCH,
        "glister": _GLISTER,
        "glister-val": _GLISTER,
        "adacore": {"damping": 0.1, "official_kernel": False},
        "facility-location": {"double_softmax": False},
        "graph-cut": {"cut_lambda": 1.0, "double_softmax": False},
        "least-confidence": {"raw_logits": False},
        "entropy": {},
        "margin": {},
        "herding": {"official_order": False},
        "k-center": {},
        "contextual-diversity": {},
        "moderate": {},
        "cal": {"num_neighbours": 10, "official_order": False},
        "forgetting": {},
        "el2n": {},
        "grand": {},
        "deepfool": {},
    },
)

METHOD_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "uniform": "Uniform",
        "lcmat-s": "LCMat-S",
        "lcmat-s-spectral": "LCMat-S (spectral norm)",
        "craig": "Craig",
        "gradmatch": "GradMatch",
        "gradmatch-val": "GradMatch-Val",
        "glister": "Glister",
        "glister-val": "Glister-Val",
        "adacore": "AdaCore",
        "facility-location": "Facility location",
        "graph-cut": "Graph cut",
        "least-confidence": "L-Conf",
        "entropy": "Entropy",
        "margin": "Margin",
        "herding": "Herding",
        "k-center": "k-Center",
        "contextual-diversity": "C-Div",
        "moderate": "Moderate",
        "cal": "CAL",
        "forgetting": "Forgetting",
        "el2n": "EL2N",
        "grand": "GraNd",
        "deepfool": "DeepFool",
    }
)
"""Names of the methods as the paper spells them where it does."""

METHOD_EVIDENCE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gradmatch-val": ("validation",),
        "glister-val": ("validation",),
        "forgetting": ("forgetting_events",),
        "el2n": ("error_norms",),
        "grand": ("gradient_norms",),
        "deepfool": ("boundary_distances",),
    }
)
"""What a method must be told beyond the last layer's view; those that need nothing are left out."""

METHODS_WITHOUT_VIEW = ("uniform",)
"""Methods that look at no network; none is trained for them."""

NETWORK_WIDTHS: Mapping[str, int] = MappingProxyType(
    {"digits-net": 32, "convnet": 128, "resnet18": 64, "resnet10": 64, "vgg16": 64, "wrn16-8": 128, "inception-v3": 32},
)

NETWORKS_WITHOUT_BATCH_NORM = ("digits-net", "convnet")
"""Of `NETWORK_WIDTHS`; what torchvision's have, nobody knows before they are built."""

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


class Pictures(NamedTuple):
    """What the images of a data set are like: channels, height and width, and how many each class has to train on."""

    channels: int
    image_size: int
    class_sizes: tuple[int, ...]


DATASET_PICTURES: Mapping[str, Pictures] = MappingProxyType(
    {
        "digits": Pictures(1, 8, (142, 146, 142, 146, 145, 145, 145, 143, 139, 144)),
        "mnist": Pictures(1, 28, (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)),
        "fashion-mnist": Pictures(1, 28, (6000,) * 10),
        "cifar10": Pictures(3, 32, (5000,) * 10),
        "cifar100": Pictures(3, 32, (500,) * 100),
        "svhn": Pictures(3, 32, (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)),
        "tiny-imagenet-32": Pictures(3, 32, (500,) * 200),
    }
)

AUGMENTATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")
"""Operations of which condensation's augmentations are made, joined by underscores."""

ZOO_PREFIX = "torchvision:"
