"""Closed forms for the last linear layer under softmax cross-entropy: gradients and Hessian diagonals.

One sample has features ``h`` (d values), logits ``z`` (c values), label ``y``, probabilities ``p = softmax(z)`` and
augmented features ``a = [h; 1]``, the bias last.  With respect to the last layer's ``c x (d + 1)`` parameters,

    gradient          (p - y) a^T                     (its squared norm is |p - y|^2 |a|^2)
    Hessian           (diag(p) - p p^T) (x) a a^T     (independent of the label, positive semi-definite)
    Hessian diagonal  p (1 - p) (a^2)^T

so no backward pass is needed.  A layer without bias has ``a = h`` and ``c x d`` parameters: say ``bias=False``.  All
quantities belong to the *sum*-reduced loss of single samples: nothing is divided by a batch size.  Everything is
differentiable, keeps the dtype and device of its inputs, and touches no global state.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.config.arguments import checked, made_of


class LastLayer(NamedTuple):
    """What the last linear layer takes and gives for n labelled samples.

    Attributes:
        features: its inputs, ``(n, d)``.
        logits: its outputs, ``(n, c)``, in the dtype of the features.
        labels: class numbers of the samples, int64 ``(n,)``.
    """

    features: Tensor
    logits: Tensor
    labels: Tensor


made_of(LastLayer, features="n d", logits="n c", labels="int<c n")


@checked(features="any n d")
def augmented_features(features: Tensor, *, bias: bool = True) -> Tensor:
    """Append the constant 1 that multiplies the bias: ``(n, d) -> (n, d + 1)``, or ``(n, d)`` as it is without a bias.

    >>> augmented_features(torch.tensor([[2.0, 3.0]]))
    tensor([[2., 3., 1.]])
    """
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1) if bias else features


@checked(logits="n c++", labels="int<c n")
def residuals(logits: Tensor, labels: Tensor) -> Tensor:
    """Probabilities minus one-hot labels, ``p - y``: ``(n, c)``, the cross-entropy's gradient in the logits.

    >>> residuals(torch.zeros(1, 2), torch.tensor([1]))
    tensor([[ 0.5000, -0.5000]])
    """
    return logits.softmax(dim=1) - functional.one_hot(labels, logits.shape[1]).to(logits.dtype)


@checked(logits="n c++")
def bernoulli_variances(logits: Tensor) -> Tensor:
    """Variances ``p (1 - p)`` of the predicted classes: ``(n, c)``, the Hessian diagonal in the logits.

    >>> bernoulli_variances(torch.zeros(1, 2))
    tensor([[0.2500, 0.2500]])
    """
    probabilities = logits.softmax(dim=1)
    return probabilities * (1 - probabilities)


@checked(features="n d", logits="n c++", labels="int<c n")
def per_sample_gradients(features: Tensor, logits: Tensor, labels: Tensor, *, bias: bool = True) -> Tensor:
    """Per-sample gradients of the cross-entropy in the last layer, ``g_i = (p_i - y_i) a_i^T`` (paper Eq. 8).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(n, c, d + 1)``, weight gradients with the bias gradient last; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree or a label is outside ``0 .. c - 1``.

    >>> per_sample_gradients(torch.tensor([[2.0]]), torch.zeros(1, 2), torch.tensor([1]))
    tensor([[[ 1.0000,  0.5000],
             [-1.0000, -0.5000]]])
    """
    return residuals(logits, labels)[:, :, None] * augmented_features(features, bias=bias)[:, None, :]


@checked(features="n d", logits="n c++")
def hessian_diagonals(features: Tensor, logits: Tensor, *, bias: bool = True) -> Tensor:
    """Per-sample Hessian diagonals in the last layer, ``lambda_i = p_i (1 - p_i) (a_i^2)^T`` (paper Eq. 7).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(n, c, d + 1)``, non-negative, the bias last; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree.

    >>> hessian_diagonals(torch.tensor([[2.0]]), torch.zeros(1, 2))
    tensor([[[1.0000, 0.2500],
             [1.0000, 0.2500]]])
    """
    return bernoulli_variances(logits)[:, :, None] * augmented_features(features, bias=bias).square()[:, None, :]


@checked(features="n d", logits="n c++", scales="n")
def top_variance_dimensions(
    features: Tensor, logits: Tensor, top_k: int, *, scales: Tensor | None = None, bias: bool = True
) -> Tensor:
    """The ``top_k`` dimensions whose Hessian-diagonal entries vary most over the samples (the set K of paper Eq. 9).

    The variances come from two matrix products of moments, ``E[lambda^2] - E[lambda]^2`` in float64, so the
    ``n x c (d + 1)`` matrix is never built.  Equal variances go to the lowest dimension first.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        top_k: how many dimensions; all of them when there are fewer.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        Flat positions in ``c x (d + 1)``, int64 ``(min(top_k, c (d + 1)),)``, largest variance first.

    Raises:
        ValueError: shapes disagree, no sample is given, or ``top_k`` is not positive.

    >>> top_variance_dimensions(torch.tensor([[0.0, 1.0], [0.0, 3.0]]), torch.zeros(2, 2), top_k=2)
    tensor([1, 4])
    """
    if top_k < 1 or len(features) == 0:
        raise ValueError(f"top_k must be at least 1 and samples non-empty, got top_k={top_k}, n={len(features)}")
    variances = scale_rows(bernoulli_variances(logits.double()), scales)
    squares = augmented_features(features.double(), bias=bias).square()
    mean = variances.T @ squares / len(features)
    mean_of_squares = variances.square().T @ squares.square() / len(features)
    spread = (mean_of_squares - mean.square()).flatten()
    least = spread.topk(min(top_k, len(spread))).values[-1]
    candidates = (~(spread < least)).nonzero().flatten()
    order = torch.sort(spread[candidates], descending=True, stable=True).indices[:top_k]
    return candidates[order]


@checked(features="n d", logits="n c++", dimensions="int k", scales="n")
def hessian_diagonal_columns(
    features: Tensor, logits: Tensor, dimensions: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Tensor:
    """Entries of the Hessian diagonals in some dimensions only, those of `hessian_diagonals` (paper Eq. 9).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        dimensions: flat positions in ``c x (d + 1)``, for instance from `top_variance_dimensions`.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(n, len(dimensions))``, non-negative; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree.

    >>> hessian_diagonal_columns(torch.tensor([[2.0]]), torch.zeros(1, 2), torch.tensor([0, 3]))
    tensor([[1.0000, 0.2500]])
    """
    squares = augmented_features(features, bias=bias).square()
    check_dimensions(dimensions, logits.shape[1] * squares.shape[1])
    classes = torch.div(dimensions, squares.shape[1], rounding_mode="floor")
    return scale_rows(bernoulli_variances(logits), scales)[:, classes] * squares[:, dimensions % squares.shape[1]]


def check_dimensions(dimensions: Tensor, count: int) -> None:
    """Refuse positions outside the parameters of the last layer, of which there are so many.

    Raises:
        ValueError: there is one.
    """
    if len(dimensions) and not 0 <= int(dimensions.min()) <= int(dimensions.max()) < count:
        raise ValueError(
            f"dimensions must lie in 0 .. {count - 1}, flat positions in c x (d + 1), "
            f"got {int(dimensions.min())} .. {int(dimensions.max())}"
        )


@checked(rows="any n m", scales="any n")
def scale_rows(rows: Tensor, scales: Tensor | None) -> Tensor:
    """Multiply each sample's row by its scale: ``(n, m)`` and ``(n,)`` to ``(n, m)``; None leaves the rows as they are.

    >>> scale_rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 0.5]))
    tensor([[1.0000, 2.0000],
            [1.5000, 2.0000]])
    """
    return rows if scales is None else rows * scales[:, None]
