"""What one pass over a matrix of distances tells: its range and the sums of its columns."""

from typing import Any, NamedTuple

import numpy as np

from lcmat.numerics.compiling import njit


class Bounds(NamedTuple):
    """What is known of a matrix of distances after reading it once."""

    low: float
    high: float
    sums: Any  # float64 (m,), of each column


def bounds_of(distances: Any) -> Bounds:
    """Smallest and largest entry and the columns' sums, in one pass over the memory; NaN shows in the sums."""
    low, high = distances[0].astype(np.float64), distances[0].astype(np.float64)
    sums = np.zeros(len(low))
    _add_rows(distances, low, high, sums)
    return Bounds(float(low.min()), float(high.max()), sums)


@njit(cache=True)
def _add_rows(distances: Any, low: Any, high: Any, sums: Any) -> None:
    last = len(distances) - 1
    for i in range(0, last + 1, 2):  # two rows at a time halve the traffic of the three results
        row, following = distances[i], distances[min(i + 1, last)]
        share = 1.0 if i < last else 0.0  # an odd last row follows itself, and must not be added twice
        for j in range(len(low)):
            d, e = np.float64(row[j]), np.float64(following[j])
            low[j], high[j] = min(low[j], min(d, e)), max(high[j], max(d, e))
            sums[j] += d + share * e
