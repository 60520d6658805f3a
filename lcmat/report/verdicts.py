"""The verdicts of the reproducibility report: rules that turn an interval into a word, and what they can reach.

The rules live here alone. What they replaced, and why, is on the page about the history of the results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal, cast

import numpy as np
from scipy import stats

from lcmat.report.statistics import FEWEST_SEEDS, Interval, mean_interval, welch_difference, welch_half_widths

RULES_OF = date(2026, 11, 28)
"""When these rules were committed: before the first record of the paper's protocol."""

MAX_MARGIN_PERCENT = 2.0
"""Largest difference of two mean accuracies, in percentage points, that still counts as the same result."""

MIN_MARGIN_PERCENT = 0.5
"""The same for a published accuracy at the level of chance."""

SMALLEST_SEEDS = 3
"""Runs behind a published spread where the paper states no number: the smallest that any of its tables has."""

COMPATIBLE_SPREADS = 2.0
"""Largest half-width of the interval, in published spreads, of a number that is called compatible."""

MAX_SEEDS = 100
"""Largest number of seeds that `seeds_to_settle` considers worth planning."""

DRAWS = 4000
"""Simulated sets of runs behind `verdict_chances`."""

VerdictName = Literal["reproduced", "compatible", "higher", "lower", "inconclusive"]
VERDICTS: tuple[VerdictName, ...] = ("reproduced", "compatible", "higher", "lower", "inconclusive")


@dataclass(frozen=True)
class Published:
    """A published mean; `std` and `seeds` are None where the paper does not state them."""

    mean: float
    std: float | None = None
    seeds: int | None = None

    @property
    def spread(self) -> tuple[float, int]:
        """Standard deviation and number of runs that an interval takes.

        Without a spread, or with one that is printed as zero, the number counts as exact; with a spread but no number
        of seeds the smallest plausible one stands, `SMALLEST_SEEDS`.

        >>> Published(25.41, 6.4).spread, Published(30.88).spread
        ((6.4, 3), (0.0, 1))
        """
        return (self.std, self.seeds or SMALLEST_SEEDS) if self.std else (0.0, 1)


@dataclass(frozen=True)
class Verdict:
    """What a cell of the paper turned out to be; `seeds_to_settle` is set only for "inconclusive"."""

    name: VerdictName
    difference: Interval
    seeds_to_settle: int | None = None


def accuracy_margin(published: float, num_classes: int) -> float:
    """A quarter of what the published accuracy is above chance, between the two bounds of the margin, in points.

    >>> accuracy_margin(20.42, 10), accuracy_margin(64.72, 10), accuracy_margin(2.5, 100)
    (2.0, 2.0, 0.5)
    >>> round(accuracy_margin(16.26, 10), 3)
    1.565
    """
    above_chance = published - 100 / num_classes
    return max(MIN_MARGIN_PERCENT, min(MAX_MARGIN_PERCENT, above_chance / 4))


def name_verdict(difference: Interval, margin: float, spread: float = 0.0) -> VerdictName:
    """Turn an interval of (ours - published) into a word, the first whose rule holds.

    1. "reproduced": the interval lies inside +-margin, whether or not it contains zero.
    2. "compatible": it contains zero and its half-width is at most two published spreads.
    3. "higher" or "lower": it excludes zero and the mean difference exceeds the margin.
    4. "inconclusive": otherwise. So is an interval that excludes zero around a mean difference within the margin, but
       reaches beyond it: there is a difference, and whether it matters is open.

    >>> name_verdict(Interval(0.5, -0.5, 1.5, 5), margin=2.0)
    'reproduced'
    >>> name_verdict(Interval(0.5, -2.0, 3.0, 5), margin=2.0, spread=1.25)
    'compatible'
    >>> name_verdict(Interval(-3.0, -4.0, -2.0, 5), margin=2.0)
    'lower'
    >>> name_verdict(Interval(1.5, 0.5, 2.5, 5), margin=2.0, spread=1.0)
    'inconclusive'
    """
    means, half_widths = np.array([difference.mean]), np.array([difference.half_width])
    return cast("VerdictName", str(_name_verdicts(means, half_widths, margin, spread)[0]))


def verdict(values: Sequence[float], published: Published, *, margin: float) -> Verdict:
    """Compare our seeds with a published mean by Welch's interval.

    Raises:
        ValueError: if there are no values.

    >>> verdict([63.0, 64.0, 65.0], Published(64.72, 1.3, 5), margin=2.0).name
    'compatible'
    """
    ours = mean_interval(values)
    std = float(np.std(values, ddof=1)) if ours.n > 1 else math.nan
    difference = welch_difference(ours.mean, std, ours.n, published.mean, *published.spread)
    name = name_verdict(difference, margin, published.spread[0])
    needed = seeds_to_settle(ours.mean, std, ours.n, published, margin=margin) if name == "inconclusive" else None
    return Verdict(name, difference, needed)


