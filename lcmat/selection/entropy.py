"""Entropy: the samples about which the network is most uncertain."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def entropy(features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator) -> Coreset:
    """Largest ``-sum_k p_k log p_k`` first (Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020).  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
    """
    logarithms = logits.log_softmax(dim=1)
    return best(-(logarithms.exp() * logarithms).sum(dim=1), budget)
