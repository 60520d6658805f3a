"""Cosines of last-layer gradients, for the submodular functions of DeepCore."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import augmented_features
from lcmat.numerics.blocks import Blocks, Part


@checked(factors="n c", features="n d")
def directions(factors: Tensor, features: Tensor, *, bias: bool = True) -> tuple[Tensor, Tensor]:
    """The unit vectors ``r_i / |r_i|`` and ``[h_i; 1] / |[h_i; 1]|``; a vector of zeros stays one.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.
        bias: whether the last layer has one; without it the second kind is ``h_i / |h_i|``.

    Returns:
        ``(n, c)`` and ``(n, d + 1)``, or ``(n, d)`` without a bias.

    >>> directions(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2, 1))[0]
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    tiny = torch.finfo(factors.dtype).tiny
    return normalize(factors, dim=1, eps=tiny), normalize(augmented_features(features, bias=bias), dim=1, eps=tiny)


@checked(factors="n c", features="n d")
def cosine_distance_blocks(factors: Tensor, features: Tensor, *, bias: bool = True) -> Blocks:
    """Distances ``(1 - cos(g_i, g_j)) / 2`` of gradients ``g_i = r_i [h_i; 1]^T``, block by block on demand.

    The cosine of outer products is the product of their factors' cosines.  A gradient that vanishes has the cosine 0
    with all others.  DeepCore's similarities are 1 minus these distances.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.
        bias: whether the last layer has one.

    Returns:
        A function of some rows and columns that computes this block, in ``[0, 1]``.

    >>> block = cosine_distance_blocks(torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]]), torch.zeros(3, 1))
    >>> block(slice(0, 1), slice(0, 3))
    tensor([[0.0000, 1.0000, 0.5000]])
    """
    left, right = directions(factors, features, bias=bias)

    def block(rows: Part, columns: Part) -> Tensor:
        return (left[rows] @ left[columns].T).mul_(right[rows] @ right[columns].T).neg_().add_(1).div_(2).clamp_(0, 1)

    return block
