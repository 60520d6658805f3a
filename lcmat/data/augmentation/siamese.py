"""Differentiable Siamese augmentation (DSA): one random transformation, replayed on batches of any size and kind.

The transformation is drawn first, as uniform numbers that know neither images nor their size; applying it is then a
deterministic function, differentiable in the images.  A batch of real and a batch of synthetic images that are given
the same draw are compared under the same view, which is what condensation needs (Zhao & Bilen, ICML 2021, Sec. 3.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.config.arguments import checked
from lcmat.config.base import nearest

Combine = Literal["one", "idc", "all"]

DSA_STRATEGY = "color_crop_cutout_flip_scale_rotate"


@dataclass(frozen=True)
class Ratios:
    """How strong each operation is; the defaults are DSA's for all data sets.

    Attributes:
        brightness: largest difference of the added constants.
        saturation: largest factor of the distance to the pixel's mean over the channels; the smallest is 0.
        contrast: smallest factor of the distance to the image's mean; the largest is one more.
        crop: largest shift, as a share of height and width.
        cutout: side of the removed rectangle, as a share of height and width.
        flip: probability of mirroring.
        scale: factors of the coordinates lie between 1 / scale and scale.
        rotate: largest angle, in degrees.
    """

    brightness: float = 1.0
    saturation: float = 2.0
    contrast: float = 0.5
    crop: float = 0.125
    cutout: float = 0.5
    flip: float = 0.5
    scale: float = 1.2
    rotate: float = 15.0


@dataclass(frozen=True, eq=False)
class Transformation:
    """A drawn transformation, or one for each image.

    Attributes:
        operations: what is done, in this order.
        uniforms: float64 (m, 10) on the CPU, uniform on [0, 1): a column for each of `_COLUMNS`; one row for all
            images of a batch (m = 1), or one for each.
    """

    operations: tuple[str, ...]
    uniforms: Tensor


@checked(num="[1, inf)")
def draw_transformation(
    strategy: str, *, generator: torch.Generator, num: int = 1, combine: Combine = "one"
) -> Transformation:
    """Draw what to do with the images of a batch.

    Args:
        strategy: names of operations joined by underscores (`DSA_STRATEGY` has them all), or "none".
        generator: on the CPU; the same numbers are drawn from it whatever the strategy.
        num: 1 for one transformation of all images (the Siamese use), n for one of each of n images.
        combine: "one" operation of the strategy, drawn for the whole batch (DSA); "all" of them, in their order; or
            "idc": flip and color, one of the operations that move pixels, and cutout last (Kim et al., ICML 2022).

    Raises:
        ValueError: an operation is unknown.

    >>> draw_transformation("crop", generator=torch.Generator(), num=2).uniforms.shape
    torch.Size([2, 10])
    >>> draw_transformation("cutout_crop_color", generator=torch.Generator(), combine="idc").operations
    ('color', 'crop', 'cutout')
    """
    names = operations(strategy)
    choice = float(torch.rand((), generator=generator, dtype=torch.float64))
    uniforms = torch.rand(num, len(_COLUMNS), generator=generator, dtype=torch.float64)
    return Transformation(_combined(names, choice, combine), uniforms)


@checked(images="any n channels height width")
def apply_transformation(transformation: Transformation, images: Tensor, *, ratios: Ratios | None = None) -> Tensor:
    """Transform a batch of images: a deterministic function, differentiable in them.

    Args:
        transformation: from `draw_transformation`, for one or for n images.
        images: (n, channels, height, width), floating point, of any size; normalised, so that the 0 which fills
            uncovered pixels is the data set's mean.
        ratios: strength of the operations; None: DSA's.

    Returns:
        Same shape, dtype and device.

    Raises:
        ValueError: the transformation was drawn for another number of images.

    >>> mirror = Transformation(("flip",), torch.zeros(1, 10, dtype=torch.float64))
    >>> apply_transformation(mirror, torch.tensor([[[[1.0, 2.0, 3.0]]]]))
    tensor([[[[3., 2., 1.]]]])
    """
    uniforms = transformation.uniforms
    if len(uniforms) not in (1, len(images)):
        raise ValueError(f"the transformation is one of {len(uniforms)} images, but there are {len(images)}")
    columns = dict(zip(_COLUMNS, uniforms.unbind(1), strict=True))
    for name in transformation.operations:
        images = _OPERATIONS[name](images, columns, ratios or Ratios())
    return images


@checked()
def operations(strategy: str) -> tuple[str, ...]:
    """Names of the operations in a strategy.

    Raises:
        ValueError: one is unknown; the message says the nearest.

    >>> operations("color_crop"), operations("none")
    (('color', 'crop'), ())
    """
    names = () if strategy in ("", "none") else tuple(strategy.split("_"))
    for name in names:
        if name not in _OPERATIONS:
            hint = f"{nearest(name, _OPERATIONS, cutoff=0)} There are: {', '.join(_OPERATIONS)}"
            raise ValueError(f"no operation {name!r} in strategy {strategy!r}; {hint}")
    return names


def _combined(names: tuple[str, ...], choice: float, combine: Combine) -> tuple[str, ...]:
    """The operations to apply, where `choice`, uniform on [0, 1), picks one of several.

    >>> _combined(("color", "crop", "flip", "scale"), 0.7, "idc")
    ('flip', 'color', 'scale')
    """
    if combine == "all":
        return names
    if combine == "one":
        return _pick(names, choice)
    moving = tuple(name for name in names if name not in ("flip", "color", "cutout"))
    first = tuple(name for name in ("flip", "color") if name in names)
    return (*first, *_pick(moving, choice), *(("cutout",) if "cutout" in names else ()))


def _pick(names: tuple[str, ...], choice: float) -> tuple[str, ...]:
    return (names[int(choice * len(names))],) if names else ()


# One column of uniform numbers for each thing that is random.
_COLUMNS = ("brightness", "saturation", "contrast", "row", "column", "hole_row", "hole_column", "flip", "x", "y")

Columns = Mapping[str, Tensor]


def _color(images: Tensor, columns: Columns, ratios: Ratios) -> Tensor:
    """Add a constant, then change the distance to the mean over the channels, then to the mean of the image."""
    brightness, saturation, contrast = (_each(columns[name], images) for name in _COLUMNS[:3])
    images = images + (brightness - 0.5) * ratios.brightness
    images = torch.lerp(images.mean(dim=1, keepdim=True), images, saturation * ratios.saturation)
    return torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast + ratios.contrast)


def _crop(images: Tensor, columns: Columns, ratios: Ratios) -> Tensor:
    """Output pixel (r, q) is pixel (r + a, q + b) of the input, 0 outside of it."""
    n, channels, height, width = images.shape
    rows, inside_rows = _shifted(columns["row"], height, ratios.crop)
    places, inside_columns = _shifted(columns["column"], width, ratios.crop)
    pixels = (rows[:, :, None] * width + places[:, None, :]).flatten(1)[:, None].to(images.device)
    inside = (inside_rows[:, None, :, None] & inside_columns[:, None, None, :]).to(images)
    return images.flatten(2).gather(2, pixels.expand(n, channels, -1)).reshape(images.shape) * inside


def _cutout(images: Tensor, columns: Columns, ratios: Ratios) -> Tensor:
    """Set a rectangle to 0; it may reach over the border."""
    rows = _hole(columns["hole_row"], images.shape[2], ratios.cutout)
    places = _hole(columns["hole_column"], images.shape[3], ratios.cutout)
    return images * ~(rows[:, None, :, None] & places[:, None, None, :]).to(images.device)


def _flip(images: Tensor, columns: Columns, ratios: Ratios) -> Tensor:
    """Mirror left and right."""
    return torch.where((columns["flip"] < ratios.flip)[:, None, None, None].to(images.device), images.flip(3), images)


def _affine(images: Tensor, columns: Columns, ratios: Ratios, matrix: Callable[[Columns, Ratios], Tensor]) -> Tensor:
    """Bilinear samples at coordinates multiplied by a matrix, (0, 0) being the centre and +-1 the borders."""
    matrices = functional.pad(matrix(columns, ratios), (0, 1)).to(images)
    grid = functional.affine_grid(matrices, [len(matrices), *images.shape[1:]], align_corners=False)
    return functional.grid_sample(images, grid.expand(len(images), -1, -1, -1), align_corners=False)


def _scaling(columns: Columns, ratios: Ratios) -> Tensor:
    """Factors of the coordinates x and y, drawn apart: above 1 the image shrinks.  (m, 2, 2)."""
    factors = torch.stack([columns["x"], columns["y"]], dim=1) * (ratios.scale - 1 / ratios.scale) + 1 / ratios.scale
    return torch.diag_embed(factors)


def _rotation(columns: Columns, ratios: Ratios) -> Tensor:
    """Rotations of the coordinates, (m, 2, 2)."""
    angles = torch.deg2rad((columns["x"] - 0.5) * 2 * ratios.rotate)
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)


_OPERATIONS: Mapping[str, Callable[[Tensor, Columns, Ratios], Tensor]] = MappingProxyType(
    {
        "color": _color,
        "crop": _crop,
        "cutout": _cutout,
        "flip": _flip,
        "scale": partial(_affine, matrix=_scaling),
        "rotate": partial(_affine, matrix=_rotation),
    }
)


def _each(uniforms: Tensor, images: Tensor) -> Tensor:
    """A number for each image, to be broadcast over its pixels, in the images' dtype and on their device."""
    return uniforms[:, None, None, None].to(images)


