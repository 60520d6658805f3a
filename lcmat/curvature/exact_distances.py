r"""Distances between the full last-layer Hessians of single samples, in closed form and without forming a Hessian.

The Hessian of sample i is :math:`H_i = A_i \otimes a_i a_i^\top` with :math:`A_i = \operatorname{diag} p_i - p_i
p_i^\top` (c x c) and the augmented features :math:`a_i = [h_i; 1]`. LCMat-S compares samples by some entries of its
diagonal (:func:`lcmat.curvature.distances.hessian_distances`); here are the distances that this stands in for.
"""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import augmented_features, hessian_diagonals
from lcmat.numerics.blocks import Blocks, Part, symmetric_matrix


@checked(features="n d", logits="n c++")
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


@checked(features="n d", logits="n c++")
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
    factors, inputs = _factors(features.double(), logits.double(), bias)
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


@checked(features="n d", logits="n c++")
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
    blocks = spectral_hessian_distance_blocks(features.double(), logits.double(), bias=bias)
    return symmetric_matrix(len(features), blocks, like=features.double())


@checked(features="n d", logits="n c++")
def spectral_hessian_distance_blocks(features: Tensor, logits: Tensor, *, bias: bool = True) -> Blocks:
    r"""The matrix of `spectral_hessian_distances`, block by block on demand, in the dtype of the features.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the layer has one; without it :math:`a_i = h_i`.

    Returns:
        A function of some rows and columns that computes this block.

    Raises:
        ValueError: shapes disagree.

    >>> features, logits = torch.zeros(2, 1), torch.tensor([[0.0, 0.0], [0.0, 50.0]])
    >>> spectral_hessian_distance_blocks(features, logits)(slice(0, 1), slice(0, 2))
    tensor([[0.0000, 0.5000]])
    """
    factors, inputs = _factors(features, logits, bias)

    def row(factor: Tensor, vector: Tensor, columns: Part) -> Tensor:
        length = vector.norm().clamp(min=torch.finfo(vector.dtype).tiny)  # 0 without a bias where no feature is active
        along = inputs[columns] @ vector / length
        across = (inputs[columns] - along[:, None] * vector / length).norm(dim=1)
        plane = torch.stack([along, across], dim=1)
        others = torch.einsum("mab,mi,mj->miajb", factors[columns], plane, plane)
        others[:, 0, :, 0, :] -= length**2 * factor
        try:
            norms: Tensor = torch.linalg.eigvalsh(others.flatten(3).flatten(1, 2)).abs().amax(dim=1)
        except RuntimeError as error:
            raise ValueError(f"the features are too large for eigenvalues of their Hessians: {error}") from error
        return norms

    def block(rows: Part, columns: Part) -> Tensor:
        return torch.stack([row(*pair, columns) for pair in zip(factors[rows], inputs[rows], strict=True)])

    return block


def _factors(features: Tensor, logits: Tensor, bias: bool) -> tuple[Tensor, Tensor]:
    """The factors of the Hessians: A_i, ``(n, c, c)``, and a_i, ``(n, d + 1)``, or ``(n, d)`` without a bias."""
    probabilities = logits.softmax(dim=1)
    factors = probabilities.diag_embed() - probabilities[:, :, None] * probabilities[:, None]
    return factors, augmented_features(features, bias=bias)


def _squared_cdist(left: Tensor, right: Tensor) -> Tensor:
    return torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist").square()


def _outer_difference(left: Tensor, right: Tensor, left_norms: Tensor, right_norms: Tensor) -> Tensor:
    r"""Squared :math:`\|a a^\top - b b^\top\|_F` of all pairs, :math:`(|s|^2 |d|^2 + (s^\top d)^2) / 2`, s = a + b."""
    difference = _squared_cdist(left, right)
    total = 2 * (left_norms[:, None] + right_norms) - difference
    return (total * difference + (left_norms[:, None] - right_norms).square()) / 2
