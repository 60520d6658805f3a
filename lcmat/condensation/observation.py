"""What a network makes of one batch for each of k classes: the mean loss's gradients, features and logits."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from lcmat.models import Network


class Observation(NamedTuple):
    """Of k classes with b images each."""

    gradients: tuple[Tensor, ...]  # of each class's mean cross-entropy, (k, *shape) for each parameter, in their order
    features: Tensor  # (k, b, d)
    logits: Tensor  # (k, b, c)
    labels: Tensor  # int64 (k, b)
    bias: bool = True  # whether the last layer has one

    def detach(self) -> "Observation":
        """The same numbers, without their history."""
        gradients = tuple(gradient.detach() for gradient in self.gradients)
        return self._replace(gradients=gradients, features=self.features.detach(), logits=self.logits.detach())


def observe(
    network: Network,
    images: Tensor,
    labels: Tensor,
    *,
    create_graph: bool,
    features: Callable[[Tensor], Tensor] | None = None,
) -> Observation:
    """Gradients of the mean cross-entropy for each class, and the last layer's view of its images.

    One class is an ordinary backward pass.  Several go through the network together (`torch.func`), which is equal
    as long as the network treats images apart from each other, as it does with group or instance normalisation and
    with batch normalisation in evaluation mode.

    Args:
        network: in evaluation mode.
        images: ``(k, b, channels, height, width)``.
        labels: int64 ``(k, b)``.
        create_graph: whether the gradients must be differentiable in the images.
        features: how to call `network.features` on the images of one class; None: itself.

    Returns:
        An `Observation` in the network's dtype; its gradients are those of means over the b images of a class.
    """
    if len(images) > 1:
        with torch.set_grad_enabled(create_graph):
            return _observe_together(network, images, labels)
    h, logits = _last_layer(network, (features or network.features)(images[0]))
    loss = functional.cross_entropy(logits, labels[0])
    gradients = torch.autograd.grad(loss, tuple(network.parameters()), create_graph=create_graph)
    gradients = tuple(gradient[None] for gradient in gradients)
    return Observation(gradients, h[None], logits[None], labels, network.classifier.bias is not None)


def observe_features(network: Network, images: Tensor, labels: Tensor) -> Observation:
    """As `observe`, without gradients: features and logits alone.

    Args:
        network: in evaluation mode.
        images: ``(k, b, channels, height, width)``.
        labels: int64 ``(k, b)``.
    """
    h, logits = _last_layer(network, network.features(images.flatten(0, 1)))
    return Observation((), h.unflatten(0, labels.shape), logits.unflatten(0, labels.shape), labels)


def _observe_together(network: Network, images: Tensor, labels: Tensor) -> Observation:
    view = _View(network)

    def loss(parameters: dict[str, Tensor], batch: Tensor, targets: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, logits = functional_call(view, parameters, (batch,))
        return functional.cross_entropy(logits, targets), (h, logits)

    classes = vmap(grad(loss, has_aux=True), in_dims=(None, 0, 0))
    gradients, (h, logits) = classes(dict(view.named_parameters()), images, labels)
    return Observation(tuple(gradients.values()), h, logits, labels, network.classifier.bias is not None)


class _View(nn.Module):
    """The network as a module that returns features and logits, which is what `functional_call` needs."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return _last_layer(self.network, self.network.features(images))


def _last_layer(network: Network, h: Tensor) -> tuple[Tensor, Tensor]:
    """Features and logits in the network's dtype, whatever autocast makes of the products."""
    dtype = network.classifier.weight.dtype
    return h.to(dtype), network.classifier(h).to(dtype)
