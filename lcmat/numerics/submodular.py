"""Facility location on distances: the exact greedy ranking and the weights of the chosen centres."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.numerics.bounds import bounds_of
from lcmat.numerics.greedy import greedy


class Ranking(NamedTuple):
    """Chosen candidates, best first, and the marginal gain of each at the moment it was chosen."""

    indices: Tensor  # int64 (budget,)
    gains: Tensor  # float64 (budget,)


@checked(distances="all ...")
def facility_location(distances: Tensor, budget: int) -> Ranking:
    """Greedily choose ``budget`` candidates that minimise ``sum_i min_{j in S} d_ij`` (paper Eq. 11-12, Algorithm 1).

    In the paper's terms this maximises ``F(S) = L({e}) - L(S + {e})`` with an auxiliary element e at distance
    ``max d_ij`` from everything.  F is monotone and submodular, so the result has ``F(S) >= (1 - 1/e) max F``.  Working
    on distances, no offset can clip: any ``d_e >= max d_ij`` gives the same ranking.

    The marginal gains of all candidates are kept up to date instead of being recomputed: after a choice only the rows
    whose nearest centre moved are read.  After some choices the pairs that still matter, those nearer than the sample's
    centre, are collected, and the others run on them; they take less than the matrix.  Candidates whose stored gain
    could be the best within its rounding error are evaluated afresh, so the ranking is that of exact arithmetic up to
    ties: gains within 1e-10 (relative) of the best are ties, and ties go to the lowest index.  The choice runs in
    compiled code on one thread of the processor: each step depends on the last and reads a few rows.

    Args:
        distances: non-negative ``(n, m)``, from each of n samples to each of m candidates; float32 or float64, on any
            device (from another one they are copied).  Sums are in float64.
        budget: how many candidates to choose, ``0 .. m``.

    Returns:
        Indices and gains in greedy order (a prefix is the ranking of a smaller budget).  The gains are sums over the n
        samples, non-increasing, in the unit of the distances; they add up to ``n max d_ij - sum_i min_{j in S} d_ij``.

    Raises:
        ValueError: ``distances`` is not a matrix of finite non-negative numbers or ``budget`` is out of range.

    >>> facility_location(torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 4.0], [5.0, 4.0, 0.0]]), budget=2)
    Ranking(indices=tensor([1, 2]), gains=tensor([10.,  4.], dtype=torch.float64))
    """
    _check(distances, budget)
    matrix = distances.detach().cpu().contiguous().numpy()
    bounds = bounds_of(matrix)
    if not (bounds.low >= 0 and np.isfinite(bounds.sums).all()):
        raise ValueError(
            f"distances must be finite and non-negative, found {bounds.low:g} to {bounds.high:g} "
            "(or NaN): are the features or logits too large?"
        )
    if budget == 0:
        return Ranking(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64))
    picks, gains = greedy(matrix, budget, bounds)
    return Ranking(torch.from_numpy(picks), torch.from_numpy(gains))


@checked(distances="any n m", indices="int<m k")
def cluster_sizes(distances: Tensor, indices: Tensor) -> Tensor:
    """How many samples have each chosen candidate as their nearest: CRAIG's weights ``gamma_j`` (paper appendix A.3).

    Args:
        distances: ``(n, m)`` as for `facility_location`.
        indices: chosen candidates, int64 ``(k,)``; a sample equally near to several belongs to the first of them.

    Returns:
        float64 ``(k,)``, summing to n.

    >>> cluster_sizes(torch.tensor([[0.0, 1.0], [1.0, 0.0], [3.0, 2.0]]), torch.tensor([0, 1]))
    tensor([1., 2.], dtype=torch.float64)
    """
    if len(indices) == 0:
        return torch.empty(0, dtype=torch.float64)
    nearest = distances[:, indices.to(distances.device)].argmin(dim=1)
    return torch.bincount(nearest, minlength=len(indices)).double().cpu()


def _check(distances: Tensor, budget: int) -> None:
    if distances.ndim != 2 or distances.dtype not in (torch.float32, torch.float64) or distances.numel() == 0:
        raise ValueError(
            f"distances must be a non-empty float32 or float64 matrix, got {distances.dtype} {tuple(distances.shape)}"
        )
    if not 0 <= budget <= distances.shape[1]:
        raise ValueError(f"budget must lie in 0 .. {distances.shape[1]}, the number of candidates, got {budget}")
