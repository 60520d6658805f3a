"""Training of the network between two steps of the images, and afterwards on the condensed set."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.data.augmentation.cutmix import cutmix, mixed_cross_entropy
from lcmat.data.augmentation.siamese import Combine, apply_transformation, draw_transformation
from lcmat.training.sgd import Sgd
from lcmat.training.steps import split_batches


class Variation(NamedTuple):
    """How training images are varied from step to step."""

    strategy: str  # of the augmentation; which operations are applied is drawn for the batch, how, for each image
    combine: Combine  # see `draw_transformation`
    cutmix: float  # probability of CutMix


def shuffled_batches(
    num_images: int, *, epochs: int, batch_size: int, most: int | None, generator: torch.Generator
) -> list[Tensor]:
    """Row numbers of each step: every epoch a new order, of which the first `most` images are used.

    Args:
        num_images: how many there are.
        epochs: passes.
        batch_size: images per step; the last of a pass may have fewer, but not one alone.
        most: images of a pass; None: all.
        generator: on the CPU.

    >>> [len(rows) for rows in shuffled_batches(10, epochs=2, batch_size=4, most=6, generator=torch.Generator())]
    [4, 2, 4, 2]
    """
    orders = [torch.randperm(num_images, generator=generator)[:most] for _ in range(epochs)]
    return [rows for order in orders for rows in split_batches(order, batch_size)]


def train_on_batches(
    forward: Callable[[Tensor], Tensor],
    sgd: Sgd,
    images: Callable[[Tensor], Tensor],
    labels: Tensor,
    batches: Sequence[Tensor],
    *,
    learning_rates: Sequence[float],
    variation: Variation,
    generator: torch.Generator,
) -> None:
    """Steps of SGD on the mean cross-entropy, each image transformed by a draw of its own.

    Args:
        forward: images to logits; its parameters are those of `sgd`.
        sgd: the optimizer.
        images: rows to normalised images ``(b, channels, height, width)``, on the device.
        labels: of all rows, int64, on the device.
        batches: rows of each step.
        learning_rates: one for each step.
        variation: augmentation and CutMix.
        generator: on the CPU.
    """
    for rows, rate in zip(batches, learning_rates, strict=True):
        rows = rows.to(labels.device)
        drawn = draw_transformation(variation.strategy, num=len(rows), combine=variation.combine, generator=generator)
        transformed = apply_transformation(drawn, images(rows))
        mixed = cutmix(transformed, labels[rows], probability=variation.cutmix, generator=generator)
        mixed_cross_entropy(forward(mixed.images), mixed).backward()
        sgd.step(rate)
