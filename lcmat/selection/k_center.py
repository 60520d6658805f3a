"""k-Center: samples such that no other is far from all of them."""

import torch
from torch import Tensor

from lcmat.numerics.gram import gram_rows
from lcmat.selection.coreset import Coreset
from lcmat.selection.farthest_first import farthest_first

_ROUNDING = 1e-13  # of a squared distance from an inner product, relative to the squared norms


def k_center(features: Tensor, logits: Tensor, labels: Tensor, budget: int, generator: torch.Generator) -> Coreset:
    """Greedy k-center in feature space with Euclidean distances (Sener & Savarese, ICLR 2018, Algorithm 1).

    They start from images that are labelled already, here there are none: the first is drawn by the generator, as in
    DeepCore.  One row of the Gram matrix a step.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``; not used.
        labels: class numbers, int64 ``(n,)``; not used.
        budget: how many samples to choose.
        generator: draws the first sample.
    """
    centred = features - features.mean(dim=0)
    squares = centred.square().sum(dim=1)
    products = gram_rows(centred, budget)

    def squared_distances_to(index: int) -> Tensor:
        return (squares + squares[index] - 2 * products(index)).clamp_(min=0)

    rounding = _ROUNDING * float(squares.max())
    return farthest_first(squared_distances_to, len(features), budget, generator, rounding=rounding)
