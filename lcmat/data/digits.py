"""The handwritten digits that come with scikit-learn: 1797 images of 8x8 pixels, no file, no network."""

from functools import partial
from importlib.metadata import version

import numpy as np
import torch

from lcmat.config.datasets import TEST, TRAIN, DatasetSpec
from lcmat.data.source import Decoded, Source, check


def source(spec: DatasetSpec, split: str) -> Source:
    """Four fifths to train on, one fifth to test on, drawn per class with a fixed seed."""
    release = version("scikit-learn")  # without its import, which takes longer than everything else here
    provenance = "Digits of scikit-learn (8x8), pixels scaled to 0 ... 255, stratified 80/20 split with seed 0."
    return Source(f"scikit-learn-{release}", provenance, partial(_decode, spec, split))


def _decode(spec: DatasetSpec, split: str) -> Decoded:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    rows = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    chosen = dict(zip((TRAIN, TEST), rows, strict=True))[split]
    images = np.round(pixels[chosen] * 255 / 16).astype(np.uint8).reshape(-1, *spec.image_shape)
    decoded = Decoded(
        torch.from_numpy(images), torch.from_numpy(labels[chosen].astype(np.int64)), spec.class_names or ()
    )
    return check(decoded, spec, split, "scikit-learn's digits", "Install the locked version of scikit-learn.")
