"""Contextual diversity: samples whose predictions differ from each other's."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset
from lcmat.selection.farthest_first import farthest_first


@checked(budget="[0, n]")
def contextual_diversity(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """Greedy k-center with symmetric KL divergences of predictions (Agarwal et al., ECCV 2020, CDAL-CS).

        d_ij = 1/2 KL(p_i || p_j) + 1/2 KL(p_j || p_i) = 1/2 sum_k (p_ik - p_jk) (log p_ik - log p_jk)

    Agarwal et al. mix the predictions of many regions of an image; a classifier has one, as in DeepCore.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the logits count.
        budget: how many samples to choose.
        generator: draws the first sample.

    >>> logits = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 5.0]])
    >>> layer = LastLayer(torch.zeros(3, 1), logits, torch.tensor([0, 0, 0]))
    >>> 2 in contextual_diversity(layer, 2, torch.Generator().manual_seed(0)).indices
    True
    """
    logarithms = layer.logits.log_softmax(dim=1)
    probabilities = logarithms.exp()

    def divergences_to(index: int) -> Tensor:
        return ((probabilities - probabilities[index]) * (logarithms - logarithms[index])).sum(dim=1) / 2

    return farthest_first(divergences_to, len(probabilities), budget, generator, rounding=1e-15)
