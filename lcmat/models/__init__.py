"""Networks for small images, all of them `Network`s: features, then one linear layer."""

import torch
from torch import nn

from lcmat.config.arguments import checked
from lcmat.config.registry import MODELS, ZOO_PREFIX, Model
from lcmat.config.signatures import load
from lcmat.models.network import Network, try_out
from lcmat.models.zoo import torchvision_network

__all__ = ["MODELS", "Model", "Network", "build"]


_COUNT = "[1, 100000]"  # what memory could hold


@checked(num_classes=_COUNT, in_channels=_COUNT, image_size=_COUNT, width=_COUNT)
def build(
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 32,
    width: int | None = None,
    seed: int = 0,
) -> Network:
    """Make an untrained network, a function of the arguments alone: the global random state is neither used nor moved.

    Args:
        name: a key of `MODELS`, or `torchvision:<name>` for any torchvision classifier (three channels, own width).
        num_classes: number c of logits.
        in_channels: channels of the images.
        image_size: height and width of the images.
        width: channels of the first stage; None: the published width.
        seed: of the initial weights (PyTorch's default initialisation; He's for WRN-16-8 and ResNet-10, as published).

    Returns:
        A `Network` in training mode, float32, on the CPU.

    Raises:
        ValueError: unknown name, or a shape that this network cannot take.

    >>> network = build("convnet", num_classes=10)
    >>> sum(parameter.numel() for parameter in network.parameters())
    320010
    >>> network.classifier
    Linear(in_features=2048, out_features=10, bias=True)
    """
    if name not in MODELS and not name.startswith(ZOO_PREFIX):
        raise ValueError(f"no network {name!r}; there are: {', '.join(MODELS)}, {ZOO_PREFIX}<name>")
    if name.startswith(ZOO_PREFIX) and (in_channels != 3 or width is not None):
        raise ValueError(f"{name!r} takes three channels and has its own width: leave in_channels and width out")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if name.startswith(ZOO_PREFIX):
            return torchvision_network(name[len(ZOO_PREFIX) :], num_classes=num_classes, image_size=image_size)
        model = MODELS[name]
        features = load(model.target)(in_channels, image_size, model.width if width is None else width)
        classifier = nn.Linear(try_out(features, name, in_channels, image_size).shape[1], num_classes)
        return Network(features, classifier)
