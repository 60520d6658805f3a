r"""Cheap stand-ins for the spectral norm of the Hessian difference, and which side of it each one is on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lcmat.bound.difference import LossDifference
from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import bernoulli_variances, check_dimensions


@checked()
def hessian_diagonal(difference: LossDifference) -> Tensor:
    r"""Diagonal :math:`H_{(y,l),(y,l)} = \sum_i a_i\, p_{iy}(1 - p_{iy})\,\tilde h_{il}^2`, (c, d+1), in O(n c d)."""
    variances = bernoulli_variances(difference.logits)
    return (variances * difference.coefficients[:, None]).T @ difference.inputs.square()


@checked()
def largest_diagonal(difference: LossDifference) -> float:
    r""":math:`\max_k |H_{kk}|`, the curvature term of Eq. 7; never above the spectral norm."""
    return float(hessian_diagonal(difference).abs().max())


@checked(dimensions="int k+")
def top_diagonal(difference: LossDifference, dimensions: Tensor) -> tuple[float, float]:
    r"""Maximum and sum of :math:`|H_{kk}|` over the chosen dimensions; the sum is the curvature term of Eq. 9.

    Args:
        difference: the loss difference.
        dimensions: (K,) flat positions in (c, d+1).
    """
    diagonal = hessian_diagonal(difference).flatten()
    check_dimensions(dimensions, len(diagonal))
    entries = diagonal[dimensions].abs()
    return float(entries.max()), float(entries.sum())


@checked()
def gershgorin_bound(difference: LossDifference) -> float:
    r"""Largest absolute row sum :math:`\max_k \sum_l |H_{kl}|`; never below the spectral norm.

    Formed block by block: (d+1) squared numbers of memory, n (c d) squared / 2 multiplications.
    """
    num_classes, size = difference.shape
    sums = torch.zeros(num_classes, size, dtype=torch.float64)
    for row, column, block in _upper_blocks(difference):
        sums[row] += block.abs().sum(dim=1)
        if row != column:
            sums[column] += block.abs().sum(dim=0)
    return float(sums.max())


@checked()
def frobenius_norm(difference: LossDifference) -> float:
    r""":math:`\|H\|_F`, formed block by block; never below the spectral norm."""
    squares = [(1 + (row != column)) * block.square().sum() for row, column, block in _upper_blocks(difference)]
    return float(torch.stack(squares).sum().sqrt())


@checked()
def dense_hessian(difference: LossDifference) -> Tensor:
    """The whole Hessian difference, (c (d+1), c (d+1)): the reference for small d."""
    num_classes, size = difference.shape
    hessian = torch.empty(num_classes, size, num_classes, size, dtype=torch.float64)
    for row, column, block in _upper_blocks(difference):
        hessian[row, :, column] = block
        hessian[column, :, row] = block.T
    return hessian.reshape(num_classes * size, num_classes * size)


def _upper_blocks(difference: LossDifference) -> Iterator[tuple[int, int, Tensor]]:
    probabilities, inputs = difference.probabilities, difference.inputs
    for row in range(difference.shape[0]):
        for column in range(row, difference.shape[0]):
            entries = probabilities[:, row] * (float(row == column) - probabilities[:, column])
            yield row, column, inputs.T @ (inputs * (entries * difference.coefficients)[:, None])
