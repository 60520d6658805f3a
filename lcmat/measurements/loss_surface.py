"""The paper's Figure 1: the loss of T and of small parts of T on planes through a trained network's parameters.

`lcmat measure loss-surface fashion-mnist` trains a network, evaluates every set on every plane, and
writes what the chapter on matching shows into `book/measurements/loss-surface/`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lcmat import bound, training
from lcmat.data.dataset import ImageDataset
from lcmat.measurements.curvature_gap import trained_network
from lcmat.models import Network
from lcmat.records.measurements import Row
from lcmat.selection import Coreset, select
from lcmat.training.evaluation import predict

FRACTION = 0.01
RHOS = (0.0, 0.1, 0.5)
NEAR_RADII = (0.1, 0.5)
NUM_ANGLES = 8
NUM_UNIFORM = 20

Direction = Mapping[str, Tensor]


class Plane(NamedTuple):
    """Two directions in the space of a network's parameters, each a tensor for each parameter."""

    first: Direction
    second: Direction


def filter_normalised_direction(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    r"""A random direction in which every filter has the norm of the network's own filter (Li et al. 2018).

    .. math:: d_{l,j} \leftarrow \frac{d_{l,j}}{\|d_{l,j}\|}\, \|\theta_{l,j}\|

    with j a filter of a convolution, or a row of a linear layer. Vectors (biases, the scales and shifts of
    normalisation) have no filters and are not moved.

    Args:
        network: whose parameters fix the norms.
        generator: source of the normal numbers.

    Returns:
        A tensor for each named parameter, in its shape and dtype.

    >>> layer = torch.nn.Linear(1, 2)
    >>> direction = filter_normalised_direction(layer, torch.Generator().manual_seed(0))
    >>> torch.equal(direction["weight"].abs(), layer.weight.detach().abs()), direction["bias"]
    (True, tensor([0., 0.]))
    """
    return {name: filterwise(value.detach(), generator) for name, value in network.named_parameters()}


def filterwise(parameter: Tensor, generator: torch.Generator) -> Tensor:
    """Noise in which every filter of a parameter, its rows, has the parameter's own norm; zeros for a vector."""
    if parameter.ndim < 2:
        return torch.zeros_like(parameter)
    noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype).flatten(1)
    norms = parameter.flatten(1).norm(dim=1, keepdim=True)
    direction: Tensor = (noise / noise.norm(dim=1, keepdim=True) * norms).view_as(parameter)
    return direction


def displacement(plane: Plane, point: tuple[float, float]) -> dict[str, Tensor]:
    """The combination of the two directions with the coordinates of a point."""
    return {name: point[0] * value + point[1] * plane.second[name] for name, value in plane.first.items()}


def norm_of(direction: Direction) -> float:
    """Euclidean norm over all parameters together.

    >>> norm_of({"weight": torch.tensor([[3.0]]), "bias": torch.tensor([4.0])})
    5.0
    """
    return math.sqrt(sum(float(value.double().square().sum()) for value in direction.values()))


def losses_on_plane(
    network: Network, dataset: ImageDataset, plane: Plane, points: list[tuple[float, float]], *, batch_size: int = 128
) -> Tensor:
    r"""Cross-entropy of every image with the parameters moved, :math:`\ell_i(\theta + \alpha d_1 + \beta d_2)`.

    The loss surface of any weighted part of the images is a product with this matrix.

    Args:
        network: evaluated in evaluation mode, and left as it is.
        dataset: the n images.
        plane: the directions.
        points: p pairs of coordinates.
        batch_size: images per forward pass.

    Returns:
        (p, n) losses in nats, float64, one sample each.
    """
    origin = {name: value.detach() for name, value in network.named_parameters()}

    def losses(point: tuple[float, float]) -> Tensor:
        moved = {name: origin[name] + step for name, step in displacement(plane, point).items()}
        logits = predict(
            network, dataset, batch_size=batch_size, forward=lambda images: functional_call(network, moved, (images,))
        )
        return nn.functional.cross_entropy(logits.double(), dataset.labels, reduction="none")

    return torch.stack([losses(point) for point in points])


def square_grid(half_width: float, count: int) -> list[tuple[float, float]]:
    """Points of a square around the origin, the second coordinate running fastest.

    >>> square_grid(1.0, 2)
    [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)]
    """
    axis = torch.linspace(-half_width, half_width, count, dtype=torch.float64).tolist()
    return [(first, second) for first in axis for second in axis]


