"""Matrices of distances that are computed in blocks on demand, and assembled where they fit."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lcmat.config.arguments import checked

TILE = 256  # rows and columns of a block: its temporaries (0.5 MB of float64 each) stay in the processor's caches
LARGEST_MATRIX = 16_384  # samples whose float64 matrix takes 2 GiB; for more of them no (n, n) matrix is made

# A function from rows and columns, each a slice or int64 positions, to that block of an (n, n) matrix.
Part = slice | Tensor
Blocks = Callable[[Part, Part], Tensor]


@checked(size="[0, inf)", like="any ...")
def symmetric_matrix(size: int, block: Blocks, like: Tensor) -> Tensor:
    """Assemble an ``(n, n)`` symmetric matrix from its upper-triangular blocks, with a zero diagonal.

    Args:
        size: n.
        block: gives the entries in some rows and columns.
        like: a tensor with the dtype and device of the result.

    >>> symmetric_matrix(2, lambda rows, columns: torch.tensor([[5.0, 1.0], [1.0, 5.0]]), like=torch.zeros(1))
    tensor([[0., 1.],
            [1., 0.]])
    """
    matrix = like.new_zeros(size, size)
    for rows in tiles(0, size):
        corner = torch.triu(block(rows, rows), diagonal=1)
        matrix[rows, rows] = corner + corner.T
        for columns in tiles(rows.stop, size):
            values = block(rows, columns)
            matrix[rows, columns] = values
            matrix[columns, rows] = values.T
    return matrix


@checked()
def tiles(start: int, stop: int) -> Iterator[slice]:
    """Cut a range into slices of at most `TILE` elements.

    >>> list(tiles(0, 300))
    [slice(0, 256, None), slice(256, 300, None)]
    """
    for first in range(start, stop, TILE):
        yield slice(first, min(first + TILE, stop))
