"""Any classifier of torchvision, split before its last linear layer."""

from typing import Any

import torch
from torch import nn

from lcmat.models.network import Network, try_out


def torchvision_network(name: str, *, num_classes: int, image_size: int) -> Network:
    """Untrained `torchvision.models.<name>` whose last linear layer has been set apart as the classifier.

    Args:
        name: as `torchvision.models.list_models(module=torchvision.models)` spells it.
        num_classes: outputs of the classifier.
        image_size: height and width the network must be able to take; its images have three channels.

    Raises:
        ValueError: there is no such network, it cannot take images of this size, or it does not end in `nn.Linear`.
    """
    from torchvision import models  # slow to import, rarely needed

    available = models.list_models(module=models)
    if name not in available:
        raise ValueError(f"torchvision has no classifier {name!r}; it has: {', '.join(available)}")
    model = models.get_model(name, weights=None, num_classes=num_classes, **_options(name))
    expected = try_out(model, name, 3, image_size)
    network = Network(model, _detach_classifier(model, name))
    if not torch.equal(network.classifier(try_out(model, name, 3, image_size)), expected):
        raise ValueError(f"torchvision's {name!r} does not end in its last nn.Linear: choose another network")
    return network


def _options(name: str) -> dict[str, Any]:
    """These two have auxiliary classifiers, which would make their training output a tuple."""
    return {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}


def _detach_classifier(model: nn.Module, name: str) -> nn.Linear:
    """Take the last linear layer out of the model, which then puts out that layer's input."""
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"torchvision's {name!r} has no nn.Linear; LCMat needs a last linear layer: choose another")
    parent, _, child = linear[-1].rpartition(".")
    classifier = model.get_submodule(linear[-1])
    setattr(model.get_submodule(parent), child, nn.Identity())
    assert isinstance(classifier, nn.Linear)
    return classifier
