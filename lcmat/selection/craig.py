"""Craig: facility location on gradients, weighted by the sizes of the clusters."""

from typing import Literal

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.distances import outer_product_distance_blocks
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.streaming import facility_location_of_blocks
from lcmat.selection.coreset import Coreset
from lcmat.selection.gradient_factors import gradient_factors
from lcmat.selection.official import LossReduction, OfficialWeights


@checked(budget="[0, n]")
def craig(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    gradients: Literal["logits", "last-layer"] = "logits",
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    official_weights: OfficialWeights | None = None,
    bias: bool = True,
) -> Coreset:
    """Craig: greedily minimise ``sum_i min_j d_ij`` over gradient distances (Mirzasoleiman et al., ICML 2020).

    In deep networks the distance between the gradients of two samples is estimated by that between their gradients in
    the logits, ``d_ij = |(p_i - y_i) - (p_j - y_j)|`` (its section on deep networks). A constant times it is no bound:
    samples of equal residuals and different features have ``d_ij = 0``.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        gradients: ``"logits"`` for that estimate; ``"last-layer"`` for the gradients of the last layer's parameters, as
            in the official code.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.
        official_weights: count each chosen sample once more, as the official code does.
        bias: whether the last layer has one.

    Returns:
        Indices in greedy order, a prefix being the choice of a smaller budget; weights ``gamma_j``, the number of
        samples nearest to each; gains in the unit of the distances.
    """
    features, logits, labels = layer
    factors = gradient_factors(logits, labels, double_softmax=double_softmax, loss_reduction=loss_reduction)
    if gradients == "logits":  # the gradient in the logits is that of a bias: the last layer's without any features
        blocks = outer_product_distance_blocks(factors, features[:, :0])
    else:
        blocks = outer_product_distance_blocks(factors, features, bias=bias)
    indices, gains, sizes = facility_location_of_blocks(blocks, len(labels), budget, like=features)
    return Coreset(indices, sizes + 1 if official_weights else sizes, gains)
