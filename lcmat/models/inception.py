"""Inception-v3 for small images."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from lcmat.models.network import stem_padding

_PUBLISHED_WIDTH = 32


def inception_v3(in_channels: int, image_size: int, width: int) -> nn.Module:
    """Torchvision's network behind a stem without strides and pooling, changed where the paper's code differs from it.

    As there, the pooled branch of the first blocks ends in a 3x3 convolution, the last but two halves by a mean and not
    a maximum, 7x1 comes before 1x7 in the shorter branch of the blocks between, and batch normalisation has PyTorch's
    epsilon.  Half of the features are dropped in training; initialised by PyTorch's defaults.

    Returns:
        Module (n, in_channels, s, s) -> (n, 64 * width), s at least 9; the published network has width 32.
    """
    from torchvision.models import inception as modules  # slow to import, rarely needed

    def scaled(channels: int) -> int:
        return channels * width // _PUBLISHED_WIDTH

    def plain(inputs: int, outputs: int, **options: Any) -> nn.Module:
        module: nn.Module = modules.BasicConv2d(inputs, outputs, **options)
        module.bn = nn.BatchNorm2d(outputs)
        return module

    def conv(inputs: int, outputs: int, **options: Any) -> nn.Module:
        return plain(scaled(inputs), scaled(outputs), **options)

    def first(inputs: int, pooled: int) -> nn.Module:
        module: nn.Module = modules.InceptionA(inputs, pooled, conv_block=conv)
        module.branch_pool = conv(inputs, pooled, kernel_size=3, padding=1)
        return module

    def factorised(channels: int) -> nn.Module:
        module: nn.Module = modules.InceptionC(768, channels, conv_block=conv)
        module.branch7x7_2 = conv(channels, channels, kernel_size=(7, 1), padding=(3, 0))
        module.branch7x7_3 = conv(channels, 192, kernel_size=(1, 7), padding=(0, 3))
        return module

    class Halving(modules.InceptionD):  # type: ignore[misc]
        def _forward(self, x: Tensor) -> list[Tensor]:
            *convolved, _ = super()._forward(x)
            return [*convolved, functional.avg_pool2d(x, kernel_size=3, stride=2)]

    return nn.Sequential(
        plain(in_channels, scaled(32), kernel_size=3, padding=stem_padding(image_size)),
        conv(32, 32, kernel_size=3, padding=1),
        conv(32, 64, kernel_size=3, padding=1),
        conv(64, 80, kernel_size=1),
        conv(80, 192, kernel_size=3),
        *(first(192, 32), first(256, 64), first(288, 64)),
        modules.InceptionB(288, conv_block=conv),  # halves the resolution
        *(factorised(128), factorised(160), factorised(160), factorised(192)),
        Halving(768, conv_block=conv),
        *(modules.InceptionE(inputs, conv_block=conv) for inputs in (1280, 2048)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)),
    )
