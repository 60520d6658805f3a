"""Forgetting: the samples that are learnt and forgotten most often."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def forgetting(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    forgetting_events: Tensor,
) -> Coreset:
    """Largest number of forgetting events first (Toneva et al., ICLR 2019, Sec. 3).  Deterministic.

    Most images are never forgotten, or equally often: among them the order of the file decides.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        forgetting_events: how often each sample was right and then wrong, ``(n,)``; largest for those never right.
    """
    return best(forgetting_events, budget)
