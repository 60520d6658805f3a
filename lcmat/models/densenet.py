"""DenseNet-121 for small images."""

from torch import nn

from lcmat.models.network import stem_padding

_BLOCKS = (6, 12, 24, 16)


def densenet121(in_channels: int, image_size: int, width: int) -> nn.Module:
    """Torchvision's dense blocks and transitions behind one 3x3 convolution that keeps the resolution.

    A file of the paper's repository takes this network, with a growth rate of 12, for CIFAR: twice the growth rate are
    the channels of the first stage. Initialised by PyTorch's defaults.

    Returns:
        Module (n, in_channels, s, s) -> (n, features), s at least 8; the published network has width 24.

    Raises:
        ValueError: the width is odd.
    """
    from torchvision.models import densenet as modules  # slow to import, rarely needed

    if width % 2:
        raise ValueError(f"width={width} of DenseNet-121 must be even: it is twice the growth rate")
    channels, growth = width, width // 2
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, channels, 3, padding=stem_padding(image_size), bias=False),
    ]
    for depth in _BLOCKS:
        if len(layers) > 1:
            layers.append(modules._Transition(channels, channels // 2))
            channels //= 2
        layers.append(modules._DenseBlock(depth, channels, bn_size=4, growth_rate=growth, drop_rate=0.0))
        channels += depth * growth
    return nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
