"""The direct formulation of a step of the synthetic images: class by class, by autograd, with every sample's gradient.

It shares with `lcmat.condensation` the draws, the transformations and the networks, and nothing of the comparison.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lcmat.condensation import CondensationRecipe
from lcmat.condensation.batches import ClassBatch
from lcmat.data.augmentation.siamese import apply_transformation
from lcmat.data.dataset import ImageDataset
from lcmat.models import Network


def sequential_gradient(
    network: Network, images: Tensor, data: ImageDataset, batches: Sequence[ClassBatch], recipe: CondensationRecipe
) -> Tensor:
    """Gradient of LCMat-C's loss (paper Eq. 15) in the synthetic images.

    Args:
        network: in evaluation mode.
        images: synthetic, ``(c * ipc, channels, height, width)``, class after class.
        data: the original images.
        batches: of one class each.
        recipe: whose rho counts; the distance is DC's, the norm L2.

    Returns:
        As the images; of a sum over the classes.
    """
    leaf = images.detach().clone().requires_grad_()
    for batch in batches:
        (label,), (transformation,) = batch.classes, batch.transformations
        own = leaf[label * recipe.ipc : (label + 1) * recipe.ipc]
        real = apply_transformation(transformation, data.normalized(batch.real[0]).to(images.dtype))
        gradients, samples = _gradients(network, real, label, create_graph=False)
        matched, others = _gradients(network, apply_transformation(transformation, own), label, create_graph=True)
        loss = _distance(gradients, matched)
        if recipe.rho > 0:
            loss = loss + recipe.rho / 2 * (samples.var(dim=0) - others.var(dim=0)).norm()
        loss.backward()
    assert leaf.grad is not None
    return leaf.grad


def _gradients(network: Network, images: Tensor, label: int, *, create_graph: bool) -> tuple[list[Tensor], Tensor]:
    """Of the mean loss for each parameter, and of every sample's loss for the last layer, ``(b, c, d + 1)``."""
    labels = torch.full((len(images),), label, device=images.device)
    features = network.features(images)
    logits = network.classifier(features)
    loss = functional.cross_entropy(logits, labels)
    parameters = tuple(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, create_graph=create_graph, retain_graph=True)
    residuals = logits.softmax(dim=1) - functional.one_hot(labels, logits.shape[1])
    inputs = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
    samples = residuals[:, :, None] * inputs[:, None, :]
    return list(gradients), samples if create_graph else samples.detach()


def _distance(real: Sequence[Tensor], synthetic: Sequence[Tensor]) -> Tensor:
    """DC's: one minus the cosine of each output channel, over the layers that have a matrix."""
    total = synthetic[0].new_zeros(())
    for g, s in zip(real, synthetic, strict=True):
        if g.ndim > 1:
            a, b = g.reshape(len(g), -1), s.reshape(len(s), -1)
            total = total + (1 - (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()
    return total
