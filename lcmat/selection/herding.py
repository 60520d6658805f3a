"""Herding: samples whose running mean follows the mean of all."""

import torch
from torch import Tensor

from lcmat.numerics.gram import gram_rows
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import equally_weighted

_ROUNDING = 1e-13  # of an inner product of a few thousand float64 numbers, relative to the norms


def herding(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    official_order: bool = False,
) -> Coreset:
    """Greedily match the mean of the features (Welling, ICML 2009; without replacement as in iCaRL, Algorithm 4).

    With the mean ``mu`` and the t samples chosen so far, the next is

        argmin_x || mu - (h_x + sum_{j in S} h_j) / (t + 1) ||,

    Welling's ``argmax_x <w_t, h_x>``, ``w_t = (t + 1) mu - sum_{j in S} h_j``, where the features have equal norms.
    Centred features make it ``argmin 2 <s, h_x> + |h_x|^2`` with s the sum of the chosen ones: one row of the Gram
    matrix a step.  A prefix is the choice of a smaller budget.  Deterministic.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        official_order: take the argmax instead, the worst match, as the official code does.
    """
    centred = features - features.mean(dim=0)
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
    return equally_weighted(torch.tensor(indices, dtype=torch.int64), len(features))
