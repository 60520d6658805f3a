"""Augmentation of whole batches on whatever device they lie, every draw from an explicit generator."""

from lcmat.augmentation.crop_flip import random_crop_flip

__all__ = ["random_crop_flip"]
