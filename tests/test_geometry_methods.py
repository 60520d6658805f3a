"""Methods that look at distances, against their definitions in plain loops and against other libraries."""

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from lcmat import select
from lcmat.curvature import LastLayer
from lcmat.selection import cal as cal_module
from lcmat.selection.farthest_first import farthest_first
from lcmat.selection.k_center import k_center
from tests.test_curvature import random_samples

GEOMETRIC = ("herding", "k-center", "contextual-diversity", "moderate", "cal")


def one_class(n=50, d=4, c=3, seed=0):
    """Samples without ties."""
    generator = torch.Generator().manual_seed(seed)
    features, logits = (torch.randn(n, size, generator=generator, dtype=torch.float64) for size in (d, c))
    return features, 2 * logits, torch.zeros(n, dtype=torch.int64)


def order(method, samples, size=None, **options):
    return select(method, *samples, size=len(samples[2]) if size is None else size, **options).indices.tolist()


def naive_herding(points, budget, worst=False):
    """Recompute the distance of each candidate mean to the mean of all."""
    mean, chosen = points.mean(axis=0), []
    for _ in range(budget):
        free = [i for i in range(len(points)) if i not in chosen]
        error = {i: np.linalg.norm(mean - points[[*chosen, i]].mean(axis=0)) for i in free}
        chosen.append((max if worst else min)(free, key=error.get))
    return chosen


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_herding_matches_the_mean_as_defined(seed):
    samples = one_class(seed=seed)
    assert order("herding", samples, 30) == naive_herding(samples[0].numpy(), 30)
    assert order("herding", samples, 30, official_order=True) == naive_herding(samples[0].numpy(), 30, worst=True)


def test_herding_is_wellings_for_features_of_equal_norm():
    features, logits, labels = one_class()
    features = features / features.norm(dim=1, keepdim=True)
    mean, weights, chosen = features.mean(dim=0), features.mean(dim=0), []
    for _ in range(20):
        products = features @ weights
        products[chosen] = -torch.inf
        chosen.append(int(products.argmax()))
        weights = weights + mean - features[chosen[-1]]
    assert order("herding", (features, logits, labels), 20) == chosen


def test_of_equal_samples_herding_takes_the_first_however_many_went_before():
    doubled = [torch.cat([part, part]) for part in one_class(n=400, d=30)]
    found = order("herding", doubled)
    position = {i: place for place, i in enumerate(found)}
    assert all(position[i] < position[i + 400] for i in range(400))


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_gap_herding_is_herding_of_gradients_where_no_curvature_counts(rho):
    """One class, logits of zero: gradients are the features times one vector, with a bias one feature more."""
    features, logits, labels = one_class(seed=1)
    flat = features, torch.zeros_like(logits), labels
    with_bias = torch.cat([features, torch.ones(50, 1).double()], dim=1).numpy()
    expected = naive_herding(with_bias, 30)
    assert (order("gap-herding", flat, 30, rho=rho) == expected) is (rho == 0)
    assert order("gap-herding", flat, 50, rho=rho)[:30] == order("gap-herding", flat, 30, rho=rho)


def test_of_equal_samples_gap_herding_takes_the_first_however_many_went_before():
    doubled = [torch.cat([part, part]) for part in one_class(n=100)]
    position = {i: place for place, i in enumerate(order("gap-herding", doubled))}
    assert all(position[i] < position[i + 100] for i in range(100))


def test_herding_does_not_depend_on_where_the_features_are():
    features, logits, labels = one_class()
    assert order("herding", (features + 1e6, logits, labels), 20) == order("herding", (features, logits, labels), 20)


def naive_farthest_first(distances, first):
    chosen = [first]
    while len(chosen) < len(distances):
        free = [i for i in range(len(distances)) if i not in chosen]
        chosen.append(max(free, key=lambda i: min(distances[i][j] for j in chosen)))
    return chosen


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_k_center_is_farthest_first(seed):
    samples = one_class(seed=seed)
    points = samples[0].numpy()
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    found = order("k-center", samples, seed=seed)
    assert found == naive_farthest_first(distances, found[0])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_facility_location_of_features_chooses_medoids_greedily(seed):
    samples = one_class(seed=seed)
    distances, chosen = cdist(samples[0].numpy(), samples[0].numpy()), []
    for _ in range(12):  # later, two samples that are nearest to each other gain the same
        free = [i for i in range(50) if i not in chosen]
        chosen.append(min(free, key=lambda i: distances[:, [*chosen, i]].min(axis=1).sum()))
    assert order("facility-location", samples, 12, compared="features") == chosen


def test_facility_location_of_features_looks_at_these_alone_wherever_they_are():
    features, logits, labels = one_class()
    moved = (features + 1e3, logits.roll(1, 0), labels)
    found = [order("facility-location", each, 12, compared="features") for each in (moved, (features, logits, labels))]
    assert found[0] == found[1]


def test_k_center_names_features_whose_squares_overflow():
    layer = LastLayer(*(part.float() if part.is_floating_point() else part for part in one_class(seed=0)))
    generator = torch.Generator().manual_seed(0)
    assert len(k_center(layer, 2, generator).indices) == 2
    with pytest.raises(ValueError, match=r"layer.features .* squares is finite: scale them, or give float64"):
        k_center(layer._replace(features=1e30 * layer.features), 2, generator)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_contextual_diversity_is_farthest_first_in_symmetric_divergence(seed):
    samples = one_class(seed=seed)
    p = samples[1].softmax(1).numpy()
    divergences = [[(entropy(a, b) + entropy(b, a)) / 2 for b in p] for a in p]
    found = order("contextual-diversity", samples, seed=seed)
    assert found == naive_farthest_first(divergences, found[0])


