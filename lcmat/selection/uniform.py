"""Uniform random selection, the baseline that a method must beat."""

import torch

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset, equally_weighted


@checked(budget="[0, n]")
def uniform(layer: LastLayer, budget: int, generator: torch.Generator) -> Coreset:
    """A uniformly random choice without replacement; each sample stands for ``n / budget``.

    Args:
        layer: the last layer's view of the n samples of a class, of which only the number counts.
        budget: how many samples to choose.
        generator: draws the samples.

    >>> layer = LastLayer(torch.zeros(4, 1), torch.zeros(4, 2), torch.tensor([0, 0, 0, 0]))
    >>> uniform(layer, 2, torch.Generator().manual_seed(0)).weights
    tensor([2., 2.], dtype=torch.float64)
    """
    size = len(layer.labels)
    return equally_weighted(torch.randperm(size, generator=generator)[:budget], size)
