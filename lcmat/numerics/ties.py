"""Ties: among values that equal the largest within rounding, the lowest index wins."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked

TIE_TOLERANCE = 1e-10


@checked(values="any n", allowed="bool n", rounding="[0, inf]")
def first_best(values: Tensor, allowed: Tensor, *, rounding: float = 0.0) -> int:
    """The lowest allowed index whose value is the largest allowed one, up to rounding.

    Equal samples get values that differ in the last digits only; without a tolerance chance would choose among them.

    Args:
        values: finite where allowed, ``(n,)``.
        allowed: which indices compete, bool ``(n,)``, at least one.
        rounding: error of the values, added to the relative tolerance of 1e-10.

    >>> first_best(torch.tensor([5.0, 1.0, 2.0, 2.0]), torch.tensor([False, True, True, True]))
    2
    """
    competing = torch.where(allowed, values, -torch.inf)
    best = competing.max()
    found = (competing >= best - TIE_TOLERANCE * best.abs() - rounding).nonzero()
    if len(found) == 0 or rounding == float("inf"):
        raise ValueError(
            f"values must be finite where allowed, and one must be, the largest is {float(best):g}: are the "
            "features, logits or options too large?"
        )
    return int(found[0])