@pytest.mark.parametrize("seed", range(5))
def test_k_center_covers_within_twice_the_optimum(seed):
    samples = one_class(n=12, d=2, seed=seed)
    distances = torch.cdist(samples[0], samples[0])
    for budget in (1, 2, 3, 4):
        radius = float(distances[:, order("k-center", samples, budget)].min(dim=1).values.max())
        best = min(float(distances[:, s].min(dim=1).values.max()) for s in itertools.combinations(range(12), budget))
        assert radius <= 2 * best + 1e-12


@pytest.mark.parametrize("method", ["k-center", "contextual-diversity"])
def test_the_generator_draws_the_first_centre_of_each_class(method):
    samples = one_class(n=8)
    first = [order(method, samples, 1, seed=seed)[0] for seed in range(60)]
    assert set(first) == set(range(8))
    assert order(method, samples, 1, seed=3) == order(method, samples, 1, seed=3)


def test_an_empty_choice_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert len(farthest_first(lambda i: torch.zeros(4), 4, 0, generator, rounding=0.0)) == 0
    assert generator.get_state().equal(before)


@pytest.mark.parametrize("n", [40, 41])
def test_moderate_takes_the_samples_next_to_the_median(n):
    features, logits, _ = random_samples(n=n, d=4, c=2)
    labels = torch.zeros(n, dtype=torch.int64)
    distances = np.linalg.norm(features.numpy() - features.numpy().mean(axis=0), axis=1)
    deviation = np.abs(distances - np.median(distances)).round(12)  # the two in the middle are equally far
    assert order("moderate", (features, logits, labels)) == sorted(range(n), key=lambda i: (deviation[i], i))


def test_moderate_without_balance_keeps_the_centres_of_the_classes():
    features, logits, labels = random_samples(n=41, d=4, c=3)
    x, y = features.numpy(), labels.numpy()
    distances = np.array([np.linalg.norm(x[i] - x[y == y[i]].mean(axis=0)) for i in range(41)])
    expected = np.abs(distances - np.median(distances)).argsort(kind="stable").tolist()
    assert order("moderate", (features, logits, labels), balanced=False) == expected


def cal_scores(samples, k):
    features, p = samples[0].numpy(), samples[1].softmax(1).numpy()
    neighbours = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(features).kneighbors(features)[1][:, 1:]
    return [np.mean([entropy(p[j], p[i]) for j in neighbours[i]]) for i in range(len(p))]


@pytest.mark.parametrize("k", [1, 3, 10])
def test_cal_contrasts_with_the_nearest_neighbours(k, monkeypatch):
    samples = one_class(n=60)
    scores = cal_scores(samples, k)
    expected = sorted(range(60), key=lambda i: -scores[i])
    assert order("cal", samples, num_neighbours=k) == expected
    assert order("cal", samples, num_neighbours=k, official_order=True) == expected[::-1]
    monkeypatch.setattr(cal_module, "ELEMENTS_PER_BLOCK", 200)
    assert order("cal", samples, num_neighbours=k) == expected


def test_cal_with_fewer_samples_than_neighbours_takes_all_others():
    samples = one_class(n=6)
    scores = cal_scores(samples, 5)
    assert order("cal", samples) == sorted(range(6), key=lambda i: -scores[i])
    with pytest.raises(ValueError, match="num_neighbours must be a whole number >= 1"):
        order("cal", samples, num_neighbours=0)


def test_equally_near_neighbours_are_those_of_lowest_index():
    points = torch.tensor([[0.0], [1.0], [-1.0], [1.0], [5.0]], dtype=torch.float64)
    found = cal_module.nearest_neighbours(points, torch.arange(5), 2)
    assert found.tolist() == [[1, 2], [0, 3], [0, 1], [0, 1], [1, 3]]


@pytest.mark.parametrize("method", GEOMETRIC)
def test_equal_samples_are_ties(method):
    samples = (torch.full((7, 3), 0.1), torch.full((7, 2), -0.3), torch.zeros(7, dtype=torch.int64))
    found = order(method, samples)
    assert found[1:] == sorted(found[1:])  # the first may be drawn
    assert sorted(found) == list(range(7))


@pytest.mark.parametrize("method", ["k-center", "contextual-diversity"])
def test_duplicates_are_chosen_last(method):
    doubled = [torch.cat([part, part]) for part in one_class(n=20)]
    found = order(method, doubled)
    assert {i % 20 for i in found[:20]} == set(range(20))
    assert found[20:] == sorted(found[20:])


@pytest.mark.parametrize("method", GEOMETRIC)
def test_a_prefix_is_the_choice_of_a_smaller_budget(method):
    samples = one_class()
    whole = order(method, samples, seed=4)
    assert all(order(method, samples, size, seed=4) == whole[:size] for size in (1, 2, 17))


@pytest.mark.parametrize("method", ["herding", "moderate", "cal"])
def test_permuting_the_samples_permutes_the_choice(method):
    samples = one_class(n=51)
    moved = torch.randperm(51, generator=torch.Generator().manual_seed(3))
    permuted = order(method, [part[moved] for part in samples], 20)
    assert moved[permuted].tolist() == order(method, samples, 20)


@pytest.mark.parametrize("method", GEOMETRIC)
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1e8])
def test_extreme_features_and_logits_do_not_matter(method, scale):
    features, logits, labels = one_class(n=30)
    found = order(method, (features * scale, logits * min(scale, 1e3), labels))
    assert sorted(found) == list(range(30))
