"""The paper's networks and schedules: first the lines that cores can do, most informative first, then those for GPUs.

A line goes seed by seed through its methods, so that what there is at any moment can be compared; what needs a GPU goes
cell by cell, each with all its seeds. All but the controls is computed in bfloat16.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from lcmat.config.defaults import Values
from lcmat.sweep.profiles import condensation, continual
from lcmat.sweep.profiles.paper_runs import LARGE, SMALL, Runs, by_cell, by_seed, joined
from lcmat.sweep.profiles.selection import QUESTIONS
from lcmat.sweep.profiles.study import Study
from lcmat.sweep.profiles.variants import (
    LEDGER,
    LEDGER_ENDS,
    NEAREST_ALTERNATIVES,
    PAPER_RADII,
    UNIFORM,
    Variants,
    lcmat_s,
    methods,
    official,
)

THREE, FIVE = range(3), range(5)
"""Seeds: the paper has five in Table 1, and three wherever else it states them."""

_OTHERS = (
    *("contextual-diversity", "herding", "k-center", "least-confidence", "entropy", "margin"),
    *("gradmatch", "glister", "adacore"),
)
_VALIDATED = ("gradmatch-val", "glister-val")
_UNPUBLISHED = ("graph-cut", "facility-location")
_DEFINED, _OFFICIAL = lcmat_s(0.1), official("lcmat-s")
_FIRST = UNIFORM + _DEFINED + _OFFICIAL + official("craig")
_TABLE_1 = _FIRST + official(*_OTHERS)
_TABLE_2 = UNIFORM + _DEFINED + _OFFICIAL + official("craig", "gradmatch", "glister", "adacore")
_TABLE_3 = _TABLE_2 + methods("k-center")
_RADII = (0.0, 0.025, 0.05, 0.075, 0.125, 0.15, 0.175, 0.2, 0.25, 0.35)  # of Figure 4
_ADAM: Values = {"selection_optimizer": "adam", "selection_learning_rate": 1e-3}  # the paper states no rate
_FIGURE_3 = methods("uniform", "k-center", "craig", "gradmatch", "glister", "adacore", "lcmat-s")


def studies() -> tuple[Study, ...]:
    """All of them, in the order in which they are worth doing."""
    return (*lines(), *for_gpus(), *rest())


def lines() -> tuple[Study, ...]:
    """What cores can do in days: Tables 1 to 3 at small fractions, and what is needed to judge them."""
    return (*_table_1(), *_beyond_the_first_cells(), *_other_methods(), _controls())


def _table_1() -> tuple[Study, ...]:
    """CIFAR-10 and ResNet-18: the paper's methods where few images are kept, and the radius."""
    return (
        Study(
            "table-1-small-fractions",
            "Does LCMat-S, as defined or as its code does it, beat uniform selection where few images are kept?",
            by_seed(FIVE, SMALL, _FIRST),
            ("1", "D.2"),
        ),
        Study(
            "table-1-other-methods",
            "Where are the paper's other methods, as their code does them and as they are defined?",
            by_seed(THREE, SMALL, official(*_OTHERS) + methods(*_OTHERS)),
            ("1", "D.2"),
        ),
        Study(
            "table-1-five-percent",
            "Do uniform selection and the official LCMat-S reach what is published at 5 %?",
            by_seed(THREE, [0.05], UNIFORM + _OFFICIAL),
            ("1",),
        ),
        Study(
            "figure-4-half-percent",
            "Does LCMat-S depend on its radius, or on how many dimensions count?",
            by_seed(THREE, [0.005], _changed("rho", *_RADII) + _changed("top_k", 10, 1000)),
            ("figure 4",),
        ),
    )


def _beyond_the_first_cells() -> tuple[Study, ...]:
    """More seeds, CIFAR-100, VGG-16, and where more images are kept."""
    return (
        Study(
            "table-1-other-methods-five-seeds",
            "What do two more seeds decide?",
            by_seed(FIVE[3:], SMALL, official(*_OTHERS)),
            ("1",),
        ),
        Study(
            "ledger",
            QUESTIONS["ledger"],
            by_seed(THREE, [0.01], LEDGER)
            + by_seed(FIVE[3:], [0.01], LEDGER_ENDS)
            + by_seed(THREE, [0.05], LEDGER_ENDS),
        ),
        Study("alternatives", QUESTIONS["alternatives"], by_seed(FIVE, [0.01], NEAREST_ALTERNATIVES)),
        Study(
            "table-1-cifar100",
            "Is it the same with a hundred classes, and if another network learns?",
            joined(
                by_seed(THREE, SMALL[1:], _TABLE_1, dataset="cifar100"),
                by_seed(THREE, [0.01], _TABLE_2, dataset="cifar100", learner="vgg16"),
            ),
            ("1", "2"),
        ),
        Study(
            "table-3-vgg16",
            "Is it the same with VGG-16?",
            by_seed(THREE, SMALL[1:], _TABLE_3, network="vgg16")
            + by_seed(THREE, SMALL[1:], _TABLE_3, network="vgg16", dataset="cifar100"),
            ("3",),
        ),
        Study(
            "table-1-five-percent-defined",
            "Where are LCMat-S as defined and Craig at 5 %, and does uniform selection match the paper at 10 %?",
            by_seed(THREE, [0.05], official("craig") + _DEFINED) + by_seed([0], [0.1], UNIFORM),
            ("1",),
        ),
    )


