"""VGG-16 with batch normalisation, as it is used on small images."""

from torch import nn

from lcmat.models.network import stem_padding

_CONVOLUTIONS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # per stage: multiple of the width, number of convolutions


def vgg16(in_channels: int, image_size: int, width: int) -> nn.Module:
    """13 x [conv 3x3, batch normalisation, ReLU] in 5 stages, each ended by max pooling 2; no hidden linear layers.

    Returns:
        Module (n, in_channels, s, s) -> (n, 8 * width); the published network has width 64.
    """
    layers: list[nn.Module] = []
    channels = in_channels
    for multiple, repeats in _CONVOLUTIONS:
        for _ in range(repeats):
            padding = stem_padding(image_size) if not layers else 1
            outputs = multiple * width
            layers += [nn.Conv2d(channels, outputs, 3, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
