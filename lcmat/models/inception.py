"""Inception-v3 for small images."""

from functools import partial
from typing import Any

from torch import nn

from lcmat.models.network import stem_padding

_PUBLISHED_WIDTH = 32


def inception_v3(in_channels: int, image_size: int, width: int) -> nn.Module:
    """The modules of torchvision's network behind a stem that keeps the resolution: no strides, no pooling.

    The rest is as in torchvision's, so that half of the features are dropped in training; initialised by PyTorch's
    defaults.  DeepCore, on which the paper's code builds, has such a network.

    Returns:
        Module (n, in_channels, s, s) -> (n, 64 * width), s at least 9; the published network has width 32.
    """
    from torchvision.models import inception as modules  # slow to import, rarely needed

    def conv(inputs: int, outputs: int, **options: Any) -> nn.Module:
        module: nn.Module = modules.BasicConv2d(scaled(inputs), scaled(outputs), **options)
        return module

    def scaled(channels: int) -> int:
        return channels * width // _PUBLISHED_WIDTH

    a, b, c, d, e = (
        partial(getattr(modules, f"Inception{letter}"), conv_block=conv) for letter in "ABCDE"
    )  # B and D halve the resolution
    return nn.Sequential(
        modules.BasicConv2d(in_channels, scaled(32), kernel_size=3, padding=stem_padding(image_size)),
        conv(32, 32, kernel_size=3, padding=1),
        conv(32, 64, kernel_size=3, padding=1),
        conv(64, 80, kernel_size=1),
        conv(80, 192, kernel_size=3),
        *(a(192, 32), a(256, 64), a(288, 64)),
        b(288),
        *(c(768, channels_7x7=128), c(768, channels_7x7=160), c(768, channels_7x7=160), c(768, channels_7x7=192)),
        d(768),
        *(e(1280), e(2048)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)),
    )