def _shifted(uniforms: Tensor, size: int, ratio: float) -> tuple[Tensor, Tensor]:
    """Positions 0, ..., size - 1 moved by a whole number uniform on -s, ..., s, kept inside; and which were inside.

    >>> _shifted(torch.tensor([0.0]), 4, 0.25)
    (tensor([[0, 0, 1, 2]]), tensor([[False,  True,  True,  True]]))
    """
    largest = int(size * ratio + 0.5)
    positions = torch.arange(size) + (uniforms * (2 * largest + 1)).long()[:, None] - largest
    return positions.clamp(0, size - 1), (positions >= 0) & (positions < size)


def _hole(uniforms: Tensor, size: int, ratio: float) -> Tensor:
    """Which of the positions 0, ..., size - 1 lie in an interval of the ratio's length around a random centre.

    As in DSA's code the centre is uniform on the size positions for an odd length, on the size + 1 borders between
    and around them for an even one, so that corners are removed less often than the middle.

    >>> _hole(torch.tensor([0.0, 0.5]), 4, 0.5)
    tensor([[ True, False, False, False],
            [False,  True,  True, False]])
    """
    length = int(size * ratio + 0.5)
    starts = (uniforms * (size + 1 - length % 2)).long() - length // 2
    offsets = torch.arange(size) - starts[:, None]
    return (offsets >= 0) & (offsets < length)
