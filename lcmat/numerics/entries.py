"""Some entries of a matrix of distances, grouped by row or by column: compiled, for the greedy choice."""

from typing import Any, NamedTuple

import numpy as np

from lcmat.numerics.compiling import njit


class Entries(NamedTuple):
    """Some entries of a matrix, grouped by row or by column."""

    starts: Any  # int64 (n + 1,), where each group begins
    others: Any  # int32, the column (row) of each entry
    values: Any  # float64


def pairs_left(distances: Any, nearest: Any, most: int) -> tuple[Entries, bool]:
    """The pairs with ``d_ij < nearest_i`` by row, and whether these are all: it stops before there are too many."""
    starts = np.zeros(len(distances) + 1, np.int64)
    others, values = np.empty(most, np.int32), np.empty(most)
    complete = _collect(distances, nearest, starts, others, values)
    found = starts.max()
    return Entries(starts, others[:found], values[:found]), complete


@njit(cache=True)
def _collect(distances: Any, nearest: Any, starts: Any, others: Any, values: Any) -> bool:
    found = 0
    for i in range(len(distances)):
        row, bound = distances[i], nearest[i]
        count = 0
        for j in range(len(row)):
            count += row[j] < bound
        if found + count > len(others):
            return False
        for j in range(len(row)):
            if row[j] < bound:
                others[found], values[found] = j, row[j]
                found += 1
        starts[i + 1] = found
    return True


def grouped_by_column(by_row: Entries, size: int) -> Entries:
    """The same entries of a matrix with so many columns, grouped by column."""
    rows = np.repeat(np.arange(len(by_row.starts) - 1, dtype=np.int32), np.diff(by_row.starts))
    return group(by_row.others, rows, by_row.values, size)


def group(keys: Any, others: Any, values: Any, size: int) -> Entries:
    """Entries grouped by their key, ``0 .. size - 1``, in the given order within a group."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=size))])
    grouped = Entries(starts, np.empty_like(others), np.empty_like(values))
    _place(keys, others, values, starts[:-1].copy(), grouped.others, grouped.values)
    return grouped


@njit(cache=True)
def _place(keys: Any, others: Any, values: Any, following: Any, grouped: Any, sorted_values: Any) -> None:
    """Copy each entry to the next free place of its group."""
    for entry in range(len(keys)):
        place = following[keys[entry]]
        grouped[place], sorted_values[place] = others[entry], values[entry]
        following[keys[entry]] += 1
