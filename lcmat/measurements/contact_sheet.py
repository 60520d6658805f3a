"""Small images side by side in one PNG file, pixel by pixel: blocks of them with titles, and a name for each row."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

NAMES_WIDTH = 82
TITLE_HEIGHT = 20
GAP = 10
TEXT_SIZE = 12
TEXT_GREY = 118
"""Can be read on white and on black alike."""
OPACITIES = 16
"""Of the text's edges."""


def contact_sheet(blocks: Mapping[str, np.ndarray], names: Sequence[str], *, colors: int = 128) -> bytes:
    """Draw blocks of images side by side, each under its title, with the rows' names on the left.

    What lies between the images is transparent, so that a page of any colour can show them.

    Args:
        blocks: images by title, each uint8 (rows, columns, height, width, 3), of the same rows, height and width.
        names: one for each row.
        colors: size of the palette to which all images together are reduced, which halves the file; at most 240.

    Returns:
        A PNG file, the same bytes for the same images and versions.

    Raises:
        ValueError: the blocks differ in their rows or the size of their images, or there are more or fewer names.
    """
    shapes = {images.shape[:1] + images.shape[2:] for images in blocks.values()}
    if len(shapes) != 1 or {rows for rows, *_ in shapes} != {len(names)}:
        raise ValueError(f"blocks need {len(names)} rows, as there are names, of images of one size, got {shapes}")
    arrays = list(blocks.values())
    pixels = np.concatenate([images.reshape(-1, images.shape[3], 3) for images in arrays])
    reduced = Image.fromarray(pixels).quantize(colors, dither=Image.Dither.NONE)
    ends = np.cumsum([images[..., 0].size for images in arrays])[:-1]
    parts = np.split(np.asarray(reduced).ravel(), ends)
    grids = [_grid(part.reshape(images.shape[:-1]), colors) for part, images in zip(parts, arrays, strict=True)]
    lefts = [NAMES_WIDTH + sum(grid.shape[1] + GAP for grid in grids[:place]) for place in range(len(grids))]
    size = lefts[-1] + grids[-1].shape[1], TITLE_HEIGHT + grids[0].shape[0]
    words = _words(size, dict(zip(lefts, blocks, strict=True)), names)
    sheet = colors + words // (256 // OPACITIES)
    for left, grid in zip(lefts, grids, strict=True):
        sheet[TITLE_HEIGHT:, left : left + grid.shape[1]] = grid
    return _png(sheet, (reduced.getpalette() or [])[: 3 * colors], colors)


def _grid(images: np.ndarray, ground: int) -> np.ndarray:
    """Rows and columns of images (rows, columns, height, width) with a line of the ground after each."""
    framed = np.pad(images, [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=ground)
    rows, columns, height, width = framed.shape
    return framed.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)


def _words(size: tuple[int, int], titles: Mapping[int, str], names: Sequence[str]) -> np.ndarray:
    """The opacity of titles, by their place from the left, and of names, in a picture (width, height)."""
    text = Image.new("L", size)
    draw, font = ImageDraw.Draw(text), ImageFont.truetype(findfont("DejaVu Sans"), TEXT_SIZE)
    for left, title in titles.items():
        draw.text((left, TITLE_HEIGHT // 2), title, 255, font, anchor="lm")
    step = (size[1] - TITLE_HEIGHT) // len(names)
    for row, name in enumerate(names):
        draw.text((NAMES_WIDTH - 4, TITLE_HEIGHT + step * row + step // 2), name, 255, font, anchor="rm")
    return np.asarray(text)


def _png(sheet: np.ndarray, palette: list[int], colors: int) -> bytes:
    """The file of an indexed picture; after the images' colours comes one grey, from transparent to opaque."""
    drawn = Image.fromarray(sheet.astype(np.uint8), "P")
    drawn.putpalette([*palette, *[0] * (3 * colors - len(palette)), *[TEXT_GREY] * (3 * OPACITIES)])
    opacity = bytes([255] * colors + [255 * level // (OPACITIES - 1) for level in range(OPACITIES)])
    buffer = io.BytesIO()
    drawn.save(buffer, "png", optimize=True, transparency=opacity)
    return buffer.getvalue()
