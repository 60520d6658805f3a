"""Matrices of distances that are computed in blocks on demand, and assembled where they fit."""

import os
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
    check_memory(size**2 * like.element_size(), f"the distances of size {size} samples from each other")
    matrix = like.new_zeros(size, size)
    for rows in tiles(0, size):
        corner = torch.triu(block(rows, rows), diagonal=1)
        matrix[rows, rows] = corner + corner.T
        for columns in tiles(rows.stop, size):
            values = block(rows, columns)
            matrix[rows, columns] = values
            matrix[columns, rows] = values.T
    return matrix


def check_memory(num_bytes: float, what: str) -> None:
    """Refuse what this machine cannot hold, before it is tried.

    Args:
        num_bytes: that are needed at once.
        what: needs them, for the message.

    Raises:
        ValueError: they are more than the machine has.

    >>> check_memory(1e18, "a wish")
    Traceback (most recent call last):
    ValueError: a wish would take 1000000000.0 GB of memory, this machine has ... GB: select from fewer samples at once
    """
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if num_bytes > installed:
        raise ValueError(
            f"{what} would take {num_bytes / 1e9:.1f} GB of memory, this machine has {installed / 1e9:.1f} GB: select "
            "from fewer samples at once"
        )


@checked()
def tiles(start: int, stop: int) -> Iterator[slice]:
    """Cut a range into slices of at most `TILE` elements.

    >>> list(tiles(0, 300))
    [slice(0, 256, None), slice(256, 300, None)]
    """
    for first in range(start, stop, TILE):
        yield slice(first, min(first + TILE, stop))