def seeds_to_settle(mean: float, std: float, n: int, published: Published, *, margin: float) -> int | None:
    """Smallest number of our seeds that would end "inconclusive" if our mean and spread stayed as they are.

    Returns:
        The number, or None if `MAX_SEEDS` would not do (the published spread alone may be too wide) or our spread is
        unknown.
    """
    if math.isnan(std):
        return None
    for seeds in range(n + 1, MAX_SEEDS + 1):
        difference = welch_difference(mean, std, seeds, published.mean, *published.spread)
        if name_verdict(difference, margin, published.spread[0]) != "inconclusive":
            return seeds
    return None


def seeds_to_tell(interval: Interval, comparisons: int = 1) -> int | None:
    """Smallest number of seeds at which the interval would exclude zero if mean and spread stayed as they are.

    Args:
        interval: of the mean difference, 95 %.
        comparisons: that are corrected together. The interval is taken at the level that Holm's correction asks of the
            first of them, so that the number suffices however the others come out.

    Returns:
        The number, the present one at least; None if `MAX_SEEDS` would not do, or if one seed tells no spread.

    >>> seeds_to_tell(mean_interval([0.0, 1.0, 2.0]))  # 1 > t(n - 1) / sqrt(n) from n = 7 on
    7
    """
    if not math.isfinite(interval.half_width):
        return None
    std = interval.half_width * math.sqrt(interval.n) / float(stats.t.ppf(0.975, interval.n - 1))
    numbers, level = range(max(interval.n, FEWEST_SEEDS), MAX_SEEDS + 1), 1 - 0.05 / max(comparisons, 1)
    return next((n for n in numbers if welch_difference(interval.mean, std, n, 0.0, 0.0, 1, level).excludes_zero), None)


@cache
def verdict_chances(std: float, seeds: int, n: int, margin: float) -> Mapping[str, float]:
    """How often each verdict comes out if the paper and we measure the same thing with the same spread.

    Both means are drawn anew, and our spread; the published one is what is printed.

    Args:
        std: published spread, above zero.
        seeds: runs behind it.
        n: seeds of ours, two or more.
        margin: see `accuracy_margin`.

    Returns:
        Verdict -> its share of `DRAWS` simulations, always the same ones.

    >>> chances = verdict_chances(0.4, 5, 5, 2.0)
    >>> chances["reproduced"], sum(chances.values())
    (1.0, 1.0)
    """
    generator = np.random.default_rng(0)
    ours = generator.normal(0.0, std, (DRAWS, n))
    differences = ours.mean(axis=1) - generator.normal(0.0, std / math.sqrt(seeds), DRAWS)
    half_widths = welch_half_widths(ours.std(axis=1, ddof=1), n, std, seeds)
    names = _name_verdicts(differences, half_widths, margin, std)
    return {name: float(np.mean(names == name)) for name in VERDICTS}


def within_reach(published: Published, n: int | None, margin: float) -> bool:
    """Whether "reproduced" could come out at all, were our mean equal to the published one.

    Args:
        published: the number.
        n: seeds of ours, of the same spread as the published one; None: as many as we like, without any spread.
        margin: see `accuracy_margin`.

    >>> within_reach(Published(56.89, 2.7, 5), None, 2.0), within_reach(Published(64.72, 1.3, 5), 5, 2.0)
    (False, True)
    """
    std, seeds = published.spread
    if n is None:
        return std == 0 or float(stats.t.ppf(0.975, seeds - 1)) * std / math.sqrt(seeds) <= margin
    return bool(welch_half_widths(np.array(std), n, std, seeds) <= margin)


def _name_verdicts(differences: np.ndarray, half_widths: np.ndarray, margin: float, spread: float) -> np.ndarray:
    """`name_verdict` of many intervals."""
    sizes = np.abs(differences)
    excludes_zero = sizes > half_widths
    rules = {
        "reproduced": sizes + half_widths <= margin,
        "compatible": ~excludes_zero & (half_widths <= COMPATIBLE_SPREADS * spread),
        "higher": excludes_zero & (differences > margin),
        "lower": excludes_zero & (differences < -margin),
    }
    return np.select(list(rules.values()), list(rules), "inconclusive")
