"""What every source of images hands over, and the checks that all of them must pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.config.datasets import DatasetSpec
from lcmat.data.dataset import content_hash
from lcmat.data.errors import DataError


class Decoded(NamedTuple):
    """One split in memory: images uint8 (n, channels, height, width), labels int64 (n,), a name per class."""

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One split that can be decoded.

    Attributes:
        key: identifies the content, so that a decoded copy kept under it is right for as long as it exists.
        provenance: the sentence that follows the data to the page.
        decode: reads it.
    """

    key: str
    provenance: str
    decode: Callable[[], Decoded]


def check(decoded: Decoded, spec: DatasetSpec, split: str, origin: str, remedy: str) -> Decoded:
    """Return the split if its shape, classes, counts per class and, where it is known, its content are the data set's.

    Args:
        decoded: what was read.
        spec: what should be there.
        split: "train" or "test".
        origin: the file, for the message.
        remedy: what to do about a wrong one, a sentence.

    Raises:
        DataError: otherwise.
    """
    shape = tuple(decoded.images.shape[1:])
    if shape != spec.image_shape:
        raise DataError(f"{origin}: images of shape {shape}, expected {spec.image_shape}. {remedy}")
    if len(decoded.class_names) != spec.num_classes:
        raise DataError(f"{origin}: {len(decoded.class_names)} class names, expected {spec.num_classes}. {remedy}")
    labels = decoded.labels
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < spec.num_classes:
        raise DataError(f"{origin}: labels outside 0 ... {spec.num_classes - 1}. {remedy}")
    counts = torch.bincount(labels, minlength=spec.num_classes).tolist()
    for label, (count, expected) in enumerate(zip(counts, spec.counts[split], strict=True)):
        if count != expected:
            name = decoded.class_names[label]
            raise DataError(f"{origin}: {count} images of class {label} ({name}), expected {expected}. {remedy}")
    found, known = _proven_hash(decoded, spec.unproven.get(split, ())), spec.content.get(split)
    if known not in (None, found):
        raise DataError(
            f"{origin}: pixels or labels are not those of {spec.title}, or in another order "
            f"(content hash {found[:16]}, expected {known[:16]}). {remedy}"
        )
    return decoded


def _proven_hash(decoded: Decoded, unproven: tuple[int, ...]) -> str:
    """The content hash, with black images in the rows of which nothing is proven."""
    images = decoded.images
    if unproven:
        images = images.clone()
        images[list(unproven)] = 0
    return content_hash(images, decoded.labels)
