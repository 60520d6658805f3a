"""The one way to look at a network's last layer: its inputs and outputs, taken while the network runs, and verified."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lcmat.config.arguments import checked

REFUSALS = (RuntimeError, ValueError, AssertionError)  # what images of a wrong shape lead to, in torch and torchvision

_TOLERANCE = 1e-4  # of the largest logit; a layer computed again where it ran gives the same bits on a CPU


class Embedding(NamedTuple):
    """What the last layer sees and says: features (n, d) and logits (n, c), on the CPU."""

    features: Tensor
    logits: Tensor


@checked()
def last_linear(network: nn.Module) -> nn.Linear:
    """The last `torch.nn.Linear` of a network, in the order in which its modules were made.

    Raises:
        ValueError: it has none.

    >>> last_linear(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)))
    Linear(in_features=3, out_features=2, bias=False)
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(network).__name__} has no torch.nn.Linear: last-layer gradients need one at the end")
    return layers[-1]


@torch.no_grad()
@checked(images="any n+ ...")
def look(network: nn.Module, images: Tensor) -> Embedding:
    """Inputs of the last linear layer and logits of a batch, without gradients, in whichever mode the network is.

    The layer is watched while the network runs, so that it may be called anything and lie anywhere.  What it puts out
    is computed once more from what it saw, and must be the network's output, for every image.

    Args:
        network: any classifier whose output, or `.logits` of it, is the output of its last `torch.nn.Linear`.
        images: (n, ...), on the device and in the dtype of the network.

    Returns:
        n rows.

    Raises:
        ValueError: the network has no such layer, or does something to its output (a temperature, a softmax), or puts
            out that of another layer, or cannot take such images.

    >>> look(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(3, 1, 2, 2)).features.shape
    torch.Size([3, 4])
    """
    layer = last_linear(network)
    seen: list[tuple[Tensor, Tensor]] = []

    def watch(_module: nn.Module, arguments: tuple[Tensor, ...], _output: Tensor) -> None:
        again = functional.linear(arguments[0], layer.weight, layer.bias)
        seen.append((arguments[0].to("cpu", copy=True), again))

    handle = layer.register_forward_hook(watch)
    try:
        outputs = logits_of(network, images)
    finally:
        handle.remove()
    if not seen or len(seen[-1][0]) != len(images) or not _same(outputs, seen[-1][1]):
        raise ValueError(
            f"the network's output is not the output of its last linear layer ({layer}): let `forward` return that, "
            "or call lcmat.select with the features and logits of your own choice of layer"
        )
    return Embedding(seen[-1][0], outputs.cpu())


def joined(parts: Iterable[Embedding]) -> Embedding:
    """The rows of several batches, in order; at least one."""
    return Embedding(*map(torch.cat, zip(*parts, strict=True)))


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Batch norm with its running statistics and no dropout, for the while; each module's own mode comes back."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def logits_of(network: Callable[[Tensor], Any], images: Tensor) -> Any:
    """What the network puts out, or the part of it that is called logits.

    Raises:
        ValueError: the network cannot take such images.
    """
    try:
        outputs = network(images)
    except REFUSALS as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise ValueError(f"the network cannot take images of the shape {tuple(images.shape)}: {error}") from error
    if isinstance(outputs, Mapping):
        return outputs.get("logits")
    return getattr(outputs, "logits", outputs)


def _same(outputs: object, logits: Tensor) -> bool:
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or outputs.shape != logits.shape:
        return False
    logits = logits.to(outputs.dtype)
    largest = float(logits.nan_to_num(0, 0, 0).abs().max())
    return torch.allclose(outputs, logits, rtol=0, atol=_TOLERANCE * largest, equal_nan=True)
