"""Least confidence: the samples whose most likely class is least likely."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def least_confidence(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    raw_logits: bool = False,
) -> Coreset:
    """Largest ``1 - max_k p_k`` first (Settles 2009, Sec. 3.1; Coleman et al., ICLR 2020).  Deterministic.

    The score is summed from the other classes' probabilities, so that samples stay apart of which ``max_k p_k`` would
    round to 1.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        raw_logits: take the smallest ``max_k z_k`` of the logits instead, as the official code does.
    """
    if raw_logits:
        return best(-logits.max(dim=1).values, budget)
    return best(logits.softmax(dim=1).sort(dim=1, descending=True).values[:, 1:].sum(dim=1), budget)
