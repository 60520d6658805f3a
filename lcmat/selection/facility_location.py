"""Facility location on cosine similarities of gradients, one of DeepCore's submodular functions."""

import torch

from lcmat.config.arguments import checked
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
    double_softmax: bool = False,
    bias: bool = True,
) -> Coreset:
    """Greedily maximise ``sum_i max_{j in S} s_ij`` over similarities of last-layer gradients (DeepCore, Guo et al.).

    With ``s_ij = (1 + cos(g_i, g_j)) / 2``.  A cosine does not depend on the scale of a loss.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; equal weights, for the method defines
        none; gains of `lcmat.numerics.submodular.facility_location` on the distances ``1 - s_ij``.
    """
    factors = gradient_factors(layer.logits, layer.labels, double_softmax=double_softmax)
    blocks = cosine_distance_blocks(factors, layer.features, bias=bias)
    indices, gains, _ = facility_location_of_blocks(blocks, len(factors), budget, like=layer.features)
    return equally_weighted(indices, len(factors), gains)
