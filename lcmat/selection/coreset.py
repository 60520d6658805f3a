"""The result of a selection: which samples, with which weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from lcmat.config.arguments import check_fields, checked
from lcmat.data.dataset import ImageDataset
from lcmat.data.samples import map_style
from lcmat.files.coresets import load_coreset, save_coreset


@dataclass(frozen=True, eq=False)
class Coreset:
    """Chosen samples of a training set.

    Attributes:
        indices: positions in the training set, int64 ``(m,)``; class by class, best first within a class.
        weights: one per chosen sample, float64 ``(m,)``: how many training samples it stands for.  They sum to the
            number of those whose class has a chosen one, but with ``official_weights``.  The paper trains LCMat-S
            without them ("weighting degrades performance").
        gains: the marginal gain of each choice, float64 ``(m,)``, NaN for methods that have none.
    """

    indices: Tensor
    weights: Tensor
    gains: Tensor

    def __post_init__(self) -> None:
        """Refuse tensors that do not belong together."""
        check_fields(self, indices="int m", weights="real m", gains="any m")

    def __len__(self) -> int:
        """The number of chosen samples."""
        return len(self.indices)

    @overload
    def subset(self, dataset: ImageDataset) -> ImageDataset: ...

    @overload
    def subset(self, dataset: Dataset[Any]) -> Subset[Any]: ...

    def subset(self, dataset: Dataset[Any]) -> Dataset[Any]:
        """The chosen samples of ``dataset``, to be trained on like it.

        Returns:
            An `ImageDataset` of an `ImageDataset`, of any other a `torch.utils.data.Subset`.

        Raises:
            ValueError: ``dataset`` is too short to be the one selected from.
        """
        dataset = map_style(dataset)
        size = len(dataset)  # type: ignore[arg-type]  # a map-style data set has a length
        if len(self) and int(self.indices.max()) >= size:
            raise ValueError(f"index {int(self.indices.max())} is outside the data set of {size} samples: another set?")
        if isinstance(dataset, ImageDataset):
            return dataset.subset(self.indices)
        return Subset(dataset, self.indices.tolist())

    def save(self, path: str | Path) -> None:
        """Write the coreset to one file, see `lcmat.files.coresets.save_coreset`."""
        save_coreset(path, vars(self))

    @classmethod
    def load(cls, path: str | Path) -> "Coreset":
        """Read a coreset written by `save`, see `lcmat.files.coresets.load_coreset`."""
        return cls(**load_coreset(path))


@checked(indices="int m", size="[0, inf)", gains="any m")
def equally_weighted(indices: Tensor, size: int, gains: Tensor | None = None) -> Coreset:
    """The coreset of a method that defines no weights: each chosen sample stands for as many.

    Args:
        indices: positions of the chosen samples, int64 ``(m,)``.
        size: the number of samples to choose from, n.
        gains: the marginal gain of each choice, float64 ``(m,)``; None for a method that has none.

    Returns:
        The chosen samples with weights ``n / m``.

    >>> equally_weighted(torch.tensor([2, 0]), 5).weights
    tensor([2.5000, 2.5000], dtype=torch.float64)
    """
    weights = torch.full((len(indices),), size / max(len(indices), 1), dtype=torch.float64)
    return Coreset(indices.cpu(), weights, torch.full_like(weights, torch.nan) if gains is None else gains)


@checked()
def concatenate(parts: list[Coreset]) -> Coreset:
    """Join coresets of disjoint sets of samples, such as the classes, into one, in the order given.

    >>> concatenate([equally_weighted(torch.tensor([2]), 3), equally_weighted(torch.tensor([5]), 2)]).weights
    tensor([3., 2.], dtype=torch.float64)
    """
    if not parts:
        return equally_weighted(torch.empty(0, dtype=torch.int64), 0)
    return Coreset(*(torch.cat([getattr(part, name) for part in parts]) for name in ("indices", "weights", "gains")))
