"""Loss surfaces against closed forms: norms of filters, the origin, and a linear model."""

import numpy as np
import pytest
import torch
from torch import nn

from lcmat import data, training
from lcmat.data.dataset import ImageDataset
from lcmat.measurements import loss_surface
from lcmat.measurements.loss_surface import Plane, filter_normalised_direction, losses_on_plane
from lcmat.models import Network, build
from lcmat.records import measurements


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def tiny():
    images = torch.randint(256, (12, 1, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    return ImageDataset("toy", "train", images, torch.arange(12) % 2, ("a", "b"), (0.5,), (0.25,), "0", "Made here.")


def plane_of(network, generator):
    return Plane(*(filter_normalised_direction(network, generator) for _ in range(2)))


def test_each_filter_of_a_direction_has_the_norm_of_the_networks_filter(generator):
    network = build("convnet", num_classes=10, in_channels=1, image_size=8, width=4)
    direction = filter_normalised_direction(network, generator)
    assert direction.keys() == dict(network.named_parameters()).keys()
    for name, parameter in network.named_parameters():
        for ours, theirs in zip(direction[name], parameter.detach(), strict=True):
            expected = np.linalg.norm(theirs.numpy().ravel()) if parameter.ndim > 1 else 0.0
            assert np.linalg.norm(ours.numpy().ravel()) == pytest.approx(expected, rel=1e-5)
    other = filter_normalised_direction(network, generator)
    assert not torch.equal(other["classifier.weight"], direction["classifier.weight"])


def test_the_loss_at_the_origin_is_that_of_training_evaluation(tiny, generator):
    network = build("convnet", num_classes=2, in_channels=1, image_size=8, width=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses = losses_on_plane(network, tiny, plane_of(network, generator), [(0.0, 0.0), (1.0, 0.0)])
    logits = training.embed(network, tiny).logits.double()
    expected = [float(np.logaddexp(*row) - row[label]) for row, label in zip(logits.numpy(), tiny.labels, strict=True)]
    np.testing.assert_allclose(losses[0].numpy(), expected, rtol=1e-6, atol=1e-7)
    assert not torch.allclose(losses[0], losses[1])
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_surface_of_a_linear_model_has_its_closed_form(tiny, generator):
    network = Network(nn.Flatten(), nn.Linear(64, 2))
    plane = plane_of(network, generator)
    points = [(0.3, -0.7), (-1.0, 0.5)]
    losses = losses_on_plane(network, tiny, plane, points, batch_size=5)
    inputs = tiny.normalized().flatten(1).double().numpy()
    weight, bias = (value.detach().double().numpy() for value in network.classifier.parameters())
    for (first, second), row in zip(points, losses, strict=True):
        moved = (
            weight
            + first * plane.first["classifier.weight"].numpy()
            + second * plane.second["classifier.weight"].numpy()
        )
        margins = inputs @ (moved[1] - moved[0]) + bias[1] - bias[0]
        signs = 2 * tiny.labels.numpy() - 1
        np.testing.assert_allclose(row.numpy(), np.log1p(np.exp(-signs * margins)), rtol=1e-5, atol=1e-6)


def test_a_circle_keeps_its_radius_although_the_directions_are_not_orthogonal():
    ones, half = {"w": torch.tensor([[1.0, 0.0]])}, {"w": torch.tensor([[0.6, 0.8]])}
    plane = Plane(ones, half)
    for point in loss_surface.circle(plane, 0.25, 7):
        moved = point[0] * ones["w"] + point[1] * half["w"]
        assert float(moved.norm()) == pytest.approx(0.25, rel=1e-6)


def test_surfaces_of_sets_are_means_over_their_images(tiny, generator):
    network = Network(nn.Flatten(), nn.Linear(64, 2))
    plane = plane_of(network, generator)
    sets = torch.zeros(2, 12, dtype=torch.float64)
    sets[0] = 1 / 12
    sets[1, 3] = 1.0
    result = loss_surface.measure(network, tiny, sets, plane, half_width=1.0, count=3)
    points = loss_surface.square_grid(1.0, 3)
    losses = losses_on_plane(network, tiny, plane, points).numpy()
    np.testing.assert_allclose(result["difference"][0], 0, atol=1e-9)
    np.testing.assert_allclose(result["difference"][1], losses.mean(axis=1) - losses[:, 3], rtol=1e-4, atol=1e-6)
    assert result["difference_at_origin"][1] == pytest.approx(result["difference"][1][4], rel=1e-4)
    assert {radius: len(rows[0]) for radius, rows in result["near"].items()} == {"0.1": 8, "0.5": 8}


def test_candidate_sets_are_probability_vectors_of_the_right_size():
    train = data.load("digits").train
    network = build("digits-net", num_classes=10, in_channels=1, image_size=8, width=4)
    rows, sets = loss_surface.candidate_sets(network, train, 0.02)
    torch.testing.assert_close(sets.sum(dim=1), torch.ones(len(rows), dtype=torch.float64))
    for row, weights in zip(rows, sets, strict=True):
        chosen = weights[weights > 0]
        assert len(chosen) == row["size"]
        assert (row["weights"] == "cluster sizes") or bool((chosen == chosen[0]).all())


def test_the_stored_measurement_holds_together():
    stored = measurements.read("loss-surface", "fashion-mnist")
    points, middle = stored["count"] ** 2, stored["count"] ** 2 // 2
    for plane in stored["planes"]:
        assert len(plane["loss"]) == points
        assert [len(row) for row in plane["difference"]] == [points] * len(stored["sets"])
        # The centre of the square and the separate evaluation at the origin are the same point.
        np.testing.assert_allclose(np.array(plane["difference"])[:, middle], plane["difference_at_origin"], rtol=1e-5)
        assert plane["loss"][middle] == min(plane["loss"])
