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


def contact_sheet(blocks: Mapping[str, np.ndarray], names: Sequence[str], *, colors: int = 128) -> bytes:
    """Draw blocks of images side by side, each under its title, with the rows' names on the left.

    Args:
        blocks: images by title, each uint8 (rows, columns, height, width, 3), of the same rows, height and width.
        names: one for each row.
        colors: size of the palette to which all images together are reduced, which halves the file.

    Returns:
        A PNG file, the same bytes for the same images and versions.

    Raises:
        ValueError: the blocks differ in their rows or the size of their images, or there are more or fewer names.
    """
    grids = [_grid(images) for images in blocks.values()]
    shapes = {images.shape[:1] + images.shape[2:] for images in blocks.values()}
    if len(shapes) != 1 or {rows for rows, *_ in shapes} != {len(names)}:
        raise ValueError(f"blocks need {len(names)} rows, as there are names, of images of one size, got {shapes}")
    width = NAMES_WIDTH + sum(grid.shape[1] for grid in grids) + GAP * (len(grids) - 1)
    sheet = Image.new("RGB", (width, TITLE_HEIGHT + grids[0].shape[0]), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), TEXT_SIZE)
    left, step = NAMES_WIDTH, grids[0].shape[0] // len(names)
    for title, grid in zip(blocks, grids, strict=True):
        sheet.paste(Image.fromarray(grid), (left, TITLE_HEIGHT))
        draw.text((left, TITLE_HEIGHT // 2), title, "black", font, anchor="lm")
        left += grid.shape[1] + GAP
    for row, name in enumerate(names):
        draw.text((NAMES_WIDTH - 4, TITLE_HEIGHT + step * row + step // 2), name, "black", font, anchor="rm")
    buffer = io.BytesIO()
    sheet.quantize(colors, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _grid(images: np.ndarray) -> np.ndarray:
    """Rows and columns of images with a white line after each, (rows (height + 1), columns (width + 1), 3)."""
    framed = np.pad(images, [(0, 0), (0, 0), (0, 1), (0, 1), (0, 0)], constant_values=255)
    rows, columns, height, width, channels = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
