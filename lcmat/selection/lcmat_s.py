"""LCMat-S: selection by loss-curvature matching in the last layer."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.distances import gradient_distance_blocks, hessian_distance_blocks
from lcmat.curvature.last_layer import LastLayer, top_variance_dimensions
from lcmat.numerics.blocks import Blocks, Part, symmetric_matrix
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset
from lcmat.selection.official import LossReduction, loss_scales


@checked(budget="[0, n]", rho="[0, inf)")
def lcmat_s(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    rho: float = 0.1,
    top_k: int = 100,
    loss_reduction: LossReduction | None = None,
    bias: bool = True,
) -> Coreset:
    """LCMat-S: facility location on gradients and Hessian diagonals of the last layer (paper Eq. 12, Algorithm 1).

    Above `lcmat.numerics.blocks.LARGEST_MATRIX` samples the distances are computed on demand instead of stored.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        rho: radius of the parameter perturbation; 0 leaves gradient matching.
        top_k: how many Hessian dimensions count, K.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; weights ``gamma_j``, the number of
        samples nearest to each; gains in the unit of the distances.

    Raises:
        ValueError: ``rho`` is negative or not finite, or ``top_k`` is not positive.
    """
    scales = loss_scales(len(layer.labels), loss_reduction, like=layer.features)
    blocks = lcmat_distance_blocks(*layer, rho=rho, top_k=top_k, scales=scales, bias=bias)
    indices, gains, sizes = facility_location_of_blocks(blocks, len(layer.labels), budget, like=layer.features)
    return Coreset(indices, sizes, gains)


@checked(features="n+ d", logits="n c++", labels="int<c n", scales="n", rho="[0, inf)")
def lcmat_distances(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    rho: float,
    top_k: int,
    scales: Tensor | None = None,
    bias: bool = True,
) -> Tensor:
    """LCMat-S's distances ``||g_i - g_j||_2 + rho / 2 sum_{k in K} |lambda_ik - lambda_jk|`` (paper Eq. 10).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        rho: radius of the parameter perturbation, finite and not negative.
        top_k: size of K, the dimensions of largest variance over these n samples.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the last layer has one.

    Returns:
        ``(n, n)``, symmetric, zero diagonal; one matrix is all the memory that it needs.

    Raises:
        ValueError: shapes disagree, ``rho`` is negative or not finite, or ``top_k`` is not positive.

    >>> lcmat_distances(torch.zeros(2, 1), torch.zeros(2, 2), torch.tensor([0, 1]), rho=0.1, top_k=2)
    tensor([[0.0000, 1.4142],
            [1.4142, 0.0000]])
    """
    blocks = lcmat_distance_blocks(features, logits, labels, rho=rho, top_k=top_k, scales=scales, bias=bias)
    return symmetric_matrix(len(features), blocks, like=features)


@checked(features="n+ d", logits="n c++", labels="int<c n", scales="n", rho="[0, inf)")
def lcmat_distance_blocks(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    rho: float,
    top_k: int,
    scales: Tensor | None = None,
    bias: bool = True,
) -> Blocks:
    """The matrix of `lcmat_distances`, block by block on demand.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        rho: radius of the parameter perturbation, finite and not negative.
        top_k: size of K, the dimensions of largest variance over these n samples.
        scales: positive factors of the samples' losses, ``(n,)``; None for 1.
        bias: whether the last layer has one.

    Returns:
        A function of some rows and columns that computes this block.

    Raises:
        ValueError: shapes disagree, ``rho`` is negative or not finite, or ``top_k`` is not positive.
    """
    dimensions = top_variance_dimensions(features, logits, top_k, scales=scales, bias=bias)
    gradients = gradient_distance_blocks(features, logits, labels, scales=scales, bias=bias)
    hessians = hessian_distance_blocks(features, logits, dimensions, scales=scales, bias=bias)

    def block(rows: Part, columns: Part) -> Tensor:
        return gradients(rows, columns) + rho / 2 * hessians(rows, columns)

    return gradients if rho == 0 else block
