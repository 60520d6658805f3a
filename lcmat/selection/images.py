"""From a trained network and an image data set to a coreset in one call."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from lcmat.config.arguments import checked
from lcmat.config.base import recognised
from lcmat.config.registry import METHODS
from lcmat.curvature.last_layer import LastLayer
from lcmat.data.dataset import ImageDataset
from lcmat.data.samples import batches, map_style
from lcmat.models.last_layer import evaluation_mode, joined, last_linear, look
from lcmat.selection import Coreset, select
from lcmat.selection.budgets import class_budgets
from lcmat.selection.selector import checked_options


@checked(batch_size="[1, inf)")
def select_images(
    network: nn.Module,
    dataset: Any,
    *,
    fraction: float | None = None,
    size: int | None = None,
    method: str = "lcmat-s",
    seed: int = 0,
    balanced: bool = True,
    batch_size: int = 256,
    **options: Any,
) -> Coreset:
    """Select a coreset of an image data set with a trained classification network.

    Args:
        network: any classifier whose output is the output of its last `torch.nn.Linear` (torchvision's ResNet, VGG,
            Inception, ViT, ... are), also as `.logits` of what it puts out.  Used in eval mode on the device where it
            is; its mode is restored.
        dataset: map-style data set of ``(image, label)`` or a loader of one, in any order; the *training* set, without
            random augmentation.  Its items may have further values, or be dictionaries with the usual names.
        fraction: choose this fraction of each class; or
        size: choose this many in all.
        method: a name in `lcmat.METHODS`.
        seed: for methods that draw random numbers.
        balanced: whether each class gets its share, see `lcmat.select`.
        batch_size: images in one forward pass.
        options: the method's own, for instance ``rho=0.1``.

    Returns:
        The coreset; ``coreset.subset(dataset)`` is what to train on.

    Raises:
        ValueError: the network has no such last layer or cannot take the images, or `lcmat.select` refuses the method,
            options or samples.

    Warns:
        UserWarning: the images are neither scaled to 0 .. 1 nor normalised.

    >>> images, labels = torch.eye(4).reshape(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> select_images(network, torch.utils.data.TensorDataset(images, labels), size=2).indices.shape
    torch.Size([2])
    """
    chosen = METHODS[recognised(method, "method", METHODS)]
    checked_options(method, chosen, options)
    _check_loader(dataset)
    _check_budget(map_style(dataset), fraction, size, balanced)
    features, logits, labels = last_layer(network, dataset, batch_size=batch_size)
    bias = last_linear(network).bias is not None
    return select(
        method,
        *(features, logits, labels),
        fraction=fraction,
        size=size,
        seed=seed,
        balanced=balanced,
        bias=bias,
        **options,
    )


@checked(batch_size="[1, inf)")
def last_layer(network: nn.Module, dataset: Any, *, batch_size: int = 256) -> LastLayer:
    """The last linear layer's inputs and outputs for every sample of a data set, in order, in eval mode.

    Args:
        network: a classifier whose output is that of its last `torch.nn.Linear`, see `select_images`.
        dataset: map-style data set of ``(image, label)``.
        batch_size: images in one forward pass.

    Returns:
        Features ``(n, d)``, logits ``(n, c)`` and labels ``(n,)`` on the CPU.

    Raises:
        ValueError: the network's output is not that of its last linear layer, or the data set is empty.
    """
    dataset = map_style(dataset)
    weight = last_linear(network).weight
    parts, labels = [], []
    with evaluation_mode(network):
        for images, classes in batches(dataset, batch_size):
            parts.append(look(network, images.to(weight.device, weight.dtype)))
            labels.append(classes)
    return LastLayer(*joined(parts), torch.cat(labels))


def _check_loader(dataset: Any) -> None:
    """Refuse a loader that may leave images out: they would be selected, too, for indices count in its data set."""
    if isinstance(dataset, DataLoader) and hasattr(dataset.dataset, "__len__"):
        odd = type(dataset.sampler) not in (SequentialSampler, RandomSampler)
        if odd or type(dataset.batch_sampler) not in (BatchSampler, type(None)):
            name = type(dataset.sampler if odd else dataset.batch_sampler).__name__
            raise ValueError(
                f"dataset: the loader's {name} may leave images out, and all of its data set would be selected from: "
                "give torch.utils.data.Subset(dataset, rows) instead"
            )


def _check_budget(dataset: Any, fraction: float | None, size: int | None, balanced: bool) -> None:
    """Refuse a budget before the network looks at the images: by the classes, where they are known by then."""
    known = balanced and isinstance(dataset, ImageDataset)
    groups = dataset.labels if known else torch.zeros(len(dataset), dtype=torch.int64)
    class_budgets(groups, fraction=fraction, size=size)
