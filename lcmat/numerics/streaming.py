"""Facility location over distances that are computed in blocks: on their matrix where it fits, else without it.

Without the matrix the choice is the same. At first the rows whose nearest centre moved are computed anew after each
choice. A pair matters only while its distance is below that to the sample's nearest centre, ``d_ij < nearest_i``, and
never again afterwards: as soon as few enough pairs are left they are stored, and all further choices run on them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.numerics.blocks import LARGEST_MATRIX, TILE, Blocks, symmetric_matrix
from lcmat.numerics.bounds import Bounds
from lcmat.numerics.entries import Entries, group
from lcmat.numerics.greedy import (
    best,
    contenders,
    first_gains,
    greedy_on_entries,
    inexact,
    losses_of_rows,
    refresh,
    subtract,
)
from lcmat.numerics.submodular import cluster_sizes, facility_location

STORED_BYTES = 1 << 31  # what the stored pairs may take while they are being sorted, about
BYTES_PER_PAIR = 40  # row, column and distance as found, then grouped by row, then grouped by column
SAMPLED_ROWS = 64  # from which the number of pairs left is estimated


class Clusters(NamedTuple):
    """Chosen samples, best first, with what each is worth and stands for."""

    indices: Tensor  # int64 (budget,)
    gains: Tensor  # float64 (budget,), the marginal gain of each at the moment it was chosen
    sizes: Tensor  # float64 (budget,), how many samples have it as their nearest


@checked(size="[0, inf)", like="full ...")
def facility_location_of_blocks(block: Blocks, size: int, budget: int, *, like: Tensor) -> Clusters:
    """Greedily choose ``budget`` of n samples by facility location on the distances between them.

    Up to `lcmat.numerics.blocks.LARGEST_MATRIX` samples the matrix is assembled, and the result is that of
    `facility_location` and `cluster_sizes` of `lcmat.numerics.submodular`. For more samples the result is the same but
    for gains that tie within rounding; each pair is then computed about four times, and memory is bounded by
    `STORED_BYTES` and the factors of the distances.

    Args:
        block: non-negative symmetric distances in some rows and columns.
        size: n.
        budget: how many samples to choose.
        like: a tensor with the dtype and device of the distances.

    Raises:
        ValueError: a distance is negative, infinite or not a number, or ``budget`` is out of range.

    >>> line = torch.tensor([0.0, 1.0, 5.0])
    >>> facility_location_of_blocks(lambda i, j: (line[i, None] - line[j]).abs(), 3, 2, like=line).sizes
    tensor([2., 1.], dtype=torch.float64)
    """
    if size > LARGEST_MATRIX:
        return _stream(_Distances(block, size, like.device), budget)
    distances = symmetric_matrix(size, block, like)
    indices, gains = facility_location(distances, budget)
    return Clusters(indices, gains, cluster_sizes(distances, indices))


def _stream(distances: "_Distances", budget: int) -> Clusters:
    if not 0 <= budget <= distances.size:
        raise ValueError(f"budget must lie in 0 .. {distances.size}, the number of samples, got {budget}")
    choice = _Choice(distances, budget)
    while choice.step < budget and choice.estimated_pairs() * BYTES_PER_PAIR > STORED_BYTES:
        choice.advance()
    if choice.step < budget:
        choice.finish()
    sizes = np.bincount(choice.clusters, minlength=budget)[:budget].astype(np.float64)
    return Clusters(*map(torch.from_numpy, (choice.picks, choice.gains, sizes)))


class _Distances:
    """Float64 distances between n samples, computed on their device and brought to this process's memory."""

    def __init__(self, block: Blocks, size: int, device: torch.device):
        self.block, self.size, self.device = block, size, device

    def tile(self, rows: Any, columns: Any) -> Any:
        values = self.block(*(torch.from_numpy(part).to(self.device) for part in (rows, columns)))
        result = values.detach().cpu().double().numpy()
        result[rows[:, None] == columns] = 0  # as in the assembled matrix
        return result

    def strips(self, rows: Any, columns: Any) -> Iterator[tuple[Any, Any]]:
        """Some columns and their distances from the rows, then others; more at a time for fewer rows."""
        width = TILE * max(1, TILE // len(rows))
        for start in range(0, len(columns), width):
            part = columns[start : start + width]
            yield part, self.tile(rows, part)

    def tiles(self, rows: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Rows, columns and distances: tiles that cover the given rows; pairs among the rows are computed once."""
        order = np.concatenate([rows, np.setdiff1d(np.arange(self.size), rows)])
        for start in range(0, len(rows), TILE):
            own = rows[start : start + TILE]
            yield own, own, self.tile(own, own)
            reached = start + len(own)
            for columns, values in self.strips(own, order[reached:]):
                yield own, columns, values
                mirrored = columns[: max(0, len(rows) - reached)]
                if len(mirrored):
                    yield mirrored, own, np.ascontiguousarray(values[:, : len(mirrored)].T)
                reached += len(columns)


class _Choice:
    """A greedy choice under way: marginal gains, and each sample's distance to its nearest choice."""

    def __init__(self, distances: _Distances, budget: int):
        size = distances.size
        self.distances, self.step = distances, 0
        self.picks, self.gains = np.zeros(budget, np.int64), np.zeros(budget)
        self.clusters = np.zeros(size, np.int64)
        bounds = _bounds(distances)
        self.nearest = np.full(size, bounds.high)
        self.state = first_gains(bounds, size)
        self.sample = np.unique(np.linspace(0, size - 1, SAMPLED_ROWS).astype(np.int64))
        self.from_sample = np.hstack([values for _, values in distances.strips(self.sample, np.arange(size))])

    def estimated_pairs(self) -> float:
        """How many pairs can still matter, from a sample of the rows."""
        return float((self.from_sample < self.nearest[self.sample, None]).mean()) * self.distances.size**2

    def advance(self) -> None:
        """Make one choice on distances computed for it."""
        rivals = contenders(self.state)
        for part in _parts(inexact(self.state, rivals)):
            for candidate, gain in zip(part, self._evaluate(part), strict=True):
                refresh(self.state, candidate, gain)
        pick = best(self.state, rivals)
        to_pick = np.hstack([values[0] for _, values in self._rows(np.array([pick]))])
        self.picks[self.step], self.gains[self.step] = pick, np.maximum(self.nearest - to_pick, 0).sum()
        self.state.values[pick] = -np.inf
        moved = np.flatnonzero(to_pick < self.nearest)
        losses = np.zeros(self.distances.size)
        for rows, columns, values in self.distances.tiles(moved):
            losses[columns] += losses_of_rows(values, self.nearest[rows], to_pick[rows])
        subtract(self.state, losses, len(moved))
        self.nearest[moved], self.clusters[moved] = to_pick[moved], self.step
        self.step += 1

    def finish(self) -> None:
        """Make all further choices on the pairs that can still matter."""
        by_row, by_column = self._pairs()
        results = (self.picks, self.gains, self.clusters)
        greedy_on_entries(self.state, self.nearest, by_row, by_column, *results, self.step)

    def _rows(self, rows: Any) -> Iterator[tuple[Any, Any]]:
        return self.distances.strips(rows, np.arange(self.distances.size))

    def _evaluate(self, candidates: Any) -> Any:
        gains = np.zeros(len(candidates))
        for columns, values in self._rows(candidates):
            gains += np.maximum(self.nearest[columns] - values, 0).sum(axis=1)
        return gains

    def _pairs(self) -> tuple[Entries, Entries]:
        """The pairs with ``d_ij < nearest_i``, grouped by i and grouped by j."""
        found = []
        for rows, columns, values in self.distances.tiles(np.arange(self.distances.size)):
            i, j = np.nonzero(values < self.nearest[rows, None])
            found.append((rows[i].astype(np.int32), columns[j].astype(np.int32), values[i, j]))
        rows, columns, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
        del found
        size = self.distances.size
        return group(rows, columns, values, size), group(columns, rows, values, size)


def _bounds(distances: _Distances) -> Bounds:
    smallest, largest, sums = np.inf, -np.inf, np.zeros(distances.size)
    for _, columns, values in distances.tiles(np.arange(distances.size)):
        smallest, largest = min(smallest, values.min()), np.maximum(largest, values.max())
        sums[columns] += values.sum(axis=0)
    if not (smallest >= 0 and largest < np.inf):
        raise ValueError(
            f"distances must be finite and non-negative, found {smallest:g} to {largest:g} (or NaN): are the features "
            "or logits too large?"
        )
    return Bounds(float(smallest), float(largest), sums)


def _parts(indices: Any) -> Iterator[Any]:
    for start in range(0, len(indices), TILE):
        yield indices[start : start + TILE]
