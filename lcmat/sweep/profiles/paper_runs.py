"""Runs of the paper's protocol of selection, in the order in which a study does them."""

import itertools
from collections.abc import Iterable
from typing import Any

from lcmat.config import SelectionParameters
from lcmat.config.defaults import Values
from lcmat.sweep.profiles.study import distinct
from lcmat.sweep.profiles.variants import Variants

Runs = tuple[SelectionParameters, ...]

SMALL, LARGE = (0.001, 0.005, 0.01), (0.05, 0.1, 0.2, 0.3)
"""The fractions of Table 1: those that take a core minutes, and the others."""


def by_seed(seeds: Iterable[int], fractions: Iterable[float], variants: Variants, **common: Any) -> Runs:
    """All fractions and variants of a seed before the next seed."""
    points = itertools.product(seeds, fractions, variants)
    return tuple(distinct(_run(seed, fraction, variant, common) for seed, fraction, variant in points))


def by_cell(seeds: Iterable[int], fractions: Iterable[float], variants: Variants, **common: Any) -> Runs:
    """All seeds of a fraction and variant before the next."""
    points = itertools.product(fractions, variants, seeds)
    return tuple(distinct(_run(seed, fraction, variant, common) for fraction, variant, seed in points))


def joined(*parts: Runs) -> Runs:
    """The runs of all parts, seed by seed."""
    return tuple(sorted(itertools.chain(*parts), key=lambda run: run.seed))


def _run(seed: int, fraction: float, variant: Values, common: Values) -> SelectionParameters:
    every = 50 if fraction <= max(SMALL) else 20
    usual = {"dataset": "cifar10", "precision": "bfloat16", "evaluate_every": every}
    return SelectionParameters(**{**usual, "seed": seed, "fraction": fraction, **common, **variant})
