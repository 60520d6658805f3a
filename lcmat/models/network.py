"""The one shape every network has: features, then one linear layer."""

import torch
from torch import Tensor, nn

from lcmat.models.last_layer import REFUSALS


class Network(nn.Module):
    """A classifier whose last layer is linear: `forward(x) = classifier(features(x))`.

    LCMat looks at the last layer only (Sec. 4), so that layer and its input h = features(x) must be reachable.  What
    holds the two parts may rely on `forward`: a subclass cannot have another.  (Of any other network,
    `lcmat.models.last_layer.look` finds them.)

    Attributes:
        features: module taking images (n, channels, height, width) to h (n, d).
        classifier: `torch.nn.Linear` taking h (n, d) to logits (n, c).
    """

    def __init_subclass__(cls) -> None:
        """Refuse a subclass that calls its parts otherwise.

        Raises:
            TypeError: it has a `forward` of its own.
        """
        if cls.forward is not Network.forward:
            raise TypeError(
                f"{cls.__name__}.forward must be classifier(features(x)): derive from torch.nn.Module instead"
            )

    def __init__(self, features: nn.Module, classifier: nn.Linear) -> None:
        """Join the two parts, which keep the parameters they have."""
        super().__init__()
        self.features = features
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, c) of images (n, channels, height, width)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def stem_padding(image_size: int) -> int:
    """Zero padding of a first 3x3 convolution: 3 for 28x28 images, which so become 32x32, else 1.

    DC and DeepCore do this with the MNIST-like sets: three to five halvings then work as they do for 32x32.

    >>> stem_padding(28), stem_padding(32)
    (3, 1)
    """
    return 3 if image_size == 28 else 1


def try_out(module: nn.Module, name: str, in_channels: int, image_size: int) -> Tensor:
    """Output (1, ...) of `module`, in evaluation mode, for one made-up image; leaves it in training mode.

    Raises:
        ValueError: network `name` cannot take such images.
    """
    numbers = torch.linspace(-1, 1, in_channels * image_size**2)
    module.eval()
    try:
        with torch.no_grad():
            outputs: Tensor = module(numbers.reshape(1, in_channels, image_size, image_size))
            return outputs
    except REFUSALS as error:
        raise ValueError(f"{name!r} cannot take {image_size}x{image_size} images: {error}") from error
    finally:
        module.train()
