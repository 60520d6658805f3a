"""From a trained network and an image data set to a coreset in one call."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lcmat.curvature.last_layer import LastLayer
from lcmat.models.last_layer import evaluation_mode, joined, last_linear, look
from lcmat.selection import Coreset, select


def select_images(
    network: nn.Module,
    dataset: Dataset[Any],
    *,
    fraction: float | None = None,
    size: int | None = None,
    method: str = "lcmat-s",
    seed: int = 0,
    batch_size: int = 256,
    **options: Any,
) -> Coreset:
    """Select a coreset of an image data set with a trained classification network.

    Args:
        network: any classifier whose output is the output of its last `torch.nn.Linear` (torchvision's ResNet, VGG,
            Inception, ViT, ... are).  Used in eval mode on the device where it is; its mode is restored.
        dataset: map-style data set of ``(image, label)``; the *training* set, without random augmentation.
        fraction: choose this fraction of each class; or
        size: choose this many in all.
        method: a name in `lcmat.METHODS`.
        seed: for methods that draw random numbers.
        batch_size: images in one forward pass.
        options: the method's own, for instance ``rho=0.1``.

    Returns:
        The coreset; ``coreset.subset(dataset)`` is what to train on.

    Raises:
        ValueError: the network has no such last layer, or `lcmat.select` refuses the method, options or samples.

    >>> images, labels = torch.eye(4).reshape(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> select_images(network, torch.utils.data.TensorDataset(images, labels), size=2).indices.shape
    torch.Size([2])
    """
    features, logits, labels = last_layer(network, dataset, batch_size=batch_size)
    bias = last_linear(network).bias is not None
    return select(method, features, logits, labels, fraction=fraction, size=size, seed=seed, bias=bias, **options)


def last_layer(network: nn.Module, dataset: Dataset[Any], *, batch_size: int = 256) -> LastLayer:
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
    if len(dataset) == 0:  # type: ignore[arg-type]  # a map-style data set has a length
        raise ValueError("the data set is empty: there is nothing to select from")
    weight = last_linear(network).weight
    parts, labels = [], []
    # A loader draws a seed for its workers; with a generator of its own it leaves the global random state alone.
    loader = DataLoader(dataset, batch_size=batch_size, generator=torch.Generator())
    with evaluation_mode(network):
        for images, classes in loader:
            parts.append(look(network, images.to(weight.device, weight.dtype)))
            labels.append(torch.as_tensor(classes, dtype=torch.int64))
    return LastLayer(*joined(parts), torch.cat(labels))
