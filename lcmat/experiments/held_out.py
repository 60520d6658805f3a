"""Training images kept out of a coreset, to judge by."""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.config.feasibility import HELD_OUT_SHARE
from lcmat.config.registry import METHODS
from lcmat.data import Splits
from lcmat.experiments.seeds import derived_seed


def held_out(parameters: SelectionParameters, splits: Splits) -> Tensor | None:
    """Rows of the training images kept for validation, None where the method needs no validation set."""
    if "validation" not in METHODS[parameters.method].evidence:
        return None
    return held_out_rows(splits.train.labels, parameters.seed)


def held_out_rows(labels: Tensor, seed: int) -> Tensor:
    """A random tenth of each class, at least one image but not all of them; ascending rows, int64.

    Args:
        labels: of all training images, int64 ``(n,)``.
        seed: of the run.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "validation split"))
    rows = [(labels == label).nonzero().flatten() for label in labels.unique()]
    counts = [min(max(1, round(HELD_OUT_SHARE * len(members))), len(members) - 1) for members in rows]
    drawn = [r[torch.randperm(len(r), generator=generator)[:count]] for r, count in zip(rows, counts, strict=True)]
    return torch.cat(drawn).sort().values
