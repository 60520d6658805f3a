"""Named sets of runs."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lcmat.config import SelectionParameters

PAPER_RADII = (0.01, 0.05, 0.1, 0.5)
"""The values of rho among which the paper chooses (Sec. 4.1)."""

UNIFORM: Mapping[str, Any] = MappingProxyType({"method": "uniform"})


def lcmat_s(*radii: float) -> tuple[Mapping[str, Any], ...]:
    """LCMat-S at each of these radii, as entries of `Grid.methods`."""
    return tuple({"method": "lcmat-s", "rho": rho} for rho in radii)


@dataclass(frozen=True)
class Grid:
    """Every combination of data sets, methods, fractions and seeds.

    Attributes:
        datasets: names.
        fractions: shares selected.
        seeds: see `SelectionParameters.seed`.
        methods: parameters of each method.
        common: parameters of all runs.
    """

    datasets: tuple[str, ...]
    fractions: tuple[float, ...]
    seeds: Iterable[int]
    methods: tuple[Mapping[str, Any], ...] = (UNIFORM, *lcmat_s(0.0, *PAPER_RADII))
    common: Mapping[str, Any] = field(default_factory=dict)

    def runs(self) -> list[SelectionParameters]:
        """The runs, all of one seed together: they share the selecting network."""
        grid = itertools.product(self.datasets, self.seeds, self.fractions, self.methods)
        return [
            SelectionParameters(dataset=dataset, seed=seed, fraction=fraction, **method, **self.common)
            for dataset, seed, fraction, method in grid
        ]


@dataclass(frozen=True)
class Profile:
    """Grids of runs that are done together.

    Attributes:
        description: a line for `lcmat sweep --help`.
        grids: the first is the benchmark, the others vary one thing.
        disposable: whether records that other code made are removed and computed anew; the records of long runs never
            are, they are shown as stale instead.
    """

    description: str
    grids: tuple[Grid, ...]
    disposable: bool = False

    def runs(self) -> list[SelectionParameters]:
        """The runs of all grids, each once."""
        runs = itertools.chain.from_iterable(grid.runs() for grid in self.grids)
        return list({run.key: run for run in runs}.values())


SELECTOR_EPOCHS = (1, 2, 20)
"""Ages of the selecting network beside the default one, at which the smoke profile repeats one fraction."""

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "smoke": Profile(
            description="digits; minutes on a laptop",
            grids=(
                Grid(("digits",), (0.01, 0.05), range(5)),
                *(
                    Grid(("digits",), (0.05,), range(5), lcmat_s(0.1), {"selection_epochs": epochs})
                    for epochs in SELECTOR_EPOCHS
                ),
            ),
            disposable=True,
        ),
        "cpu": Profile(
            description="Fashion-MNIST and CIFAR-10 with a narrow ConvNet; an hour or two on two cores",
            grids=(
                Grid(
                    ("fashion-mnist", "cifar10"),
                    (0.001, 0.01, 0.05),
                    range(3),
                    common={
                        "network": "convnet",
                        "width": 32,
                        "selection_epochs": 10,
                        "epochs": 100,
                        "evaluate_every": 20,
                        "precision": "bfloat16",
                        "compile": True,
                    },
                ),
            ),
        ),
        "paper": Profile(
            description="the paper's Table 1 and Figure 4: ResNet-18, 200 epochs; for GPUs",
            grids=(
                Grid(("cifar10",), (0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.3), range(5)),
                # 0.1 % of CIFAR-100's 500 images a class rounds to none.
                Grid(("cifar100",), (0.005, 0.01, 0.05, 0.1, 0.2, 0.3), range(5)),
            ),
        ),
    }
)
