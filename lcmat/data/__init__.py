"""Image-classification data sets in memory, each with the hash of its content and a sentence on its origin."""

from typing import TYPE_CHECKING

from lcmat.config.datasets import DATASETS, DatasetSpec
from lcmat.data.errors import DataError
from lcmat.data.loading import load

__all__ = ["DATASETS", "DataError", "DatasetSpec", "ImageDataset", "Splits", "load"]

if TYPE_CHECKING:
    from lcmat.data.dataset import ImageDataset, Splits
else:  # a type checker would take this function for a promise that any name exists

    def __getattr__(name: str) -> object:
        """Import torch on first need: listing the data sets does without."""
        if name in ("ImageDataset", "Splits"):
            from lcmat.data import dataset

            return getattr(dataset, name)
        raise AttributeError(f"module 'lcmat.data' has no attribute {name!r}")
