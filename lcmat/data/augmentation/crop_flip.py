"""Random crops and flips of a whole batch at once, on whatever device it lies."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked


@checked(images="all n channels+ height+ width+")
def random_crop_flip(images: Tensor, *, padding: int = 4, flip: bool = True, generator: torch.Generator) -> Tensor:
    """Crop each image at a random place of its reflection-padded self, then mirror half of them.

    The paper's augmentation (Sec. 4.1): shift by up to `padding` pixels in each direction, filling with the reflected
    image, and a horizontal flip with probability 1/2. Output pixel (r, q) of an image shifted by (a, b) is pixel
    (reflect(r + a), reflect(q + b)) of the input, a and b uniform on -padding, ..., padding.

    Args:
        images: (n, channels, height, width), any dtype and device.
        padding: largest shift in pixels, smaller than height and width; 0 for none.
        flip: whether to mirror.
        generator: on the CPU, so that the draws do not depend on the device. Three draws of length n are taken from
            it whatever the options: row shifts, column shifts, flips.

    Returns:
        New images, same shape, dtype and device.

    Raises:
        ValueError: the padding is negative or not smaller than the images.

    >>> images = torch.arange(4).reshape(1, 1, 1, 4)
    >>> random_crop_flip(images, padding=0, flip=False, generator=torch.Generator()).tolist()
    [[[[0, 1, 2, 3]]]]
    """
    n, channels, height, width = images.shape
    if not 0 <= padding < min(height, width):
        raise ValueError(f"padding={padding} must be in [0, {min(height, width)}) to reflect {height}x{width} images")
    device = images.device
    shifts = torch.randint(-padding, padding + 1, (2, n, 1), generator=generator).to(device)
    mirrored = ((torch.rand(n, 1, generator=generator) < 0.5) & flip).to(device)
    rows = _reflect(torch.arange(height, device=device) + shifts[0], height)
    columns = _reflect(torch.arange(width, device=device) + shifts[1], width)
    columns = torch.where(mirrored, columns.flip(1), columns)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).reshape(n, 1, height * width)
    return images.flatten(2).gather(2, pixels.expand(n, channels, -1)).reshape(images.shape)


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0, ..., size - 1 mirrored at the border pixel, which is not repeated.

    >>> _reflect(torch.tensor([-2, -1, 0, 3, 4, 5]), 4).tolist()
    [2, 1, 0, 3, 2, 1]
    """
    return size - 1 - (size - 1 - positions.abs()).abs()