def _other_methods() -> tuple[Study, ...]:
    """Methods that look at held-out images, that the paper leaves out, or that are none of selection."""
    return (
        Study(
            "table-1-validation-methods",
            "Do the methods gain that look at held-out images?",
            by_seed(THREE, SMALL, official(*_VALIDATED) + methods(*_VALIDATED)),
            ("1",),
        ),
        Study(
            "unpublished-methods",
            "Where are graph cut and facility location, which the code has and the paper leaves out?",
            by_seed(THREE, SMALL, official(*_UNPUBLISHED) + methods(*_UNPUBLISHED)),
        ),
        condensation.paper_random(),
        continual.paper_selected(),
    )


def _controls() -> Study:
    return Study(
        "controls",
        "Do precision, or choosing the best epoch by the test set, change what is found?",
        by_seed(FIVE, SMALL, _FIRST, precision="float32")  # faster where a processor has no bfloat16
        + by_seed(THREE, [0.01], UNIFORM + _OFFICIAL, evaluate_every=10),
    )


def for_gpus() -> tuple[Study, ...]:
    """What takes a GPU hours: larger fractions, and larger networks at small ones."""
    return (
        Study(
            "table-1-five-and-ten-percent",
            "Which methods beat uniform selection where more images are kept?",
            by_cell(FIVE, LARGE[:2], _TABLE_1) + by_cell(FIVE, LARGE[:2], _TABLE_1, dataset="cifar100"),
            ("1", "D.2"),
        ),
        Study(
            "table-6-small-fractions",
            "Is it the same with Inception-v3?",
            by_cell(FIVE, SMALL, _TABLE_1, network="inception-v3"),
            ("6",),
        ),
        Study(
            "table-2-one-percent",
            "Is it the same if larger networks learn?",
            _crossed([0.01], "wrn16-8", "inception-v3"),
            ("2",),
        ),
    )


def rest() -> tuple[Study, ...]:
    """The other cells of the paper, and radii and methods beyond them."""
    return (*_other_cells(), *_beyond(), continual.paper(), *condensation.paper())


def _other_cells() -> tuple[Study, ...]:
    """More seeds, large fractions, larger networks, and Tiny-ImageNet; held-out images only where few are kept."""
    return (
        Study(
            "cifar100-and-vgg16-five-seeds",
            "What do two more seeds decide with a hundred classes, and with VGG-16?",
            by_seed(FIVE[3:], SMALL[1:], _TABLE_1, dataset="cifar100")
            + by_seed(FIVE[3:], SMALL[1:], _TABLE_3, network="vgg16")
            + by_seed(FIVE[3:], SMALL[1:], _TABLE_3, network="vgg16", dataset="cifar100"),
            ("1", "3"),
        ),
        Study(
            "table-1-large-fractions",
            "What is left of the differences where many images are kept, and what do all images give?",
            _large(LARGE[2:]) + _large(LARGE[2:], dataset="cifar100"),
            ("1",),
        ),
        Study("table-6-large-fractions", "And with Inception-v3?", _large(LARGE, network="inception-v3"), ("6",)),
        Study(
            "table-2-five-percent",
            "Does a coreset of 5 % serve other networks?",
            _crossed([0.05], "vgg16", "wrn16-8", "inception-v3"),
            ("2",),
        ),
        Study(
            "table-3-tiny-imagenet",
            "Is it the same with two hundred classes?",
            by_cell(FIVE, SMALL[1:], _TABLE_3, dataset="tiny-imagenet-32"),
            ("3",),
        ),
    )


def _beyond() -> tuple[Study, ...]:
    """Radii, other trainings of the selecting network, and methods that the paper does not compare."""
    return (
        Study(
            "table-1-radii",
            "Does a radius among those of the paper make LCMat-S better?",
            by_cell(FIVE, SMALL + LARGE, lcmat_s(0.0, *PAPER_RADII) + _changed("rho", *PAPER_RADII)),
        ),
        Study(
            "sensitivity",
            QUESTIONS["sensitivity"],
            by_cell(FIVE, [0.005, 0.05], lcmat_s(*(step / 40 for step in range(15)))),
            ("figure 4",),
        ),
        Study(
            "pretraining-robustness",
            QUESTIONS["pretraining-robustness"],
            _pretraining(),
            ("figure 3",),
        ),
        Study(
            "methods-beyond-the-paper",
            "Do methods do better that the paper does not compare?",
            by_cell(FIVE, SMALL, methods("moderate", "cal", "forgetting", "el2n", "grand", "deepfool")),
        ),
    )


def _pretraining() -> Runs:
    """Figure 3: optimizers, epochs and weight decays of the selecting network."""
    points = itertools.product(({}, _ADAM), (2, 5, 10, 20, 100), (1e-4, 5e-4, 1e-3))
    return tuple(
        run
        for optimizer, epochs, decay in points
        for run in by_seed(
            THREE, [0.005], _FIGURE_3, selection_epochs=epochs, selection_weight_decay=decay, **optimizer
        )
    )


def _changed(name: str, *values: float) -> Variants:
    """The official LCMat-S with each of these values of a parameter."""
    return tuple({**_OFFICIAL[0], name: value} for value in values)


def _crossed(fractions: Iterable[float], *learners: str) -> Runs:
    """Coresets that a ResNet-18 chose from CIFAR-100, and other networks learning from them."""
    parts = (by_cell(THREE, fractions, _TABLE_2, dataset="cifar100", learner=name) for name in learners)
    return tuple(itertools.chain(*parts))


def _large(fractions: Iterable[float], **common: Any) -> Runs:
    """Large fractions, and all images: for them every method is uniform selection."""
    return by_cell(FIVE, fractions, _TABLE_1, **common) + by_cell(FIVE, [1.0], UNIFORM, **common)
