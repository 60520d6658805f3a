"""Orthogonal matching pursuit on inner products: the target is never seen, and no matrix of all pairs is built.

A step needs one row of the Cholesky factor, against all columns.  One row at a time the processor waits for the memory.
So the next choices are foreseen, by a pursuit among the few columns whose products with the residual are the largest
now, and their rows are made together.  Each choice is still made among all columns: where another one turns out to be
better, the rest of what was foreseen is dropped.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from lcmat.config.annotations import described
from lcmat.config.arguments import checked
from lcmat.numerics.blocks import check_memory
from lcmat.numerics.ties import TIE_TOLERANCE, first_best

DEPENDENCE = 1e-10  # a column whose squared distance from the span of the chosen is below this share of its own square
FEW = 192  # columns among which the next choices are foreseen
AHEAD = 16  # choices foreseen at a time

Array = NDArray[np.float64]
Products = Callable[[Tensor | slice, Tensor], Tensor]


class Pursuit(NamedTuple):
    """Chosen columns, best first, what each of them took from the squared error, and their weights."""

    indices: Tensor  # int64 (budget,)
    gains: Tensor  # float64 (budget,)
    weights: Tensor  # float64 (budget,), non-negative


@torch.no_grad()
@checked(squares="n", correlations="n", ridge="[0, inf)")
def orthogonal_matching_pursuit(
    products: Products, squares: Tensor, correlations: Tensor, budget: int, *, ridge: float = 0.0
) -> Pursuit:
    """Greedily choose columns ``a_j`` whose weighted sum matches a target b (GradMatch, Algorithm 2).

    Each step takes the column with the largest inner product with the residual of the ridge regression on the columns
    chosen so far::

        j = argmax  a_j . (b - A_S w_S),     w_S = argmin |A_S w - b|^2 + ridge |w|^2.

    The sign counts, because the weights may not be negative in the end: with the columns chosen they minimise the same
    error over ``w >= 0``.  A Cholesky factor of ``A_S^T A_S + ridge I`` that grows by a row at each step replaces the
    regressions, so a step costs one product of an ``(n, |S|)`` matrix with a vector; that matrix is kept.

    Without ridge the columns that depend on the chosen ones add nothing and are passed over.  When no others are left
    (the budget exceeds the rank) the rest follow in the order of their products with the target, with gain 0.

    Args:
        products: indices of m and of k columns -> their inner products, ``(m, k)``, float64; ``slice(None)`` for all n.
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
    >>> def products(some, others):
    ...     return gram[some][:, others]
    >>> orthogonal_matching_pursuit(products, gram.diagonal(), columns @ target, budget=2)
    Pursuit(indices=tensor([0, 1]), gains=tensor([16., 1.], dtype=torch.float64),
            weights=tensor([1.5000, 1.0000], dtype=torch.float64))
    """
    products = _verified(products, squares)
    check_memory(
        budget * len(squares) * squares.element_size(), f"a pursuit of budget {budget} among {len(squares)} columns"
    )
    if not 0 <= budget <= len(squares):
        raise ValueError(f"budget must lie in 0 .. {len(squares)}, the number of columns, got {budget}")
    state = _Factor(products, squares, correlations, budget, ridge)
    while len(state.chosen) < budget and bool((candidates := state.independent()).any()):
        state.append(first_best(state.correlations, candidates, rounding=state.rounding))
    rest = _by_correlation(correlations, state.chosen)[: budget - len(state.chosen)]
    nothing = torch.zeros(len(rest), dtype=torch.float64)
    return Pursuit(
        torch.tensor(state.chosen + rest, dtype=torch.int64),
        torch.cat([state.solution.square().cpu(), nothing]),
        torch.cat([_non_negative_weights(state.lower(), state.solution), nothing]),
    )


def _verified(products: Products, squares: Tensor) -> Products:
    """The products, which are seen to be in the dtype of the squares."""

    def verified(some: Tensor | slice, others: Tensor) -> Tensor:
        result: object = products(some, others)
        if not isinstance(result, Tensor) or result.dtype != squares.dtype:
            raise ValueError(f"products must be {squares.dtype} as the squares, got {described(result)}")
        return result

    return verified


class _Factor:
    """The rows ``V = L^{-1} A_S^T A`` of the growing Cholesky factor L, against all columns."""

    def __init__(self, products: Products, squares: Tensor, correlations: Tensor, budget: int, ridge: float):
        self.products, self.ridge = products, ridge
        self.correlations = correlations.clone()  # with the residual; minus infinity for the chosen
        self.rounding = 1e-14 * float(correlations.abs().max()) if len(correlations) else 0.0
        self.remaining = squares.clone()  # squared distances from the span of the chosen; below them with a ridge
        self.dependent = DEPENDENCE * (squares + ridge) - ridge  # what remains of a column in the span
        self.rows = squares.new_zeros(budget, len(squares))
        self.pivots = squares.new_zeros(budget)
        self.targets = squares.new_zeros(budget)
        self.chosen: list[int] = []
        self.foreseen = deque[int]()  # likely next choices, whose rows and pivots stand behind those of the chosen

    @property
    def solution(self) -> Tensor:
        """``L^{-1} A_S^T b``: the squared entries are the decreases of the error."""
        return self.targets[: len(self.chosen)]

    def independent(self) -> Tensor:
        """Which columns are not in the span of the chosen."""
        return self.remaining > self.dependent

    def append(self, pick: int) -> None:
        """Add a row to the factor and take the new direction from the residual."""
        if not self.foreseen or self.foreseen[0] != pick:
            self._add_rows(self._foresee(pick))
        count, row = len(self.chosen), self.rows[len(self.chosen)]
        self.targets[count] = self.correlations[pick] / self.pivots[count]
        self.correlations -= self.targets[count] * row
        self.correlations[pick] = -torch.inf
        self.remaining.addcmul_(row, row, value=-1)
        self.remaining[pick] = -torch.inf
        self.chosen.append(self.foreseen.popleft())

    def _foresee(self, pick: int) -> Tensor:
        """A choice and the likely next ones: those of a pursuit among the columns that are the best now."""
        count = len(self.chosen)
        likely = torch.where(self.independent(), self.correlations, -torch.inf)
        likely[pick] = torch.inf
        few = likely.topk(min(FEW, len(likely) - count)).indices.sort().values
        few = few[likely[few] > -torch.inf]
        rows = self.rows[:count, few]
        gram = self.products(few, few).addmm(rows.T, rows, alpha=-1)
        gram.diagonal().add_(self.ridge)
        among = (gram, self.correlations[few], self.dependent[few] + self.ridge)
        own, correlations, least = (part.cpu().numpy() for part in among)
        first, steps = int((few == pick).nonzero()), min(AHEAD, len(self.rows) - count)
        places = _next_choices(own, correlations, least, first, steps, self.rounding)
        return few[places]

    def _add_rows(self, columns: Tensor) -> None:
        """Rows and pivots of columns, as they will be if these are chosen next and in this order."""
        count = len(self.chosen)
        place = slice(count, count + len(columns))
        earlier, rows = self.rows[:count], self.rows[place]
        rows.copy_(self.products(slice(None), columns).T)
        rows.addmm_(earlier[:, columns].T, earlier, alpha=-1)
        lower = torch.linalg.cholesky(rows[:, columns] + self.ridge * torch.eye(len(columns)).to(rows))
        rows.copy_(torch.linalg.solve_triangular(lower, rows, upper=False))
        self.pivots[place] = lower.diagonal()
        self.foreseen = deque(columns.tolist())

    def lower(self) -> Tensor:
        """The Cholesky factor of ``A_S^T A_S + ridge I``, ``(|S|, |S|)``."""
        count = len(self.chosen)
        return self.rows[:count, self.chosen].T.tril(-1) + self.pivots[:count].diag()


def _next_choices(gram: Array, correlations: Array, least: Array, first: int, steps: int, rounding: float) -> list[int]:
    """The pursuit among few columns, from a given first choice on, in at most so many steps.

    Takes their inner products outside the span of those chosen before, with the ridge; their products with the
    residual; and the diagonal entry up to which a column is dependent.
    """
    remaining, rows, chosen = gram.diagonal().copy(), np.empty((steps, len(gram))), [first]
    while len(chosen) < steps:
        pick, count = chosen[-1], len(chosen) - 1
        pivot = np.sqrt(remaining[pick])
        rows[count] = (gram[pick] - rows[:count, pick] @ rows[:count]) / pivot
        correlations = correlations - correlations[pick] / pivot * rows[count]
        remaining -= rows[count] ** 2
        remaining[pick] = -np.inf
        correlations[remaining <= least] = -np.inf
        best = correlations.max()
        if best == -np.inf:
            break
        chosen.append(int(np.argmax(correlations >= best - TIE_TOLERANCE * abs(best) - rounding)))
    return chosen


def _non_negative_weights(lower: Tensor, solution: Tensor) -> Tensor:
    """Minimise ``|A_S w - b|^2 + ridge |w|^2 = |L^T w - L^{-1} A_S^T b|^2 + const`` over ``w >= 0``."""
    if len(solution) == 0:
        return torch.zeros(0, dtype=torch.float64)
    try:
        weights, _ = nnls(lower.T.cpu().numpy(), solution.cpu().numpy())
    except RuntimeError as error:
        raise ValueError(f"the weights of {len(solution)} columns did not settle ({error}): raise ridge") from error
    return torch.from_numpy(weights)


def _by_correlation(correlations: Tensor, chosen: list[int]) -> list[int]:
    """The columns not chosen, by their product with the target; ties by index."""
    order = correlations.argsort(descending=True, stable=True).tolist()
    taken = set(chosen)
    return [index for index in order if index not in taken]
