"""Augmentation of whole batches on whatever device they lie, every draw from an explicit generator."""

from lcmat.data.augmentation.crop_flip import random_crop_flip
from lcmat.data.augmentation.siamese import (
    DSA_STRATEGY,
    Ratios,
    Transformation,
    apply_transformation,
    draw_transformation,
)

__all__ = [
    "DSA_STRATEGY",
    "Ratios",
    "Transformation",
    "apply_transformation",
    "draw_transformation",
    "random_crop_flip",
]
