"""Craig, GradMatch, Glister and AdaCore against dense gradients from automatic differentiation and plain loops."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from lcmat import select
from lcmat.curvature import LastLayer
from lcmat.numerics.blocks import symmetric_matrix
from lcmat.selection.adacore import official_distance_blocks, preconditioned_distance_blocks
from lcmat.selection.gradient_factors import double_softmax_residuals, gradient_factors
from tests.test_curvature import dense_by_autograd, random_samples
from tests.test_omp import dense_pursuit
from tests.test_submodular import naive_greedy

official = {"double_softmax": True, "loss_reduction": "mean-per-batch"}


def one_class(n=60, d=6, c=3, seed=0, weight=None):
    """Samples of one class whose logits come from an actual last layer, and its parameters (c, d + 1)."""
    features, _, _ = random_samples(n, d, c, seed)
    generator = torch.Generator().manual_seed(99)
    weight = torch.randn(c, d + 1, generator=generator, dtype=torch.float64) if weight is None else weight
    logits = features @ weight[:, :-1].T + weight[:, -1]
    return features, logits, torch.ones(n, dtype=torch.int64), weight


def loss(weight, features, labels, double_softmax=False, reduction="mean"):
    logits = features @ weight[:, :-1].T + weight[:, -1]
    return functional.cross_entropy(logits.softmax(dim=1) if double_softmax else logits, labels, reduction=reduction)


def dense_gradients(weight, features, labels, quirks=False):
    """One row per sample: autograd through its loss, or its share of the official mean over batches of 128."""
    batch = 128 if quirks else 1
    rows = torch.autograd.functional.jacobian(
        lambda w: loss(w, features, labels, double_softmax=quirks, reduction="none"), weight
    ).flatten(1)
    sizes = torch.cat([torch.full((len(part),), float(len(part))) for part in features.split(batch)])
    return rows / sizes[:, None]


def test_double_softmax_residuals_equal_autograd():
    _, logits, labels = random_samples(n=20)
    expected = torch.autograd.functional.jacobian(
        lambda z: functional.cross_entropy(z.softmax(dim=1), labels, reduction="sum"), logits
    )
    torch.testing.assert_close(double_softmax_residuals(logits, labels), expected, rtol=1e-12, atol=1e-14)


def test_double_softmax_hides_confident_errors():
    logits = torch.tensor([[12.0, 0.0, 0.0]])
    wrong = torch.tensor([1])
    assert gradient_factors(logits, wrong).norm() > 1.4
    assert gradient_factors(logits, wrong, double_softmax=True).norm() < 1e-4


def test_gradient_factors_are_scaled_by_the_mean_of_each_batch():
    _, logits, labels = random_samples(n=130)
    scaled = gradient_factors(logits, labels, loss_reduction="mean-per-batch")
    plain = gradient_factors(logits, labels)
    torch.testing.assert_close(scaled, torch.cat([plain[:128] / 128, plain[128:] / 2]))


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("gradients", ["logits", "last-layer"])
def test_craig_equals_naive_greedy_on_dense_gradients(gradients, quirks):
    features, logits, labels, weight = one_class(n=140)
    dense = dense_gradients(weight, features, labels, quirks)
    if gradients == "logits":
        dense = dense.reshape(140, 3, 7)[:, :, -1]
    distances = (dense[:, None] - dense).square().sum(-1).sqrt()
    chosen, gains = naive_greedy(distances, 20)
    options = official if quirks else {}
    coreset = select("craig", features, logits, labels, size=20, gradients=gradients, **options)
    assert coreset.indices.tolist() == chosen
    torch.testing.assert_close(coreset.gains, torch.tensor(gains, dtype=torch.float64))
    nearest = [min(range(20), key=lambda k, i=i: float(distances[i, chosen[k]])) for i in range(140)]
    assert coreset.weights.tolist() == [nearest.count(k) for k in range(20)]


def test_gradients_of_craig_decide():
    features, logits, labels, _ = one_class()
    near, far = (
        select("craig", features, logits, labels, size=9, gradients=g).indices for g in ("logits", "last-layer")
    )
    assert near.tolist() != far.tolist()


@pytest.mark.parametrize(("quirks", "ridge"), [(False, 0.0), (False, 0.5), (False, 50.0), (True, 1.0)])
def test_gradmatch_equals_dense_regressions_on_dense_gradients(quirks, ridge):
    features, logits, labels, weight = one_class(n=140)
    dense = dense_gradients(weight, features, labels, quirks).numpy()
    options = official if quirks else {}
    coreset = select("gradmatch", features, logits, labels, size=12, ridge=ridge, **options)
    chosen, gains = dense_pursuit(dense, dense.sum(axis=0), 12, ridge)
    assert coreset.indices.tolist() == chosen
    np.testing.assert_allclose(coreset.gains, gains, rtol=1e-6, atol=1e-9 * gains[0])


def test_gradmatch_points_where_the_sum_of_all_gradients_does():
    features, logits, labels, weight = one_class(n=80)
    dense = dense_gradients(weight, features, labels)

    def deviation(coreset):
        return 1 - torch.cosine_similarity(coreset.weights @ dense[coreset.indices], dense.sum(dim=0), dim=0)

    draws = [select("uniform", features, logits, labels, size=16, seed=seed) for seed in range(20)]
    assert deviation(select("gradmatch", features, logits, labels, size=16)) < min(map(deviation, draws)) / 2


def test_a_sample_of_no_use_stands_for_itself_alone():
    """Features in one dimension: a second sample adds nothing to the first but its bias."""
    features = torch.tensor([[4.0], [4.0], [4.0]], dtype=torch.float64)
    logits = torch.zeros(3, 2, dtype=torch.float64)
    coreset = select("gradmatch", features, logits, torch.zeros(3, dtype=torch.int64), size=2, ridge=0.0)
    assert coreset.indices.tolist() == [0, 1]
    assert coreset.weights.tolist() == pytest.approx([3 * 3 / 4, 1 * 3 / 4])


def test_the_official_ridge_turns_gradmatch_into_the_top_of_one_product():
    """Next to squared gradients divided by 128^2 a ridge of 1 leaves the residual as it is."""
    features, logits, labels, weight = one_class(n=132)
    coreset = select("gradmatch", features, logits, labels, size=12, ridge=1.0, **official)
    dense = dense_gradients(weight, features, labels, quirks=True)
    products = dense @ dense.mean(dim=0)
    assert set(coreset.indices.tolist()) == set(products.argsort(descending=True)[:12].tolist())
    assert set(coreset.indices[:4].tolist()) == {128, 129, 130, 131}  # the last batch, 32 times too heavy
    defined = select("gradmatch", features, logits, labels, size=12)
    assert len(set(coreset.indices.tolist()) & set(defined.indices.tolist())) < 6


def test_gradmatch_val_matches_the_gradient_of_the_held_out_samples():
    features, logits, labels, weight = one_class()
    held_out = one_class(n=25, seed=5, weight=weight)[:3]
    coreset = select("gradmatch-val", features, logits, labels, size=12, validation=LastLayer(*held_out))
    dense = dense_gradients(weight, features, labels).numpy()
    target = dense_gradients(weight, held_out[0], held_out[2]).mean(dim=0).numpy()
    assert coreset.indices.tolist() == dense_pursuit(dense, 60 * target, 12, 0.5)[0]
    own = LastLayer(features, logits, labels)
    with_itself = select("gradmatch-val", features, logits, labels, size=12, validation=own)
    assert with_itself.indices.tolist() == select("gradmatch", features, logits, labels, size=12).indices.tolist()


@pytest.mark.parametrize("method", ["gradmatch-val", "glister-val"])
def test_a_class_without_validation_samples_is_refused(method):
    samples = random_samples(n=30, c=3)
    others = LastLayer(*(part[samples[2] != 2] for part in samples))
    with pytest.raises(ValueError, match="each class needs samples to match"):
        select(method, *samples, size=9, validation=others)


def loop_glister(train, judges, weight, budget, eta, rounds, quirks):
    """Move an explicit last layer, differentiate the judges' loss there, and choose again."""
    dense = dense_gradients(weight, train[0], train[2], quirks).reshape(len(train[0]), *weight.shape)
    at_once = -(-budget // rounds)
    chosen, gains = [], []
    while len(chosen) < budget:
        moved = weight - eta * dense[chosen].sum(dim=0)
        target = dense_gradients(moved, judges[0], judges[2], quirks).mean(dim=0).view_as(weight)
        values = eta * (dense * target).sum(dim=(1, 2))
        order = [j for j in values.argsort(descending=True).tolist() if j not in chosen]
        chosen += order[: min(at_once, budget - len(chosen))]
        gains += values[chosen[len(gains) :]].tolist()
    return chosen, gains


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize(("eta", "rounds"), [(0.01, 20), (0.5, 20), (0.1, 7), (0.1, 1)])
@pytest.mark.parametrize("held_out", [False, True])
def test_glister_equals_a_loop_over_an_explicit_last_layer(held_out, eta, rounds, quirks):
    *train, weight = one_class(n=140)
    judges = one_class(n=50, seed=3, weight=weight)[:3] if held_out else train
    options = {"eta": eta, "rounds": rounds, **(official if quirks else {})}
    evidence = {"validation": LastLayer(*judges)} if held_out else {}
    coreset = select("glister-val" if held_out else "glister", *train, size=20, **options, **evidence)
    chosen, gains = loop_glister(train, judges, weight, 20, eta, rounds, quirks)
    assert coreset.indices.tolist() == chosen
    torch.testing.assert_close(coreset.gains, torch.tensor(gains, dtype=torch.float64), rtol=1e-8, atol=1e-12)


def test_the_gradient_is_renewed_after_each_choice_unless_told_otherwise():
    samples = one_class()[:3]
    default, each, once = (
        select("glister", *samples, size=20, eta=0.3, **rounds).indices.tolist()
        for rounds in ({}, {"rounds": 20}, {"rounds": 1})
    )
    assert default == each != once


def test_gains_of_glister_are_those_of_the_likelihood_for_a_small_step():
    features, logits, labels, weight = one_class()
    coreset = select("glister", features, logits, labels, size=5, eta=1e-5)
    dense = dense_gradients(weight, features, labels).view(60, *weight.shape)
    for size in range(5):
        before, after = (
            float(loss(weight - 1e-5 * dense[coreset.indices[:k]].sum(dim=0), features, labels))
            for k in (size, size + 1)
        )
        assert before - after == pytest.approx(float(coreset.gains[size]), rel=1e-3)


@pytest.mark.parametrize("options", [{"eta": 0.0}, {"eta": -1.0}, {"eta": float("inf")}, {"rounds": 0}])
def test_wrong_options_of_glister_are_named(options):
    with pytest.raises(ValueError, match=r"eta must be a finite number > 0|rounds must be a whole number >= 1"):
        select("glister", *random_samples(n=20), size=3, **options)


def preconditioned_distances(*samples, damping):
    return symmetric_matrix(len(samples[0]), preconditioned_distance_blocks(*samples, damping=damping), samples[0])


@pytest.mark.parametrize("damping", [0.001, 0.1, 10.0])
def test_adacore_equals_naive_greedy_on_dense_quantities(damping):
    features, logits, labels = random_samples(n=50, d=6, c=3)
    labels = torch.zeros_like(labels)
    gradients, diagonals = (part.flatten(1) for part in dense_by_autograd(features, logits, labels))
    dense = gradients / (diagonals + damping * diagonals.mean())
    distances = (dense[:, None] - dense).square().sum(-1).sqrt()
    torch.testing.assert_close(preconditioned_distances(features, logits, labels, damping=damping), distances)
    coreset = select("adacore", features, logits, labels, size=15, damping=damping)
    chosen, _ = naive_greedy(distances, 15)
    assert coreset.indices.tolist() == chosen
    nearest = [min(range(15), key=lambda k, row=row: row[chosen[k]]) for row in distances.tolist()]
    assert coreset.weights.tolist() == [nearest.count(k) for k in range(15)]


def test_adacore_does_not_depend_on_the_unit_of_the_features():
    """Scaling a network's features and dividing the weights by the same factor leaves its function as it is; the bias
    column is the only one that does not follow, so it is made small against the others."""
    features, logits, labels = random_samples(n=40, d=8)
    plain, scaled = (preconditioned_distances(f * features, logits, labels, damping=0.1) * f for f in (1e4, 1e5))
    features_only = plain / plain.max() - scaled / scaled.max()
    assert features_only.abs().max() < 1e-3


def official_choice(features, logits, labels, budget):
    """The official AdaCore, line by line in numpy and float64: reciprocal, NaN to 0, 10 - d, clipped naive greedy."""
    gradients, diagonals = (part.flatten(1).numpy() for part in dense_by_autograd(features, logits, labels))
    with np.errstate(all="ignore"):
        dense = gradients * np.reciprocal(diagonals)
        squares = (dense**2).sum(axis=1)
        distances = np.sqrt(squares[:, None] + squares - 2 * dense @ dense.T)
    distances[np.isnan(distances)] = 0
    best, chosen = np.zeros(len(features)), []
    for _ in range(budget):
        gains = np.maximum(0, 10 - distances - best[:, None]).sum(axis=0)
        gains[chosen] = -np.inf
        chosen.append(int(np.flatnonzero(gains >= gains.max() - 1e-5)[0]))  # isolated samples tie
        best = np.maximum(best, 10 - distances[:, chosen[-1]])
    return chosen


def test_with_zero_features_the_official_adacore_takes_the_first_images():
    features, logits, labels = random_samples(n=60, d=20, c=3)
    labels = torch.zeros_like(labels)
    assert (features == 0).any(dim=1).all()
    coreset = select("adacore", features, logits, labels, size=12, official_kernel=True)
    assert coreset.indices.tolist() == official_choice(features, logits, labels, 12) == list(range(12))
    assert select("adacore", features, logits, labels, size=12).indices.tolist() != list(range(12))


def test_without_zero_features_the_official_adacore_still_clips():
    features, logits, labels = random_samples(n=40, d=3, c=3)
    features, labels = features + 0.5, torch.zeros_like(labels)
    distances = official_distance_blocks(features, logits, labels)(slice(0, 40), slice(0, 40))
    assert 0.1 < (distances == 10).double().mean() < 0.9
    coreset = select("adacore", features, logits, labels, size=8, official_kernel=True)
    assert coreset.indices.tolist() == official_choice(features, logits, labels, 8)


@pytest.mark.parametrize("damping", [-1.0, float("nan"), float("inf")])
def test_damping_must_be_a_number_that_damps(damping):
    with pytest.raises(ValueError, match="damping must be a finite number >= 0"):
        select("adacore", *random_samples(n=10), size=2, damping=damping)


greedy_methods = pytest.mark.parametrize(
    "method", ["craig", "gradmatch", "glister", "adacore", "facility-location", "graph-cut"]
)


@greedy_methods
def test_a_prefix_is_the_choice_of_a_smaller_budget(method):
    samples = one_class()[:3]
    whole = select(method, *samples, size=60).indices.tolist()
    for size in (1, 10, 59):
        assert select(method, *samples, size=size).indices.tolist() == whole[:size]


@greedy_methods
def test_permuting_the_samples_permutes_the_choice_up_to_ties(method):
    """Two samples that would each cover the other gain exactly the same: such a tie is broken by position."""
    samples = one_class(n=50)[:3]
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    original = select(method, *samples, size=10)
    permuted = select(method, *(part[order] for part in samples), size=10)
    torch.testing.assert_close(permuted.gains, original.gains, rtol=1e-8, atol=1e-12)
    assert sum(a != b for a, b in zip(order[permuted.indices].tolist(), original.indices.tolist(), strict=True)) <= 1


@pytest.mark.parametrize("method", ["craig", "adacore", "facility-location"])
def test_of_equal_samples_one_is_chosen_before_any_second(method):
    features, logits, labels = (torch.cat([part, part]) for part in one_class(n=20)[:3])
    coreset = select(method, features, logits, labels, size=40)
    assert coreset.indices[:20].sort().values.tolist() == list(range(20))
    assert coreset.gains[20:].abs().max() < 1e-9
    if method != "facility-location":  # it has equal weights
        assert coreset.weights[:20].tolist() == [2.0] * 20
