"""ResNet-10 for small images."""

from torch import nn

from lcmat.models.resnet import BasicBlock, resnet18


def resnet10(in_channels: int, image_size: int, width: int) -> nn.Module:
    """ResNet-18 without the second block of each stage; He's initialisation, as in the code that the paper builds on.

    Returns:
        Module (n, in_channels, s, s) -> (n, 8 * width); the published network has width 32.
    """
    layers = list(resnet18(in_channels, image_size, width).children())
    blocks = [layer for layer in layers if isinstance(layer, BasicBlock)]
    features = nn.Sequential(*(layer for layer in layers if layer not in blocks[1::2]))
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return features
