"""The speed benchmark's naive side is right, so that "the same picks" means something."""

import torch

from lcmat.benchmarks.selection_speed import measure, naive_distances, naive_greedy, random_class
from tests.test_selection import dense_lcmat_distances
from tests.test_submodular import naive_greedy as plain_greedy


def test_naive_distances_are_equation_10():
    sample = random_class(samples=15, features=4, classes=3, seed=0)
    expected = dense_lcmat_distances(*sample, rho=0.5, top_k=6)
    torch.testing.assert_close(naive_distances(*sample, rho=0.5, top_k=6), expected, rtol=1e-7, atol=1e-7)


def test_naive_greedy_is_the_plain_one():
    points = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    distances = torch.cdist(points, points)
    assert naive_greedy(distances, 12) == plain_greedy(distances, 12)[0]


def test_both_ways_choose_the_same_samples():
    result = measure(samples=120, features=8, classes=5, fractions=[0.1, 0.5])
    assert [entry["same_picks"] for entry in result["budgets"]] == [True, True]
    assert result["largest_relative_difference_of_distances"] < 1e-7
