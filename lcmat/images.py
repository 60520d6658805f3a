"""From a trained network and an image data set to a coreset in one call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lcmat.curvature import LastLayer
from lcmat.selection import Coreset, select


def select_images(
    network: nn.Module,
    dataset: Dataset,
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
        batch_size: of the forward pass.
        options: the method's own, for instance ``rho=0.1``.

    Returns:
        The coreset; ``coreset.subset(dataset)`` is the `torch.utils.data.Subset` to train on.

    Raises:
        ValueError: the network has no such last layer, or as `lcmat.select`.

    >>> images, labels = torch.eye(4).reshape(4, 1, 2, 2), torch.tensor([0, 0, 1, 1])
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> select_images(network, torch.utils.data.TensorDataset(images, labels), size=2).indices.shape
    torch.Size([2])
    """
    features, logits, labels = last_layer(network, dataset, batch_size=batch_size)
    return select(method, features, logits, labels, fraction=fraction, size=size, seed=seed, **options)


@torch.no_grad()
def last_layer(network: nn.Module, dataset: Dataset, *, batch_size: int = 256) -> LastLayer:
    """The last linear layer's inputs and outputs for every sample of a data set, in order, in eval mode.

    Args:
        network: as for `select_images`.
        dataset: map-style data set of ``(image, label)``.
        batch_size: of the forward pass.

    Returns:
        ``(n, d)``, ``(n, c)`` and ``(n,)`` on the CPU.

    Raises:
        ValueError: the network's output is not that of its last linear layer, or the data set is empty.
    """
    layer = _last_linear(network)
    parameter = next(network.parameters())
    inputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, arguments, _output: inputs.append(arguments[0].cpu()))
    logits, labels = [], []
    try:
        with _eval_mode(network):
            for images, classes in DataLoader(dataset, batch_size=batch_size):
                outputs = network(images.to(parameter.device, parameter.dtype)).cpu()
                _check_output(layer, inputs, outputs, len(images))
                logits.append(outputs)
                labels.append(torch.as_tensor(classes, dtype=torch.int64))
    finally:
        handle.remove()
    if not logits:
        raise ValueError("the data set is empty: there is nothing to select from")
    return LastLayer(torch.cat(inputs), torch.cat(logits), torch.cat(labels))


def _last_linear(network: nn.Module) -> nn.Linear:
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(network).__name__} has no torch.nn.Linear: last-layer gradients need one at the end")
    return layers[-1]


def _check_output(layer: nn.Linear, inputs: list[Tensor], outputs: Tensor, batch: int) -> None:
    """The logits must come out of the layer whose gradients are matched: recompute one and compare."""
    seen = (
        bool(inputs) and inputs[-1].shape == (batch, layer.in_features) and outputs.shape[1:] == (layer.out_features,)
    )
    if seen:
        expected = nn.functional.linear(
            inputs[-1][:1], layer.weight.cpu(), layer.bias if layer.bias is None else layer.bias.cpu()
        )
        seen = torch.allclose(expected, outputs[:1], rtol=1e-2, atol=1e-2 * float(outputs[:1].abs().max()))
    if not seen:
        raise ValueError(
            f"the network's output is not the output of its last linear layer ({layer}): "
            "call lcmat.select with the features and logits of your own choice of layer"
        )


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    """Batch norm with its running statistics and no dropout, for the while; each module's own mode comes back."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
