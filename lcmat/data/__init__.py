"""Image-classification data sets in memory, each with the hash of its content and a sentence on its origin."""

from lcmat.config.datasets import DATASETS, DatasetSpec
from lcmat.data.dataset import ImageDataset, Splits
from lcmat.data.errors import DataError
from lcmat.data.loading import load

__all__ = ["DATASETS", "DataError", "DatasetSpec", "ImageDataset", "Splits", "load"]
