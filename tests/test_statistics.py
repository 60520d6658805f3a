"""Statistics against scipy's own tests, brute-force closed testing, and verdicts at the edges of their rules."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lcmat.statistics import (
    VERDICTS,
    Interval,
    holm,
    mean_interval,
    name_verdict,
    paired_difference,
    seeds_to_settle,
    verdict,
    welch_difference,
)

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
    assert paired_difference([2.0, 3.0], [1.0, 2.0]).p_value == 0.0
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


@pytest.mark.parametrize(
    ("mean", "low", "high", "expected"),
    [
        (0.0, -2.0, 2.0, "reproduced"),  # the margin itself is inside
        (0.0, -2.0000001, 2.0, "inconclusive"),
        (1.0, 0.5, 1.5, "reproduced"),  # excludes zero, yet too small to matter
        (2.0, 0.5, 3.5, "inconclusive"),  # exactly the margin is not beyond it
        (2.1, 0.1, 4.1, "higher"),
        (2.1, 0.0, 4.2, "inconclusive"),  # touches zero
        (-2.1, -4.1, -0.1, "lower"),
        (5.0, -math.inf, math.inf, "inconclusive"),
    ],
)
def test_verdict_at_the_edges(mean, low, high, expected):
    assert name_verdict(Interval(mean, low, high, 5), margin=2.0) == expected


@given(st.floats(-10, 10), st.floats(0, 10), st.floats(0.1, 5))
def test_exactly_one_rule_applies(mean, half_width, margin):
    interval = Interval(mean, mean - half_width, mean + half_width, 5)
    rules = [interval.within(margin), interval.excludes_zero and abs(mean) > margin]
    assert sum(rules) <= 1
    assert name_verdict(interval, margin) in VERDICTS


def test_verdict_without_values_is_not_run_and_with_one_value_inconclusive():
    assert verdict([], 50.0, 1.0, 5, margin=2.0).name == "not run"
    single = verdict([50.0], 50.0, 1.0, 5, margin=2.0)
    assert (single.name, single.seeds_to_settle) == ("inconclusive", None)


def test_a_published_number_without_spread_is_exact():
    values = [49.9, 50.0, 50.1]
    exact = verdict(values, 50.0, None, None, margin=2.0)
    assert exact.name == "reproduced"
    assert exact.difference.half_width == pytest.approx(mean_interval(values).half_width)
    assert verdict(values, 50.0, 2.0, 3, margin=2.0).name == "inconclusive"


def test_seeds_to_settle_is_the_smallest_number_that_settles():
    ours, theirs = (50.0, 2.0), (50.0, 0.3, 5)
    needed = seeds_to_settle(*ours, 3, *theirs, margin=2.0)
    names = {n: name_verdict(welch_difference(*ours, n, *theirs), 2.0) for n in (needed - 1, needed)}
    assert names == {needed - 1: "inconclusive", needed: "reproduced"}


def test_no_number_of_our_seeds_settles_a_published_spread_that_is_too_wide():
    assert seeds_to_settle(50.0, 1.0, 3, 50.0, 8.4, 3, margin=2.0) is None
