"""GraNd: the samples with the largest gradients early in training."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def grand(
    features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator, *, gradient_norms: Tensor
) -> Coreset:
    """Largest gradient norm first (Paul et al., NeurIPS 2021, definition 2.1).  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        gradient_norms: mean over several networks of the norm of the loss gradient, ``(n,)``.
    """
    return best(gradient_norms, budget)
