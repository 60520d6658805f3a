"""What the official code does otherwise than the paper defines; each method offers it as an option that is off."""

from typing import Literal

import torch
from torch import Tensor

from lcmat.config.arguments import checked

OfficialWeights = Literal[True]
"""The weights that the official code trains with; None for those that the method defines."""

LossReduction = Literal["mean-per-batch"]
"""Per-sample quantities scaled as the official code scales them; None for single samples' losses."""

OFFICIAL_BATCH_SIZE = 128


@checked(size="[0, inf)", like="any ...")
def loss_scales(size: int, reduction: LossReduction | None, *, like: Tensor) -> Tensor | None:
    """Factors by which the samples' losses are multiplied.

    The official code takes gradients and Hessians of the *mean* loss of batches of 128, in file order within a class:
    each sample counts 1/128, those of the shorter last batch more.  Of 5000 images the last eight count 16 times as
    much as the others.

    Args:
        size: number of samples of the class, n.
        reduction: ``"mean-per-batch"``, or None for no scaling.
        like: a tensor with the dtype and device of the result.

    Returns:
        ``(n,)``, or None for no scaling.

    >>> loss_scales(130, "mean-per-batch", like=torch.zeros(1)).mul(128)[[0, 127, 128, 129]]
    tensor([ 1.,  1., 64., 64.])
    """
    if reduction is None:
        return None
    batches = torch.arange(size, device=like.device) // OFFICIAL_BATCH_SIZE
    return 1 / torch.bincount(batches)[batches].to(like.dtype)
