"""Facility location and graph cut on cosine similarities against their definitions."""

import itertools
import math

import pytest
import torch

from lcmat import select
from lcmat.selection.gradient_factors import gradient_factors
from lcmat.selection.graph_cut import graph_cut_ranking
from lcmat.selection.similarity import cosine_distance_blocks
from tests.test_curvature import dense_by_autograd, random_samples
from tests.test_gradient_methods import dense_gradients, one_class
from tests.test_submodular import naive_greedy


def dense_similarities(rows):
    return torch.stack([(1 + torch.cosine_similarity(row[None], rows)) / 2 for row in rows])


def cut(similarities, chosen, cut_lambda):
    chosen = list(chosen)
    return float(cut_lambda * similarities[:, chosen].sum() - similarities[chosen][:, chosen].sum())


def ranking(similarities, budget, cut_lambda):
    return graph_cut_ranking(similarities.__getitem__, similarities.sum(dim=0), budget, cut_lambda=cut_lambda)


def random_similarities(n, seed):
    points = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return dense_similarities(points)


def test_similarities_equal_those_of_dense_gradients():
    features, logits, labels = random_samples(n=30)
    ours = cosine_distance_blocks(gradient_factors(logits, labels), features)(slice(0, 30), slice(0, 30))
    torch.testing.assert_close(1 - ours, dense_similarities(dense_by_autograd(features, logits, labels)[0].flatten(1)))
    assert ours.min() >= 0 and ours.max() <= 1


def test_a_vanishing_gradient_is_at_right_angles_to_all():
    features, logits, labels = random_samples(n=6)
    factors = gradient_factors(logits, labels)
    factors[2] = 0
    distances = cosine_distance_blocks(factors, features)(slice(0, 6), torch.tensor([2, 0]))
    assert distances[:, 0].tolist() == [0.5] * 6
    assert distances[0, 1] == pytest.approx(0, abs=1e-15)


def test_the_graph_cut_counts_a_vanishing_gradient_as_like_itself():
    features, logits, _ = random_samples(n=6)
    logits[2] = torch.tensor([0.0, 1e4, 0.0, 0.0])
    coreset = select("graph-cut", features, logits, torch.ones(6, dtype=torch.int64), size=6)
    rows = gradient_factors(logits, torch.ones(6, dtype=torch.int64))[:, :, None] * torch.cat(
        [features, torch.ones(6, 1, dtype=torch.float64)], dim=1
    ).unsqueeze(1)
    similarities = dense_similarities(rows.flatten(1)).fill_diagonal_(1)
    assert coreset.gains.sum() == pytest.approx(cut(similarities, range(6), 1.0), abs=1e-9)
    assert coreset.gains[0] == pytest.approx(max(float(row.sum() - 1) for row in similarities))


@pytest.mark.parametrize("double_softmax", [False, True])
def test_facility_location_equals_naive_greedy_on_dense_similarities(double_softmax):
    features, logits, labels, weight = one_class()
    similarities = dense_similarities(dense_gradients(weight, features, labels, quirks=double_softmax))
    coreset = select("facility-location", features, logits, labels, size=15, double_softmax=double_softmax)
    assert coreset.indices.tolist() == naive_greedy(1 - similarities, 15)[0]
    assert coreset.weights.tolist() == [4.0] * 15
    covered = [similarities[:, coreset.indices[:k]].max(dim=1).values.sum() for k in range(1, 16)]
    torch.testing.assert_close(coreset.gains[1:], torch.stack(covered).diff())


@pytest.mark.parametrize("double_softmax", [False, True])
@pytest.mark.parametrize("cut_lambda", [0.0, 0.3, 1.0, 2.0])
def test_graph_cut_equals_a_greedy_that_evaluates_the_function(cut_lambda, double_softmax):
    features, logits, labels, weight = one_class(n=30)
    similarities = dense_similarities(dense_gradients(weight, features, labels, quirks=double_softmax))
    chosen, gains = [], []
    for _ in range(12):
        values = {j: cut(similarities, [*chosen, j], cut_lambda) for j in range(30) if j not in chosen}
        best = max(values.values())
        pick = min(j for j, value in values.items() if value >= best - 1e-10)
        gains.append(values[pick] - cut(similarities, chosen, cut_lambda))
        chosen.append(pick)
    options = {"cut_lambda": cut_lambda, "double_softmax": double_softmax}
    coreset = select("graph-cut", features, logits, labels, size=12, **options)
    assert coreset.indices.tolist() == chosen
    torch.testing.assert_close(coreset.gains, torch.tensor(gains, dtype=torch.float64), rtol=1e-9, atol=1e-9)
    assert coreset.weights.tolist() == [2.5] * 12


def test_gains_of_the_graph_cut_do_not_increase_and_add_up():
    similarities = random_similarities(25, seed=1)
    indices, gains = ranking(similarities, 25, 1.0)
    assert (gains[1:] <= gains[:-1] + 1e-12).all()
    for budget in (1, 7, 25):
        assert gains[:budget].sum() == pytest.approx(cut(similarities, indices[:budget].tolist(), 1.0), abs=1e-9)


@pytest.mark.parametrize(("cut_lambda", "monotone"), [(0.5, False), (1.0, False), (2.0, True), (3.0, True)])
def test_the_graph_cut_is_monotone_from_lambda_two_on(cut_lambda, monotone):
    _, gains = ranking(random_similarities(25, seed=2), 25, cut_lambda)
    assert bool((gains >= -1e-12).all()) is monotone


@pytest.mark.parametrize("seed", range(10))
def test_a_monotone_graph_cut_reaches_its_guarantee_against_brute_force(seed):
    similarities = random_similarities(9, seed)
    for budget in (1, 2, 3, 4):
        best = max(cut(similarities, chosen, 2.0) for chosen in itertools.combinations(range(9), budget))
        greedy = float(ranking(similarities, budget, 2.0)[1].sum())
        assert best * (1 - 1 / math.e) - 1e-9 <= greedy <= best + 1e-9


@pytest.mark.parametrize("cut_lambda", [-0.1, float("nan"), float("inf")])
def test_lambda_must_be_finite_and_not_negative(cut_lambda):
    with pytest.raises(ValueError, match=r"cut_lambda must be a number in \[0, 1e\+30\]"):
        select("graph-cut", *random_samples(n=10), size=2, cut_lambda=cut_lambda)
