"""Training sets made worse on purpose: wrong labels, and classes of unequal size."""

from dataclasses import replace

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.data.dataset import ImageDataset, content_hash


@checked(share="(0, 1)")
def with_label_noise(data: ImageDataset, share: float, generator: torch.Generator) -> ImageDataset:
    """The same images, `round(share * n)` of which bear the label of another class, uniformly drawn.

    Args:
        data: n images of c >= 2 classes.
        share: of the labels, 0 < share < 1.
        generator: of the draws.

    Returns:
        A data set with a content hash of its own, whose provenance states the noise.
    """
    wrong = torch.randperm(len(data), generator=generator)[: round(share * len(data))]
    shift = torch.randint(1, data.num_classes, (len(wrong),), generator=generator)
    labels = data.labels.clone()
    labels[wrong] = (labels[wrong] + shift) % data.num_classes
    note = f"{data.provenance} Labels of {len(wrong)} of {len(data)} images replaced by wrong ones."
    return replace(data, labels=labels, content_hash=content_hash(data.images, labels), provenance=note)


@checked(ratio="(1, inf)")
def long_tailed(data: ImageDataset, ratio: float, generator: torch.Generator) -> ImageDataset:
    """Part of each class, so that class k of c keeps `ratio ** (-k / (c - 1))` of its images (Cui et al., CVPR 2019).

    Args:
        data: images of c >= 2 classes.
        ratio: of the largest class to the smallest, above 1, if all classes had the same size before.
        generator: of the draws.

    Returns:
        A subset in the original order; each class keeps one image at least.
    """
    subset = data.subset(long_tailed_rows(data, ratio, generator))
    note = f"{data.provenance} Long-tailed: {len(subset)} of {len(data)} images, class sizes falling by {ratio:g}."
    return replace(subset, provenance=note)


@checked(ratio="(1, inf)")
def long_tailed_rows(data: ImageDataset, ratio: float, generator: torch.Generator) -> Tensor:
    """Which images `long_tailed` keeps, ascending, int64."""
    classes = range(data.num_classes)
    kept = [_part(data.labels, label, ratio ** (-label / (len(classes) - 1)), generator) for label in classes]
    return torch.cat(kept).sort().values


def _part(labels: Tensor, label: int, share: float, generator: torch.Generator) -> Tensor:
    members = (labels == label).nonzero().flatten()
    return members[torch.randperm(len(members), generator=generator)[: max(1, round(share * len(members)))]]
