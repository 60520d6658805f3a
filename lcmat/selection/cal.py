"""CAL: samples that the network judges otherwise than samples with similar features."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset
from lcmat.selection.scores import best

ELEMENTS_PER_BLOCK = 1 << 20  # of distances and divergences together, 8 MB
_ROUNDING = 1e-13  # of a squared distance from an inner product, relative to the squared norms


@checked(budget="[0, n]", num_neighbours="[1, inf)")
def cal(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    num_neighbours: int = 10,
    official_order: bool = False,
) -> Coreset:
    """Largest mean ``KL(p_j || p_i)`` over the k nearest neighbours j first (Margatina et al. 2021, Algorithm 1).

    Neighbours are the nearest in feature space (Euclidean) of the other samples that are selected from: those of the
    class.  (In active learning they are the labelled ones; here all are.  DeepCore looks for them in the features of a
    network trained on ImageNet, and takes symmetric divergences; no option imitates that.)

    Args:
        layer: the last layer's view of the n samples of a class, of which features and logits count.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        num_neighbours: k; all others where there are fewer.
        official_order: take the smallest divergences instead, as the official code does.

    Raises:
        ValueError: ``num_neighbours`` is not positive.

    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    >>> layer = LastLayer(torch.tensor([[0.0], [1.0], [3.0]]), logits, torch.tensor([0, 0, 0]))
    >>> cal(layer, 1, torch.Generator(), num_neighbours=1).indices
    tensor([2])
    """
    features, logits, _ = layer
    logarithms = logits.log_softmax(dim=1)
    scores = torch.zeros_like(logarithms[:, 0])
    count = min(num_neighbours, len(features) - 1)
    step = max(1, ELEMENTS_PER_BLOCK // (len(features) + count * logits.shape[1]))
    for rows in torch.arange(len(features), device=features.device).split(step) if count else ():
        neighbours = logarithms[nearest_neighbours(features, rows, count)]
        divergences = (neighbours.exp() * (neighbours - logarithms[rows, None])).sum(dim=2)
        scores[rows] = divergences.mean(dim=1)
    return best(-scores if official_order else scores, budget, rounding=1e-15)


@checked(points="n d", rows="int<n m", count="[1, n)")
def nearest_neighbours(points: Tensor, rows: Tensor, count: int) -> Tensor:
    """The ``count`` nearest others of some points, in ascending order of their index; ties go to the lowest index.

    Args:
        points: ``(n, d)``.
        rows: the points whose neighbours are wanted, int64 ``(m,)``.
        count: in ``1 .. n - 1``.

    Returns:
        Indices, int64 ``(m, count)``.

    >>> nearest_neighbours(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), torch.tensor([1, 3]), 2)
    tensor([[0, 2],
            [1, 2]])
    """
    centred = points - points.mean(dim=0)
    squares = centred.square().sum(dim=1)
    distances = squares[rows, None] + squares - 2 * (centred[rows] @ centred.T)
    distances[torch.arange(len(rows)), rows] = torch.inf
    limit = distances.kthvalue(count, dim=1, keepdim=True).values
    rounding = _ROUNDING * squares.max()
    if not bool(limit.isfinite().all()):
        raise ValueError("the points (features) are too large: their squared distances are not finite")
    nearer, near = distances < limit - rounding, distances <= limit + rounding
    missing = count - nearer.sum(dim=1, keepdim=True)
    at_limit = near & ~nearer
    taken = nearer | (at_limit & (at_limit.cumsum(dim=1) <= missing))
    return taken.nonzero()[:, 1].reshape(len(rows), count)
