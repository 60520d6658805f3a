"""The result of a selection: which samples, with which weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from lcmat.data.dataset import ImageDataset
from lcmat.files import checkpoints


@dataclass(frozen=True, eq=False)
class Coreset:
    """Chosen samples of a training set.

    Attributes:
        indices: positions in the training set, int64 ``(m,)``; class by class, best first within a class.
        weights: one per chosen sample, float64 ``(m,)``, summing to the number of training samples: how many of them
            it stands for.  The paper's experiments train without them ("weighting degrades performance").
        gains: the marginal gain of each choice, float64 ``(m,)``, NaN for methods that have none.
    """

    indices: Tensor
    weights: Tensor
    gains: Tensor

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
        size = len(dataset)  # type: ignore[arg-type]  # a map-style data set has a length
        if len(self) and int(self.indices.max()) >= size:
            raise ValueError(f"index {int(self.indices.max())} is outside the data set of {size} samples: another set?")
        if isinstance(dataset, ImageDataset):
            return dataset.subset(self.indices)
        return Subset(dataset, self.indices.tolist())

    def save(self, path: str | Path) -> None:
        """Write the coreset to one file (safetensors and a hash; no pickle), atomically."""
        tensors = {"indices": self.indices, "weights": self.weights, "gains": self.gains}
        checkpoints.save(Path(path), tensors, {"kind": "coreset"})

    @classmethod
    def load(cls, path: str | Path) -> "Coreset":
        """Read a coreset written by `save`.

        Raises:
            CorruptArtifactError: the file is damaged.
            ValueError: the file holds something else.
        """
        tensors, metadata = checkpoints.load(Path(path))
        if metadata.get("kind") != "coreset":
            raise ValueError(f"{path} holds {metadata.get('kind', 'something else')}, not a coreset")
        return cls(**tensors)


def concatenate(parts: list[Coreset]) -> Coreset:
    """Join coresets of disjoint sets of samples (the classes) into one."""
    if not parts:
        return Coreset(torch.empty(0, dtype=torch.int64), *(torch.empty(0, dtype=torch.float64) for _ in range(2)))
    return Coreset(*(torch.cat([getattr(part, name) for part in parts]) for name in ("indices", "weights", "gains")))
