"""Herding: samples whose running mean follows the mean of all."""

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.gram import gram_rows
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset, equally_weighted

_ROUNDING = 1e-13  # of an inner product of a few thousand float64 numbers, relative to the norms


@checked(budget="[0, n]")
def herding(layer: LastLayer, budget: int, generator: torch.Generator, *, official_order: bool = False) -> Coreset:
    """Greedily match the mean of the features (Welling, ICML 2009; without replacement as in iCaRL, Algorithm 4).

    With the mean ``mu`` and the t samples chosen so far, the next is

        argmin_x || mu - (h_x + sum_{j in S} h_j) / (t + 1) ||,

    Welling's ``argmax_x <w_t, h_x>``, ``w_t = (t + 1) mu - sum_{j in S} h_j``, where the features have equal norms.
    Centred features make it ``argmin 2 <s, h_x> + |h_x|^2`` with s the sum of the chosen ones: each step takes one
    row of the Gram matrix.  A prefix is the choice of a smaller budget.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the features count.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        official_order: take the argmax instead, the worst match, as the official code does.

    >>> layer = LastLayer(torch.tensor([[0.0], [3.0], [6.0]]), torch.zeros(3, 2), torch.tensor([0, 0, 0]))
    >>> herding(layer, 3, torch.Generator()).indices  # the mean is 3; then 3 + 0 and 3 + 6 are equally far
    tensor([1, 0, 2])
    """
    centred = layer.features - layer.features.mean(dim=0)
    squares = centred.square().sum(dim=1)
    largest = float(squares.max().sqrt())
    products, free = gram_rows(centred, budget), torch.ones_like(squares, dtype=torch.bool)
    chosen_sum, to_sum = torch.zeros_like(centred[0]), torch.zeros_like(squares)
    indices: list[int] = []
    for _ in range(budget):
        costs = 2 * to_sum + squares
        accumulated = largest * (1 + len(indices)) ** 0.5  # each step adds the errors of a row of products
        rounding = _ROUNDING * largest * (2 * float(chosen_sum.norm()) + accumulated)
        indices.append(first_best(costs if official_order else -costs, free, rounding=rounding))
        free[indices[-1]] = False
        chosen_sum += centred[indices[-1]]
        to_sum += products(indices[-1])
    return equally_weighted(torch.tensor(indices, dtype=torch.int64), len(centred))
