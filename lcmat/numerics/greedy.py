"""Compiled routines of the greedy choice: marginal gains kept up to date, over a full matrix or over sparse entries.

A pair of a sample and a candidate matters only while its distance is below that to the sample's nearest choice,
``d_ij < nearest_i``, and never again afterwards.  After a few choices few pairs are left; the others run on those.

A stored gain loses what every later choice takes from it, and collects rounding errors. Candidates whose gain could be
the best within that error are evaluated afresh, so that the choice is that of exact arithmetic up to ties. A gain from
which nothing was taken since its evaluation is still exact: candidates that keep on tying cost nothing.

All compiled functions that call each other are in this module, because numba's cache follows one file only. They run on
one thread and add in a fixed order.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from lcmat.numerics.entries import Entries, grouped_by_column, pairs_left

TIE_TOLERANCE = 1e-10  # gains within this relative distance of the best are ties, and ties go to the lowest index
EPSILON = float(np.finfo(np.float64).eps)
DENSE_STEPS = 24  # choices on the whole matrix before the pairs left are collected, if there are four times as many
LARGEST_SHARE = 1 / 16  # of the pairs, which collecting may find; if it finds more, it is done later


class Gains(NamedTuple):
    """The marginal gain of every candidate, m of them, updated in place."""

    values: Any  # float64 (m,), minus infinity for the chosen
    scales: Any  # float64 (m,), the gain when last evaluated: later rounding errors are relative to it
    errors: Any  # float64 (m,), bound on the rounding error; 0 where the gain is still exact
    terms: int  # how many terms an evaluation adds


class Bounds(NamedTuple):
    """What is known of a matrix of distances after reading it once."""

    low: float
    high: float
    sums: Any  # float64 (m,), of each column


def greedy(distances: Any, budget: int, bounds: Bounds) -> tuple[Any, Any]:
    """Indices and gains of facility location on a matrix in C order, whose `Bounds` are known."""
    picks, gains = np.empty(budget, np.int64), np.empty(budget)
    size, candidates = distances.shape
    nearest, state = np.full(size, bounds.high), first_gains(bounds, size)
    step, stop = 0, DENSE_STEPS if budget > 4 * DENSE_STEPS else budget
    while True:
        choose(distances, state, nearest, picks, gains, step, stop)
        if stop == budget:
            return picks, gains
        by_row, complete = pairs_left(distances, nearest, int(LARGEST_SHARE * distances.size))
        if complete:
            by_column, clusters = grouped_by_column(by_row, candidates), np.empty(size, np.int64)
            greedy_on_entries(state, nearest, by_row, by_column, picks, gains, clusters, stop)
            return picks, gains
        step, stop = stop, min(2 * stop, budget)


@njit(cache=True)
def bounds_of(distances: Any) -> Bounds:
    """Smallest and largest entry and the columns' sums, in one pass over the memory; NaN shows in the sums."""
    low, high = distances[0].astype(np.float64), distances[0].astype(np.float64)
    sums = np.zeros(len(low))
    last = len(distances) - 1
    for i in range(0, last + 1, 2):  # two rows at a time halve the traffic of the three results
        row, following = distances[i], distances[min(i + 1, last)]
        share = 1.0 if i < last else 0.0  # an odd last row follows itself, and must not be added twice
        for j in range(len(low)):
            d, e = np.float64(row[j]), np.float64(following[j])
            low[j], high[j] = min(low[j], min(d, e)), max(high[j], max(d, e))
            sums[j] += d + share * e
    return Bounds(low.min(), high.max(), sums)


@njit(cache=True)
def first_gains(bounds: Bounds, size: int) -> Gains:
    """Gains before the first choice: all samples are at the largest distance, that of the auxiliary element."""
    total = size * bounds.high
    # A difference of rounded sums: no gain is exact yet.
    errors = np.full(len(bounds.sums), size * EPSILON * total)
    return Gains(total - bounds.sums, np.full(len(bounds.sums), total), errors, size)


@njit(cache=True)
def choose(distances: Any, state: Gains, nearest: Any, picks: Any, gains: Any, first: int, stop: int) -> None:
    """Choices from step ``first`` up to ``stop``; of each, the rows are read whose nearest choice moved."""
    for step in range(first, stop):
        rivals = contenders(state)
        for j in inexact(state, rivals):
            refresh(state, j, evaluate(distances[:, j], nearest))
        pick = best(state, rivals)
        to_pick = distances[:, pick].astype(np.float64)
        picks[step] = pick
        gains[step] = state.values[pick] if state.errors[pick] == 0 else evaluate(to_pick, nearest)
        state.values[pick] = -np.inf
        moved = np.nonzero(to_pick < nearest)[0]
        subtract(state, _losses(distances, moved, nearest, to_pick), len(moved))
        nearest[moved] = to_pick[moved]