def circle(plane: Plane, radius: float, count: int) -> list[tuple[float, float]]:
    """Points of a plane at equal angles whose displacement has the given norm, over all parameters together."""
    angles = [2 * math.pi * number / count for number in range(count)]
    units = [(math.cos(angle), math.sin(angle)) for angle in angles]
    lengths = [radius / norm_of(displacement(plane, unit)) for unit in units]
    return [(length * unit[0], length * unit[1]) for length, unit in zip(lengths, units, strict=True)]


def candidate_sets(network: Network, dataset: ImageDataset, fraction: float) -> tuple[list[Row], Tensor]:
    """The sets whose surfaces are compared: LCMat-S with equal weights and with cluster sizes, and uniform draws.

    Returns:
        A description of each of the s sets, and its weights on the n images, (s, n), rows summing to one.
    """
    view = training.embed(network, dataset)
    sample = (view.features.double(), view.logits.double(), dataset.labels)
    rows: list[Row] = []
    weights = []

    def add(chosen: Coreset, part: Tensor, **description: Any) -> None:
        share = part / part.sum()
        gradient = bound.gradient_gap(bound.subset_difference(*sample, chosen.indices, share))
        rows.append({**description, "size": len(chosen), "gradient_gap": float(gradient.norm())})
        weights.append(torch.zeros(len(dataset), dtype=torch.float64).index_add_(0, chosen.indices, share))

    for rho in RHOS:
        chosen = select("lcmat-s", *sample, fraction=fraction, rho=rho)
        add(chosen, torch.ones_like(chosen.weights), method="lcmat-s", rho=rho, weights="equal")
        add(chosen, chosen.weights, method="lcmat-s", rho=rho, weights="cluster sizes")
    for seed in range(NUM_UNIFORM):
        chosen = select("uniform", *sample, fraction=fraction, seed=seed)
        add(chosen, torch.ones_like(chosen.weights), method="uniform", seed=seed, weights="equal")
    return rows, torch.stack(weights)


def measure(
    network: Network, dataset: ImageDataset, sets: Tensor, plane: Plane, *, half_width: float, count: int
) -> Row:
    """Loss of T, and the difference to each set, on a square grid and on small circles of one plane.

    Args:
        network: the parameters at the origin.
        dataset: T, n images.
        sets: (s, n) weights of the sets S.
        plane: the directions.
        half_width: of the square, in units of the directions.
        count: points along a side of the square.
    """

    def evaluate(points: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
        losses = losses_on_plane(network, dataset, plane, points)
        whole = losses.mean(dim=1)
        return whole, whole - sets @ losses.T

    loss, difference = evaluate(square_grid(half_width, count))
    origin = evaluate([(0.0, 0.0)])[1][:, 0]
    near = {f"{radius:g}": evaluate(circle(plane, radius, NUM_ANGLES))[1] for radius in NEAR_RADII}
    return {
        "direction_norm": norm_of(plane.first),
        "loss": loss.tolist(),
        "difference_at_origin": origin.tolist(),
        "difference": difference.tolist(),
        "near": {radius: values.tolist() for radius, values in near.items()},
    }


def measure_dataset(
    dataset: str,
    *,
    width: int = 32,
    epochs: int = 5,
    samples: int = 4000,
    planes: int = 3,
    half_width: float = 1.0,
    count: int = 11,
) -> tuple[Row, list[Row]]:
    """Train a network on a data set and `measure` the loss of some of its images, and of coresets of them.

    Args:
        dataset: its name.
        width: of the ConvNet.
        epochs: passes over all training images.
        samples: images of T, drawn at random.
        planes: how many.
        half_width: of the square on each plane.
        count: points along a side of it.

    Returns:
        All that is measured, and no rows.
    """
    network, splits, generator = trained_network(dataset, width=width, epochs=epochs)
    images = splits.train.subset(torch.randperm(len(splits.train), generator=generator)[:samples])
    rows, sets = candidate_sets(network, images, FRACTION)
    found = []
    for _ in range(planes):
        plane = Plane(*(filter_normalised_direction(network, generator) for _ in range(2)))
        found.append(measure(network, images, sets, plane, half_width=half_width, count=count))
    content = {
        "dataset": dataset,
        "network": f"ConvNet, width {width}, {epochs} epochs on all training images",
        "test_accuracy_percent": training.accuracy_percent(network, splits.test),
        "parameters": sum(value.numel() for value in network.parameters()),
        **{"samples": samples, "fraction": FRACTION, "half_width": half_width, "count": count},
        **{"data": splits.train.provenance, "content_hash": splits.train.content_hash},
    }
    return {**content, "sets": rows, "planes": found}, []
