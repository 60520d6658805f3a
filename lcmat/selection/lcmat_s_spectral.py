"""LCMat-S with the exact spectral norm of Hessian differences instead of K entries of their diagonals."""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import augmented_features, gradient_distance_blocks
from lcmat.numerics.blocks import Blocks, Part
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset


def lcmat_s_spectral(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    rho: float = 0.1,
    bias: bool = True,
) -> Coreset:
    """Facility location on ``||g_i - g_j||_2 + rho / 2 ||H_i - H_j||_2``: what the diagonal of Eq. 7 stands for.

    Weights are the cluster sizes.  Deterministic: the generator is not used.  Each pair costs the eigenvalues of a
    ``(2c, 2c)`` matrix, so this is a reference for a few hundred samples a class, not a method for large sets.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        rho: radius of the parameter perturbation.
        bias: whether the last layer has one.

    Raises:
        ValueError: ``rho`` is negative or not finite.
    """
    if not 0 <= rho < float("inf"):
        raise ValueError(f"rho must be a finite number >= 0, got {rho}")
    gradients = gradient_distance_blocks(features, logits, labels, bias=bias)
    hessians = hessian_spectral_distance_blocks(features, logits, bias=bias)

    def block(rows: Part, columns: Part) -> Tensor:
        return gradients(rows, columns) + rho / 2 * hessians(rows, columns)

    blocks = gradients if rho == 0 else block
    indices, gains, sizes = facility_location_of_blocks(blocks, len(labels), budget, like=features)
    return Coreset(indices, sizes, gains)


def hessian_spectral_distance_blocks(features: Tensor, logits: Tensor, *, bias: bool = True) -> Blocks:
    """The matrix ``||H_i - H_j||_2`` of last-layer Hessians ``(diag p_i - p_i p_i^T) (x) [h_i; 1] [h_i; 1]^T``.

    In an orthonormal basis of the plane of ``[h_i; 1]`` and ``[h_j; 1]`` the difference is a ``(2c, 2c)`` matrix.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        bias: whether the last layer has one.

    >>> features, logits = torch.zeros(2, 1), torch.tensor([[0.0, 0.0], [0.0, 50.0]], dtype=torch.float64)
    >>> hessian_spectral_distance_blocks(features.double(), logits)(slice(0, 1), slice(0, 2))
    tensor([[0.0000, 0.5000]], dtype=torch.float64)
    """
    inputs, probabilities = augmented_features(features, bias=bias), logits.softmax(dim=1)
    covariances = torch.diag_embed(probabilities) - probabilities[:, :, None] * probabilities[:, None, :]

    def row(inputs_i: Tensor, covariance_i: Tensor, columns: Part) -> Tensor:
        length = inputs_i.norm()
        along = inputs[columns] @ inputs_i / length
        across = (inputs[columns] - along[:, None] * inputs_i / length).norm(dim=1)
        plane = torch.stack([along, across], dim=1)
        others = torch.einsum("mab,mi,mj->miajb", covariances[columns], plane, plane)
        others[:, 0, :, 0, :] -= length**2 * covariance_i
        norms: Tensor = torch.linalg.eigvalsh(others.flatten(3).flatten(1, 2)).abs().amax(dim=1)
        return norms

    def block(rows: Part, columns: Part) -> Tensor:
        pairs = zip(inputs[rows], covariances[rows], strict=True)
        return torch.stack([row(*pair, columns) for pair in pairs])

    return block