@njit(cache=True)
def greedy_on_entries(
    state: Gains, nearest: Any, by_row: Entries, by_column: Entries, picks: Any, gains: Any, clusters: Any, first: int
) -> None:
    """Go on with a choice from step ``first``, where only the stored pairs, ``d_ij < nearest_i``, matter any more."""
    losses = np.empty(len(state.values))
    for step in range(first, len(picks)):
        rivals = contenders(state)
        for j in inexact(state, rivals):
            refresh(state, j, _evaluate_entries(by_column, j, nearest))
        pick = best(state, rivals)
        picks[step] = pick
        gains[step] = state.values[pick] if state.errors[pick] == 0 else _evaluate_entries(by_column, pick, nearest)
        state.values[pick] = -np.inf
        losses[:] = 0
        moved = 0
        for entry in range(by_column.starts[pick], by_column.starts[pick + 1]):
            i, new = by_column.others[entry], by_column.values[entry]
            if new < nearest[i]:
                for other in range(by_row.starts[i], by_row.starts[i + 1]):
                    losses[by_row.others[other]] += _loss(by_row.values[other], nearest[i], new)
                nearest[i], clusters[i] = new, step
                moved += 1
        subtract(state, losses, moved)


@njit(cache=True)
def _evaluate_entries(by_column: Entries, candidate: int, nearest: Any) -> float:
    entries = slice(by_column.starts[candidate], by_column.starts[candidate + 1])
    return evaluate(by_column.values[entries], nearest[by_column.others[entries]])


@njit(cache=True)
def contenders(state: Gains) -> Any:
    """Candidates that could be the best or tie with it, in order: all others are worse by more than their errors."""
    values, errors = state.values, state.errors
    lower = _largest_difference(values, errors)
    threshold = _tie_threshold(lower)
    count = 0
    for j in range(len(values)):
        count += values[j] + errors[j] >= threshold
    found = np.empty(count, np.int64)
    j = 0
    for place in range(count):
        while values[j] + errors[j] < threshold:
            j += 1
        found[place] = j
        j += 1
    return found


@njit(cache=True)
def _largest_difference(left: Any, right: Any) -> float:
    a = b = c = d = -np.inf  # four chains, because each comparison waits for the last of its chain
    whole = len(left) - len(left) % 4
    for j in range(0, whole, 4):
        a, b = max(a, left[j] - right[j]), max(b, left[j + 1] - right[j + 1])
        c, d = max(c, left[j + 2] - right[j + 2]), max(d, left[j + 3] - right[j + 3])
    for j in range(whole, len(left)):
        a = max(a, left[j] - right[j])
    return max(max(a, b), max(c, d))


@njit(cache=True)
def inexact(state: Gains, rivals: Any) -> Any:
    """Those contenders that must be evaluated afresh before the next choice; none if there is no rival."""
    return rivals[state.errors[rivals] > 0] if len(rivals) > 1 else rivals[:0]


@njit(cache=True)
def refresh(state: Gains, candidate: int, gain: float) -> None:
    """Replace a stored gain by its value evaluated afresh."""
    state.values[candidate] = state.scales[candidate] = gain
    state.errors[candidate] = 0


@njit(cache=True)
def best(state: Gains, rivals: Any) -> int:
    """The lowest index within the tie tolerance of the largest gain, once the inexact contenders are refreshed."""
    gains = state.values[rivals]
    return int(rivals[np.argmax(gains >= _tie_threshold(gains.max()))])


@njit(cache=True)
def subtract(state: Gains, losses: Any, terms: int) -> None:
    """Take from every gain what it lost, a sum of at most ``terms`` terms."""
    for j in range(len(losses)):
        if losses[j] > 0:
            state.values[j] -= losses[j]
            summed = terms + 1 if state.errors[j] > 0 else terms + 1 + state.terms  # the evaluation's own terms, once
            state.errors[j] += summed * EPSILON * state.scales[j]


@njit(cache=True)
def evaluate(to_candidate: Any, nearest: Any) -> float:
    """A marginal gain ``sum_i max(nearest_i - d_ij, 0)`` from scratch."""
    gain = 0.0
    for i in range(len(nearest)):
        gain += max(nearest[i] - to_candidate[i], 0.0)
    return gain


@njit(cache=True)
def losses_of_rows(distances: Any, old: Any, new: Any) -> Any:
    """What each gain loses when rows of ``distances`` get a nearer centre, at ``new`` instead of ``old``."""
    return _losses(distances, np.arange(len(distances)), old, new)


@njit(cache=True)
def _losses(distances: Any, rows: Any, old: Any, new: Any) -> Any:
    """The same for some of the rows; four at a time, for the memory's sake."""
    losses = np.zeros(distances.shape[1])
    whole = len(rows) - len(rows) % 4
    for first in range(0, whole, 4):
        a, b, c, d = rows[first], rows[first + 1], rows[first + 2], rows[first + 3]
        to_a, to_b, to_c, to_d = distances[a], distances[b], distances[c], distances[d]
        for j in range(len(losses)):
            losses[j] += (_loss(to_a[j], old[a], new[a]) + _loss(to_b[j], old[b], new[b])) + (
                _loss(to_c[j], old[c], new[c]) + _loss(to_d[j], old[d], new[d])
            )
    for i in rows[whole:]:
        to_i = distances[i]
        for j in range(len(losses)):
            losses[j] += _loss(to_i[j], old[i], new[i])
    return losses


@njit(cache=True)
def _loss(distance: float, old: float, new: float) -> float:
    """``max(old - d, 0) - max(new - d, 0)`` without cancellation, in float64."""
    return max(old - max(np.float64(distance), np.float64(new)), 0.0)


@njit(cache=True)
def _tie_threshold(best: float) -> float:
    return best - TIE_TOLERANCE * abs(best)
