"""The model with two parameters against automatic differentiation and the softmax layer that it stands for."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from lcmat import bound
from lcmat.bound import toy


@pytest.fixture
def sample():
    return toy.two_class_line(8, torch.Generator().manual_seed(0))


def test_classes_alternate_and_overlap(sample):
    features, labels = toy.two_class_line(400, torch.Generator().manual_seed(1))
    assert labels.tolist() == [0, 1] * 200
    low, high = features[labels == 0].flatten(), features[labels == 1].flatten()
    assert low.mean() < 0 < high.mean() and high.min() < low.max()
    assert high.std() > 1.5 * low.std()


def test_losses_are_those_of_the_softmax_layer(sample):
    features, labels = sample
    points = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inputs = torch.cat([features, torch.ones(8, 1)], dim=1)
    for point, losses in zip(points, toy.sample_losses(features, labels, points), strict=True):
        expected = cross_entropy(inputs @ toy.layer_weights(point).T, labels, reduction="none")
        torch.testing.assert_close(losses, expected, rtol=1e-12, atol=1e-14)


def test_derivatives_equal_those_of_automatic_differentiation(sample):
    features, labels = sample
    point = torch.tensor([0.7, -1.2], dtype=torch.float64)
    for row in range(8):
        part = features[row : row + 1], labels[row : row + 1]

        def loss(t, part=part):
            return toy.sample_losses(*part, t).squeeze()

        gradient = torch.autograd.functional.jacobian(loss, point)
        hessian = torch.autograd.functional.hessian(loss, point)
        torch.testing.assert_close(toy.sample_gradients(*part, point)[0], gradient, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(toy.sample_hessians(part[0], point)[0], hessian, rtol=1e-12, atol=1e-14)


def test_no_perturbation_of_the_layer_does_more_than_one_of_the_plane(sample):
    features, labels = sample
    point = torch.tensor([0.7, -0.2], dtype=torch.float64)
    logits = torch.cat([features, torch.ones(8, 1)], dim=1) @ toy.layer_weights(point).T
    difference = bound.subset_difference(features, logits, labels, torch.tensor([1, 4]))
    steps = 3 * torch.randn(50, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    projected = toy.layer_weights((steps[:, 1] - steps[:, 0]) / 2**0.5)
    torch.testing.assert_close(bound.difference_at(difference, steps), bound.difference_at(difference, projected))
    assert (projected.flatten(1).norm(dim=1) <= steps.flatten(1).norm(dim=1)).all()


def test_the_disc_has_its_origin_and_its_rim():
    points = toy.disc(3.0, 5, 12)
    assert points.shape == (61, 2)
    assert points[0].tolist() == [0, 0]
    torch.testing.assert_close(points[-12:].norm(dim=1), torch.full((12,), 3.0, dtype=torch.float64))
