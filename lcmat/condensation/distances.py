"""Distances between the gradients that two batches give a network, for k classes at once.

A gradient is a sequence of tensors, one for each parameter of the network, each with a leading dimension for the
classes: ``(k, *parameter.shape)``.  Every distance keeps that dimension, so that one class and a stack of them are the
same code.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from lcmat.config.arguments import checked

Layers = Literal["weights", "convolutions", "all"]
Norm = Literal["l2", "l1", "squared"]

_EPSILON = 1e-6  # DC's, added to products of norms

# Dimensions of the parameters that count, from the fewest on: biases and scales of normalisations have one.
_FEWEST_DIMENSIONS: Mapping[Layers, int] = MappingProxyType({"all": 1, "weights": 2, "convolutions": 3})


@checked(real="any k _ ...", synthetic="any k _ ...")
def layerwise_distance(real: Sequence[Tensor], synthetic: Sequence[Tensor]) -> Tensor:
    """DC's distance: one minus the cosine for each output channel, summed over channels and layers.

    ``sum_l sum_o (1 - g_lo . s_lo / (|g_lo| |s_lo| + 1e-6))`` with the rows ``g_lo`` of the gradients of layer l as a
    matrix (output channels x everything else): Zhao et al., ICLR 2021, Eq. 10.

    Args:
        real: gradients of the real batches, a ``(k, out, ...)`` for each layer; biases have no rows and no place here.
        synthetic: of the synthetic ones, same shapes.

    Returns:
        ``(k,)``; a sum over channels and layers, between 0 and twice the number of channels.

    >>> layerwise_distance([torch.eye(2)[None]], [torch.tensor([[[2.0, 0.0], [1.0, 0.0]]])])
    tensor([1.0000])
    """
    return _total(1 - _cosines(r.flatten(2), s.flatten(2)) for r, s in _pairs(real, synthetic))


@checked(real="any k _ ...", synthetic="any k _ ...")
def squared_distance(real: Sequence[Tensor], synthetic: Sequence[Tensor]) -> Tensor:
    """Sum of squared differences over all entries of all layers ("mse" in the code of DC and IDC).

    Args:
        real: gradients of the real batches, ``(k, ...)`` for each layer.
        synthetic: of the synthetic ones, same shapes.

    Returns:
        ``(k,)``; a sum, not a mean.

    >>> squared_distance([torch.tensor([[1.0, 2.0]])], [torch.tensor([[1.0, 5.0]])])
    tensor([9.])
    """
    return _total((r - s).square() for r, s in _pairs(real, synthetic))


@checked(real="any k _ ...", synthetic="any k _ ...")
def cosine_distance(real: Sequence[Tensor], synthetic: Sequence[Tensor]) -> Tensor:
    """One minus the cosine of the whole gradients, all layers in one vector.

    Args:
        real: gradients of the real batches, ``(k, ...)`` for each layer.
        synthetic: of the synthetic ones, same shapes.

    Returns:
        ``(k,)``, between 0 and 2.

    >>> cosine_distance([torch.tensor([[3.0]]), torch.tensor([[4.0]])], [torch.tensor([[4.0]]), torch.tensor([[-3.0]])])
    tensor([1.])
    """
    pairs = [(r.flatten(1), s.flatten(1)) for r, s in _pairs(real, synthetic)]
    real_vector, synthetic_vector = (torch.cat(part, dim=1) for part in zip(*pairs, strict=True))
    return 1 - _cosines(real_vector, synthetic_vector)


DISTANCES: Mapping[str, Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]] = MappingProxyType(
    {"layerwise": layerwise_distance, "squared": squared_distance, "cosine": cosine_distance}
)


@checked(gradients="all ...")
def choose_layers(gradients: Sequence[Tensor], layers: Layers) -> list[Tensor]:
    """The gradients that count: all, those of weights (no biases, no normalisation), or of convolutions alone.

    Args:
        gradients: ``(k, *parameter.shape)`` for each parameter.
        layers: DC compares "weights", IDC "convolutions".

    >>> convolution, bias, linear = torch.zeros(1, 4, 3, 3, 3), torch.zeros(1, 4), torch.zeros(1, 10, 4)
    >>> len(choose_layers([convolution, bias, linear], "weights"))
    2
    """
    return [gradient for gradient in gradients if gradient.ndim > _FEWEST_DIMENSIONS[layers]]


@checked(real="any k _ ...", synthetic="any k _ ...")
def gap(real: Tensor, synthetic: Tensor, norm: Norm) -> Tensor:
    """Size of the difference of two tensors for each class, the |.| of paper Eq. 15.

    The paper does not say which norm: "l2" is the root of the sum of squares, "l1" the sum of absolute values,
    "squared" the sum of squares.  At equal tensors the gradient of all three is zero.

    Args:
        real: ``(k, ...)``.
        synthetic: same shape.
        norm: which size.

    Returns:
        ``(k,)``; sums over the entries.

    >>> [gap(torch.zeros(1, 2), torch.tensor([[3.0, -4.0]]), norm).item() for norm in ("l2", "l1", "squared")]
    [5.0, 7.0, 25.0]
    """
    ((real, synthetic),) = _pairs([real], [synthetic])
    difference = (real - synthetic).flatten(1)
    if norm == "squared":
        return difference.square().sum(dim=1)
    size: Tensor = torch.linalg.vector_norm(difference, ord=1 if norm == "l1" else 2, dim=1)
    return size


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of the vectors in the last dimension, 0 where one of them is zero."""
    norms: Tensor = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
    return (a * b).sum(dim=-1) / (norms + _EPSILON)


def _pairs(real: Sequence[Tensor], synthetic: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    shapes = [[tuple(gradient.shape) for gradient in part] for part in (real, synthetic)]
    if shapes[0] != shapes[1] or not shapes[0]:
        raise ValueError(f"real and synthetic must be gradients of the same layers, got the shapes {shapes}")
    return zip(real, synthetic, strict=True)


def _total(parts: Iterator[Tensor]) -> Tensor:
    """Sum over layers and over everything but the classes."""
    return torch.stack([part.flatten(1).sum(dim=1) for part in parts]).sum(dim=0)
