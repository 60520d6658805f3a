"""Facility location without the matrix chooses what it chooses with the matrix, and what a naive greedy chooses."""

import pytest
import torch

from lcmat.numerics import blocks, streaming
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.numerics.submodular import cluster_sizes, facility_location
from lcmat.selection import select
from tests.test_curvature import random_samples
from tests.test_submodular import naive_greedy


def points(n, d=2, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distance_blocks(values):
    return lambda rows, columns: torch.cdist(values[rows], values[columns], compute_mode="donot_use_mm_for_euclid_dist")


def dense(values, budget):
    distances = distance_blocks(values)(slice(None), slice(None))
    indices, gains = facility_location(distances, budget)
    return indices, gains, cluster_sizes(distances, indices)


@pytest.fixture(params=[0, 0.02, 1.0], ids=["never stored", "stored when few are left", "stored at once"])
def streamed(request, monkeypatch):
    """The function under test, without a matrix, for the share of the pairs that may be stored."""

    def run(values, budget):
        monkeypatch.setattr(streaming, "LARGEST_MATRIX", 0)
        monkeypatch.setattr(streaming, "STORED_BYTES", request.param * len(values) ** 2 * streaming.BYTES_PER_PAIR)
        monkeypatch.setattr(blocks, "TILE", 16)
        monkeypatch.setattr(streaming, "TILE", 16)
        return facility_location_of_blocks(distance_blocks(values), len(values), budget, like=values)

    return run


def assert_same(result, expected):
    for ours, theirs in zip(result, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 150])
def test_the_choice_is_that_of_the_naive_greedy(streamed, n):
    values = points(n)
    indices, gains, sizes = streamed(values, n)
    expected, expected_gains = naive_greedy(distance_blocks(values)(slice(None), slice(None)), n)
    assert indices.tolist() == expected
    torch.testing.assert_close(gains, torch.tensor(expected_gains, dtype=torch.float64), rtol=1e-9, atol=1e-9)
    assert sizes.sum() == n


@pytest.mark.parametrize("d", [1, 3, 20])
def test_a_thousand_samples_are_chosen_as_from_the_matrix(streamed, d):
    values = points(1000, d)
    assert_same(streamed(values, 200), dense(values, 200))


def test_duplicates_tie_and_the_lowest_index_wins(streamed):
    values = torch.randint(0, 4, (120, 2), generator=torch.Generator().manual_seed(3)).double()
    assert_same(streamed(values, 60), dense(values, 60))


def test_equal_samples_are_chosen_in_order(streamed):
    indices, gains, sizes = streamed(torch.ones(40, 3, dtype=torch.float64), 5)
    assert indices.tolist() == [0, 1, 2, 3, 4]
    assert gains.tolist() == [0] * 5
    assert sizes.tolist() == [40, 0, 0, 0, 0]


@pytest.mark.parametrize("budget", [0, 1])
def test_nothing_and_one_can_be_chosen(streamed, budget):
    assert_same(streamed(points(30), budget), dense(points(30), budget))


def test_lcmat_s_chooses_the_same_above_the_limit(monkeypatch):
    samples = random_samples(n=2500, d=20, c=5)
    expected = select("lcmat-s", *samples, fraction=0.1, balanced=False)
    monkeypatch.setattr(streaming, "LARGEST_MATRIX", 2499)
    monkeypatch.setattr(streaming, "STORED_BYTES", 0.02 * 2500**2 * streaming.BYTES_PER_PAIR)
    result = select("lcmat-s", *samples, fraction=0.1, balanced=False)
    assert result.indices.tolist() == expected.indices.tolist()
    assert result.weights.tolist() == expected.weights.tolist()
    torch.testing.assert_close(result.gains, expected.gains, rtol=1e-9, atol=1e-9)


def test_below_the_limit_the_matrix_is_assembled_once():
    values, seen = points(300), torch.zeros(300, 300, dtype=torch.int64)

    def counted(rows, columns):
        seen[rows, columns] += 1
        return distance_blocks(values)(rows, columns)

    assert_same(facility_location_of_blocks(counted, 300, 30, like=values), dense(values, 30))
    assert seen.max() == 1 and (seen + seen.T).min() == 1  # each pair, and none twice but on the diagonal's blocks


@pytest.mark.parametrize(("value", "message"), [(-1.0, "non-negative"), (torch.nan, "finite"), (torch.inf, "finite")])
def test_distances_that_are_none_are_named(monkeypatch, value, message):
    monkeypatch.setattr(streaming, "LARGEST_MATRIX", 0)

    def block(rows, columns):
        return torch.full((len(rows), len(columns)), value, dtype=torch.float64)

    with pytest.raises(ValueError, match=message):
        facility_location_of_blocks(block, 3, 1, like=torch.zeros(1))


@pytest.mark.parametrize("budget", [-1, 31])
def test_a_budget_out_of_range_is_named(streamed, budget):
    with pytest.raises(ValueError, match=r"0 \.\. 30"):
        streamed(points(30), budget)
