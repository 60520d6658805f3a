"""DeepFool against the closed form for affine classifiers and against the published algorithm, one input at a time."""

import numpy as np
import pytest
import torch

from lcmat.curvature import deepfool_distances


def affine(inputs, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(classes, inputs, generator=generator, dtype=torch.float64)
    bias = torch.randn(classes, generator=generator, dtype=torch.float64)
    return weights, bias


def closed_form(weights, bias, point):
    """Distance to the nearest of the hyperplanes between the predicted class and the others."""
    logits = weights @ point + bias
    k = int(logits.argmax())
    return min(float((logits[k] - logits[j]) / (weights[k] - weights[j]).norm()) for j in range(len(bias)) if j != k)


def published(network, image, steps=50, overshoot=0.02):
    """Algorithm 2 for one input with numpy: the accumulated perturbation's norm."""
    start, total = image.detach().double().numpy(), np.zeros(tuple(image.shape))
    k = int(network(image[None])[0].argmax())
    for _ in range(steps):
        moved = torch.tensor(start + (1 + overshoot) * total, requires_grad=True)
        logits = network(moved[None])[0]
        if int(logits.argmax()) != k:
            break
        rows = [torch.autograd.grad(logit, moved, retain_graph=True)[0].numpy() for logit in logits]
        candidates = []
        for j in range(len(rows)):
            if j != k:
                w, f = rows[j] - rows[k], float((logits[j] - logits[k]).detach())
                candidates.append((abs(f) / np.linalg.norm(w), abs(f) / np.linalg.norm(w) ** 2 * w))
        total = total + min(candidates, key=lambda pair: pair[0])[1]
    return np.linalg.norm(total)


@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1), (10, 2)])
def test_exact_for_an_affine_classifier(classes, seed):
    weights, bias = affine(6, classes, seed)
    points = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(seed + 9), dtype=torch.float64)
    found = deepfool_distances(lambda x: x.flatten(1) @ weights.T + bias, points)
    expected = [closed_form(weights, bias, point.flatten()) for point in points]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


def test_equals_the_published_algorithm_on_a_curved_classifier():
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(5, 5, generator=generator, dtype=torch.float64) for _ in range(2))

    def network(x):
        return torch.tanh(x @ first) @ second

    points = torch.randn(30, 5, generator=generator, dtype=torch.float64)
    found = deepfool_distances(network, points)
    torch.testing.assert_close(found.tolist(), [published(network, point) for point in points], rtol=1e-10, atol=0)


def test_the_perturbed_input_crosses_and_the_batch_does_not_matter():
    """From outside a circle of radius 1 the distance is the radial one; DeepFool finds it up to its overshoot."""

    def circle(x):
        squares = x.square().sum(dim=1, keepdim=True)
        return torch.cat([squares, 2 - squares], dim=1)

    points = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.6, 0.8], [1.2, -1.6]], dtype=torch.float64)
    found = deepfool_distances(circle, points)
    expected = points.norm(dim=1) - 1
    torch.testing.assert_close(found, expected, rtol=0.06, atol=1e-12)
    alone = torch.cat([deepfool_distances(circle, point[None]) for point in points])
    assert torch.equal(found, alone)


def test_where_no_class_can_be_approached_the_distance_is_infinite():
    flat = deepfool_distances(
        lambda x: torch.cat([x.sum(1, keepdim=True) * 0, x[:, :1].relu() - 1], 1), -torch.ones(1, 2)
    )
    assert flat.tolist() == [torch.inf]
    assert deepfool_distances(lambda x: x[:, :1], torch.ones(3, 2)).tolist() == [torch.inf] * 3
    assert len(deepfool_distances(lambda x: x, torch.empty(0, 2))) == 0


def test_a_tie_is_on_the_boundary():
    assert deepfool_distances(lambda x: x, torch.tensor([[1.0, 1.0, 0.0]])).tolist() == [0.0]


def test_the_search_ends_after_its_iterations():
    shrinking = deepfool_distances(
        lambda x: torch.cat([x.abs().sqrt(), -x.abs().sqrt() - 1e-3], dim=1), torch.ones(1, 1), max_iterations=3
    )
    assert shrinking.isfinite().all()
