"""Contextual diversity: samples whose predictions differ from each other's."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.farthest_first import farthest_first


def contextual_diversity(
    features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator
) -> Coreset:
    """Greedy k-center with symmetric KL divergences of predictions (Agarwal et al., ECCV 2020, CDAL-CS).

        d_ij = 1/2 KL(p_i || p_j) + 1/2 KL(p_j || p_i) = 1/2 sum_k (p_ik - p_jk) (log p_ik - log p_jk)

    Agarwal et al. mix the predictions of many regions of an image; a classifier has one, as in DeepCore.  The first
    sample is drawn by the generator.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: draws the first sample.
    """
    logarithms = logits.log_softmax(dim=1)
    probabilities = logarithms.exp()

    def divergences_to(index: int) -> Tensor:
        return ((probabilities - probabilities[index]) * (logarithms - logarithms[index])).sum(dim=1) / 2

    return farthest_first(divergences_to, len(logits), budget, generator, rounding=1e-15)
