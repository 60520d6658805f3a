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
