"""EL2N: the samples that networks early in training are most wrong about."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def el2n(
    features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator, *, error_norms: Tensor
) -> Coreset:
    """Largest error norm ``||p - y||_2`` first (Paul et al., NeurIPS 2021, definition 2.2).  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        error_norms: mean over several networks of ``||p - y||_2``, ``(n,)``.
    """
    return best(error_norms, budget)
