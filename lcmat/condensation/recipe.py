"""How images are condensed, as plain values, and the published settings of each method."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from lcmat.condensation.distances import DISTANCES, Layers, Norm
from lcmat.condensation.matching import find_objective
from lcmat.condensation.synthetic import Init
from lcmat.config.arguments import check_fields, checked
from lcmat.config.condensation_defaults import PUBLISHED
from lcmat.config.registry import OBJECTIVES, Objective
from lcmat.data.augmentation.siamese import DSA_STRATEGY, Combine, operations


@dataclass(frozen=True)
class CondensationRecipe:
    """Everything that shapes a condensation except the data and the random draws.

    The defaults are LCMat-C's at ten images per class.  Where the paper (P) is silent they are those of the code that
    it builds on, IDC (I), or our choice (O); `published` has those of the other methods.

    Attributes:
        objective: a key of `OBJECTIVES`.
        ipc: images per class (P: 10 and 50).
        rho: strength of the penalty, which enters as rho / 2 (O: the paper prints no value).
        norm: of the penalty (O: "l2").
        distance: of gradients, a key of `DISTANCES` (O: DC's; the paper names none).
        layers: whose gradients are compared (O: DC's, all weights; IDC leaves the last layer out).
        init: "noise" (P), "real" or "herding".
        factor: images cut out of each stored one per side (P: none; IDC: 2).
        outer_iterations: times that the images meet a new network (I: 2000).
        inner_steps: steps of the images, each followed by training of the network (I: 100).
        network: name, as for `lcmat.models.build` (P: ConvNet-3).
        width: of the network; None: the published one (P: 128).
        real_batch: original images of each class in a step; a smaller class is used whole (I: 64).
        synthetic_batch: most synthetic images of a class in a step, after decoding; None: all (I: 128).
        augmentation: strategy of the Siamese augmentation (P: colour, crop, cutout), or "none".
        combine: how its operations combine, see `draw_transformation` (I: "idc").
        image_learning_rate: of the images (P: 0.005).
        image_momentum: likewise (I: 0.5).
        pixel_units: the learning rate is meant for pixels in [0, 1], in which the images are also kept (O: after each
            step; IDC: once for each network); else for normalised images without bounds (DC, DSA, DM).
        train_on: what the network is trained on between two steps: "original" (P), "synthetic", or "nothing".
        network_epochs: passes over these images (P: 1).
        network_images: most images of a pass; None: all (O: 500, of the authors' file names for CIFAR-100; those for
            CIFAR-10 have IDC's 2000. The paper says one epoch, IDC's word for this).
        network_batch: images per step (I: 64).
        network_learning_rate: of the network (P: 0.01).
        network_momentum: likewise (I: 0.9).
        weight_decay: likewise (I: 5e-4).
        network_augmentation: strategy, each image by a draw of its own (I: as above without cutout).
        cutmix: probability of CutMix in training the network (I: 1/2).
        precision: of the products in the pass of the original images and in training the network: "float32", or
            "bfloat16" by autocast. The pass of the synthetic images is always in float32.
        classes_per_pass: classes that go through the network together: more is faster where one batch leaves the
            processor idle, and takes as much more memory. Equal up to rounding for networks without batch statistics.
        compile: run the original images and the training through `torch.compile`, for classes_per_pass=1.

    Raises:
        ValueError: a value out of its range, or values that contradict each other.
    """

    objective: str = "lcmat-c"
    ipc: int = 10
    rho: float = 10.0
    norm: Norm = "l2"
    distance: str = "layerwise"
    layers: Layers = "weights"
    init: Init = "noise"
    factor: int = 1
    outer_iterations: int = 2000
    inner_steps: int = 100
    network: str = "convnet"
    width: int | None = None
    real_batch: int = 64
    synthetic_batch: int | None = 128
    augmentation: str = "color_crop_cutout"
    combine: Combine = "idc"
    image_learning_rate: float = 0.005
    image_momentum: float = 0.5
    pixel_units: bool = True
    train_on: Literal["original", "synthetic", "nothing"] = "original"
    network_epochs: int = 1
    network_images: int | None = 500
    network_batch: int = 64
    network_learning_rate: float = 0.01
    network_momentum: float = 0.9
    weight_decay: float = 5e-4
    network_augmentation: str = "color_crop"
    cutmix: float = 0.5
    precision: Literal["float32", "bfloat16"] = "float32"
    classes_per_pass: int = 1
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        check_fields(self)
        find_objective(self.objective)
        for strategy in (self.augmentation, self.network_augmentation):
            operations(strategy)
        for name, valid, expected in ((name, *rule) for names, *rule in _RULES for name in names.split()):
            if not valid(getattr(self, name)):
                raise ValueError(f"CondensationRecipe: {name}={getattr(self, name)!r} must be {expected}")
        if self.compile and self.classes_per_pass > 1:
            raise ValueError("CondensationRecipe: compile=True works on one class at a time: set classes_per_pass=1")
        self._check_moment()

    def _check_moment(self) -> None:
        """A variance over one image is 0/0."""
        decoded, needed = self.ipc * self.factor**2, self.matched.fewest
        if min(decoded, self.synthetic_batch or decoded) < needed:
            raise ValueError(
                f"CondensationRecipe: {self.objective!r} compares variances, which one synthetic image per class does "
                f"not have: set {'ipc' if decoded < needed else 'synthetic_batch'}={needed} or more, or rho=0"
            )

    @property
    def matched(self) -> Objective:
        """What is minimised: the objective, of which rho = 0 leaves the distance alone."""
        objective = OBJECTIVES[self.objective]
        return objective if self.rho > 0 else replace(objective, target=None, pooled=False, fewest=1)

    @property
    def num_steps(self) -> int:
        """Steps of the images in the whole run."""
        return self.outer_iterations * self.inner_steps


@checked(ipc="[1, 100000]")
def published(objective: str, ipc: int, **changes: Any) -> CondensationRecipe:
    """The settings that a method was published with, for 32x32 images.

    DC, DSA and DM: the code of Zhao & Bilen (DC: its first release, whose networks have momentum), where (outer, inner)
    loops are (1, 1), (10, 50), (20, 25), (50, 10) at 1, 10, 20, 50 images per class, and (ipc, 500 // ipc) at others.
    IDC-I: the code of Kim et al. for CIFAR-10, whose learning rate grows as the number of images; LCMat-C and the
    controls likewise, see `CondensationRecipe`.

    Args:
        objective: a key of `OBJECTIVES`.
        ipc: images per class.
        changes: fields that shall have other values.

    Raises:
        ValueError: the objective is unknown, or the recipe would be refused.

    >>> recipe = published("dc", 10, network="digits-net")
    >>> recipe.inner_steps, recipe.network_epochs, recipe.image_learning_rate, recipe.network
    (10, 50, 0.1, 'digits-net')
    """
    find_objective(objective)
    loops = {"inner_steps": ipc, "network_epochs": 1 if ipc == 1 else max(1, 500 // ipc)}
    scaled = {"image_learning_rate": 0.005 * ipc / 10}
    settings = {
        "dc": {**_DC, **loops},
        "dsa": {**_DC, **_DSA, **loops, "network_momentum": 0.0},
        "dm": {**PUBLISHED["dsa"], **_DC, **_DSA, **_DM},
        "idc-i": {**scaled, **_IDC},
    }
    own = {**settings.get(objective, scaled), **PUBLISHED.get(objective, {})}
    return CondensationRecipe(**{"objective": objective, "ipc": ipc, **own, **changes})


_DC: Mapping[str, Any] = MappingProxyType(
    {
        "rho": 0.0,
        "outer_iterations": 1000,
        "real_batch": 256,
        "synthetic_batch": None,
        "pixel_units": False,
        "network_images": None,
        "network_batch": 256,
        "network_momentum": 0.5,
        "weight_decay": 0.0,
    }
)
_DSA: Mapping[str, Any] = MappingProxyType(
    {"augmentation": DSA_STRATEGY, "combine": "one", "network_augmentation": DSA_STRATEGY}
)
_DM: Mapping[str, Any] = MappingProxyType({"outer_iterations": 20000, "inner_steps": 1, "train_on": "nothing"})
_IDC: Mapping[str, Any] = MappingProxyType({"rho": 0.0, "network_images": 2000})


def _in(*known: str) -> Any:
    return lambda value: value in known


_RULES = (
    ("ipc factor inner_steps real_batch", lambda v: v >= 1, "at least 1"),
    ("network_epochs network_batch classes_per_pass", lambda v: v >= 1, "at least 1"),
    ("outer_iterations", lambda v: v >= 0, "at least 0"),
    ("network_images synthetic_batch", lambda v: v is None or v >= 1, "at least 1, or None"),
    ("image_learning_rate network_learning_rate", lambda v: 0 < v < math.inf, "positive and finite"),
    ("rho weight_decay", lambda v: 0 <= v < math.inf, "non-negative and finite"),
    ("image_momentum network_momentum", lambda v: 0 <= v < 1, "in [0, 1)"),
    ("cutmix", lambda v: 0 <= v <= 1, "in [0, 1]"),
    ("distance", _in(*DISTANCES), f"one of {', '.join(DISTANCES)}"),
)
