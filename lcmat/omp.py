"""Orthogonal matching pursuit on inner products: the target is never seen, and no matrix of all pairs is built.

A step needs one row of the Gram matrix and of the Cholesky factor, both against all columns. One row at a time the
processor waits for the memory; so rows are made for several columns that are likely to be chosen soon, those with the
largest products with the residual now. What they turn out to be does not depend on that, up to rounding.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy.optimize import nnls
from torch import Tensor

from lcmat.ties import first_best

DEPENDENCE = 1e-10  # a column whose squared distance from the span of the chosen is below this share of its own square
AHEAD = 24  # rows made at a time; more of them are of use to fewer later choices


class Pursuit(NamedTuple):
    """Chosen columns, best first, what each of them took from the squared error, and their weights."""

    indices: Tensor  # int64 (budget,)
    gains: Tensor  # float64 (budget,)
    weights: Tensor  # float64 (budget,), non-negative


def orthogonal_matching_pursuit(
    gram_rows: Callable[[list[int]], Tensor], squares: Tensor, correlations: Tensor, budget: int, *, ridge: float = 0.0
) -> Pursuit:
    """Greedily choose columns ``a_j`` whose weighted sum matches a target b (GradMatch, Algorithm 2).

    Each step takes the column with the largest inner product with the residual of the ridge regression on the columns
    chosen so far::

        j = argmax  a_j . (b - A_S w_S),     w_S = argmin |A_S w - b|^2 + ridge |w|^2.

    The sign counts, because the weights may not be negative in the end: with the columns chosen they minimise the same
    error over ``w >= 0``.  A Cholesky factor of ``A_S^T A_S + ridge I`` that grows by a row at each step replaces the
    regressions, so a step costs one product of an ``(n, |S|)`` matrix with a vector; that matrix is kept, and rows of
    it that were made ahead.

    Without ridge the columns that depend on the chosen ones add nothing and are passed over.  When no others are left
    (the budget exceeds the rank) the rest follow in the order of their products with the target, with gain 0.

    Args:
        gram_rows: m indices -> inner products of those columns with all columns, ``(m, n)``, float64.
        squares: squared norms of the columns, ``(n,)``, float64.
        correlations: inner products of the columns with the target, ``(n,)``, float64.
        budget: how many columns to choose, ``0 .. n``.
        ridge: weight of ``|w|^2``, not negative, in the unit of the squares.

    Returns:
        Indices in the order of choice (a prefix is the choice of a smaller budget); the decrease of the minimal
        regularised error (over weights of any sign) at each choice, which is in the unit of ``|b|^2`` and adds up; and
        the non-negative weights, 0 where a column is of no use.

    Raises:
        ValueError: the budget is out of range, or the ridge is negative or not finite.

    >>> columns = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    >>> gram, target = columns @ columns.T, torch.tensor([4.0, 1.0], dtype=torch.float64)
    >>> orthogonal_matching_pursuit(gram.__getitem__, gram.diagonal(), columns @ target, budget=2)
    Pursuit(indices=tensor([0, 1]), gains=tensor([16., 1.], dtype=torch.float64),
            weights=tensor([1.5000, 1.0000], dtype=torch.float64))
    """
    if not 0 <= budget <= len(squares):
        raise ValueError(f"budget must lie in 0 .. {len(squares)}, the number of columns, got {budget}")
    if not 0 <= ridge < float("inf"):
        raise ValueError(f"ridge must be a finite number >= 0, got {ridge}")
    state = _Factor(gram_rows, squares, correlations, budget, ridge)
    while len(state.chosen) < budget and bool((candidates := state.independent()).any()):
        state.append(first_best(state.correlations, candidates, rounding=state.rounding))
    rest = _by_correlation(correlations, state.chosen)[: budget - len(state.chosen)]
    nothing = torch.zeros(len(rest), dtype=torch.float64)
    return Pursuit(
        torch.tensor(state.chosen + rest, dtype=torch.int64),
        torch.cat([state.solution.square().cpu(), nothing]),
        torch.cat([_non_negative_weights(state.lower(), state.solution), nothing]),
    )


class _Factor:
    """The rows ``V = L^{-1} A_S^T A`` of the growing Cholesky factor L, against all columns."""

    def __init__(
        self,
        gram_rows: Callable[[list[int]], Tensor],
        squares: Tensor,
        correlations: Tensor,
        budget: int,
        ridge: float,
    ):
        self.gram_rows, self.squares, self.ridge = gram_rows, squares, ridge
        self.correlations = correlations.clone()  # with the residual; minus infinity for the chosen
        self.rounding = 1e-14 * float(correlations.abs().max()) if len(correlations) else 0.0
        self.remaining = squares.clone()  # squared distances from the span of the chosen; below them with a ridge
        self.dependent = DEPENDENCE * (squares + ridge) - ridge  # what remains of a column in the span
        self.rows = squares.new_zeros(budget, len(squares))
        self.pivots = squares.new_zeros(budget)
        self.targets = squares.new_zeros(budget)
        self.ahead: dict[int, tuple[Tensor, int]] = {}  # column -> its row, from which the first so many are subtracted
        self.chosen: list[int] = []

    @property
    def solution(self) -> Tensor:
        """``L^{-1} A_S^T b``: the squared entries are the decreases of the error."""
        return self.targets[: len(self.chosen)]

    def independent(self) -> Tensor:
        """Which columns are not in the span of the chosen."""
        return self.remaining > self.dependent

    def append(self, pick: int) -> None:
        """Add a row to the factor and take the new direction from the residual."""
        count = len(self.chosen)
        if pick not in self.ahead:
            self._look_ahead(pick)
        row, subtracted = self.ahead.pop(pick)
        earlier = self.rows[subtracted:count]
        row = torch.addmv(row, earlier.T, earlier[:, pick], alpha=-1, out=self.rows[count])
        row /= (pivot := (self.remaining[pick] + self.ridge).sqrt())
        self.pivots[count], self.targets[count] = pivot, self.correlations[pick] / pivot
        self.correlations -= self.targets[count] * row
        self.correlations[pick] = -torch.inf
        self.remaining.addcmul_(row, row, value=-1)
        self.remaining[pick] = -torch.inf
        self.chosen.append(pick)

    def _look_ahead(self, pick: int) -> None:
        """Make the rows of a column and of the likely next ones, as they would be if one were chosen now."""
        count = len(self.chosen)
        likely = self.correlations.topk(min(AHEAD, len(self.squares) - count)).indices.tolist()
        columns = [pick, *(column for column in likely if column != pick and column not in self.ahead)]
        gram = self.gram_rows(columns).contiguous()
        made = torch.addmm(gram, self.rows[:count, columns].T, self.rows[:count], alpha=-1)
        self.ahead.update((column, (row, count)) for column, row in zip(columns, made, strict=True))

    def lower(self) -> Tensor:
        """The Cholesky factor of ``A_S^T A_S + ridge I``, ``(|S|, |S|)``."""
        count = len(self.chosen)
        return self.rows[:count, self.chosen].T.tril(-1) + self.pivots[:count].diag()


def _non_negative_weights(lower: Tensor, solution: Tensor) -> Tensor:
    """Minimise ``|A_S w - b|^2 + ridge |w|^2 = |L^T w - L^{-1} A_S^T b|^2 + const`` over ``w >= 0``."""
    if len(solution) == 0:
        return torch.zeros(0, dtype=torch.float64)
    weights, _ = nnls(lower.T.cpu().numpy(), solution.cpu().numpy())
    return torch.from_numpy(weights)


def _by_correlation(correlations: Tensor, chosen: list[int]) -> list[int]:
    """The columns not chosen, by their product with the target; ties by index."""
    order = correlations.argsort(descending=True, stable=True).tolist()
    taken = set(chosen)
    return [index for index in order if index not in taken]
