"""Studies, which answer one question each, and profiles, which are studies of one size."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from lcmat.config import EXPERIMENTS, Experiment

Run = TypeVar("Run", bound=Experiment)


@dataclass(frozen=True)
class Study:
    """Runs that answer one question together.

    Attributes:
        name: a word for the command line, for instance "label-noise".
        question: a line for the reader.
        runs: without repetition, most informative first.
        tables: tables and figures of the paper whose cells it measures, named as in published.csv.
    """

    name: str
    question: str
    runs: tuple[Experiment, ...]
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """Studies of one size.

    Attributes:
        description: a line for `lcmat sweep --help`.
        make: lists its studies, the benchmark of the paper's main table first; called when they are asked for.
        disposable: whether records that other code made are removed and computed anew; the records of long runs never
            are, they are shown as stale instead.
    """

    description: str
    make: Callable[[], tuple[Study, ...]]
    disposable: bool = False

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """What `make` lists."""
        return self.make()

    def runs(self) -> list[Experiment]:
        """The runs of all studies, each once."""
        return distinct(itertools.chain.from_iterable(study.runs for study in self.studies))


def grid(
    experiment: str,
    variants: Sequence[Mapping[str, Any]],
    common: Mapping[str, Any] | None = None,
    **axes: Iterable[Any],
) -> tuple[Experiment, ...]:
    """Every combination of the axes' values with every variant.

    Args:
        experiment: a key of `lcmat.config.EXPERIMENTS`.
        variants: parameters of each configuration compared.
        common: parameters of all runs.
        axes: parameter -> its values; the first axis changes slowest, the variants fastest.

    >>> [(run.seed, run.rho) for run in grid("selection", [{"rho": 0.0}, {"rho": 0.5}], seed=[0, 1])]
    [(0, 0.0), (0, 0.5), (1, 0.0), (1, 0.5)]
    """
    model = EXPERIMENTS[experiment]
    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*map(tuple, axes.values())))
    return tuple(distinct(model(**{**(common or {}), **p, **v}) for p, v in itertools.product(points, variants)))


def distinct(runs: Iterable[Run]) -> list[Run]:
    """The runs in their order, each once."""
    return list({run.key: run for run in runs}.values())
