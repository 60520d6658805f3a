"""Data of one's own as an `ImageDataset`: from tensors or arrays, from a torch data set, from a folder of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lcmat.config.warning import warn
from lcmat.data.dataset import ImageDataset, channel_statistics, content_hash
from lcmat.data.errors import DataError
from lcmat.data.samples import map_style, pair
from lcmat.numerics.arrays import whole_numbers

SUFFIXES = (".jpeg", ".jpg", ".png")
_CHANNELS = (1, 3, 4)


def from_torch(
    images: Any,
    labels: Any = None,
    *,
    class_names: Sequence[str] | None = None,
    like: ImageDataset | None = None,
    name: str = "own",
    split: str = "train",
    provenance: str = "The user's own images.",
) -> ImageDataset:
    """See `ImageDataset.from_torch`."""
    if labels is None:
        class_names = class_names or getattr(images, "classes", None)
        images, labels = _pairs(images, name)
    if not isinstance(images, Tensor | np.ndarray):
        raise ValueError(f"{name}: images must be a tensor or an array, not {type(images).__name__}")
    pixels, numbers = _as_bytes(torch.as_tensor(images), name), _as_labels(labels, name)
    if len(pixels) != len(numbers) or len(pixels) == 0:
        raise ValueError(
            f"{name}: {len(pixels)} images and {len(numbers)} labels: give at least one, and as many of each"
        )
    names = like.class_names if like else tuple(class_names or map(str, range(int(numbers.max()) + 1)))
    if not 0 <= int(numbers.min()) <= int(numbers.max()) < len(names):
        raise ValueError(
            f"{name}: labels {int(numbers.min())}..{int(numbers.max())} for the {len(names)} classes "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}: number the classes from 0, in this order"
        )
    if like and like.images.shape[1:] != pixels.shape[1:]:
        raise ValueError(
            f"{name}: images {tuple(pixels.shape[1:])}, but those of like= are {tuple(like.images.shape[1:])}"
        )
    if int(pixels.max()) == 1:
        warn(
            f"{name}: the images range from 0 to 1 of 255, all but black: give pixels of 0 .. 255 as uint8, or "
            "floats in 0 .. 1"
        )
    mean, std = (like.mean, like.std) if like else channel_statistics(pixels)
    std = tuple(value or 1.0 for value in std)  # a channel of one value only, which so becomes 0
    return ImageDataset(name, split, pixels, numbers, names, mean, std, content_hash(pixels, numbers), provenance)


def from_folder(
    path: str | Path,
    *,
    image_size: int | None = None,
    mode: Literal["L", "RGB"] = "RGB",
    like: ImageDataset | None = None,
    name: str | None = None,
    split: str = "train",
    provenance: str | None = None,
) -> ImageDataset:
    """See `ImageDataset.from_folder`."""
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the one that has a sub-folder of images for each class")
    found = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    classes = list(like.class_names) if like else found
    if not found or not set(found) <= set(classes):
        raise DataError(
            f"{folder} has the sub-folders {', '.join(found) or '(none)'}: it needs one for each class"
            + (f", of {', '.join(classes)}" if like else "")
        )
    files = [(file, classes.index(label)) for label in found for file in _files(folder / label)]
    images = [_read(file, mode, image_size) for file, _ in files]
    different = [
        (file, image.shape) for (file, _), image in zip(files, images, strict=True) if image.shape != images[0].shape
    ]
    if different:
        raise DataError(
            f"{different[0][0]} is {different[0][1][1]} x {different[0][1][0]} pixels, {files[0][0]} is "
            f"{images[0].shape[1]} x {images[0].shape[0]}: give image_size= to bring all to one size"
        )
    return from_torch(
        np.stack(images).transpose(0, 3, 1, 2),
        [label for _, label in files],
        class_names=classes,
        like=like,
        name=name or folder.resolve().name,
        split=split,
        provenance=provenance or f"The user's own images, {len(files)} files of the folder {folder.resolve().name}.",
    )


def _files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.name[0] != ".")
    if not files:
        raise DataError(f"{folder} has no image ({', '.join(SUFFIXES)}): every sub-folder is a class and needs one")
    return files


def _read(file: Path, mode: str, image_size: int | None) -> np.ndarray:
    """Pixels uint8 (height, width, channels)."""
    try:
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{file} has more than 8 bits a pixel ({image.mode}): convert it to 8 bits")
            converted = image.convert(mode)
    except OSError as error:
        raise DataError(f"{file} cannot be read as an image ({error}): replace or remove it") from error
    if image_size is not None:
        converted = converted.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(converted).reshape(converted.height, converted.width, -1)


def _pairs(dataset: Any, name: str) -> tuple[Tensor, list[Any]]:
    """All images of a map-style data set as bytes, and its labels."""
    if isinstance(dataset, Tensor | np.ndarray):
        raise ValueError(f"{name}: item 0 is no pair (image, label); of images alone give labels=, too")
    try:
        dataset = map_style(dataset)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    images, labels = [], []
    for index in range(len(dataset)):
        item = dataset[index]
        image, label = pair(item, f"{name}, item {index}")
        images.append(_as_bytes(_as_image(image)[None], f"{name}, item {index}")[0])
        labels.append(label)
        if images[index].shape != images[0].shape:
            raise ValueError(
                f"{name}: image {index} is {tuple(images[index].shape)}, image 0 is {tuple(images[0].shape)} "
                "(channels, height, width): bring all to one size and mode"
            )
    return torch.stack(images), labels


def _as_image(image: Any) -> Tensor:
    """A PIL image or an array (height, width, channels), or a tensor, as a tensor with its channels first."""
    if isinstance(image, Tensor):
        return image if image.ndim == 3 else image[None]
    pixels = torch.from_numpy(np.array(image))
    return pixels.permute(2, 0, 1) if pixels.ndim == 3 else pixels[None]


def _as_bytes(images: Tensor, name: str) -> Tensor:
    """uint8 (n, channels, height, width)."""
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and images.shape[1] not in _CHANNELS and images.shape[3] in _CHANNELS:
        images = images.permute(0, 3, 1, 2)
    if images.ndim != 4:
        raise ValueError(f"{name}: images must be (n, channels, height, width), not {tuple(images.shape)}")
    if images.is_floating_point():
        if not (images.isfinite().all() and (images >= 0).all() and (images <= 1).all()):
            raise ValueError(
                f"{name}: images as floats must lie in 0..1: give them before they are normalised, or as uint8"
            )
        images = (images.float() * 255).round().to(torch.uint8)
    if images.dtype != torch.uint8:
        raise ValueError(f"{name}: images must be uint8 or floats in 0..1, not {images.dtype}")
    return images.cpu().contiguous()


def _as_labels(labels: Any, name: str) -> Tensor:
    """int64 (n,)."""
    try:
        numbers = whole_numbers("labels", labels)
    except ValueError as error:
        raise ValueError(f"{name}: labels must be whole numbers (n,), one for each image: {error}") from error
    if numbers.ndim != 1:
        raise ValueError(
            f"{name}: labels must be whole numbers (n,), one for each image, not {numbers.dtype} {tuple(numbers.shape)}"
        )
    return numbers.cpu()
