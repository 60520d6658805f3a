"""Margin: the samples whose two most likely classes are nearly equally likely."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def margin(features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator) -> Coreset:
    """Smallest ``p_(1) - p_(2)`` of the sorted probabilities first (Scheffer et al. 2001; Settles 2009, Sec. 3.1).

    Deterministic.  What is compared is ``1 - (p_(1) - p_(2)) = 2 p_(2) + p_(3) + ...``, so that samples stay apart of
    which the margin would round to 1.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
    """
    others = logits.softmax(dim=1).sort(dim=1, descending=True).values[:, 1:]
    return best(others.sum(dim=1) + others[:, :1].sum(dim=1), budget)
