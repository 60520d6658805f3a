"""Moments of the last layer's per-sample gradients by matrix products: the curvature term of LCMat-C.

A sample's gradient is the outer product ``g = r a^T`` of its residual ``r = p - y`` and its augmented features
``a = [h; 1]`` (`lcmat.curvature.last_layer`), so that every elementwise moment over a set is a product
of two thin matrices,

    E[g] = E[r a^T],    E[g^2] = E[r^2 (a^2)^T],    Var(g) = E[g^2] - E[g]^2,

and ``n x c (d + 1)`` per-sample gradients are never built.  Everything is differentiable in features and logits and
keeps their dtype and device.  Weights are normalised here: only their proportions matter.
"""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import augmented_features, bernoulli_variances, residuals


@checked(features="n d", logits="n c++", labels="int<c n", weights="real ...")
def mean_gradient(
    features: Tensor, logits: Tensor, labels: Tensor, weights: Tensor | None = None, *, bias: bool = True
) -> Tensor:
    """Mean of the per-sample gradients, ``E[(p - y) a^T]``: the gradient of the mean cross-entropy.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        weights: non-negative ``(n,)``, or None for equal ones.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(c, d + 1)``, the bias last; a mean over the samples.

    Raises:
        ValueError: shapes disagree, a label is out of range, there is no sample, or the weights are no weights.

    >>> mean_gradient(torch.tensor([[2.0], [2.0]]), torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([[0., 0.],
            [0., 0.]])
    """
    return _mean_outer(residuals(logits, labels), augmented_features(features, bias=bias), weights)


@checked(features="n d", logits="n c++", labels="int<c n", weights="real ...")
def second_moment(
    features: Tensor, logits: Tensor, labels: Tensor, weights: Tensor | None = None, *, bias: bool = True
) -> Tensor:
    """Mean of the squared per-sample gradients, ``E[(p - y)^2 (a^2)^T]``: the diagonal of the empirical Fisher matrix.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        weights: non-negative ``(n,)``, or None for equal ones.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(c, d + 1)``, non-negative, the bias last; a mean over the samples, not centred.

    Raises:
        ValueError: shapes disagree, a label is out of range, there is no sample, or the weights are no weights.

    >>> second_moment(torch.tensor([[2.0]]), torch.zeros(1, 2), torch.tensor([1]))
    tensor([[1.0000, 0.2500],
            [1.0000, 0.2500]])
    """
    return _mean_outer(residuals(logits, labels).square(), augmented_features(features, bias=bias).square(), weights)


@checked(features="n d", logits="n c++", labels="int<c n", weights="real ...")
def gradient_variance(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    *,
    unbiased: bool = True,
    bias: bool = True,
) -> Tensor:
    """Elementwise variance of the per-sample gradients, ``E[g^2] - E[g]^2`` (the Var of paper Eq. 15).

    With normalised weights ``w`` the unbiased form divides by ``1 - sum w^2``; for equal weights this is the factor
    ``n / (n - 1)``, as in the paper.  The difference of the two moments is rounded relative to ``E[g^2]``: where all
    gradients agree, the result is zero up to that, possibly below.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        weights: non-negative ``(n,)``, or None for equal ones.
        unbiased: divide by ``n - 1`` instead of ``n``.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(c, d + 1)``, the bias last; per parameter, averaged over the samples.

    Raises:
        ValueError: shapes disagree, a label is out of range, there is no sample, the weights are no weights, or all
            weight is on one sample, of which there is no unbiased variance.

    >>> gradient_variance(torch.tensor([[2.0], [2.0]]), torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([[2.0000, 0.5000],
            [2.0000, 0.5000]])
    """
    samples = (features, logits, labels, weights)
    centred = second_moment(*samples, bias=bias) - mean_gradient(*samples, bias=bias) ** 2
    if not unbiased:
        return centred
    shares = _normalised(weights, logits)
    if bool((shares >= 1).any()):
        raise ValueError("the unbiased variance of a single sample is 0/0: give two or more, or unbiased=False")
    return centred / (1 - shares.square().sum())


@checked(features="n d", logits="n c++", weights="real ...")
def mean_hessian_diagonal(
    features: Tensor, logits: Tensor, weights: Tensor | None = None, *, bias: bool = True
) -> Tensor:
    """Diagonal of the mean cross-entropy's Hessian, ``E[p (1 - p) (a^2)^T]``: what the variance stands in for.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        weights: non-negative ``(n,)``, or None for equal ones.
        bias: whether the layer has one; without it there is no last column.

    Returns:
        ``(c, d + 1)``, non-negative, the bias last; a mean over the samples.

    Raises:
        ValueError: shapes disagree, there is no sample, or the weights are no weights.

    >>> mean_hessian_diagonal(torch.tensor([[2.0]]), torch.zeros(1, 2))
    tensor([[1.0000, 0.2500],
            [1.0000, 0.2500]])
    """
    return _mean_outer(bernoulli_variances(logits), augmented_features(features, bias=bias).square(), weights)


def _mean_outer(left: Tensor, right: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean of the outer products of rows, ``(n, c)`` and ``(n, d + 1)`` to ``(c, d + 1)``."""
    return (left * _normalised(weights, left)[:, None]).T @ right


def _normalised(weights: Tensor | None, like: Tensor) -> Tensor:
    """Weights with sum one, in the dtype and on the device of the samples ``like``."""
    size = len(like)
    if size == 0:
        raise ValueError("no samples: their mean gradient is undefined")
    if weights is None:
        return torch.full_like(like[:, 0], 1 / size)
    weights = weights.to(like)
    if weights.shape != (size,) or not (weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(f"weights must be {size} finite numbers, none negative and not all zero")
    return weights / weights.sum()
