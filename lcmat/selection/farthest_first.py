"""Gonzalez's greedy k-center: each choice is the sample farthest from those chosen before."""

from collections.abc import Callable

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset, equally_weighted


@checked(size="[0, inf)", budget="[0, size]", rounding="[0, inf)")
def farthest_first(
    divergences_to: Callable[[int], Tensor], size: int, budget: int, generator: torch.Generator, *, rounding: float
) -> Coreset:
    """Choose ``argmax_i min_{j in S} d_ij`` until the budget is met, from a first sample drawn at random.

    For a metric d the largest distance to a centre is at most twice the least possible (Gonzalez 1985).  A prefix is
    the choice of a smaller budget with the same draw.

    Args:
        divergences_to: j -> the ``d_ij`` of all i, non-negative, ``(n,)``.
        size: n.
        budget: how many samples to choose, ``0 .. n``.
        generator: draws the first sample.
        rounding: error of the ``d_ij``; distances that differ by no more count as equal, and the lowest index wins.

    Returns:
        The centres in the order of choice, equally weighted.

    >>> points = torch.tensor([0.0, 1.0, 5.0])
    >>> draw = torch.Generator().manual_seed(0)
    >>> 2 in farthest_first(lambda j: (points - points[j]).abs(), 3, 2, draw, rounding=0.0).indices
    True
    """
    if budget == 0:
        return equally_weighted(torch.empty(0, dtype=torch.int64), size)
    indices = [int(torch.randint(size, (), generator=generator))]
    nearest = divergences_to(indices[0])
    if nearest.shape != (size,):
        raise ValueError(f"divergences_to must give {size} numbers, as many as size says, gave {tuple(nearest.shape)}")
    free = torch.ones_like(nearest, dtype=torch.bool)
    free[indices[0]] = False
    for _ in range(budget - 1):
        indices.append(first_best(nearest, free, rounding=rounding))
        free[indices[-1]] = False
        nearest = torch.minimum(nearest, divergences_to(indices[-1]))
    return equally_weighted(torch.tensor(indices), size)
