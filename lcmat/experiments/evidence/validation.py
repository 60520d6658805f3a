"""Training images held out for validation: the selecting network does not learn from them, no method selects them."""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.curvature import LastLayer
from lcmat.data import Splits
from lcmat.experiments.embedding import selector_view
from lcmat.experiments.evidence.networks import Gathered, Progresses
from lcmat.experiments.seeds import derived_seed

HELD_OUT_SHARE = 0.1


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


def validation(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """The selecting network's view of the held-out images; it took no time beyond that view's own."""
    rows = held_out_rows(splits.train.labels, parameters.seed)
    view = selector_view(parameters, splits, device, progress and progress("selector"), held_out=rows)
    return Gathered(LastLayer(view.features[rows], view.logits[rows], splits.train.labels[rows]), 0.0)
