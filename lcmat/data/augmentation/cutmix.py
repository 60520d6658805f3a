"""CutMix (Yun et al., ICCV 2019) as IDC trains with it: one rectangle and one permutation for the whole batch."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.config.arguments import checked, made_of


class Mixed(NamedTuple):
    """Images in which a rectangle comes from another image of the batch, and the labels of both."""

    images: Tensor  # (n, channels, height, width)
    labels: Tensor  # of the images, int64 (n,)
    partners: Tensor  # labels of the images that the rectangles come from, int64 (n,)
    share: float  # of the pixels that are the image's own


made_of(Mixed, images="any n channels height width", labels="int<c n", partners="int<c n")


@checked(images="any n channels height width", labels="int n", probability="[0, 1]")
def cutmix(images: Tensor, labels: Tensor, *, probability: float = 0.5, generator: torch.Generator) -> Mixed:
    """Replace a rectangle of each image by that of another, with the given probability.

    The rectangle has the sides sqrt(1 - u) of height and width, u uniform on [0, 1) (Beta(1, 1), IDC's setting), and
    a uniform centre; what reaches over the border is cut off.

    Args:
        images: (n, channels, height, width).
        labels: int64 (n,).
        probability: of mixing at all; IDC's is 1/2 on small images.
        generator: on the CPU; the same numbers are drawn from it whether or not images are mixed.

    Returns:
        A `Mixed`; without mixing its share is 1 and its images are the given ones.

    >>> cutmix(torch.ones(2, 1, 4, 4), torch.tensor([0, 1]), probability=0.0, generator=torch.Generator()).share
    1.0
    """
    height, width = images.shape[2:]
    coin, u, row, column = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    order = torch.randperm(len(images), generator=generator).to(images.device)
    if coin >= probability:
        return Mixed(images, labels, labels, 1.0)
    rows = _interval(height, math.sqrt(1 - u), row)
    columns = _interval(width, math.sqrt(1 - u), column)
    mixed = images.clone()
    mixed[:, :, rows, columns] = images[order][:, :, rows, columns]
    replaced = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Mixed(mixed, labels, labels[order], 1 - replaced / (height * width))


@checked(logits="any n+ c+")
def mixed_cross_entropy(logits: Tensor, mixed: Mixed) -> Tensor:
    """Cross-entropy with both labels, each weighted by its share of the pixels.

    Args:
        logits: (n, c), of the mixed images.
        mixed: what they are mixed of.

    Returns:
        Scalar; a mean over the batch.

    >>> mixed = Mixed(torch.zeros(1, 1, 2, 2), torch.tensor([0]), torch.tensor([1]), 0.75)
    >>> mixed_cross_entropy(torch.tensor([[math.log(4.0), 0.0]]), mixed)  # -0.75 ln 0.8 - 0.25 ln 0.2
    tensor(0.5697)
    """
    own = functional.cross_entropy(logits, mixed.labels)
    if mixed.share == 1:
        return own
    return mixed.share * own + (1 - mixed.share) * functional.cross_entropy(logits, mixed.partners)


def _interval(size: int, ratio: float, centre: float) -> slice:
    """Positions of an interval of the ratio's length around a uniform position, cut off at the borders.

    >>> _interval(8, 0.5, 0.0), _interval(8, 0.5, 0.99)
    (slice(0, 2, None), slice(5, 8, None))
    """
    length = int(size * ratio)
    middle = int(size * centre)
    return slice(max(0, middle - length // 2), min(size, middle + length // 2))
