"""Facility location, one of DeepCore's submodular functions: on cosines of gradients, or on distances of features."""

from typing import Literal

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.distances import outer_product_distance_blocks
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset, equally_weighted
from lcmat.selection.gradient_factors import gradient_factors
from lcmat.selection.similarity import cosine_distance_blocks


@checked(budget="[0, n]")
def facility_location(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    compared: Literal["features"] | None = None,
    double_softmax: bool = False,
    bias: bool = True,
) -> Coreset:
    """Greedily maximise ``sum_i max_{j in S} s_ij`` over similarities of last-layer gradients (DeepCore, Guo et al.).

    With ``s_ij = (1 + cos(g_i, g_j)) / 2``.  A cosine does not depend on the scale of a loss.  Of features instead, it
    minimises ``sum_i min_{j in S} ||h_i - h_j||``, which is the first phase of k-medoids (BUILD of PAM, Kaufman &
    Rousseeuw 1990): where k-center covers the farthest sample, this covers the average one.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        compared: ``"features"``: these by their distances, instead of gradients by their cosines.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; equal weights, for the method defines
        none; gains of `lcmat.numerics.submodular.facility_location` on the distances ``1 - s_ij`` or ``||h_i - h_j||``.
    """
    features, logits, labels = layer
    if compared == "features":
        blocks = outer_product_distance_blocks(torch.ones_like(features[:, :1]), features, bias=False)
    else:
        factors = gradient_factors(logits, labels, double_softmax=double_softmax)
        blocks = cosine_distance_blocks(factors, features, bias=bias)
    indices, gains, _ = facility_location_of_blocks(blocks, len(labels), budget, like=features)
    return equally_weighted(indices, len(labels), gains)
