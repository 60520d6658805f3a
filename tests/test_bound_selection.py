"""From the curvature gap to facility location and to gradient variance: which steps always hold, which may fail."""

import itertools
import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcmat import bound
from lcmat.curvature import (
    gradient_distances,
    hessian_diagonals,
    hessian_distances,
    per_sample_gradients,
    top_variance_dimensions,
)
from lcmat.numerics.submodular import cluster_sizes, facility_location

RHO = 0.5


def random_samples(seed, n, d=3, c=3):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    logits = 2 * torch.randn(n, c, generator=generator, dtype=torch.float64)
    return features, logits, torch.randint(c, (n,), generator=generator)


def lcmat_distances(features, logits, labels, top_k):
    """d_ij of the facility-location bound and the dimensions it sums over."""
    dimensions = top_variance_dimensions(features, logits, top_k)
    curvature = hessian_distances(features, logits, dimensions)
    return gradient_distances(features, logits, labels) + RHO / 2 * curvature, dimensions


@given(seed=st.integers(0, 10_000), n=st.integers(4, 25), size=st.integers(1, 4), top_k=st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_assignment_bound_holds_with_cluster_weights(seed, n, size, top_k):
    features, logits, labels = random_samples(seed, n)
    distances, dimensions = lcmat_distances(features, logits, labels, top_k)
    chosen = facility_location(distances, size).indices
    weights = cluster_sizes(distances, chosen) / n
    difference = bound.subset_difference(features, logits, labels, chosen, weights)
    matched = float(bound.gradient_gap(difference).norm()) + RHO / 2 * bound.top_diagonal(difference, dimensions)[1]
    assert matched <= float(distances[:, chosen].min(dim=1).values.mean()) * (1 + 1e-9) + 1e-12


@given(seed=st.integers(0, 10_000), n=st.integers(4, 25), size=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_uniform_weights_need_the_extra_term(seed, n, size):
    features, logits, labels = random_samples(seed, n)
    distances = gradient_distances(features, logits, labels)
    chosen = facility_location(distances, size).indices
    sizes = cluster_sizes(distances, chosen)
    gradients = per_sample_gradients(features, logits, labels)[chosen].flatten(1)
    centre = gradients.mean(dim=0)
    extra = float((sizes / n - 1 / size).abs() @ (gradients - centre).norm(dim=1))
    difference = bound.subset_difference(features, logits, labels, chosen)
    assignment = float(distances[:, chosen].min(dim=1).values.mean())
    assert float(bound.gradient_gap(difference).norm()) <= assignment + extra + 1e-12


def test_the_assignment_bound_is_false_without_weights():
    """Ninety-nine points at 0 and one at 100: two centres cost nothing, yet the plain mean is off by 49."""
    points = torch.tensor([[0.0]] * 99 + [[100.0]], dtype=torch.float64)
    distances = torch.cdist(points, points)
    chosen = facility_location(distances, 2).indices
    assert float(distances[:, chosen].min(dim=1).values.sum()) == 0
    assert float((points.mean() - points[chosen].mean()).abs()) == 49
    weights = cluster_sizes(distances, chosen) / len(points)
    assert float((points.mean() - weights @ points[chosen, 0]).abs()) < 1e-12


@given(seed=st.integers(0, 10_000), size=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_greedy_reaches_its_guarantee_on_brute_forced_sets(seed, size):
    distances, _ = lcmat_distances(*random_samples(seed, 9), top_k=5)
    ranking = facility_location(distances, size)
    worst = float(distances.max()) * len(distances)
    best = max(
        worst - float(distances[:, list(subset)].min(dim=1).values.sum())
        for subset in itertools.combinations(range(9), size)
    )
    assert bool((ranking.gains.diff() <= 1e-9 * worst).all())
    assert float(ranking.gains.sum()) >= (1 - 1 / math.e) * best - 1e-9 * worst


def random_instance(seed):
    """Distances of a dozen random points, sometimes in clusters and sometimes with exact ties, and a budget."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(12, 1 + seed % 3, generator=generator, dtype=torch.float64)
    if seed % 5 == 0:
        points = points.round()
    if seed % 7 == 0:
        points[:6] *= 0.01
    return (points[:, None] - points).norm(dim=2), 2 + seed % 4


def brute_force(distances, size):
    """The least cost of one element, of all sets of a size, and of the plainest greedy algorithm."""

    def cost(chosen):
        return float(distances[:, list(chosen)].min(dim=1).values.sum())

    everything, chosen = range(len(distances)), []
    for _ in range(size):
        chosen.append(min(everything, key=lambda j: cost([*chosen, j])))
    return cost(chosen[:1]), min(map(cost, itertools.combinations(everything, size))), cost(chosen)


def medoid_guarantee(medoid_cost, best_cost, size, steps):
    left = (1 - 1 / size) ** steps
    return left * medoid_cost + (1 - left) * best_cost


def test_greedy_keeps_the_medoid_guarantee_on_300_brute_forced_instances():
    """Each of the m - 1 choices after the first closes at least 1 / m of what separates the cost from the best."""
    for seed in range(300):
        distances, size = random_instance(seed)
        medoid, best, plain = brute_force(distances, size)
        chosen = facility_location(distances, size).indices
        ours = float(distances[:, chosen].min(dim=1).values.sum())
        guarantee = medoid_guarantee(medoid, best, size, size - 1)
        assert max(ours, plain) <= guarantee * (1 + 1e-9) + 1e-12, seed


def test_the_medoid_guarantee_is_nearly_attained_and_false_with_one_more_step():
    """On the line 50 at 0, one at 1, 50 at 2: greedy takes the middle, then one end, at a cost of 50."""
    places = torch.tensor([0.0] * 50 + [1.0] + [2.0] * 50, dtype=torch.float64)
    distances = (places[:, None] - places).abs()
    chosen = facility_location(distances, 2).indices.tolist()
    cost, medoid, best = float(distances[:, chosen].min(dim=1).values.sum()), 100, 1
    assert cost == 50 and medoid_guarantee(medoid, best, 2, 1) == 50.5
    assert cost > medoid_guarantee(medoid, best, 2, 2)


def test_with_equal_clusters_two_separate_assignments_break_the_unweighted_bound():
    """Assigning gradients and diagonals apart gives 0 on the right; one assignment by d_ij gives what is needed."""
    gradients, diagonals = torch.tensor([[0.0, 10.0, 0.0, 0.0], [0.0, 100.0, 100.0, 0.0]], dtype=torch.float64)
    apart, curved = ((values[:, None] - values[:2]).abs() for values in (gradients, diagonals))
    distances = apart + 0.5 * curved
    assert cluster_sizes(distances, torch.arange(2)).tolist() == [2, 2]  # the extra term vanishes
    left = (gradients.mean() - gradients[:2].mean()).abs() + 0.5 * (diagonals.mean() - diagonals[:2].mean()).abs()
    assert float(left) == 2.5
    assert float(apart.min(dim=1).values.mean() + 0.5 * curved.min(dim=1).values.mean()) == 0
    assert float(distances.min(dim=1).values.mean()) == 2.5


def test_hessian_diagonal_of_a_set_is_the_mean_of_its_samples():
    features, logits, labels = random_samples(0, 12)
    difference = bound.subset_difference(features, logits, labels, torch.tensor([1, 4, 4]))
    rows = hessian_diagonals(features, logits)
    expected = rows.mean(dim=0) - rows[torch.tensor([1, 4, 4])].mean(dim=0)
    torch.testing.assert_close(bound.hessian_diagonal(difference), expected)


def test_hessian_is_the_second_moment_of_gradients_with_labels_drawn_from_the_model():
    features, logits, _ = random_samples(1, 6)
    probabilities = logits.softmax(dim=1)
    moment = sum(
        torch.einsum(
            "n,ni,nj->ij",
            probabilities[:, label],
            *[per_sample_gradients(features, logits, torch.full((6,), label)).flatten(1)] * 2,
        )
        for label in range(3)
    )
    whole = bound.LossDifference(
        torch.cat([features, torch.ones(6, 1, dtype=torch.float64)], dim=1),
        logits,
        torch.zeros(6, dtype=torch.int64),
        torch.ones(6, dtype=torch.float64),
    )
    torch.testing.assert_close(moment, bound.dense_hessian(whole), rtol=0, atol=1e-13)


def test_empirical_fisher_ratio_is_odds_of_the_class():
    """EF / H on the diagonal: (1 - p_y) / p_y for the true class, p_k / (1 - p_k) for the others."""
    features, logits, labels = random_samples(2, 5)
    probabilities = logits.softmax(dim=1)
    ratio = per_sample_gradients(features, logits, labels).square() / hessian_diagonals(features, logits)
    odds = probabilities / (1 - probabilities)
    true_class = torch.nn.functional.one_hot(labels, 3).bool()
    expected = torch.where(true_class, 1 / odds, odds)
    torch.testing.assert_close(ratio, expected.unsqueeze(-1).expand_as(ratio))


def test_a_class_may_have_equal_diagonals_although_its_labels_are_not_drawn_from_the_model():
    """Two classes predicted alike, one label: empirical Fisher and Hessian diagonal agree, uncalibrated."""
    features, logits = random_samples(3, 7)[0], torch.zeros(7, 2, dtype=torch.float64)
    fisher = per_sample_gradients(features, logits, torch.ones(7, dtype=torch.int64)).square()
    torch.testing.assert_close(fisher, hessian_diagonals(features, logits), rtol=0, atol=1e-15)


def test_a_class_predicted_with_more_than_one_half_has_the_smaller_empirical_fisher_everywhere():
    features, logits, labels = random_samples(4, 40)
    logits[torch.arange(40), labels] += 12
    assert bool((logits.softmax(dim=1)[torch.arange(40), labels] > 0.5).all())
    assert bool((per_sample_gradients(features, logits, labels).square() < hessian_diagonals(features, logits)).all())
