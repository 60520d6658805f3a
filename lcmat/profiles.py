"""Named sets of runs."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lcmat.config import SelectionParameters

PAPER_RADII = (0.01, 0.05, 0.1, 0.5)
"""The values of rho among which the paper chooses (Sec. 5.1)."""

METHODS: tuple[Mapping[str, Any], ...] = (
    {"method": "uniform"},
    *({"method": "lcmat-s", "rho": rho} for rho in (0.0, *PAPER_RADII)),
)


@dataclass(frozen=True)
class Profile:
    """Every combination of data sets, methods, fractions and seeds.

    Attributes:
        description: a line for `lcmat sweep --help`.
        datasets: names.
        methods: parameters of each method.
        fractions: shares selected.
        seeds: see `SelectionParameters.seed`.
        common: parameters of all runs.
        disposable: whether records that other code made are removed and computed anew; the records of long runs never
            are, they are shown as stale instead.
    """

    description: str
    datasets: tuple[str, ...]
    fractions: tuple[float, ...]
    seeds: Iterable[int]
    methods: tuple[Mapping[str, Any], ...] = METHODS
    common: Mapping[str, Any] = field(default_factory=dict)
    disposable: bool = False

    def runs(self) -> list[SelectionParameters]:
        """The runs, all of one seed together: they share the selecting network."""
        grid = itertools.product(self.datasets, self.seeds, self.fractions, self.methods)
        return [
            SelectionParameters(dataset=dataset, seed=seed, fraction=fraction, **method, **self.common)
            for dataset, seed, fraction, method in grid
        ]


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(
            description="digits; minutes on a laptop",
            datasets=("digits",),
            fractions=(0.01, 0.05, 0.1),
            seeds=range(5),
            disposable=True,
        ),
        "cpu": Profile(
            description="Fashion-MNIST and CIFAR-10 with a narrow ConvNet; hours on two cores",
            datasets=("fashion-mnist", "cifar10"),
            fractions=(0.001, 0.01, 0.05),
            seeds=range(3),
            common={
                "network": "convnet",
                "width": 32,
                "selection_epochs": 3,
                "epochs": 60,
                "evaluate_every": 20,
                "learning_rate": 0.1,
            },
        ),
        "paper": Profile(
            description="the paper's Table 1 and Figure 4: ResNet-18, 200 epochs; for GPUs",
            datasets=("cifar10", "cifar100"),
            fractions=(0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3),
            seeds=range(5),
        ),
    }
)
