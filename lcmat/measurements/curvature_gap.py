"""The curvature gap measured on real images: each inequality of the derivation, over many subsets and radii.

`lcmat measure curvature-gap fashion-mnist` trains a network, measures, and writes what the chapters on
the derivation show into `book/measurements/curvature-gap/`. On handwritten digits the chapters measure themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat import bound, data, models, training
from lcmat.curvature.last_layer import LastLayer, top_variance_dimensions
from lcmat.data import Splits
from lcmat.models import Network
from lcmat.numerics.submodular import cluster_sizes
from lcmat.records.measurements import Row
from lcmat.selection import select
from lcmat.selection.lcmat_s import lcmat_distances

RADII = (0.01, 0.05, 0.1, 0.5)
RANDOM_SIZES = (10, 30, 60, 300)
RANDOM_REPEATS = 46
SELECTED_FRACTIONS = (0.01, 0.03, 0.06, 0.3)
SELECTED_RHOS = (0.0, 0.05, 0.1, 0.5)
TOP_K = 100


class Subset(NamedTuple):
    """S with its weights, or None for equal ones, and how it was chosen."""

    origin: str
    indices: Tensor
    weights: Tensor | None


def random_subsets(sample: LastLayer, sizes: tuple[int, ...], repeats: int, generator: torch.Generator) -> list[Subset]:
    """Uniform draws without regard to classes, equally weighted."""
    draws = (torch.randperm(len(sample.labels), generator=generator)[:size] for size in sizes for _ in range(repeats))
    return [Subset("random", draw, None) for draw in draws]


def selected_subsets(sample: LastLayer, fractions: tuple[float, ...], rhos: tuple[float, ...]) -> Iterator[Subset]:
    """Coresets of LCMat-S, each with equal weights and with cluster sizes for weights."""
    for fraction in fractions:
        for rho in rhos:
            chosen = select("lcmat-s", *sample, fraction=fraction, rho=rho, top_k=TOP_K)
            yield Subset(f"lcmat-s, rho = {rho:g}", chosen.indices, None)
            yield Subset(f"lcmat-s, rho = {rho:g}, weighted", chosen.indices, chosen.weights / chosen.weights.sum())


def subset_row(sample: LastLayer, subset: Subset, difference: bound.LossDifference, ends: bound.Extremes) -> Row:
    """Spectrum of one Hessian difference and what the diagonal and the K dimensions keep of it."""
    dimensions = top_variance_dimensions(sample.features, sample.logits, TOP_K)
    diagonal = bound.hessian_diagonal(difference).abs().flatten()
    top_max, top_sum = bound.top_diagonal(difference, dimensions)
    origin = torch.zeros(difference.shape, dtype=torch.float64)
    return {
        "origin": subset.origin,
        "size": len(subset.indices),
        "loss_difference": float(bound.difference_at(difference, origin)),
        "gradient_gap": float(bound.gradient_gap(difference).norm()),
        "largest_eigenvalue": ends.largest,
        "smallest_eigenvalue": ends.smallest,
        "largest_diagonal": float(diagonal.max()),
        "gershgorin": bound.gershgorin_bound(difference),
        "frobenius": bound.frobenius_norm(difference),
        "top_k_holds_largest": bool((dimensions == diagonal.argmax()).any()),
        "top_k_max": top_max,
        "top_k_sum": top_sum,
    }


def assignment_row(sample: LastLayer, subset: Subset, distances: Tensor, rho: float) -> Row:
    """CRAIG's bound, the mean distance to the nearest chosen sample, and what it bounds for two kinds of weights.

    Args:
        sample: the training set T.
        subset: S, whose own weights do not matter here.
        distances: of LCMat-S between the samples of T, (n, n), for the same rho.
        rho: radius.
    """
    dimensions = top_variance_dimensions(sample.features, sample.logits, TOP_K)

    def gap(weights: Tensor | None) -> float:
        difference = bound.subset_difference(*sample, subset.indices, weights)
        return float(bound.gradient_gap(difference).norm()) + rho / 2 * bound.top_diagonal(difference, dimensions)[1]

    return {
        "assignment_bound": float(distances[:, subset.indices].min(dim=1).values.mean()),
        "cluster_weights_gap": gap(cluster_sizes(distances, subset.indices) / len(distances)),
        "equal_weights_gap": gap(None),
    }


def gap_row(difference: bound.LossDifference, ends: bound.Extremes, rho: float, **search: Any) -> Row:
    """All bounds of one difference at one radius, and the gap attained."""
    gap = bound.certified_gap(difference, rho, ends=ends, **search)
    names = ("attained", "upper", "theorem", "signed", "dominating", "printed", "diagonal", "model", "remainder_term")
    return {"rho": rho, **{name: getattr(gap, name) for name in names}}


def measure(sample: LastLayer, subsets: list[Subset], radii: tuple[float, ...], **search: Any) -> list[Row]:
    """One row for each subset and radius, the subset's own columns repeated.

    Args:
        sample: the training set T.
        subsets: the sets S.
        radii: radii of the ball.
        search: generator, num_starts and steps of `lcmat.bound.certified_gap`.
    """
    distances = {rho: lcmat_distances(*sample, rho=rho, top_k=TOP_K) for rho in radii}
    rows = []
    for number, subset in enumerate(subsets):
        difference = bound.subset_difference(*sample, subset.indices, subset.weights)
        ends = bound.hessian_extremes(difference)
        columns = {"subset": number, **subset_row(sample, subset, difference, ends)}
        for rho in radii:
            assignment = assignment_row(sample, subset, distances[rho], rho)
            rows.append({**columns, **gap_row(difference, ends, rho, **search), **assignment})
    return rows


def trained_network(dataset: str, *, width: int, epochs: int, seed: int = 0) -> tuple[Network, Splits, torch.Generator]:
    """A narrow ConvNet trained on all images of a data set, the data, and the generator of all draws after it."""
    splits = data.load(dataset)
    shape = splits.train.images.shape
    network = models.build(
        "digits-net" if dataset == "digits" else "convnet",
        num_classes=splits.train.num_classes,
        in_channels=shape[1],
        image_size=shape[2],
        width=width,
        seed=seed,
    )
    recipe = training.Recipe(epochs=epochs, schedule="constant", crop_padding=0, flip=False)
    generator = torch.Generator().manual_seed(seed)
    training.train(network, splits.train, recipe=recipe, generator=generator)
    return network, splits, generator


def trained_sample(dataset: str, *, width: int, epochs: int, size: int, seed: int = 0) -> tuple[LastLayer, Row]:
    """The view that `trained_network` has of some training images, drawn at random.

    Returns:
        The sample in float64, and its provenance in words and numbers.
    """
    network, splits, generator = trained_network(dataset, width=width, epochs=epochs, seed=seed)
    chosen = splits.train.subset(torch.randperm(len(splits.train), generator=generator)[:size])
    view = training.embed(network, chosen)
    details = {
        "dataset": dataset,
        "network": f"ConvNet, width {width}, {epochs} epochs on all training images",
        "test_accuracy_percent": training.accuracy_percent(network, splits.test),
        "samples": size,
        "features": view.features.shape[1],
        "mean_input_norm": float((view.features.double().square().sum(dim=1) + 1).sqrt().mean()),
        "data": splits.train.provenance,
        "content_hash": splits.train.content_hash,
    }
    return LastLayer(view.features.double(), view.logits.double(), chosen.labels), details


def measure_dataset(
    dataset: str, *, width: int = 32, epochs: int = 5, samples: int = 1000
) -> tuple[dict[str, Any], list[Row]]:
    """Train a network on a data set and measure with some of its images, see `trained_sample` and `measure`."""
    sample, details = trained_sample(dataset, width=width, epochs=epochs, size=samples)
    generator = torch.Generator().manual_seed(1)
    subsets = random_subsets(sample, RANDOM_SIZES, RANDOM_REPEATS, generator)
    subsets += selected_subsets(sample, SELECTED_FRACTIONS, SELECTED_RHOS)
    return details, measure(sample, subsets, RADII, generator=generator, num_starts=2, steps=10)
