"""Moderate coreset: samples neither close to their class centre nor far from it."""

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best


@checked(budget="[0, n]")
def moderate(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """Smallest ``|d_i - median(d)|`` first, ``d_i = ||h_i - centre of its class||`` (Xia et al., ICLR 2023).

    The centre is the mean of the class, as in the paper; its authors' code takes the median of each coordinate, and the
    ranks next to the middle one instead of the nearest values.  Of an even number of distances the median is the mean
    of the middle two, which are then equally near to it.

    Args:
        layer: the last layer's view of the n samples of a class, of which features and labels count.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.

    >>> features = torch.tensor([[0.0], [1.0], [2.0], [9.0]])  # 3, 2, 1 and 6 from their mean; the median is 2.5
    >>> layer = LastLayer(features, torch.zeros(4, 2), torch.tensor([0, 0, 0, 0]))
    >>> moderate(layer, 2, torch.Generator()).indices
    tensor([0, 1])
    """
    features, _, labels = layer
    sums = features.new_zeros(int(labels.max()) + 1, features.shape[1]).index_add_(0, labels, features)
    centres = sums / labels.bincount()[:, None].clamp(min=1)
    distances = (features - centres[labels]).norm(dim=1)
    if not bool(distances.isfinite().all()):
        raise ValueError("the features are too large: their distances from the centre are not finite")
    ascending = distances.sort().values
    median = (ascending[(len(ascending) - 1) // 2] + ascending[len(ascending) // 2]) / 2
    rounding = 1e-13 * float(features.norm(dim=1).max())
    return best(-(distances - median).abs(), budget, rounding=rounding)
