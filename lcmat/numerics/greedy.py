"""Compiled routines of the greedy choice: marginal gains kept up to date, over a full matrix or over sparse entries.

A pair of a sample and a candidate matters only while its distance is below that to the sample's nearest choice,
``d_ij < nearest_i``, and never again afterwards.  After a few choices few pairs are left; the others run on those.

A stored gain loses what every later choice takes from it, and collects rounding errors. Candidates whose gain could be
the best within that error are evaluated afresh, so that the choice is that of exact arithmetic up to ties. A gain from
which nothing was taken since its evaluation is still exact: candidates that keep on tying cost nothing.

All compiled functions that call each other are in this module, because numba's cache follows one file only. They run on
one thread and add in a fixed order.  They are plain loops over elements: an array expression would take numba several
times as long to compile.
"""

from typing import Any, NamedTuple

import numpy as np

from lcmat.numerics.bounds import Bounds
from lcmat.numerics.compiling import njit
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


def greedy(distances: Any, budget: int, bounds: Bounds) -> tuple[Any, Any]:
    """Indices and gains of facility location on a matrix in C order, whose `Bounds` are known."""
    picks, gains = np.empty(budget, np.int64), np.empty(budget)
    size, candidates = distances.shape
    nearest, state = np.full(size, bounds.high), first_gains(bounds, size)
    step, stop = 0, DENSE_STEPS if budget > 4 * DENSE_STEPS else budget
    while True:
        greedy_on_matrix(distances, state, nearest, picks, gains, step, stop)
        if stop == budget:
            return picks, gains
        by_row, complete = pairs_left(distances, nearest, int(LARGEST_SHARE * distances.size))
        if complete:
            by_column, clusters = grouped_by_column(by_row, candidates), np.empty(size, np.int64)
            greedy_on_entries(state, nearest, by_row, by_column, picks, gains, clusters, stop)
            return picks, gains
        step, stop = stop, min(2 * stop, budget)


def first_gains(bounds: Bounds, size: int) -> Gains:
    """Gains before the first choice: all samples are at the largest distance, that of the auxiliary element."""
    total = size * bounds.high
    # A difference of rounded sums: no gain is exact yet.
    errors = np.full(len(bounds.sums), size * EPSILON * total)
    return Gains(total - bounds.sums, np.full(len(bounds.sums), total), errors, size)


@njit(cache=True)
def greedy_on_matrix(distances: Any, state: Gains, nearest: Any, picks: Any, gains: Any, first: int, stop: int) -> None:
    """Choices from step ``first`` up to ``stop``; of each, the rows are read whose nearest choice moved."""
    size = len(nearest)
    to_pick, losses = np.empty(size), np.empty(len(state.values))
    for step in range(first, stop):
        rivals = contenders(state)
        for j in inexact(state, rivals):
            _copy_column(distances, j, to_pick)
            refresh(state, j, evaluate(to_pick, nearest))
        pick = best(state, rivals)
        _copy_column(distances, pick, to_pick)
        picks[step] = pick
        gains[step] = state.values[pick] if state.errors[pick] == 0 else evaluate(to_pick, nearest)
        state.values[pick] = -np.inf
        moved = _moved(to_pick, nearest)
        losses[:] = 0
        add_losses(losses, distances, moved, nearest, to_pick)
        subtract(state, losses, len(moved))
        for i in range(size):
            nearest[i] = min(nearest[i], to_pick[i])


@njit(cache=True)
def _copy_column(distances: Any, candidate: int, column: Any) -> None:
    for i in range(len(column)):
        column[i] = distances[i, candidate]


@njit(cache=True)
def _moved(to_pick: Any, nearest: Any) -> Any:
    """The samples that are nearer to the choice than to those before it."""
    found, count = np.empty(len(nearest), np.int64), 0
    for i in range(len(nearest)):
        if to_pick[i] < nearest[i]:
            found[count] = i
            count += 1
    return found[:count]


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
        moved: Any = np.int64(0)  # a plain 0 has a type of its own, for which `subtract` would be compiled again
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
    gain = 0.0
    for entry in range(by_column.starts[candidate], by_column.starts[candidate + 1]):
        gain += max(nearest[by_column.others[entry]] - by_column.values[entry], 0.0)
    return gain


@njit(cache=True)
def contenders(state: Gains) -> Any:
    """Candidates that could be the best or tie with it, in order: all others are worse by more than their errors."""
    values, errors = state.values, state.errors
    threshold = _tie_threshold(_largest_difference(values, errors))
    found, count = np.empty(len(values), np.int64), 0
    for j in range(len(values)):
        if values[j] + errors[j] >= threshold:
            found[count] = j
            count += 1
    return found[:count]


@njit(cache=True, fastmath={"nnan", "nsz"})  # without NaN a maximum may be taken in any order, several at a time
def _largest_difference(left: Any, right: Any) -> float:
    largest = -np.inf
    for j in range(len(left)):
        difference = left[j] - right[j]
        if difference > largest:
            largest = difference
    return largest


@njit(cache=True)
def inexact(state: Gains, rivals: Any) -> Any:
    """Those contenders that must be evaluated afresh before the next choice; none if there is no rival."""
    found = np.empty(len(rivals), np.int64)
    count = 0
    for j in rivals:
        if len(rivals) > 1 and state.errors[j] > 0:
            found[count] = j
            count += 1
    return found[:count]


@njit(cache=True)
def refresh(state: Gains, candidate: int, gain: float) -> None:
    """Replace a stored gain by its value evaluated afresh."""
    state.values[candidate] = state.scales[candidate] = gain
    state.errors[candidate] = 0


@njit(cache=True)
def best(state: Gains, rivals: Any) -> int:
    """The lowest index within the tie tolerance of the largest gain, once the inexact contenders are refreshed."""
    largest = -np.inf
    for j in rivals:
        largest = max(largest, state.values[j])
    place = 0
    while state.values[rivals[place]] < _tie_threshold(largest):
        place += 1
    return int(rivals[place])


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


def losses_of_rows(distances: Any, old: Any, new: Any) -> Any:
    """What each gain loses when rows of ``distances`` get a nearer centre, at ``new`` instead of ``old``."""
    losses = np.zeros(distances.shape[1])
    add_losses(losses, distances, np.arange(len(distances)), old, new)
    return losses


@njit(cache=True)
def add_losses(losses: Any, distances: Any, rows: Any, old: Any, new: Any) -> None:
    """Add what each gain loses by some of the rows; four at a time, for the memory's sake."""
    whole = len(rows) - len(rows) % 4
    for first in range(0, whole, 4):
        a, b, c, d = rows[first], rows[first + 1], rows[first + 2], rows[first + 3]
        for j in range(len(losses)):
            losses[j] += (_loss(distances[a, j], old[a], new[a]) + _loss(distances[b, j], old[b], new[b])) + (
                _loss(distances[c, j], old[c], new[c]) + _loss(distances[d, j], old[d], new[d])
            )
    for place in range(whole, len(rows)):
        i = rows[place]
        for j in range(len(losses)):
            losses[j] += _loss(distances[i, j], old[i], new[i])


@njit(cache=True)
def _loss(distance: float, old: float, new: float) -> float:
    """``max(old - d, 0) - max(new - d, 0)`` without cancellation, in float64."""
    return max(old - max(np.float64(distance), np.float64(new)), 0.0)


@njit(cache=True)
def _tie_threshold(best: float) -> float:
    return best - TIE_TOLERANCE * abs(best)
