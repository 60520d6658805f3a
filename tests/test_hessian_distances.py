"""Distances of per-sample Hessians against the Hessians themselves, formed entry by entry."""

import pytest
import torch

from lcmat.curvature import (
    frobenius_hessian_distances,
    largest_diagonal_distances,
    spectral_hessian_distances,
)
from lcmat.numerics import blocks

FUNCTIONS = (frobenius_hessian_distances, largest_diagonal_distances, spectral_hessian_distances)


def sample(size=9, features=4, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(size, features, generator=generator, dtype=torch.float64).relu()
    return h, 3 * torch.randn(size, classes, generator=generator, dtype=torch.float64)


def autograd_hessians(features, logits):
    """Second derivatives of the loss in a perturbation of the last layer, (n, c (d+1), c (d+1))."""
    hessians = []
    for h, z in zip(features, logits, strict=True):
        inputs = torch.cat([h, torch.ones(1).double()])

        def loss(weight, z=z, inputs=inputs):
            return torch.logsumexp(z + weight @ inputs, dim=0) - (z + weight @ inputs)[0]

        origin = torch.zeros(len(z), len(inputs), dtype=torch.float64)
        hessians.append(torch.autograd.functional.hessian(loss, origin).reshape(origin.numel(), origin.numel()))
    return torch.stack(hessians)


def dense_distances(features, logits, norm):
    hessians = autograd_hessians(features, logits)
    return torch.stack([torch.stack([norm(a - b) for b in hessians]) for a in hessians])


NORMS = {
    frobenius_hessian_distances: lambda matrix: matrix.square().sum().sqrt(),
    largest_diagonal_distances: lambda matrix: matrix.diagonal().abs().max(),
    spectral_hessian_distances: lambda matrix: torch.linalg.svdvals(matrix)[0],
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [{}, {"features": 1}, {"classes": 2}, {"size": 1}, {"features": 12, "size": 5}])
def test_distances_are_those_of_the_dense_hessians(function, shape):
    given = sample(**shape)
    expected = dense_distances(*given, NORMS[function])
    torch.testing.assert_close(function(*given), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_equal_and_parallel_samples(function):
    features, logits = sample(size=4)
    features[1], logits[1] = features[0], logits[0]
    features[3], logits[3] = 0, 0
    distances = function(features, logits)
    assert distances[0, 1] == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(distances, distances.T, rtol=0, atol=0)
    assert (distances.diagonal() == 0).all()


def test_nearly_equal_samples_keep_their_digits():
    """The expanded square loses everything here: 1e-9 squared is below the rounding error of the norms."""
    features, logits = sample(size=2)
    features[1], logits[1] = features[0], logits[0]
    features[1, 0] += 1e-9
    inputs = torch.cat([features, torch.ones(2, 1)], dim=1)
    step = torch.outer(inputs[1] - inputs[0], inputs[0])
    probabilities = logits[0].softmax(dim=0)
    factor = probabilities.diag() - probabilities.outer(probabilities)
    expected = factor.norm() * (step + step.T).norm()
    torch.testing.assert_close(frobenius_hessian_distances(features, logits)[0, 1], expected, rtol=1e-5, atol=0)


def test_the_three_distances_are_ordered():
    given = sample(size=30, features=8, classes=5, seed=1)
    diagonal, spectral, frobenius = (
        function(*given)
        for function in (largest_diagonal_distances, spectral_hessian_distances, frobenius_hessian_distances)
    )
    assert (diagonal <= spectral * (1 + 1e-10)).all()
    assert (spectral <= frobenius * (1 + 1e-10)).all()


def test_blocks_do_not_change_the_result(monkeypatch):
    given = sample(size=11)
    whole = spectral_hessian_distances(*given)
    monkeypatch.setattr(blocks, "TILE", 4)
    torch.testing.assert_close(spectral_hessian_distances(*given), whole, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_float32_is_raised_to_float64_and_shapes_are_checked(function):
    features, logits = sample()
    assert function(features.float(), logits.float()).dtype == torch.float64
    with pytest.raises(ValueError, match="same n"):
        function(features[:-1], logits)
