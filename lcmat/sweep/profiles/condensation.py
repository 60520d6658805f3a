"""Studies of condensation, in three sizes."""

from collections.abc import Iterable, Mapping
from typing import Any

from lcmat.config import Experiment
from lcmat.config.condensation_defaults import CONTROLS, GRADIENTS_ALONE, SMALL, TUNED, applicable
from lcmat.config.datasets import DATASETS
from lcmat.sweep.profiles.study import Study, distinct, grid
from lcmat.sweep.profiles.variants import Variants, methods

QUESTIONS = {
    "condensation": "Which learnt images beat real ones, and does matching variances help?",
    "condensation-cross-architecture": "Do images learnt with one network serve another?",
    "condensation-sensitivity": "How does LCMat-C depend on its settings?",
    "condensation-all-images": "What do networks learn from all images?",
}
_TABLES = {"condensation": ("4",), "condensation-cross-architecture": ("5",)}

_ALL = methods(
    *("random", "lcmat-c", GRADIENTS_ALONE, "mean-control", "dsa", "dm", "herding", "k-center", "dc", "idc-i")
)
_CROSSED = methods("random", "lcmat-c", GRADIENTS_ALONE, "dsa", "dm")
_STRENGTHS = (0.0, 1.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_OTHERS: Variants = (
    *({"method": control} for control in CONTROLS),
    {"method": "mean-control", "strength_at": "noise"},
    *({"method": "lcmat-c", "image_learning_rate": rate} for rate in (0.1, 1.0)),
    {"method": "lcmat-c", "norm": "l1"},
    {"method": "lcmat-c", "norm": "squared"},
    {"method": "lcmat-c", "distance": "squared"},
    {"method": "lcmat-c", "train_on": "synthetic"},
    {"method": "lcmat-c", "train_on": "nothing"},
    {"method": "lcmat-c", "init": "noise"},
    {"method": GRADIENTS_ALONE, "init": "noise"},
    {"method": "dm", "init": "noise"},
    {"method": "lcmat-c", "layers": "all", "distance": "squared"},
    {"method": "lcmat-c", "layers": "convolutions"},
    {"method": "lcmat-c", "network_augmentation": "none"},
    {"method": "lcmat-c", "cutmix": 0.0},
)
"""Settings about which the paper is silent, or has another word, one at a time, and the rates beside the chosen."""


def _sizes(settings: Mapping[str, Any]) -> Variants:
    """Half and double the batch, the training of the network, and the steps on a network at as many steps in all."""
    loops = [
        {"inner_steps": int(settings["inner_steps"] * by), "outer_iterations": int(settings["outer_iterations"] / by)}
        for by in (0.5, 2)
    ]
    batches = [{name: int(settings[name] * by)} for name in ("real_batch", "network_images") for by in (0.5, 2)]
    return tuple({"method": "lcmat-c", **sizes} for sizes in (*loops, *batches))


_PAPER_AXES = {"ipc": (10, 50), "seed": range(3)}


def smoke() -> tuple[Study, ...]:
    """On digits, five seeds of the main benchmark."""
    few = range(3)
    return (
        _study("condensation", small("digits", _ALL, seed=range(5))),
        _study(
            "condensation-cross-architecture",
            crossed("digits", ("convnet", 8), evaluation_learning_rate=[0.1], seed=few),
        ),
        _study("condensation-sensitivity", sensitivity("digits", _strengths(0, 1000), seed=few)),
    )


def cpu() -> tuple[Study, ...]:
    """Fashion-MNIST and CIFAR-10 with a narrow ConvNet, five seeds of the main benchmark and three of the others."""
    seeds, datasets = range(3), ("fashion-mnist", "cifar10")
    return (
        _study("condensation", _join(small(name, _ALL, seed=range(5)) for name in datasets)),
        _study(
            "condensation-cross-architecture",
            _join(crossed(name, ("resnet18", 8), seed=seeds) for name in datasets),
        ),
        _study(
            "condensation-sensitivity",
            sensitivity(
                "fashion-mnist",
                _strengths(*_STRENGTHS) + _OTHERS + _sizes(SMALL["fashion-mnist"]),
                seed=seeds,
            ),
        ),
        _study("condensation-all-images", _join(_whole(name, seed=seeds) for name in datasets)),
    )


def paper() -> tuple[Study, ...]:
    """ConvNet-3 of width 128 at 10 and 50 images per class, three seeds, with published learning rates; for GPUs.

    Equal work for all methods, as everywhere, which is not the schedule that each was published with.
    """
    crossed_axes = {"test_network": ("resnet10", "densenet121"), "dataset": ["cifar10"], **_PAPER_AXES}
    return (
        _study(
            "condensation", grid("condensation", _published(_ALL), {}, dataset=("cifar10", "cifar100"), **_PAPER_AXES)
        ),
        _study("condensation-cross-architecture", grid("condensation", _published(_CROSSED), {}, **crossed_axes)),
        _study(
            "condensation-sensitivity",
            grid("condensation", _strengths(*_STRENGTHS), dataset=["cifar10"], seed=range(3)),
        ),
    )


def paper_random() -> Study:
    """Random images alone, on which networks only have to be trained: what a core can do of Tables 4 and 5."""
    random, networks = methods("random"), {"test_network": ("resnet10", "densenet121")}
    runs = grid("condensation", random, {}, dataset=("cifar10", "cifar100"), **_PAPER_AXES)
    runs += grid("condensation", random, {}, dataset=["cifar10"], **networks, **_PAPER_AXES)
    return Study("random-images", "Does training on random images reach what is published?", runs, ("4", "5"))


def small(dataset: str, variants: Variants, **axes: Iterable[Any]) -> tuple[Experiment, ...]:
    """The variants with the small settings of a data set; the last axis changes fastest, after the variants.

    Args:
        dataset: a key of `SMALL`.
        variants: "method" may be `GRADIENTS_ALONE`; other entries are added to what was chosen for it.
        axes: as for `lcmat.sweep.profiles.study.grid`.
    """
    return tuple(distinct(grid("condensation", [_with_tuning(dataset, variant) for variant in variants], {}, **axes)))


def crossed(dataset: str, tested: tuple[str, int], **axes: Iterable[Any]) -> tuple[Experiment, ...]:
    """The images of some methods, and another network of this width tested on them."""
    other = {"test_network": tested[0], "test_width": tested[1]}
    return small(dataset, tuple({**variant, **other} for variant in _CROSSED), **axes)


def sensitivity(dataset: str, variants: Variants, **axes: Iterable[Any]) -> tuple[Experiment, ...]:
    """LCMat-C at other settings, beside itself and random images."""
    return small(dataset, (*methods("random", "lcmat-c"), *variants), **axes)


def _whole(dataset: str, **axes: Iterable[Any]) -> tuple[Experiment, ...]:
    """All training images, passed over a fifth as often as condensed ones."""
    epochs = SMALL[dataset]["evaluation_epochs"] // 5
    variant = {"method": "random", "ipc": max(DATASETS[dataset].class_sizes), "evaluation_epochs": epochs}
    return small(dataset, (variant,), **axes)


def _with_tuning(dataset: str, variant: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a variant: those of the data set, those that its competitor chose, and its own."""
    competitor = variant["method"]
    method = "lcmat-c" if competitor == GRADIENTS_ALONE else competitor
    chosen = TUNED[dataset].get("lcmat-c" if competitor in CONTROLS else competitor, {})
    settings = {"dataset": dataset, **SMALL[dataset], **chosen, **variant, "method": method}
    return applicable(method, settings)


def _strengths(*radii: float) -> Variants:
    """LCMat-C at each rho, at the learning rate that it chose; radius 0 is gradients alone at that rate."""
    return tuple({"method": "lcmat-c", "rho": float(rho)} for rho in radii)


def _published(variants: Variants) -> Variants:
    """The variants at published settings, which know no learning rate for gradients alone."""
    alone = {"method": "lcmat-c", "rho": 0.0}
    return tuple(alone if variant["method"] == GRADIENTS_ALONE else variant for variant in variants)


def _join(parts: Iterable[tuple[Experiment, ...]]) -> tuple[Experiment, ...]:
    return tuple(run for part in parts for run in part)


def _study(name: str, runs: tuple[Experiment, ...]) -> Study:
    return Study(name, QUESTIONS[name], runs, _TABLES.get(name, ()))
