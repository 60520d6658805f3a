"""Residual networks for small images: ResNet-18 with the CIFAR stem and WRN-16-8."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_AVX2_CHANNELS = 8  # that a register holds


class BasicBlock(nn.Module):
    """Post-activation residual block (He et al. 2016): relu(BN(conv(relu(BN(conv(x))))) + shortcut(x))."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        """Take `channels` to `width`, halving height and width if the stride is 2."""
        super().__init__()
        self.branch = nn.Sequential(
            _conv3x3(channels, width, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _conv3x3(width, width, 1),
            nn.BatchNorm2d(width),
        )
        same = stride == 1 and channels == width
        self.shortcut = nn.Identity() if same else _projection(channels, width, stride)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, channels, s, s) -> (n, width, s / stride, s / stride)."""
        return functional.relu(self.branch(inputs) + self.shortcut(inputs))


class PreActivationBlock(nn.Module):
    """Block of a wide residual network (Zagoruyko & Komodakis 2016): conv(act(conv(act(x)))) + shortcut.

    Where the shape changes, the shortcut is a 1x1 convolution of act(x) = relu(BN(x)); else it is x itself.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        """Take `channels` to `width`, halving height and width if the stride is 2."""
        super().__init__()
        self.activation = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.branch = nn.Sequential(
            _conv3x3(channels, width, stride), nn.BatchNorm2d(width), nn.ReLU(), _conv3x3(width, width, 1)
        )
        same = stride == 1 and channels == width
        self.shortcut = None if same else _conv1x1(channels, width, stride)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, channels, s, s) -> (n, width, s / stride, s / stride)."""
        activated = self.activation(inputs)
        outputs: Tensor = self.branch(activated) + (inputs if self.shortcut is None else self.shortcut(activated))
        return outputs


def resnet18(in_channels: int, image_size: int, width: int) -> nn.Module:
    """ResNet-18 for small images: a 3x3 convolution of stride 1 and no pooling before the first block.

    Returns:
        Module (n, in_channels, s, s) -> (n, 8 * width); the published network has width 64.
    """
    del image_size  # the average over what remains of the image takes any size
    blocks: list[nn.Module] = []
    channels = width
    for stage in range(4):
        for stride in (1 if stage == 0 else 2, 1):
            blocks.append(BasicBlock(channels, width * 2**stage, stride))
            channels = width * 2**stage
    stem = (_conv3x3(in_channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def wrn16(in_channels: int, image_size: int, width: int) -> nn.Module:
    """Wide residual network of depth 16: a stem of 16 channels, then 3 stages of 2 blocks.

    Returns:
        Module (n, in_channels, s, s) -> (n, 4 * width); width 128 is the widening factor 8 of WRN-16-8.
    """
    del image_size  # as for resnet18
    blocks: list[nn.Module] = []
    channels = 16
    for stage in range(3):
        for stride in (1 if stage == 0 else 2, 1):
            blocks.append(PreActivationBlock(channels, width * 2**stage, stride))
            channels = width * 2**stage
    last = (nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    features = nn.Sequential(_conv3x3(in_channels, 16, 1), *blocks, *last)
    for module in features.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return features


def _conv3x3(channels: int, width: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)


def _projection(channels: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(_conv1x1(channels, width, stride), nn.BatchNorm2d(width))


def _conv1x1(channels: int, width: int, stride: int) -> nn.Conv2d:
    """A 1x1 convolution, by another way where PyTorch's would write where it must not.

    With AVX2, oneDNN's gradient of the weights, if the stride is 2 and the channels do not fill a register, ends
    processes (https://github.com/uxlfoundation/oneDNN/issues/6035).
    """
    few = stride > 1 and channels < _AVX2_CHANNELS and torch.backends.cpu.get_cpu_capability() == "AVX2"
    return (_ProductOfMatrices if few else nn.Conv2d)(channels, width, 1, stride=stride, bias=False)


class _ProductOfMatrices(nn.Conv2d):
    """A 1x1 convolution without padding and bias, computed as a linear layer of each pixel that it looks at."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, channels, s, s) -> (n, width, s / stride, s / stride)."""
        down, along = self.stride
        seen = inputs[..., ::down, ::along].movedim(1, -1)
        return functional.linear(seen, self.weight.flatten(1)).movedim(-1, 1)
