"""A split of an image data set: pixels, labels and where they come from, frozen."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset


@dataclass(frozen=True, eq=False)
class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Labelled images, held as bytes in memory; also a map-style `torch.utils.data.Dataset`.

    Attributes:
        name: of the data set, as in `lcmat.data.DATASETS`.
        split: "train" or "test".
        images: uint8 (n, channels, height, width).
        labels: int64 (n,), each a position in `class_names`.
        class_names: one name per class.
        mean: per channel, of the train split's pixel / 255.
        std: likewise, the population standard deviation.
        content_hash: SHA-256 of shape, images and labels, 64 hexadecimal digits.
        provenance: a sentence on the source, fit to stand beside a result.

    >>> images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    >>> labels = torch.tensor([0, 1])
    >>> digest = content_hash(images, labels)
    >>> data = ImageDataset("toy", "train", images, labels, ("black", "white"), (0.5,), (0.5,), digest, "Made here.")
    >>> data.normalized().flatten(), data[1]
    (tensor([-1.,  1.]), (tensor([[[1.]]]), 1))
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    content_hash: str
    provenance: str

    def __post_init__(self) -> None:
        """Refuse tensors of another kind or shape."""
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"{self.name}: images must be uint8 (n, channels, height, width), "
                f"not {self.images.dtype} {tuple(self.images.shape)}"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"{self.name}: labels must be int64 ({len(self.images)},), "
                f"not {self.labels.dtype} {tuple(self.labels.shape)}"
            )
        if len(self.mean) != self.images.shape[1] or len(self.std) != self.images.shape[1] or min(self.std) <= 0:
            raise ValueError(f"{self.name}: mean and std (above 0) must be given for each channel")

    @classmethod
    def from_torch(cls, images: Any, labels: Any = None, **description: Any) -> "ImageDataset":
        """Images of one's own: a map-style data set of pairs (image, label), or images and labels.

        Mean and standard deviation, by which images are normalised, are those of these images, or those of `like`.

        Args:
            images: the data set, whose images are tensors (channels, height, width), arrays or PIL images; or all
                images, (n, channels, height, width), (n, height, width) or (n, height, width, channels).  Of one size;
                uint8, or floats in 0..1, which are rounded to bytes: no random augmentation, no `Normalize`.
            labels: whole numbers from 0, (n,); None: the data set has them.
            description: `class_names` (default: the data set's `classes`, or the numbers), `name`, `split` and
                `provenance` of the result, and `like`, the training set whose classes, mean and standard deviation
                a test set takes over.

        Raises:
            ValueError: what is given is something else; the message says what.

        >>> ImageDataset.from_torch(torch.eye(4).reshape(4, 1, 2, 2), [0, 1, 1, 1], class_names=("cat", "dog")).mean
        (0.25,)
        """
        from lcmat.data.own import from_torch

        return from_torch(images, labels, **description)

    @classmethod
    def from_folder(cls, path: str | Path, **options: Any) -> "ImageDataset":
        """Images of one's own: PNG and JPEG files in one sub-folder for each class, as torchvision's `ImageFolder`.

        Classes are numbered in the order of the names of their sub-folders; images come class by class, in the order of
        their paths.

        Args:
            path: of the folder.
            options: `image_size`, to which height and width are scaled (None: all are of one size); `mode`, "RGB" or
                "L" for gray; and as for `from_torch` `name` (default: the folder's), `split`, `provenance` and `like`.

        Raises:
            DataError: a file or folder is not as it must be; the message names it.
        """
        from lcmat.data.own import from_folder

        return from_folder(path, **options)

    @property
    def num_classes(self) -> int:
        """Number of classes, also of those without an image in a subset."""
        return len(self.class_names)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The normalised image, float32 (channels, height, width), and its label."""
        return self._normalize(self.images[index]), int(self.labels[index])

    def normalized(self, indices: Tensor | Sequence[int] | slice | None = None) -> Tensor:
        """Images as networks take them: (pixel / 255 - mean) / std, float32, on the device of `images`.

        Args:
            indices: rows, in the order wanted; None: all.

        Returns:
            (rows, channels, height, width).
        """
        return self._normalize(self.images if indices is None else self.images[indices])

    def subset(self, indices: Tensor | Sequence[int]) -> "ImageDataset":
        """The given rows, in that order, with the same metadata and a content hash of their own."""
        images, labels = self.images[indices], self.labels[indices]
        return replace(self, images=images, labels=labels, content_hash=content_hash(images, labels))

    def _normalize(self, pixels: Tensor) -> Tensor:
        mean = torch.tensor(self.mean, device=pixels.device).reshape(-1, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).reshape(-1, 1, 1)
        return pixels.to(torch.float32).div_(255).sub_(mean).div_(std)


class Splits(NamedTuple):
    """The two splits of a data set."""

    train: ImageDataset
    test: ImageDataset


def side(images: Tensor, name: str) -> int:
    """Height and width of square images, as the networks of this package take them.

    Raises:
        ValueError: they are not square.

    >>> side(torch.zeros(1, 3, 8, 8), "toy")
    8
    """
    height, width = images.shape[2:]
    if height != width:
        raise ValueError(
            f"{name}: images of {height} x {width} pixels: the networks take square ones: bring them "
            "to one side, as `ImageDataset.from_folder` does with image_size="
        )
    return int(height)


def content_hash(images: Tensor, labels: Tensor) -> str:
    """SHA-256 over shape, images and labels.

    Args:
        images: uint8 (n, channels, height, width).
        labels: int64 (n,).

    Returns:
        64 hexadecimal digits; the same for the same content whatever file, encoding or machine it came from.
    """
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    digest.update(images.cpu().contiguous().numpy().data)
    digest.update(labels.cpu().contiguous().numpy().astype("<i8").data)
    return digest.hexdigest()


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation of pixel / 255 per channel, from exact counts of the 256 values.

    Args:
        images: uint8 (n, channels, height, width), n > 0.

    Returns:
        Two tuples of length channels.

    >>> channel_statistics(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1))
    ((0.5,), (0.5,))
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = share @ values
        means.append(mean.item())
        stds.append((share @ (values - mean) ** 2).sqrt().item())
    return tuple(means), tuple(stds)
