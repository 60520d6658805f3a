"""DeepFool: the samples nearest to the decision boundary."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def deepfool(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    boundary_distances: Tensor,
) -> Coreset:
    """Smallest distance to the decision boundary first (Ducoffe & Precioso 2018).  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``; not used.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        boundary_distances: each sample's distance to the decision boundary in the input space, ``(n,)``.
    """
    return best(-boundary_distances, budget)
