"""LCMat-S with the exact spectral norm of Hessian differences instead of K entries of their diagonals."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.distances import gradient_distance_blocks
from lcmat.curvature.exact_distances import spectral_hessian_distance_blocks
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.blocks import Part
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset


@checked(budget="[0, n]", rho="[0, inf)")
def lcmat_s_spectral(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    rho: float = 0.1,
    bias: bool = True,
) -> Coreset:
    """Facility location on ``||g_i - g_j||_2 + rho / 2 ||H_i - H_j||_2``: what the diagonal of Eq. 7 stands for.

    Each pair costs the eigenvalues of a ``(2c, 2c)`` matrix, so this is a reference for a few hundred samples a class,
    not a method for large sets.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        rho: radius of the parameter perturbation.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; weights ``gamma_j``, the number of
        samples nearest to each; gains in the unit of the distances.

    Raises:
        ValueError: ``rho`` is negative or not finite.
    """
    gradients = gradient_distance_blocks(*layer, bias=bias)
    hessians = spectral_hessian_distance_blocks(layer.features, layer.logits, bias=bias)

    def block(rows: Part, columns: Part) -> Tensor:
        return gradients(rows, columns) + rho / 2 * hessians(rows, columns)

    blocks = gradients if rho == 0 else block
    indices, gains, sizes = facility_location_of_blocks(blocks, len(layer.labels), budget, like=layer.features)
    return Coreset(indices, sizes, gains)
