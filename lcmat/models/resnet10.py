"""ResNet-10 for small images."""

from torch import nn

from lcmat.models.resnet import BasicBlock, resnet18


def resnet10(in_channels: int, image_size: int, width: int) -> nn.Module:
    """ResNet-18 without the second block of each stage.

    Returns:
        Module (n, in_channels, s, s) -> (n, 8 * width); the published network has width 64.
    """
    layers = list(resnet18(in_channels, image_size, width).children())
    blocks = [layer for layer in layers if isinstance(layer, BasicBlock)]
    return nn.Sequential(*(layer for layer in layers if layer not in blocks[1::2]))
