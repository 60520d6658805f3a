"""Sums of absolute differences between rows, the L1 distances of paper Eq. 10."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.numerics.compiling import njit


@checked(left="full n k", right="full m k")
def l1_distances(left: Tensor, right: Tensor) -> Tensor:
    """L1 distances between the rows of two matrices, ``sum_k |x_ik - y_jk|``.

    `torch.cdist(p=1)` does this on any device and can be differentiated, but takes several times as long on a
    processor; there, what needs no derivative goes through compiled code that reads several columns at a time.

    Args:
        left: ``(n, k)``.
        right: ``(m, k)``, of the same dtype, float32 or float64, and on the same device.

    Returns:
        ``(n, m)``.

    >>> l1_distances(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor([[3.],
            [2.]])
    """
    if left.device.type != "cpu" or (torch.is_grad_enabled() and (left.requires_grad or right.requires_grad)):
        return torch.cdist(left, right, p=1)
    result = left.new_zeros(len(left), len(right))
    columns = np.ascontiguousarray(right.detach().numpy().T)
    _add_absolute_differences(left.detach().contiguous().numpy(), columns, result.numpy())
    return result


@njit(cache=True)
def _add_absolute_differences(left: Any, right: Any, result: Any) -> None:
    """Add the L1 distances of rows of ``left`` and columns of ``right``; eight terms an entry between its loads."""
    whole = left.shape[1] - left.shape[1] % 8
    for i in range(len(left)):
        x, sums = left[i], result[i]
        for k in range(0, whole, 8):
            for j in range(len(sums)):
                sums[j] += (
                    (abs(x[k] - right[k, j]) + abs(x[k + 1] - right[k + 1, j]))
                    + (abs(x[k + 2] - right[k + 2, j]) + abs(x[k + 3] - right[k + 3, j]))
                ) + (
                    (abs(x[k + 4] - right[k + 4, j]) + abs(x[k + 5] - right[k + 5, j]))
                    + (abs(x[k + 6] - right[k + 6, j]) + abs(x[k + 7] - right[k + 7, j]))
                )
        for k in range(whole, len(x)):
            for j in range(len(sums)):
                sums[j] += abs(x[k] - right[k, j])
