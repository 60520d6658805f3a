"""Intervals and paired tests.

Runs are few (3-5 seeds), so every interval is a Student t interval and every comparison of two methods is paired by
seed. `lcmat.report.verdicts` turns an interval into a word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, computed from `n` values."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Distance from the mean to either end."""
        return self.high - self.mean

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies in [-margin, margin]."""
        return -margin <= self.low and self.high <= margin


_SAME = 1e-9  # points, above the rounding of differences
FEWEST_SEEDS = 3
"""Pairs that can decide something: two lie close together now and then by chance, and then claim any precision."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of pairs, its interval, and the two-sided p-value of "the mean difference is zero"."""

    interval: Interval
    p_value: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student t interval of a mean: ``mean(x) +- t(n - 1) s / sqrt(n)``, s the sample standard deviation.

    Args:
        values: one number per seed, finite.
        confidence: coverage of the interval, between 0 and 1.

    Returns:
        The interval, in the unit of `values`. One value alone says nothing about spread: its interval is infinite.

    Raises:
        ValueError: if `values` is empty or holds a number that is not finite.

    >>> interval = mean_interval([1.0, 2.0, 3.0])
    >>> round(interval.mean, 3), round(interval.half_width, 3), interval.n  # t = 4.303, s = 1
    (2.0, 2.484, 3)
    """
    sample = _finite(values)
    n = len(sample)
    spread = float(np.std(sample, ddof=1)) if n > 1 else math.nan
    return _interval(float(np.mean(sample)), spread**2 / n, n - 1, n, confidence)


def welch_difference(
    mean1: float, std1: float, n1: int, mean2: float, std2: float, n2: int, confidence: float = 0.95
) -> Interval:
    """Welch interval of ``mu_1 - mu_2`` from two summaries (mean, sample standard deviation, number of runs).

    The standard error is ``sqrt(s_1^2 / n_1 + s_2^2 / n_2)`` and the degrees of freedom are Welch and Satterthwaite's.
    A standard deviation of zero marks a number taken as exact, NaN an unknown one (its interval is infinite).

    Returns:
        The interval of the difference, with `n = n1`.

    Raises:
        ValueError: if a count is below 1, or below 2 with a known spread that is not zero.

    >>> welch_difference(50.0, 0.0, 5, 48.0, 0.0, 1)
    Interval(mean=2.0, low=2.0, high=2.0, n=5)
    """
    for std, n in ((std1, n1), (std2, n2)):
        if n < 1 or (n < 2 and std > 0):
            raise ValueError(f"{n} run(s) cannot have the spread {std}: give NaN where the spread is unknown")
    half_width = float(welch_half_widths(np.asarray(std1), n1, std2, n2, confidence))
    difference = mean1 - mean2
    return Interval(difference, difference - half_width, difference + half_width, n1)


def welch_half_widths(std1: np.ndarray, n1: int, std2: float, n2: int, confidence: float = 0.95) -> np.ndarray:
    """Half-widths of `welch_difference` for many spreads of the first group at once; infinite where one is NaN."""
    first, second = std1**2 / n1, std2**2 / n2
    total = first + second
    weights = first**2 / max(n1 - 1, 1) + second**2 / max(n2 - 1, 1)
    degrees = np.divide(total**2, weights, out=np.ones_like(total), where=weights > 0)
    half_widths = stats.t.ppf((1 + confidence) / 2, degrees) * np.sqrt(total)
    return np.where(np.isnan(total), math.inf, half_widths)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> PairedDifference:
    """Interval and two-sided t test of the mean of ``a_s - b_s`` over seeds s.

    Args:
        a: one value per seed.
        b: the values of the same seeds, in the same order.
        confidence: coverage of the interval.

    Raises:
        ValueError: if the lengths differ, or as `mean_interval` does.

    One pair cannot reject anything, nor can differences that are all the same and not zero: accuracies come in steps of
    one image, so that their spread is not known. Then the interval is infinite and the p-value 1.

    >>> result = paired_difference([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])  # differences 1, 2, 3: t = 2 sqrt(3)
    >>> round(result.interval.mean, 3), round(result.p_value, 4)
    (2.0, 0.0742)
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equal lengths, not {len(a)} and {len(b)}")
    differences = _finite(a) - _finite(b)
    interval, mean = mean_interval(differences.tolist(), confidence), float(np.mean(differences))
    if len(differences) > 1 and abs(mean) > _SAME and float(np.ptp(differences)) < _SAME:
        return PairedDifference(Interval(mean, -math.inf, math.inf, len(differences)), 1.0)
    return PairedDifference(interval, _t_test_p_value(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment ``max_{j <= i} min(1, (m - j + 1) p_(j))`` of m ordered p-values ``p_(i)``.

    Rejecting where the adjusted value is below alpha keeps the chance of any false rejection below alpha.

    Returns:
        The adjusted p-values in the order given.

    Raises:
        ValueError: if a value is not in [0, 1].

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p_values, dtype=float)
    if not np.all((raw >= 0) & (raw <= 1)):
        raise ValueError(f"p-values lie in [0, 1], not {raw.tolist()}")
    order = np.argsort(raw, kind="stable")
    factors = np.arange(len(raw), 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1.0)
    values: list[float] = adjusted.tolist()
    return values


def _finite(values: Sequence[float]) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    if sample.size == 0 or not np.all(np.isfinite(sample)):
        raise ValueError(f"needs at least one value and finite ones only, not {sample.tolist()}")
    return sample


def _interval(mean: float, squared_error: float, degrees: float, n: int, confidence: float) -> Interval:
    """Student t interval from a squared standard error; NaN means unknown, hence an infinite interval."""
    if math.isnan(squared_error):
        return Interval(mean, -math.inf, math.inf, n)
    half_width = float(stats.t.ppf((1 + confidence) / 2, degrees)) * math.sqrt(squared_error) if squared_error else 0.0
    return Interval(mean, mean - half_width, mean + half_width, n)


def _t_test_p_value(differences: np.ndarray) -> float:
    n = len(differences)
    if n < 2:
        return 1.0
    error = float(np.std(differences, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(differences))
    if error == 0:
        return 1.0
    return float(2 * stats.t.sf(abs(mean) / error, n - 1))
