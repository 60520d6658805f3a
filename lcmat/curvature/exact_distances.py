r"""Distances between the full last-layer Hessians of single samples, in closed form and without forming a Hessian.

The Hessian of sample i is :math:`H_i = A_i \otimes a_i a_i^\top` with :math:`A_i = \operatorname{diag} p_i - p_i
p_i^\top` (c x c) and the augmented features :math:`a_i = [h_i; 1]`. LCMat-S compares samples by some entries of its
diagonal (:func:`lcmat.curvature.last_layer.hessian_distances`); here are the distances that this stands in for.
"""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import augmented_features, check_samples, hessian_diagonals
from lcmat.numerics.blocks import Part, symmetric_matrix

PAIRS_PER_BLOCK = 1 << 14  # of 2c x 2c eigenproblems at a time: 52 MB for ten classes


def largest_diagonal_distances(features: Tensor, logits: Tensor, *, bias: bool = True) -> Tensor:
    r"""Largest difference of two Hessian diagonals, :math:`\max_k |\lambda_{ik} - \lambda_{jk}|`, as in paper Eq. 8.

    Never above the spectral distance, for it is the largest diagonal entry of :math:`H_i - H_j`.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the layer has one; without it :math:`a_i = h_i`.

    Returns:
        ``(n, n)``, float64, symmetric, zero diagonal; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree.

    >>> largest_diagonal_distances(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 2))[0, 1].item()
    1.0
    """
    diagonals = hessian_diagonals(features.double(), logits.double(), bias=bias).flatten(1)
    return torch.cdist(diagonals, diagonals, p=torch.inf)


def frobenius_hessian_distances(features: Tensor, logits: Tensor, *, bias: bool = True) -> Tensor:
    r"""Frobenius distances of per-sample Hessians, :math:`\|H_i - H_j\|_F`; never below the spectral distance.

    A Hessian is the outer product of :math:`A_i` and :math:`B_i = a_i a_i^\top`, so with differences D and sums S

    .. math:: 4 \|H_i - H_j\|_F^2 = |D_A|^2 |S_B|^2 + |S_A|^2 |D_B|^2 + 2 (|A_i|^2 - |A_j|^2)(|B_i|^2 - |B_j|^2) ,

    which equals :math:`|A_i|^2 |B_i|^2 + |A_j|^2 |B_j|^2 - 2 \operatorname{tr}(A_i A_j) (a_i^\top a_j)^2` without the
    cancellation for nearly equal samples.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the layer has one; without it :math:`a_i = h_i`.

    Returns:
        ``(n, n)``, float64, symmetric, zero diagonal; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree.

    >>> distances = frobenius_hessian_distances(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 2))
    >>> round(distances[0, 1].item(), 4)   # A_i = A_j, of norm 1/2; B_i - B_j = [[4, 2], [2, 0]], of norm sqrt(24)
    2.4495
    """
    factors, inputs = _factors(features, logits, bias)
    flat = factors.flatten(1)
    factor_squares, norms = flat.square().sum(dim=1), inputs.square().sum(dim=1)

    def block(rows: Part, columns: Part) -> Tensor:
        difference_a = _squared_cdist(flat[rows], flat[columns])
        sum_a = 2 * (factor_squares[rows, None] + factor_squares[columns]) - difference_a
        difference_b = _outer_difference(inputs[rows], inputs[columns], norms[rows], norms[columns])
        sum_b = 2 * (norms[rows, None].square() + norms[columns].square()) - difference_b
        cross = (factor_squares[rows, None] - factor_squares[columns]) * (
            norms[rows, None].square() - norms[columns].square()
        )
        return ((difference_a * sum_b + sum_a * difference_b + 2 * cross) / 4).clamp(min=0).sqrt()

    return symmetric_matrix(len(inputs), block, like=inputs)


def spectral_hessian_distances(features: Tensor, logits: Tensor, *, bias: bool = True) -> Tensor:
    r"""Spectral distances of per-sample Hessians, :math:`\|H_i - H_j\|_2`, exact.

    The difference lives on :math:`\mathbb R^c \otimes \operatorname{span}(a_i, a_j)`. In an orthonormal basis of the
    span, whose first vector is that of :math:`a_i`, it is a 2c x 2c matrix, one small eigenproblem for each pair.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the layer has one; without it :math:`a_i = h_i`.

    Returns:
        ``(n, n)``, float64, symmetric, zero diagonal; one sample's loss each, no reduction.

    Raises:
        ValueError: shapes disagree.

    >>> distances = spectral_hessian_distances(torch.tensor([[2.0], [0.0]]), torch.zeros(2, 2))
    >>> round(distances[0, 1].item(), 4)   # |A| = 1/2 times the norm of [[4, 2], [2, 0]], 2 + sqrt(8)
    2.4142
    """
    factors, inputs = _factors(features, logits, bias)
    first, second = torch.triu_indices(len(inputs), len(inputs), offset=1)
    distances = inputs.new_zeros(len(inputs), len(inputs))
    for i, j in zip(first.split(PAIRS_PER_BLOCK), second.split(PAIRS_PER_BLOCK), strict=True):
        left, right = _plane_coordinates(inputs[i], inputs[j])
        eigenvalues = torch.linalg.eigvalsh(_kronecker(factors[i], left) - _kronecker(factors[j], right))
        distances[i, j] = distances[j, i] = eigenvalues.abs().amax(dim=1)
    return distances


def _factors(features: Tensor, logits: Tensor, bias: bool) -> tuple[Tensor, Tensor]:
    """A_i, (n, c, c), and a_i, (n, d+1) or (n, d)."""
    check_samples(features, logits)
    probabilities = logits.double().softmax(dim=1)
    factors = probabilities.diag_embed() - probabilities[:, :, None] * probabilities[:, None]
    return factors, augmented_features(features.double(), bias=bias)


def _squared_cdist(left: Tensor, right: Tensor) -> Tensor:
    return torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist").square()


def _outer_difference(left: Tensor, right: Tensor, left_norms: Tensor, right_norms: Tensor) -> Tensor:
    r"""Squared :math:`\|a a^\top - b b^\top\|_F` of all pairs, :math:`(|s|^2 |d|^2 + (s^\top d)^2) / 2`, s = a + b."""
    difference = _squared_cdist(left, right)
    total = 2 * (left_norms[:, None] + right_norms) - difference
    return (total * difference + (left_norms[:, None] - right_norms).square()) / 2


def _plane_coordinates(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (m, 2) of each pair of rows in an orthonormal basis of their span that starts with the first one."""
    length = first.norm(dim=1)
    along = (first * second).sum(dim=1) / length
    across = (second - (along / length)[:, None] * first).norm(dim=1)
    return torch.stack([length, torch.zeros_like(length)], dim=1), torch.stack([along, across], dim=1)


def _kronecker(factors: Tensor, points: Tensor) -> Tensor:
    r""":math:`A \otimes x x^\top` for each pair of (m, c, c) and (m, 2): (m, 2c, 2c)."""
    size = 2 * factors.shape[1]
    outer = points[:, :, None] * points[:, None]
    return torch.einsum("mij,mkl->mikjl", factors, outer).reshape(-1, size, size)
