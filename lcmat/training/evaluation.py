"""What a trained network makes of a data set: accuracy, features and logits."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from lcmat.data.dataset import ImageDataset
from lcmat.models.last_layer import Embedding, evaluation_mode, joined, look


def embed(network: nn.Module, data: ImageDataset, *, batch_size: int = 512, device: str = "cpu") -> Embedding:
    """Features before the last linear layer, and logits, of every image in evaluation mode, in float32 on the CPU.

    Args:
        network: any classifier whose output is that of its last `torch.nn.Linear`, see `lcmat.models.last_layer.look`;
            moved to the device, otherwise left as it is.
        data: n images, in whose order the rows are.
        batch_size: images per forward pass.
        device: where to compute.

    Raises:
        ValueError: the data set is empty, or the network's output is not its last linear layer's.
    """
    _check_images(data)
    resident = on_device(data, device)
    with evaluation_mode(network.to(device)):
        batches = torch.arange(len(data), device=device).split(batch_size)
        return joined(look(network, resident.normalized(batch)) for batch in batches)


def accuracy_percent(
    network: nn.Module,
    data: ImageDataset,
    *,
    batch_size: int = 256,
    device: str = "cpu",
    forward: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Share of the images whose largest logit is their label's, in percent; evaluation mode, without gradients.

    Args:
        network: takes images (n, channels, height, width) to logits (n, c).
        data: the labelled images.
        batch_size: images per forward pass.
        device: where to compute; the network is moved there.
        forward: how to call the network; None: in float32.

    Raises:
        ValueError: the data set is empty.
    """
    logits = predict(network, data, batch_size=batch_size, device=device, forward=forward)
    return 100 * int((logits.argmax(1) == data.labels.to(logits.device)).sum()) / len(data)


def predict(
    module: nn.Module,
    data: ImageDataset,
    *,
    batch_size: int,
    device: str = "cpu",
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Output of `module` for every image (n, ...), in evaluation mode and without gradients, on the device.

    Args and Raises as for `accuracy_percent`.
    """
    _check_images(data)
    forward = module if forward is None else forward
    resident = on_device(data, device)
    with evaluation_mode(module.to(device)), torch.no_grad():
        batches = torch.arange(len(data), device=device).split(batch_size)
        return torch.cat([forward(resident.normalized(batch)) for batch in batches])


def on_device(data: ImageDataset, device: str) -> ImageDataset:
    """The same data set with its pixels (still uint8) and labels on the device."""
    return replace(data, images=data.images.to(device), labels=data.labels.to(device))


def _check_images(data: ImageDataset) -> None:
    if len(data) == 0:
        raise ValueError(f"{data.name} ({data.split}) has no images to evaluate")
