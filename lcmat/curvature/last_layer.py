"""Closed forms for the last linear layer under softmax cross-entropy: gradients, Hessian diagonals, their distances.

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

from lcmat.numerics.blocks import Blocks, Part, symmetric_matrix
from lcmat.numerics.l1 import l1_distances


class LastLayer(NamedTuple):
    """What the last layer sees and says of n labelled samples."""

    features: Tensor  # its inputs, (n, d)
    logits: Tensor  # its outputs, (n, c)
    labels: Tensor  # int64 (n,)


def augmented_features(features: Tensor, *, bias: bool = True) -> Tensor:
    """Append the constant 1 that multiplies the bias: ``(n, d) -> (n, d + 1)``, bias last; without a bias, nothing.

    >>> augmented_features(torch.tensor([[2.0, 3.0]]))
    tensor([[2., 3., 1.]])
    """
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1) if bias else features


def residuals(logits: Tensor, labels: Tensor) -> Tensor:
    """Probabilities minus one-hot labels, ``p - y``: ``(n, c)``, the cross-entropy's gradient in the logits.

    >>> residuals(torch.zeros(1, 2), torch.tensor([1]))
    tensor([[ 0.5000, -0.5000]])
    """
    _check_labels(logits, labels)
    return logits.softmax(dim=1) - functional.one_hot(labels, logits.shape[1]).to(logits.dtype)


def bernoulli_variances(logits: Tensor) -> Tensor:
    """Variances ``p (1 - p)`` of the predicted classes: ``(n, c)``, the Hessian diagonal in the logits.

    >>> bernoulli_variances(torch.zeros(1, 2))
    tensor([[0.2500, 0.2500]])
    """
    probabilities = logits.softmax(dim=1)
    return probabilities * (1 - probabilities)


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
    check_samples(features, logits, labels)
    return residuals(logits, labels)[:, :, None] * augmented_features(features, bias=bias)[:, None, :]


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
    check_samples(features, logits)
    return bernoulli_variances(logits)[:, :, None] * augmented_features(features, bias=bias).square()[:, None, :]


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
    check_samples(features, logits)
    if top_k < 1 or len(features) == 0:
        raise ValueError(f"top_k must be at least 1 and samples non-empty, got top_k={top_k}, n={len(features)}")
    variances = _scaled(bernoulli_variances(logits.double()), scales)
    squares = augmented_features(features.double(), bias=bias).square()
    mean = variances.T @ squares / len(features)
    mean_of_squares = variances.square().T @ squares.square() / len(features)
    spread = (mean_of_squares - mean.square()).flatten()
    return torch.sort(spread, descending=True, stable=True).indices[:top_k]


def hessian_diagonal_columns(
    features: Tensor, logits: Tensor, dimensions: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Tensor:
    """The Hessian diagonals' entries in some dimensions only: ``(n, len(dimensions))``, as in `hessian_diagonals`.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        dimensions: flat positions in ``c x (d + 1)``, for instance from `top_variance_dimensions`.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the layer has one; without it there is no last column.

    >>> hessian_diagonal_columns(torch.tensor([[2.0]]), torch.zeros(1, 2), torch.tensor([0, 3]))
    tensor([[1.0000, 0.2500]])
    """
    check_samples(features, logits)
    squares = augmented_features(features, bias=bias).square()
    classes = torch.div(dimensions, squares.shape[1], rounding_mode="floor")
    return _scaled(bernoulli_variances(logits), scales)[:, classes] * squares[:, dimensions % squares.shape[1]]


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


def gradient_distance_blocks(
    features: Tensor, logits: Tensor, labels: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Blocks:
    """The matrix of `gradient_distances`, block by block on demand; ``scales`` multiply the samples' losses."""
    check_samples(features, logits, labels)
    return outer_product_distance_blocks(_scaled(residuals(logits, labels), scales), features, bias=bias)


def outer_product_distance_blocks(factors: Tensor, features: Tensor, *, bias: bool = True) -> Blocks:
    """Euclidean distances between outer products ``r_i a_i^T``, block by block on demand.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``: ``p_i - y_i`` gives `gradient_distances`.
        features: the ``h_i`` of ``a_i = [h_i; 1]``, ``(n, d)``.
        bias: whether the layer has one; without it ``a_i = h_i``.
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


def hessian_distance_blocks(
    features: Tensor, logits: Tensor, dimensions: Tensor, *, scales: Tensor | None = None, bias: bool = True
) -> Blocks:
    """The matrix of `hessian_distances`, block by block on demand; ``scales`` multiply the samples' losses."""
    values = hessian_diagonal_columns(features, logits, dimensions, scales=scales, bias=bias)
    return lambda rows, columns: l1_distances(values[rows], values[columns])


def check_samples(features: Tensor, logits: Tensor, labels: Tensor | None = None) -> None:
    """Raise ValueError unless features ``(n, d)``, logits ``(n, c)``, labels ``(n,)`` describe the same n samples."""
    if features.ndim != 2 or logits.ndim != 2 or len(features) != len(logits):
        raise ValueError(
            "features must be (n, d) and logits (n, c) with the same n, "
            f"got {tuple(features.shape)} and {tuple(logits.shape)}"
        )
    if features.dtype != logits.dtype or not features.is_floating_point():
        raise ValueError(f"features and logits must share a float dtype, got {features.dtype} and {logits.dtype}")
    if labels is not None:
        _check_labels(logits, labels)


def _check_labels(logits: Tensor, labels: Tensor) -> None:
    if labels.dtype != torch.int64 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"labels must be int64 of shape ({len(logits)},), got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < logits.shape[1]):
        raise ValueError(
            f"labels must lie in 0 .. {logits.shape[1] - 1} (the logits have {logits.shape[1]} columns), "
            f"got {int(labels.min())} .. {int(labels.max())}"
        )


def _scaled(rows: Tensor, scales: Tensor | None) -> Tensor:
    return rows if scales is None else rows * scales[:, None]


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
