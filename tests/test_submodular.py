"""Facility location against a naive greedy, brute force and the definition of its objective."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcmat.numerics.submodular import cluster_sizes, facility_location


def naive_greedy(distances, budget, tolerance=1e-10):
    """Recompute every candidate's gain from the definition at every step; ties go to the lowest index."""
    farthest = distances.max()
    chosen, gains = [], []
    for _ in range(budget):
        nearest = torch.cat([distances[:, chosen], farthest.expand(len(distances), 1)], dim=1).min(dim=1).values
        candidates = [j for j in range(distances.shape[1]) if j not in chosen]
        values = {j: float((nearest - torch.minimum(nearest, distances[:, j])).sum()) for j in candidates}
        best = max(values.values())
        pick = min(j for j, value in values.items() if value >= best - tolerance * abs(best))
        chosen.append(pick)
        gains.append(values[pick])
    return chosen, gains


def random_distances(n, m, seed, integers=False):
    generator = torch.Generator().manual_seed(seed)
    if integers:  # many exact ties
        return torch.randint(0, 4, (n, m), generator=generator).double()
    points = torch.randn(n + m, 3, generator=generator, dtype=torch.float64)
    return torch.cdist(points[:n], points[n:])


def cost(distances, indices):
    return float(distances[:, list(indices)].min(dim=1).values.sum())


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 10_000), st.booleans())
def test_ranking_equals_naive_greedy(n, m, seed, integers):
    distances = random_distances(n, m, seed, integers)
    indices, gains = facility_location(distances, m)
    expected_indices, expected_gains = naive_greedy(distances, m)
    assert indices.tolist() == expected_indices
    torch.testing.assert_close(gains, torch.tensor(expected_gains, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_ranking_equals_naive_greedy_over_many_updates():
    points = torch.randn(400, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    indices, _ = facility_location(distances, 120)
    assert indices.tolist() == naive_greedy(distances, 120)[0]


def test_gains_do_not_increase_and_add_up_to_the_objective():
    distances = random_distances(60, 60, seed=3)
    indices, gains = facility_location(distances, 60)
    assert (gains[1:] <= gains[:-1] * (1 + 1e-9)).all()
    for budget in (1, 7, 60):
        objective = 60 * float(distances.max()) - cost(distances, indices[:budget].tolist())
        assert math.isclose(float(gains[:budget].sum()), objective, rel_tol=1e-10)


def test_a_prefix_is_the_ranking_of_a_smaller_budget():
    distances = random_distances(30, 30, seed=4)
    whole = facility_location(distances, 30).indices.tolist()
    assert all(facility_location(distances, b).indices.tolist() == whole[:b] for b in (0, 1, 10, 29))


@pytest.mark.parametrize("seed", range(20))
def test_greedy_reaches_its_guarantee_against_brute_force(seed):
    distances = random_distances(10, 10, seed)
    farthest = 10 * float(distances.max())
    for budget in (1, 2, 3, 4):
        greedy = farthest - cost(distances, facility_location(distances, budget).indices.tolist())
        best = farthest - min(cost(distances, chosen) for chosen in itertools.combinations(range(10), budget))
        assert best * (1 - 1 / math.e) - 1e-9 <= greedy <= best + 1e-9


def test_ties_go_to_the_lowest_index():
    assert facility_location(torch.ones(4, 4), 4).indices.tolist() == [0, 1, 2, 3]
    assert facility_location(torch.zeros(3, 3), 3).indices.tolist() == [0, 1, 2]
    nearly = torch.tensor([[1.0, 1.0 - 1e-13, 2.0]], dtype=torch.float64)
    assert facility_location(nearly, 1).indices.tolist() == [0]
    apart = torch.tensor([[1.0, 1.0 - 1e-6, 2.0]], dtype=torch.float64)
    assert facility_location(apart, 1).indices.tolist() == [1]


def test_permuting_samples_and_candidates_permutes_the_ranking():
    distances = random_distances(25, 20, seed=5)
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randperm(25, generator=generator), torch.randperm(20, generator=generator)
    permuted = facility_location(distances[rows][:, columns], 8).indices
    assert columns[permuted].tolist() == facility_location(distances, 8).indices.tolist()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])  # collecting never, later and at once
@pytest.mark.parametrize(("n", "m", "integers"), [(40, 30, False), (40, 40, True), (25, 50, True)])
def test_when_the_pairs_left_are_collected_changes_nothing(steps, share, n, m, integers, monkeypatch):
    distances = random_distances(n, m, 6, integers)
    expected = facility_location(distances, m)
    monkeypatch.setattr("lcmat.numerics.greedy.DENSE_STEPS", steps)
    monkeypatch.setattr("lcmat.numerics.greedy.LARGEST_SHARE", share)
    ranking = facility_location(distances, m)
    assert ranking.indices.tolist() == naive_greedy(distances, m)[0]
    assert ranking.gains.tolist() == expected.gains.tolist()


def test_the_layout_of_the_matrix_does_not_matter():
    distances = random_distances(50, 40, seed=6)
    whole = facility_location(distances, 40)
    spread = torch.stack([distances, -distances], dim=2)[:, :, 0]
    for same in (distances.T.contiguous().T, spread, distances.clone().requires_grad_()):
        assert facility_location(same, 40).indices.tolist() == whole.indices.tolist()


def test_float32_distances_are_summed_in_float64():
    distances = random_distances(300, 300, seed=7).float()
    expected = facility_location(distances.double(), 200)
    assert facility_location(distances, 200).indices.tolist() == expected.indices.tolist()


def test_cluster_sizes_count_the_nearest_centres():
    distances = random_distances(50, 20, seed=8)
    indices = torch.tensor([4, 11, 3])
    sizes = cluster_sizes(distances, indices)
    nearest = [min(range(3), key=lambda k, i=i: float(distances[i, indices[k]])) for i in range(50)]
    assert sizes.tolist() == [nearest.count(k) for k in range(3)]
    assert cluster_sizes(distances, indices[:0]).tolist() == []


@pytest.mark.parametrize(
    ("distances", "budget", "message"),
    [
        (torch.zeros(3), 1, "matrix"),
        (torch.zeros(0, 0), 0, "non-empty"),
        (torch.zeros(2, 2, dtype=torch.int64), 1, "float"),
        (torch.tensor([[0.0, -1.0]]), 1, "non-negative"),
        (torch.tensor([[0.0, torch.nan]]), 1, "finite"),
        (torch.tensor([[0.0, torch.inf]]), 1, "finite"),
        (torch.zeros(2, 2), 3, r"0 \.\. 2"),
        (torch.zeros(2, 2), -1, r"0 \.\. 2"),
    ],
)
def test_wrong_inputs_are_named(distances, budget, message):
    with pytest.raises(ValueError, match=message):
        facility_location(distances, budget)
