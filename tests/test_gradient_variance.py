"""Moments of the last layer's gradients against a loop of automatic differentiation, sample by sample."""

import pytest
import torch
from torch.nn import functional

from lcmat.curvature import gradient_variance, mean_gradient, mean_hessian_diagonal, second_moment
from tests.test_curvature import dense_by_autograd, random_samples


def gradients_by_loop(features, logits, labels):
    """Gradients (n, c, d + 1) of a linear layer with bias, one backward pass for each sample."""
    layer = torch.nn.Linear(features.shape[1], logits.shape[1]).double()
    gradients = []
    for h, z, y in zip(features, logits, labels, strict=True):
        with torch.no_grad():  # place the layer where it gives this sample's logits
            layer.weight.zero_()
            layer.bias.copy_(z)
        loss = functional.cross_entropy(layer(h)[None], y[None])
        weight, bias = torch.autograd.grad(loss, [layer.weight, layer.bias])
        gradients.append(torch.cat([weight, bias[:, None]], dim=1))
    return torch.stack(gradients)


@pytest.mark.parametrize("seed", range(3))
def test_moments_equal_those_of_the_per_sample_gradients(seed):
    samples = random_samples(n=9, seed=seed)
    gradients = gradients_by_loop(*samples)
    for ours, expected in (
        (mean_gradient(*samples), gradients.mean(0)),
        (second_moment(*samples), gradients.square().mean(0)),
        (gradient_variance(*samples), gradients.var(0)),
        (gradient_variance(*samples, unbiased=False), gradients.var(0, unbiased=False)),
    ):
        torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-13)


def test_the_mean_hessian_diagonal_equals_automatic_differentiation():
    samples = random_samples(n=5)
    _, diagonals = dense_by_autograd(*samples)
    torch.testing.assert_close(mean_hessian_diagonal(*samples[:2]), diagonals.mean(0), rtol=1e-12, atol=1e-14)


def test_whole_weights_count_repetitions():
    features, logits, labels = random_samples(n=4)
    counts = torch.tensor([3, 1, 2, 0])
    repeated = gradients_by_loop(features, logits, labels).repeat_interleave(counts, dim=0)
    samples = (features, logits, labels, 7 * counts)
    torch.testing.assert_close(mean_gradient(*samples), repeated.mean(0))
    torch.testing.assert_close(second_moment(*samples), repeated.square().mean(0))
    torch.testing.assert_close(gradient_variance(*samples, unbiased=False), repeated.var(0, unbiased=False))
    hessians = dense_by_autograd(features, logits, labels)[1].repeat_interleave(counts, dim=0)
    torch.testing.assert_close(mean_hessian_diagonal(features, logits, counts), hessians.mean(0))


def test_equal_weights_are_no_weights():
    samples = random_samples()
    weighted = gradient_variance(*samples, torch.full((7,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(weighted, gradient_variance(*samples), rtol=1e-13, atol=1e-15)


def test_the_weighted_unbiased_variance_is_unbiased():
    """Its expectation over independent draws of two gradients is the variance of the distribution drawn from."""
    features, logits, labels = random_samples(n=3)
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    pairs = [torch.tensor([i, j]) for i in range(3) for j in range(3)]
    drawn = [gradient_variance(features[pair], logits[pair], labels[pair], weights) for pair in pairs]
    population = gradients_by_loop(features, logits, labels).var(0, unbiased=False)
    torch.testing.assert_close(torch.stack(drawn).mean(0), population)


@pytest.mark.parametrize("unbiased", [True, False])
def test_variance_is_differentiable_in_features_and_logits(unbiased):
    features, logits, labels = random_samples(n=4, d=3, c=3)
    weights = torch.tensor([1.0, 2.0, 0.5, 1.5], dtype=torch.float64)
    inputs = (features.requires_grad_(), logits.requires_grad_())
    assert torch.autograd.gradcheck(lambda h, z: gradient_variance(h, z, labels, weights, unbiased=unbiased), inputs)
    assert torch.autograd.gradgradcheck(lambda h, z: gradient_variance(h, z, labels).square().sum(), inputs)


def test_single_precision_is_kept_and_accurate():
    samples = random_samples(n=200, d=20, c=10)
    single = gradient_variance(samples[0].float(), samples[1].float(), samples[2])
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), gradient_variance(*samples), rtol=1e-4, atol=1e-6)


def test_one_sample_has_no_unbiased_variance():
    one = random_samples(n=1)
    with pytest.raises(ValueError, match="0/0"):
        gradient_variance(*one)
    assert (gradient_variance(*one, unbiased=False).abs() < 1e-15).all()
    with pytest.raises(ValueError, match="0/0"):
        gradient_variance(*random_samples(n=3), torch.tensor([0.0, 2.0, 0.0]))


@pytest.mark.parametrize("weights", [[1.0, 1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match=r"weights must be .*finite numbers"):
        second_moment(*random_samples(n=3), torch.tensor(weights))


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        mean_gradient(*(part[:0] for part in random_samples()))
