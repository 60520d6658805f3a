"""Cosine similarities of last-layer gradients, for the submodular functions of DeepCore."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lcmat.curvature import augmented_features


def cosine_similarities(factors: Tensor, features: Tensor) -> Tensor:
    """Similarities ``s_ij = (1 + cos(g_i, g_j)) / 2`` of gradients ``g_i = r_i [h_i; 1]^T``, as DeepCore has them.

    The cosine of outer products is the product of their factors' cosines.  A gradient that vanishes has the cosine 0
    with all others.

    Args:
        factors: the vectors ``r_i``, ``(n, c)``.
        features: the ``h_i``, ``(n, d)``.

    Returns:
        ``(n, n)``, in 0 .. 1, symmetric, with a unit diagonal.

    >>> cosine_similarities(torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]]), torch.zeros(3, 1))
    tensor([[1.0000, 0.0000, 0.5000],
            [0.0000, 1.0000, 0.5000],
            [0.5000, 0.5000, 1.0000]])
    """
    directions, places = (
        normalize(part, dim=1, eps=torch.finfo(part.dtype).tiny) for part in (factors, augmented_features(features))
    )
    similarities = (directions @ directions.T).mul_(places @ places.T).add_(1).div_(2).clamp_(0, 1)
    return similarities.fill_diagonal_(1)
