"""Verdicts at the edges of their rules, and what they can reach against a simulation by scipy's own test."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lcmat import report
from lcmat.report.chances import chances_by_table, describe_chances
from lcmat.report.statistics import Interval, mean_interval, welch_difference
from lcmat.report.verdicts import (
    VERDICTS,
    Published,
    accuracy_margin,
    name_verdict,
    seeds_to_settle,
    verdict,
    verdict_chances,
    within_reach,
)


@pytest.mark.parametrize(
    ("mean", "half_width", "spread", "expected"),
    [
        (0.0, 2.0, 0.0, "reproduced"),  # the margin itself is inside
        (0.0, 2.0, 5.0, "reproduced"),  # and precedes "compatible"
        (0.0, 2.1, 0.0, "inconclusive"),
        (0.0, 2.1, 1.05, "compatible"),  # exactly two spreads
        (0.0, 2.1, 1.04, "inconclusive"),
        (1.0, 0.5, 0.0, "reproduced"),  # excludes zero, yet too small to matter
        (1.5, 1.0, 9.0, "inconclusive"),  # excludes zero within the margin, reaches beyond it
        (2.0, 1.5, 9.0, "inconclusive"),  # exactly the margin is not beyond it
        (2.1, 2.0, 9.0, "higher"),  # no spread makes a difference compatible
        (2.1, 2.1, 0.0, "inconclusive"),  # touches zero
        (2.1, 2.1, 2.0, "compatible"),
        (-2.1, 2.0, 9.0, "lower"),
        (5.0, math.inf, 9.0, "inconclusive"),
    ],
)
def test_verdict_at_the_edges(mean, half_width, spread, expected):
    interval = Interval(mean, mean - half_width, mean + half_width, 5)
    assert name_verdict(interval, margin=2.0, spread=spread) == expected


@given(st.floats(-10, 10), st.floats(0, 10), st.floats(0.1, 5), st.floats(0, 10))
def test_the_first_rule_that_holds_names_the_verdict(mean, half_width, margin, spread):
    interval = Interval(mean, mean - half_width, mean + half_width, 5)
    named = name_verdict(interval, margin, spread)
    assert named in VERDICTS
    if named == "compatible":
        assert interval.half_width <= 2 * spread and not interval.excludes_zero and not interval.within(margin)
    if named in ("higher", "lower"):
        assert abs(mean) > margin and not interval.within(margin)


@pytest.mark.parametrize(
    ("published", "num_classes", "margin"),
    [(13.67, 10, 0.9175), (36.47, 10, 2.0), (18.0, 10, 2.0), (2.51, 100, 0.5), (3.0, 100, 0.5), (5.04, 100, 1.01)],
)
def test_the_margin_shrinks_towards_chance_but_not_to_nothing(published, num_classes, margin):
    assert accuracy_margin(published, num_classes) == pytest.approx(margin)


def test_without_values_there_is_no_verdict_and_one_value_is_inconclusive():
    with pytest.raises(ValueError, match="at least one value"):
        verdict([], Published(50.0, 1.0, 5), margin=2.0)
    single = verdict([50.0], Published(50.0, 1.0, 5), margin=2.0)
    assert (single.name, single.seeds_to_settle) == ("inconclusive", None)


def test_a_published_number_without_spread_is_exact():
    values = [49.9, 50.0, 50.1]
    exact = verdict(values, Published(50.0), margin=2.0)
    assert exact.name == "reproduced"
    assert exact.difference.half_width == pytest.approx(mean_interval(values).half_width)


def test_a_spread_without_seeds_is_that_of_three_and_not_exact():
    values = [20.0, 21.0, 22.0, 20.5, 21.5]
    found = verdict(values, Published(25.41, 6.4), margin=2.0)
    theirs = 25.41 + 6.4 * np.array([-1.0, 0.0, 1.0])
    expected = stats.ttest_ind(values, theirs, equal_var=False).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))
    assert found.name == "inconclusive"
    assert verdict(values, Published(25.41), margin=2.0).name == "lower"


def test_seeds_to_settle_is_the_smallest_number_that_settles():
    ours, theirs = (50.0, 2.0), Published(50.0, 0.3, 5)
    needed = seeds_to_settle(*ours, 3, theirs, margin=2.0)
    names = {n: name_verdict(welch_difference(*ours, n, 50.0, 0.3, 5), 2.0, 0.3) for n in (needed - 1, needed)}
    assert names == {needed - 1: "inconclusive", needed: "reproduced"}


def test_no_number_of_our_seeds_settles_a_published_spread_that_is_too_wide():
    assert seeds_to_settle(50.0, 1.0, 3, Published(50.0, 8.4, 3), margin=2.0) is None


@pytest.mark.parametrize(("std", "seeds", "n", "margin"), [(2.0, 5, 3, 2.0), (1.1, 5, 5, 1.5), (6.4, 3, 3, 2.0)])
def test_chances_agree_with_a_simulation_by_scipys_test(std, seeds, n, margin):
    generator = np.random.default_rng(7)
    shape = np.linspace(-1, 1, seeds)
    shape *= std / shape.std(ddof=1)
    counts = dict.fromkeys(VERDICTS, 0)
    for _ in range(600):
        theirs = shape + generator.normal(0, std / math.sqrt(seeds))
        test = stats.ttest_ind(generator.normal(0, std, n), theirs, equal_var=False).confidence_interval(0.95)
        interval = Interval((test.low + test.high) / 2, test.low, test.high, n)
        counts[name_verdict(interval, margin, std)] += 1
    expected = verdict_chances(std, seeds, n, margin)
    assert sum(expected.values()) == pytest.approx(1)
    assert {name: count / 600 for name, count in counts.items()} == pytest.approx(expected, abs=0.07)


def test_five_seeds_can_decide_most_cells_of_table_1_at_small_fractions_and_three_cannot():
    comparison = report.compare(report.read_published(), [])
    small = comparison[comparison["budget"].isin(["0.001", "0.005", "0.01"])]
    cells = small[(small["table"] == "1") & (small["dataset"] == "cifar10")]
    row = chances_by_table(cells).iloc[0]
    assert row["judged"] == 42
    assert row["decided, n = 3"] == pytest.approx(27, abs=1)
    assert row["decided, n = 5"] == pytest.approx(40, abs=1)


def test_a_published_spread_alone_can_forbid_that_a_number_is_reproduced():
    """With however many seeds of ours the interval is never narrower than that of the published mean."""
    wide, narrow = Published(56.89, 2.7, 5), Published(90.67, 0.2, 5)
    assert not within_reach(wide, None, 2.0) and within_reach(narrow, None, 2.0)
    for each, reached in ((wide, False), (narrow, True)):
        many = welch_difference(each.mean, 1e-9, 100, each.mean, each.std, each.seeds)
        assert many.within(2.0) == reached


def test_a_page_says_beforehand_what_can_come_out():
    rows = report.compare(report.read_published(), []).to_dict("records")
    texts = {row["cell"]: describe_chances(row) for row in rows}
    judged = [row for row in rows if texts[row["cell"]]]
    assert {row["table"] for row in judged} == {"1", "2", "3", "6", "figure 4"}
    assert all("margin" in text.lower() for text in texts.values() if text)
    unstated = [texts[row["cell"]] for row in judged if row["table"] == "6"]
    assert all("states no number of seeds; 3 are assumed" in text for text in unstated)
