"""Statistics against scipy's own tests and brute-force closed testing."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lcmat.report.statistics import Interval, holm, mean_interval, paired_difference, welch_difference

SAMPLES = [np.random.default_rng(seed).normal(50 + seed, 1 + seed, size=3 + seed) for seed in range(4)]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_mean_interval_equals_scipys_one_sample_interval(sample, confidence):
    expected = stats.ttest_1samp(sample, 0.0).confidence_interval(confidence)
    interval = mean_interval(sample, confidence)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert interval.n == len(sample)


def test_one_value_alone_has_an_infinite_interval():
    assert mean_interval([42.0]) == Interval(42.0, -math.inf, math.inf, 1)


def test_equal_values_have_an_interval_of_width_zero():
    assert mean_interval([7.0, 7.0, 7.0]).half_width == 0


@pytest.mark.parametrize("values", [[], [math.nan, 1.0], [math.inf]])
def test_values_that_are_missing_or_not_finite_are_refused(values):
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(SAMPLES, 2)))
def test_welch_interval_equals_scipys(a, b):
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    ours = welch_difference(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b))
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_welch_against_an_exact_number_is_the_one_sample_interval():
    sample = SAMPLES[0]
    expected = stats.ttest_1samp(sample, 48.0).confidence_interval(0.95)
    ours = welch_difference(sample.mean(), sample.std(ddof=1), len(sample), 48.0, 0.0, 1)
    assert (ours.low + 48, ours.high + 48) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_welch_with_an_unknown_spread_is_infinite_and_an_impossible_one_is_refused():
    assert welch_difference(1.0, math.nan, 1, 0.0, 1.0, 5).high == math.inf
    with pytest.raises(ValueError, match="cannot have the spread"):
        welch_difference(1.0, 2.0, 1, 0.0, 1.0, 5)


@pytest.mark.parametrize("seed", range(5))
def test_paired_difference_equals_scipys_paired_test(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 5))
    expected = stats.ttest_rel(a, b)
    ours = paired_difference(a, b)
    assert ours.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert ours.interval.low == pytest.approx(expected.confidence_interval(0.95).low, rel=1e-10)


def test_paired_difference_in_limit_cases():
    assert paired_difference([1.0], [0.0]).p_value == 1.0
    assert paired_difference([2.0, 3.0], [2.0, 3.0]).p_value == 1.0
    equal = paired_difference([97.2222, 96.6667, 96.1111], [96.9444, 96.3889, 95.8333])  # one of 360 images each
    assert equal.p_value == 1.0 and equal.interval.half_width == math.inf
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference([1.0], [1.0, 2.0])


def closed_testing(p_values):
    """Adjusted p of hypothesis i: the largest Bonferroni p among all sets of hypotheses that hold i."""
    indices = range(len(p_values))
    sets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(indices, size)]
    bonferroni = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets}
    return [max(p for s, p in bonferroni.items() if i in s) for i in indices]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values):
    assert holm(p_values) == pytest.approx(closed_testing(p_values))


def test_holm_of_nothing_is_nothing_and_refuses_what_is_no_probability():
    assert holm([]) == []
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            holm([bad])
