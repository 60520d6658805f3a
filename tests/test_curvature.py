"""Closed forms of the last layer against automatic differentiation and dense arithmetic in float64."""

import pytest
import torch
from torch.nn import functional

from lcmat import curvature
from lcmat.numerics import blocks


def random_samples(n=7, d=5, c=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=dtype).relu()
    logits = 2 * torch.randn(n, c, generator=generator, dtype=dtype)
    labels = torch.randint(c, (n,), generator=generator)
    return features, logits, labels


def autograd_gradient_and_hessian(feature, logit, label):
    """Gradient (c, d + 1) and Hessian (c (d + 1), c (d + 1)) of one sample's loss in an explicit last layer.

    The layer is placed at parameters that give this logit; a loss is differentiated, no closed form is used.
    """
    augmented = torch.cat([feature, feature.new_ones(1)])
    weight = torch.outer(logit, augmented) / augmented.dot(augmented)

    def loss(flat):
        scores = flat.view_as(weight) @ augmented
        return functional.cross_entropy(scores[None], label[None])

    flat = weight.flatten()
    gradient = torch.autograd.functional.jacobian(loss, flat)
    return gradient.view_as(weight), torch.autograd.functional.hessian(loss, flat)


def dense_by_autograd(features, logits, labels):
    pairs = [autograd_gradient_and_hessian(*sample) for sample in zip(features, logits, labels, strict=True)]
    gradients = torch.stack([gradient for gradient, _ in pairs])
    diagonals = torch.stack([hessian.diagonal().view_as(gradient) for gradient, hessian in pairs])
    return gradients, diagonals


