"""Pairs of image and label out of the forms in which data sets give them."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lcmat.config.annotations import described
from lcmat.config.warning import warn
from lcmat.numerics.arrays import as_tensor, whole_numbers

_IMAGES = ("image", "images", "img", "pixel_values", "x")
_LABELS = ("label", "labels", "target", "targets", "fine_label", "y")
_LARGEST = 25.0  # of scaled and normalised pixels: a channel whose standard deviation is a hundredth of the whole range


def map_style(dataset: Any) -> Any:
    """The data set itself, also of a `DataLoader`: something with a length, of at least one item, and items.

    Raises:
        ValueError: it is something else.

    >>> map_style(DataLoader([(torch.zeros(1), 0)]))
    [(tensor([0.]), 0)]
    """
    dataset = dataset.dataset if isinstance(dataset, DataLoader) else dataset
    sized = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not sized or isinstance(dataset, Mapping | str | Tensor) or _is_pair_of_arrays(dataset):
        raise ValueError(
            f"dataset must have a length and items, got {described(dataset)}: give a map-style data set of pairs "
            "(image, label), such as torch.utils.data.TensorDataset(images, labels)"
        )
    if len(dataset) == 0:
        raise ValueError("the data set is empty: dataset must have at least one item")
    return dataset


def pair(item: Any, name: str) -> tuple[Any, Any]:
    """Image and label of an item: the first two of several values, or those of a dictionary with the usual names.

    Args:
        item: of a data set.
        name: of the item, for errors.

    Raises:
        ValueError: it has no image or no label, or several.

    >>> pair({"img": 3, "label": 1}, "item 0"), pair((3, 1, "path"), "item 0")
    ((3, 1), (3, 1))
    """
    if isinstance(item, Mapping):
        found = [[key for key in names if key in item] for names in (_IMAGES, _LABELS)]
        if [len(keys) for keys in found] != [1, 1]:
            raise ValueError(
                f"{name} must have one key of {', '.join(_IMAGES)} and one of {', '.join(_LABELS)}, got "
                f"{', '.join(map(str, item))}: make pairs (image, label) of them"
            )
        return item[found[0][0]], item[found[1][0]]
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise ValueError(f"{name} is no pair (image, label), but {described(item)}")
    return item[0], item[1]


def batches(dataset: Any, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All images and their labels, int64, in order; a warning where the images are surely not what was meant.

    Args:
        dataset: map-style, see `map_style`; of tensors or arrays of one shape.
        batch_size: items in one batch.

    Raises:
        ValueError: an item is no such pair, or the images have several shapes.
    """
    # A loader draws a seed for its workers; with a generator of its own it leaves the global random state alone.
    loader: DataLoader[Any] = DataLoader(
        range(len(dataset)),  # type: ignore[arg-type]  # a range is map-style
        batch_size=batch_size,
        collate_fn=lambda rows: _collated(dataset, rows),
        generator=torch.Generator(),
    )
    for number, (images, labels) in enumerate(loader):
        if number == 0:
            check_scale(images)
        yield images, labels


def check_scale(images: Tensor) -> None:
    """Warn of pixels that are neither scaled nor normalised.

    Warns:
        UserWarning: it names the range seen.
    """
    low, high = float(images.min()), float(images.max())
    if images.ndim >= 3 and (max(-low, high) > _LARGEST or not images.is_floating_point()):
        warn(
            f"the images range from {low:g} to {high:g}: networks expect pixels as in their training, mostly scaled to "
            "0 .. 1 or normalised; scale them with images / 255, unless the network does that itself"
        )


def _collated(dataset: Any, rows: list[int]) -> tuple[Tensor, Tensor]:
    pairs = [pair(dataset[row], f"dataset[{row}]") for row in rows]
    images = [_image(image, f"the image of dataset[{row}]") for row, (image, _) in zip(rows, pairs, strict=True)]
    if len({image.shape for image in images}) > 1:
        shapes = sorted({tuple(image.shape) for image in images})
        raise ValueError(f"the images must be of one shape, got {shapes[0]} and {shapes[1]}: bring all to one")
    if images[0].numel() == 0:
        raise ValueError(f"the image of dataset[{rows[0]}] is empty: {tuple(images[0].shape)}")
    labels = [_label(label, f"the label of dataset[{row}]") for row, (_, label) in zip(rows, pairs, strict=True)]
    return torch.stack(images), torch.tensor(labels)


def _image(image: Any, name: str) -> Tensor:
    if not isinstance(image, Tensor) and not hasattr(image, "__array_interface__"):
        raise ValueError(f"{name} must be a tensor or an array, got {described(image)}")
    if type(image).__module__.startswith("PIL"):
        raise ValueError(
            f"{name} is a picture, not a tensor: give the data set transform=torchvision.transforms.ToTensor()"
        )
    return as_tensor(name, image)


def _label(label: Any, name: str) -> int:
    number = whole_numbers(name, label)
    if number.numel() != 1:
        raise ValueError(f"{name} must be one class number, got {described(label)}")
    return int(number)


def _is_pair_of_arrays(dataset: Any) -> bool:
    return isinstance(dataset, tuple | list) and len(dataset) == 2 and all(hasattr(part, "shape") for part in dataset)
