"""Moderate coreset: samples neither close to their class centre nor far from it."""

import torch
from torch import Tensor

from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


def moderate(features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator) -> Coreset:
    """Smallest ``|d_i - median(d)|`` first, ``d_i = ||h_i - centre of its class||`` (Xia et al., ICLR 2023).

    The centre is the mean of the class, as in the paper; its authors' code takes the median of each coordinate, and the
    ranks next to the middle one instead of the nearest values.  Of an even number of distances the median is the mean
    of the middle two, which are then equally near to it.  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
    """
    sums = features.new_zeros(int(labels.max()) + 1, features.shape[1]).index_add_(0, labels, features)
    centres = sums / labels.bincount()[:, None].clamp(min=1)
    distances = (features - centres[labels]).norm(dim=1)
    ascending = distances.sort().values
    median = (ascending[(len(ascending) - 1) // 2] + ascending[len(ascending) // 2]) / 2
    rounding = 1e-13 * float(features.norm(dim=1).max())
    return best(-(distances - median).abs(), budget, rounding=rounding)
