"""Facility location on distances: the exact greedy ranking and the weights of the chosen centres."""

from typing import NamedTuple

import torch
from torch import Tensor

TIE_TOLERANCE = 1e-10  # gains within this relative distance of the best are ties, and ties go to the lowest index
ELEMENTS_PER_BLOCK = 1 << 20


class Ranking(NamedTuple):
    """Chosen candidates, best first, and the marginal gain of each at the moment it was chosen."""

    indices: Tensor  # int64 (budget,)
    gains: Tensor  # float64 (budget,)


def facility_location(distances: Tensor, budget: int) -> Ranking:
    """Greedily choose ``budget`` candidates that minimise ``sum_i min_{j in S} d_ij`` (paper Eq. 11-12, Algorithm 1).

    In the paper's terms this maximises ``F(S) = L({e}) - L(S + {e})`` with an auxiliary element e at distance
    ``max d_ij`` from everything.  F is monotone and submodular, so the result has ``F(S) >= (1 - 1/e) max F``.  Working
    on distances, no offset can clip: any ``d_e >= max d_ij`` gives the same ranking.

    The marginal gains of all candidates are kept up to date instead of being recomputed: after a choice only the rows
    whose nearest centre moved are read.  Candidates whose stored gain could be the best within its rounding error are
    evaluated afresh, so the ranking is that of exact arithmetic up to ties: gains within 1e-10 (relative) of the best
    are ties, and ties go to the lowest index.

    Args:
        distances: non-negative ``(n, m)``, from each of n samples to each of m candidates; float32 or float64, on any
            device.  Sums are in float64.
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
    if budget == 0:
        return Ranking(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64))
    state = _Gains(distances)
    picks, gains = zip(*(state.choose() for _ in range(budget)), strict=True)
    return Ranking(torch.tensor(picks), torch.tensor(gains, dtype=torch.float64))


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


class _Gains:
    """The marginal gain of every candidate, each with a bound on its rounding error."""

    def __init__(self, distances: Tensor):
        self.distances = distances
        rows, columns = distances.shape
        # The auxiliary element: before the first choice every sample is this far from its centre.
        self.nearest = torch.full((rows,), float(distances.max()), dtype=torch.float64, device=distances.device)
        self.gains = self._evaluate(torch.arange(columns, device=distances.device))
        self.evaluated = self.gains.clone()  # the gain when last evaluated afresh: the scale of its rounding error
        self.exact = torch.ones(columns, dtype=torch.bool, device=distances.device)
        self.chosen = torch.zeros(columns, dtype=torch.bool, device=distances.device)
        self.updates = 0

    def choose(self) -> tuple[int, float]:
        """Choose the best candidate, move the nearest centres to it, and return its index and gain."""
        pick = self._best()
        gain = float(self.gains[pick])
        self.chosen[pick] = True
        self._move_centres(self.distances[:, pick].double())
        return pick, gain

    def _best(self) -> int:
        """The lowest index whose exact gain is within the tie tolerance of the largest exact gain."""
        error = torch.where(self.exact, 0.0, (self.updates + 8) * torch.finfo(torch.float64).eps * self.evaluated)
        lower = torch.where(self.chosen, -torch.inf, self.gains - error)
        contends = (self.gains + error >= _tie_threshold(lower.max())) & ~self.chosen
        self._refresh((contends & ~self.exact).nonzero().flatten())
        gains = torch.where(contends, self.gains, -torch.inf)
        return int((gains >= _tie_threshold(gains.max())).nonzero()[0])

    def _refresh(self, candidates: Tensor) -> None:
        if len(candidates):
            self.gains[candidates] = self._evaluate(candidates)
            self.evaluated[candidates] = self.gains[candidates]
            self.exact[candidates] = True

    def _evaluate(self, candidates: Tensor) -> Tensor:
        """Marginal gains ``sum_i max(nearest_i - d_ij, 0)`` from scratch."""
        step = max(1, ELEMENTS_PER_BLOCK // len(self.nearest))
        parts = candidates.split(step)
        return torch.cat(
            [(self.nearest[:, None] - self.distances[:, part].double()).clamp_(min=0).sum(dim=0) for part in parts]
        )

    def _move_centres(self, to_pick: Tensor) -> None:
        """Let samples go to the new centre where it is nearer, and take what that costs from every candidate's gain."""
        moved = (to_pick < self.nearest).nonzero().flatten()
        step = max(1, ELEMENTS_PER_BLOCK // self.distances.shape[1])
        for rows in moved.split(step):
            old, new = self.nearest[rows, None], to_pick[rows, None]
            # max(old - d, 0) - max(new - d, 0), without cancellation
            loss = (old - torch.maximum(self.distances[rows].double(), new)).clamp_(min=0).sum(dim=0)
            self.gains -= loss
            self.exact &= loss == 0
            self.updates += 1
        self.nearest = torch.minimum(self.nearest, to_pick)


def _tie_threshold(best: Tensor) -> Tensor:
    return best - TIE_TOLERANCE * best.abs()


def _check(distances: Tensor, budget: int) -> None:
    if distances.ndim != 2 or not distances.is_floating_point() or distances.numel() == 0:
        raise ValueError(f"distances must be a non-empty float matrix, got {distances.dtype} {tuple(distances.shape)}")
    low, high = torch.aminmax(distances)
    if not (low >= 0 and high < torch.inf):
        raise ValueError(f"distances must be finite and non-negative, found values from {low:g} to {high:g} (or NaN)")
    if not 0 <= budget <= distances.shape[1]:
        raise ValueError(f"budget must lie in 0 .. {distances.shape[1]}, the number of candidates, got {budget}")
