"""The synthetic set: a few learnt images for each class, how they begin, and how they are stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.config.arguments import checked
from lcmat.data.dataset import ImageDataset
from lcmat.files import checkpoints

Init = Literal["noise", "real", "herding"]


@dataclass(frozen=True, eq=False)
class SyntheticSet:
    """Condensed images, class after class, normalised as the data set that they stand for.

    Attributes:
        images: float32 (c * ipc, channels, height, width).
        labels: int64 (c * ipc,): 0, ..., 0, 1, ..., 1, and so on.
        class_names: one for each of the c classes.
        mean: per channel, of the original pixels / 255.
        std: likewise.
        factor: images cut out of each stored one, per side (IDC's multi-formation); see `decode`.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    factor: int = 1

    @property
    def ipc(self) -> int:
        """Stored images per class."""
        return len(self.images) // len(self.class_names)

    @property
    def content_hash(self) -> str:
        """SHA-256 over shape, images, labels and factor, 64 hexadecimal digits."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.factor)).encode())
        digest.update(self.images.cpu().contiguous().numpy().tobytes())
        digest.update(self.labels.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def decoded(self) -> tuple[Tensor, Tensor]:
        """All training images, (c * ipc * factor ** 2, channels, height, width), and their labels."""
        return decode(self.images, self.factor), self.labels.repeat(self.factor**2)

    def pixels(self) -> Tensor:
        """The images as bytes, uint8, for looking at: values that no pixel can have are clipped."""
        shape = (-1, 1, 1)
        unit = self.images.cpu() * torch.tensor(self.std).reshape(shape) + torch.tensor(self.mean).reshape(shape)
        return (unit * 255).round().clamp(0, 255).to(torch.uint8)


@checked(ipc="[1, 100000]", factor="[1, inf)")
def initial_set(
    data: ImageDataset, ipc: int, init: Init, *, generator: torch.Generator, factor: int = 1
) -> SyntheticSet:
    """The set that condensation starts from.

    Args:
        data: original images, at least one of each class. A class with fewer images than are wanted is used whole,
            and again from its first image.
        ipc: images per class.
        init: "noise": standard normal, independent pixels; "real": random images, all different where there are
            enough; "herding": images whose running mean follows the mean of their class, in pixel space.
        generator: on the CPU.
        factor: with "real" and "herding", factor ** 2 images are shrunk into each one.

    Returns:
        A `SyntheticSet` on the CPU.

    Raises:
        ValueError: a class has no image.
    """
    if factor > min(data.images.shape[2:]):
        raise ValueError(f"factor must be at most {min(data.images.shape[2:])}, the side of the images, got {factor}")
    labels = torch.arange(data.num_classes).repeat_interleave(ipc)
    if init == "noise":
        images = torch.randn(len(labels), *data.images.shape[1:], generator=generator)
    else:
        rows = [_real_rows(data, label, ipc * factor**2, init, generator) for label in range(data.num_classes)]
        images = torch.cat([_shrunk(data.normalized(part), factor) for part in rows])
    return SyntheticSet(images, labels, data.class_names, data.mean, data.std, factor)


@checked(features="n+ d ...", size="[0, inf)")
def herding(features: Tensor, size: int) -> Tensor:
    """Positions whose running mean follows the mean (Welling, ICML 2009): the t-th makes t mean - sum shortest.

    Args:
        features: (n, d), n > 0.
        size: positions wanted; beyond n they begin again.

    Returns:
        int64 (size,), in the order chosen; ties go to the lowest position.

    >>> herding(torch.tensor([[0.0], [1.0], [5.0]]), 2)  # mean 2; then 0 + 5 comes nearest to 2 * 2 = 4, after 1
    tensor([1, 2])
    """
    features = features.double().flatten(1)
    mean, total = features.mean(dim=0), torch.zeros_like(features[0])
    free = torch.ones(len(features), dtype=torch.bool)
    chosen: list[int] = []
    for step in range(1, min(size, len(features)) + 1):
        distances = (step * mean - total - features).square().sum(dim=1)
        best = int(distances.masked_fill(~free, torch.inf).argmin())
        chosen.append(best)
        free[best] = False
        total = total + features[best]
    return _cycled(torch.tensor(chosen), size)


@checked(images="any n channels height+ width+", factor="[1, height]")
def decode(images: Tensor, factor: int) -> Tensor:
    """Cut each image into factor x factor parts and enlarge them to its size (multi-formation, IDC Sec. 4.1).

    Args:
        images: (n, channels, height, width); sides that the factor does not divide are first filled up with 0, the
            mean of normalised images.
        factor: parts per side; 1 leaves the images as they are.

    Returns:
        (n * factor ** 2, channels, height, width): all upper left parts first; differentiable, by bilinear sampling.

    >>> decode(torch.arange(4.0).reshape(1, 1, 2, 2), 2)[:, 0, 0, 0]
    tensor([0., 1., 2., 3.])
    """
    if factor == 1:
        return images
    height, width = images.shape[2:]
    padded = functional.pad(images, (0, -width % factor, 0, -height % factor))
    parts = [part for row in padded.chunk(factor, dim=2) for part in row.chunk(factor, dim=3)]
    return functional.interpolate(torch.cat(parts), size=(height, width), mode="bilinear", align_corners=False)


@checked(path="path")
def save_set(path: str | Path, synthetic: SyntheticSet) -> None:
    """Write a set to one file that is verified when it is read.

    Raises:
        OSError: the folder is not writable.
    """
    checkpoints.save(Path(path), {"images": synthetic.images, "labels": synthetic.labels}, description(synthetic))


def description(synthetic: SyntheticSet) -> dict[str, Any]:
    """What a file says of a set beside its images and labels, as JSON can express it."""
    return {name: getattr(synthetic, name) for name in ("class_names", "mean", "std", "factor")}


@checked(path="path")
def load_set(path: str | Path) -> SyntheticSet:
    """Read what `save_set` wrote, or the last images in the checkpoint of a run, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptArtifactError: the file is damaged.
        ValueError: the file holds something else.
    """
    tensors, described = checkpoints.load(Path(path))
    if not {"images", "labels"} <= tensors.keys() or "class_names" not in described:
        raise ValueError(f"path {str(path)!r} holds {', '.join(tensors) or 'nothing'}, not a condensed set")
    return from_description(tensors, described)


def from_description(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> SyntheticSet:
    """The set with these images and labels and this `description`, as JSON gives it back."""
    names = {name: tuple(described[name]) for name in ("class_names", "mean", "std")}
    return SyntheticSet(tensors["images"], tensors["labels"], factor=described["factor"], **names)


def with_images(synthetic: SyntheticSet, images: Tensor) -> SyntheticSet:
    """The same set with other images, detached and on the CPU."""
    return replace(synthetic, images=images.detach().cpu().clone())


def _real_rows(data: ImageDataset, label: int, size: int, init: Init, generator: torch.Generator) -> Tensor:
    rows = (data.labels.cpu() == label).nonzero()[:, 0]
    if len(rows) == 0:
        raise ValueError(f"{data.name} ({data.split}) has no image of class {label} to start from: use init='noise'")
    if init == "herding":
        return rows[herding(data.normalized(rows), size)]
    return _cycled(rows[torch.randperm(len(rows), generator=generator)], size)


def _cycled(rows: Tensor, size: int) -> Tensor:
    """The first `size` rows, beginning again where there are fewer."""
    return rows[torch.arange(size) % len(rows)]


def _shrunk(images: Tensor, factor: int) -> Tensor:
    """Put factor ** 2 images into each one, the inverse of `decode` up to resolution."""
    if factor == 1:
        return images
    height, width = images.shape[2:]
    part = (-(-height // factor), -(-width // factor))
    parts = functional.interpolate(images, size=part, mode="bilinear", align_corners=False, antialias=True)
    rows = [torch.cat(row, dim=3) for row in _grouped(list(parts.chunk(factor**2)), factor)]
    return torch.cat(rows, dim=2)[:, :, :height, :width]


def _grouped(parts: list[Tensor], size: int) -> list[list[Tensor]]:
    return [parts[start : start + size] for start in range(0, len(parts), size)]
