"""Image-classification data sets in memory, each with the hash of its content and a sentence on its origin."""

from typing import TYPE_CHECKING, Any

from lcmat.config.datasets import DATASETS, DatasetSpec
from lcmat.data.errors import DataError
from lcmat.data.loading import load

if TYPE_CHECKING:
    from lcmat.data.dataset import ImageDataset, Splits

__all__ = ["DATASETS", "DataError", "DatasetSpec", "ImageDataset", "Splits", "load"]


def __getattr__(name: str) -> Any:
    """Import torch on first need: listing the data sets does without."""
    if name in ("ImageDataset", "Splits"):
        from lcmat.data import dataset

        return getattr(dataset, name)
    raise AttributeError(f"module 'lcmat.data' has no attribute {name!r}")
