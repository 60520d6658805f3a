"""Taking the samples that score best, and the coreset of a method that defines no weights."""

import torch
from torch import Tensor

from lcmat.numerics.ties import TIE_TOLERANCE
from lcmat.selection.coreset import Coreset


def best(scores: Tensor, budget: int, *, rounding: float = 0.0) -> Coreset:
    """The samples with the largest scores, equally weighted; of equal scores the lowest index comes first.

    Args:
        scores: finite, ``(n,)``.
        budget: how many samples to choose, ``0 .. n``.
        rounding: error of the scores; neighbours in their order that are no farther apart, or by no more than 1e-10
            of the larger one, count as equal.

    >>> best(torch.tensor([1.0, 3.0, 2.0, 3.0]), 3).indices
    tensor([1, 3, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    larger, smaller = scores[order[:-1]], scores[order[1:]]
    apart = larger - smaller > TIE_TOLERANCE * larger.abs() + rounding
    rank = torch.zeros_like(order)
    rank[1:] = apart.cumsum(dim=0)
    by_rank_and_index = (rank * len(order) + order).argsort()
    return equally_weighted(order[by_rank_and_index][:budget], len(order))


def equally_weighted(indices: Tensor, size: int) -> Coreset:
    """The coreset of these of ``size`` samples: each stands for as many of them, and none has a marginal gain.

    >>> equally_weighted(torch.tensor([2, 0]), 5).weights
    tensor([2.5000, 2.5000], dtype=torch.float64)
    """
    weights = torch.full((len(indices),), size / max(len(indices), 1), dtype=torch.float64)
    return Coreset(indices.cpu(), weights, torch.full_like(weights, torch.nan))
