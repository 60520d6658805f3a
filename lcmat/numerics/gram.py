"""Rows of a Gram matrix, for methods that go through the samples one by one."""

from collections.abc import Callable

from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.numerics.blocks import LARGEST_MATRIX

ROWS_THAT_PAY = 1 / 16  # share of the rows from which the whole matrix takes less time than they do one by one


@checked(vectors="n d")
def gram_rows(vectors: Tensor, count: int) -> Callable[[int], Tensor]:
    """A function from j to the inner products ``x_i . x_j`` of all i.

    A row on its own reads all vectors for few operations; the whole matrix takes about as long as n / 16 rows, and
    `lcmat.numerics.blocks.LARGEST_MATRIX` bounds its memory.

    Args:
        vectors: the ``x_i``, ``(n, d)``.
        count: how many rows will be asked for, about.

    Returns:
        The function; its results, ``(n,)``, must not be changed.

    >>> import torch
    >>> gram_rows(torch.tensor([[1.0, 2.0], [0.0, 3.0]]), count=1)(1)
    tensor([6., 9.])
    """
    size = len(vectors)
    if count < ROWS_THAT_PAY * size or size > LARGEST_MATRIX:
        return lambda j: vectors @ vectors[j]
    return (vectors @ vectors.T).__getitem__