def test_gradients_and_hessian_diagonals_equal_autograd():
    samples = random_samples()
    gradients, diagonals = dense_by_autograd(*samples)
    torch.testing.assert_close(curvature.per_sample_gradients(*samples), gradients, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(curvature.hessian_diagonals(*samples[:2]), diagonals, rtol=1e-12, atol=1e-14)


def test_gradients_equal_backpack():
    """BackPACK reports weight and bias separately and divides by the batch under a mean-reduced loss; ours does not."""
    backpack = pytest.importorskip("backpack")
    features, _, labels = random_samples(n=6)
    layer = torch.nn.Linear(5, 4).double()
    model, loss = backpack.extend(layer), backpack.extend(torch.nn.CrossEntropyLoss(reduction="sum"))
    extensions = backpack.extensions
    with backpack.backpack(extensions.BatchGrad(), extensions.BatchDiagHessian()):
        loss(model(features), labels).backward()
    with torch.no_grad():
        logits = layer(features)
    for ours, name in (
        (curvature.per_sample_gradients(features, logits, labels), "grad_batch"),
        (curvature.hessian_diagonals(features, logits), "diag_h_batch"),
    ):
        torch.testing.assert_close(ours[:, :, :-1], getattr(layer.weight, name), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(ours[:, :, -1], getattr(layer.bias, name), rtol=1e-10, atol=1e-12)


def test_gradient_distances_equal_dense_distances():
    samples = random_samples(n=40)
    gradients, _ = dense_by_autograd(*samples)
    flat = gradients.flatten(1)
    expected = (flat[:, None] - flat).square().sum(-1).sqrt()
    torch.testing.assert_close(curvature.gradient_distances(*samples), expected, rtol=1e-10, atol=1e-12)


def test_gradient_distances_keep_their_precision_between_near_neighbours():
    features, logits, labels = random_samples(n=2, d=50)
    features[1], logits[1], labels[1] = features[0] + 1e-9, logits[0], labels[0]
    flat = curvature.per_sample_gradients(features, logits, labels).flatten(1)
    expected = torch.linalg.vector_norm(flat[0] - flat[1])
    torch.testing.assert_close(
        curvature.gradient_distances(features, logits, labels)[0, 1], expected, rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_samples_are_exactly_at_distance_zero(dtype):
    features, logits, labels = random_samples(n=30, d=40, dtype=dtype)
    doubled = [torch.cat([part, part]) for part in (features, logits, labels)]
    distances = curvature.gradient_distances(*doubled)
    assert (distances.diagonal(30) == 0).all()
    assert (distances.diagonal() == 0).all()
    assert (distances[~torch.eye(60).roll(30, 0).bool() & ~torch.eye(60).bool()] > 0).all()


def test_blocks_assemble_the_same_matrices_as_one_block(monkeypatch):
    features, logits, labels = random_samples(n=23)
    dimensions = curvature.top_variance_dimensions(features, logits, 9)
    whole = (
        curvature.gradient_distances(features, logits, labels),
        curvature.hessian_distances(features, logits, dimensions),
    )
    monkeypatch.setattr(blocks, "TILE", 4)
    torch.testing.assert_close(curvature.gradient_distances(features, logits, labels), whole[0])
    torch.testing.assert_close(curvature.hessian_distances(features, logits, dimensions), whole[1])


def test_blocks_of_chosen_rows_and_columns_are_those_of_the_matrix():
    features, logits, labels = random_samples(n=23)
    dimensions = curvature.top_variance_dimensions(features, logits, 9)
    rows, columns = torch.tensor([20, 3, 3]), torch.tensor([0, 22])
    for block, matrix in (
        (
            curvature.gradient_distance_blocks(features, logits, labels),
            curvature.gradient_distances(features, logits, labels),
        ),
        (
            curvature.hessian_distance_blocks(features, logits, dimensions),
            curvature.hessian_distances(features, logits, dimensions),
        ),
    ):
        torch.testing.assert_close(block(rows, columns), matrix[rows][:, columns])
        torch.testing.assert_close(block(rows, slice(2, 7)), matrix[rows, 2:7])


def test_top_variance_dimensions_equal_the_variances_of_the_dense_matrix():
    features, logits, _ = random_samples(n=50, d=6)
    dense = curvature.hessian_diagonals(features, logits).flatten(1)
    expected = torch.sort(dense.var(dim=0), descending=True, stable=True).indices[:10]
    assert curvature.top_variance_dimensions(features, logits, 10).tolist() == expected.tolist()
    torch.testing.assert_close(curvature.hessian_diagonal_columns(features, logits, expected), dense[:, expected])


def test_top_variance_dimensions_take_ties_in_order_and_all_when_k_is_large():
    features, logits, _ = random_samples(d=3, c=2)
    assert curvature.top_variance_dimensions(features * 0 + 1, logits * 0, 3).tolist() == [0, 1, 2]
    assert sorted(curvature.top_variance_dimensions(features, logits, 100).tolist()) == list(range(8))


def test_hessian_distances_equal_dense_sums():
    samples = random_samples(n=12)
    _, diagonals = dense_by_autograd(*samples)
    dimensions = torch.tensor([3, 0, 17, 11])
    columns = diagonals.flatten(1)[:, dimensions]
    expected = (columns[:, None] - columns).abs().sum(-1)
    torch.testing.assert_close(curvature.hessian_distances(*samples[:2], dimensions), expected, rtol=1e-12, atol=1e-14)


def test_everything_is_differentiable():
    features, logits, labels = random_samples(n=4, d=3, c=3)
    inputs = (features.requires_grad_(), logits.requires_grad_())
    dimensions = torch.tensor([1, 5, 9])
    for function in (
        lambda f, z: curvature.per_sample_gradients(f, z, labels),
        curvature.hessian_diagonals,
        lambda f, z: curvature.gradient_distances(f, z, labels),
        lambda f, z: curvature.hessian_distances(f, z, dimensions),
    ):
        assert torch.autograd.gradcheck(function, inputs, eps=1e-7, atol=1e-6)


def test_derivatives_of_coinciding_samples_are_finite():
    features = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    logits = torch.zeros(3, 2, dtype=torch.float64)
    curvature.gradient_distances(features, logits, torch.zeros(3, dtype=torch.int64)).sum().backward()
    assert features.grad is not None and features.grad.isfinite().all()


@pytest.mark.parametrize(
    ("features", "logits", "labels", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64), r"features must be \(n, d\)"),
        (torch.zeros(3, 2), torch.zeros(2, 2), torch.zeros(3, dtype=torch.int64), "same n"),
        (torch.zeros(3, 2), torch.zeros(3, 2).double(), torch.zeros(3, dtype=torch.int64), "share a float dtype"),
        (torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3), "int64"),
        (torch.zeros(3, 2), torch.zeros(3, 2), torch.tensor([0, 1, 2]), r"0 \.\. 1"),
        (torch.zeros(3, 2), torch.zeros(3, 2), torch.tensor([0, 1, -1]), r"0 \.\. 1"),
    ],
)
def test_wrong_inputs_are_named(features, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        curvature.per_sample_gradients(features, logits, labels)


def test_top_k_must_be_positive():
    with pytest.raises(ValueError, match="top_k"):
        curvature.top_variance_dimensions(torch.zeros(2, 1), torch.zeros(2, 2), 0)
