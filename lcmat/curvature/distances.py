"""Distances between the last layer's per-sample gradients and between their Hessian diagonals (paper Eq. 10).

Gradients and diagonals are those of `lcmat.curvature.last_layer`; neither is formed for all samples at once.  A matrix
of distances is for a few thousand samples, its blocks on demand for any number.
"""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import (
    augmented_features,
    hessian_diagonal_columns,
    residuals,
    scale_rows,
)
from lcmat.numerics.blocks import Blocks, Part, symmetric_matrix
from lcmat.numerics.l1 import l1_distances


@checked(features="n+ d", logits="n c++", labels="int<c n")
def gradient_distances(features: Tensor, logits: Tensor, labels: Tensor, *, bias: bool = True) -> Tensor:
    """Euclidean distances between per-sample last-layer gradients, ``||g_i - g_j||_2`` (paper Eq. 10).

    A gradient is an outer product ``r a^T`` with ``r = p - y``, so with differences ``d`` and sums ``s`` of two samples

        ||g_i - g_j||^2 = (|d_r|^2 |s_a|^2 + |s_r|^2 |d_a|^2 + 2 (|r_i|^2 - |r_j|^2) (|a_i|^2 - |a_j|^2)) / 4,

    which needs c and d columns instead of c (d + 1).  In float64, in which `lcmat.select` works, nearly equal samples
    keep their distances to many digits; in float32 those below about 1e-4 of the norms are lost, as in any Gram form.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(n, n)``, symmetric, zero diagonal.  The derivative at distance 0 is taken as 0.

    Raises:
        ValueError: shapes disagree or a label is outside ``0 .. c - 1``.

    >>> gradient_distances(torch.tensor([[0.0], [0.0]]), torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([[0.0000, 1.4142],
            [1.4142, 0.0000]])
    """
    blocks = gradient_distance_blocks(features, logits, labels, bias=bias)
    return symmetric_matrix(len(features), blocks, like=features)


@checked(features="n d", logits="n c++", dimensions="int k")
def hessian_distances(features: Tensor, logits: Tensor, dimensions: Tensor, *, bias: bool = True) -> Tensor:
    """L1 distances between Hessian diagonals over some dimensions, ``sum_k |lambda_ik - lambda_jk|`` (paper Eq. 10).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        dimensions: flat positions in ``c x (d + 1)``, for instance from `top_variance_dimensions`.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(n, n)``, symmetric, zero diagonal.

    Raises:
        ValueError: shapes disagree.

    >>> hessian_distances(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    blocks = hessian_distance_blocks(features, logits, dimensions, bias=bias)
    return symmetric_matrix(len(features), blocks, like=features)


@checked(features="n+ d", logits="n c++", labels="int<c n", scales="n")
def gradient_distance_blocks(
    features: Tensor, logits: Tensor, labels: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Blocks:
    """The matrix of `gradient_distances`, block by block on demand.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        A function of some rows and columns that computes this block, differentiable.

    Raises:
        ValueError: shapes disagree or a label is outside ``0 .. c - 1``.

    >>> block = gradient_distance_blocks(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 1]))
    >>> block(slice(0, 1), slice(0, 2))
    tensor([[0.0000, 1.4142]])
    """
    return outer_product_distance_blocks(scale_rows(residuals(logits, labels), scales), features, bias=bias)


@checked(factors="n+ c", features="n d")
def outer_product_distance_blocks(factors: Tensor, features: Tensor, *, bias: bool = True) -> Blocks:
    """Euclidean distances between outer products, ``||r_i a_i^T - r_j a_j^T||_F``, block by block on demand.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``: ``p_i - y_i`` gives `gradient_distances`.
        features: the ``h_i`` of ``a_i = [h_i; 1]``, ``(n, d)``.
        bias: whether the layer has one; without it ``a_i = h_i``.

    Returns:
        A function of some rows and columns that computes this block, differentiable.

    >>> outer_product_distance_blocks(torch.tensor([[3.0], [0.0]]), torch.zeros(2, 1))(slice(0, 1), slice(0, 2))
    tensor([[0., 3.]])
    """
    r, r_squared = _with_squared_norms(factors)
    _, a_squared = _with_squared_norms(augmented_features(features, bias=bias))
    # Differences of augmented features are those of the features; centring them keeps the cancellation small.
    centred, centred_squared = _with_squared_norms(features - features.mean(dim=0))

    def block(rows: Part, columns: Part) -> Tensor:
        difference_r = torch.cdist(r[rows], r[columns], compute_mode="donot_use_mm_for_euclid_dist").square()
        sum_r = 2 * (r_squared[rows, None] + r_squared[columns]) - difference_r
        difference_a = _squared_distances(
            centred[rows], centred[columns], centred_squared[rows], centred_squared[columns]
        )
        sum_a = 2 * (a_squared[rows, None] + a_squared[columns]) - difference_a
        cross = (r_squared[rows, None] - r_squared[columns]) * (a_squared[rows, None] - a_squared[columns])
        return _safe_sqrt((difference_r * sum_a + sum_r * difference_a + 2 * cross) / 4)

    return block


@checked(features="n d", logits="n c++", dimensions="int k", scales="n")
def hessian_distance_blocks(
    features: Tensor, logits: Tensor, dimensions: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Blocks:
    """The matrix of `hessian_distances`, block by block on demand.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        dimensions: flat positions in ``c x (d + 1)``, for instance from `top_variance_dimensions`.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        A function of some rows and columns that computes this block, differentiable.

    Raises:
        ValueError: shapes disagree.
    """
    values = hessian_diagonal_columns(features, logits, dimensions, scales=scales, bias=bias)
    return lambda rows, columns: l1_distances(values[rows], values[columns])


def _with_squared_norms(vectors: Tensor) -> tuple[Tensor, Tensor]:
    return vectors, vectors.square().sum(dim=1)


def _squared_distances(left: Tensor, right: Tensor, left_squared: Tensor, right_squared: Tensor) -> Tensor:
    """Squared distances from the Gram product; what is below its rounding error is set to 0, as for equal vectors."""
    scale = left_squared[:, None] + right_squared
    squared = scale - 2 * (left @ right.T)
    return torch.where(squared > 32 * torch.finfo(left.dtype).eps * scale, squared, torch.zeros_like(squared))


def _safe_sqrt(values: Tensor) -> Tensor:
    """Square root with value and derivative 0 where the argument is not positive (rounding can make it negative)."""
    positive = values > 0
    return torch.where(
        positive, torch.where(positive, values, torch.ones_like(values)).sqrt(), torch.zeros_like(values)
    )
