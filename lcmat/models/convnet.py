"""Small convolutional networks: ConvNet-3 of the condensation literature, and a tiny one for 8x8 digits."""

from torch import nn

from lcmat.models.network import stem_padding


def convnet(in_channels: int, image_size: int, width: int) -> nn.Module:
    """ConvNet-3 of DC (Zhao et al. 2021): 3 x [conv 3x3, instance normalisation, ReLU, average pooling 2].

    Instance normalisation is written `GroupNorm(width, width)`: the same function, whose second derivatives are right
    (those of `InstanceNorm2d` are not, under forward-over-reverse differentiation).

    Returns:
        Module (n, in_channels, s, s) -> (n, width * (s // 8) ** 2); for s = 28 the images are padded to 32.
    """
    blocks: list[nn.Module] = []
    for channels, padding in ((in_channels, stem_padding(image_size)), (width, 1), (width, 1)):
        blocks += [
            nn.Conv2d(channels, width, 3, padding=padding),
            nn.GroupNorm(width, width),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
    return nn.Sequential(*blocks, nn.Flatten())


def digits_net(in_channels: int, image_size: int, width: int) -> nn.Module:
    """Two convolutions for images as small as 8x8; a hundred epochs on 144 digits take a second of one CPU core.

    Two layers train well without normalisation, also on ten images, where batch statistics would be noise.

    Returns:
        Module (n, in_channels, s, s) -> (n, 2 * width * (s // 4) ** 2).
    """
    del image_size  # any size of at least 4 will do
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
