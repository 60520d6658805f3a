"""k-Center: samples such that no other is far from all of them."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.gram import gram_rows
from lcmat.selection.coreset import Coreset
from lcmat.selection.farthest_first import farthest_first

_ROUNDING = 1e-13  # of a squared distance from an inner product, relative to the squared norms


@checked(budget="[0, n]")
def k_center(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """Greedy k-center in feature space with Euclidean distances (Sener & Savarese, ICLR 2018, Algorithm 1).

    They start from images that are labelled already, here there are none: the first is drawn, as in DeepCore.  Each
    step takes one row of the Gram matrix.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the features count.
        budget: how many samples to choose.
        generator: draws the first sample.

    >>> layer = LastLayer(torch.tensor([[0.0], [1.0], [5.0]]), torch.zeros(3, 2), torch.tensor([0, 0, 0]))
    >>> 2 in k_center(layer, 2, torch.Generator().manual_seed(0)).indices
    True
    """
    centred = layer.features - layer.features.mean(dim=0)
    squares = centred.square().sum(dim=1)
    products = gram_rows(centred, budget)

    def squared_distances_to(index: int) -> Tensor:
        return (squares + squares[index] - 2 * products(index)).clamp_(min=0)

    rounding = _ROUNDING * float(squares.max())
    return farthest_first(squared_distances_to, len(centred), budget, generator, rounding=rounding)
