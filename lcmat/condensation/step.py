"""One step of the synthetic images: the gradient of the matching loss, and the update along it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.condensation.batches import ClassBatch, draw_batches
from lcmat.condensation.matching import Terms, compare
from lcmat.condensation.observation import Observation, observe, observe_features
from lcmat.condensation.recipe import CondensationRecipe
from lcmat.condensation.synthetic import decode
from lcmat.config.registry import Objective
from lcmat.data.augmentation.siamese import apply_transformation
from lcmat.data.dataset import ImageDataset
from lcmat.models import Network


class Matching(NamedTuple):
    """What the comparison of all classes says."""

    gradient: Tensor  # of the loss in the synthetic images, their shape
    distance: float  # summed over the classes
    penalty: float  # likewise, without its factor rho / 2


def matching_gradient(
    network: Network,
    images: Tensor,
    data: ImageDataset,
    batches: Sequence[ClassBatch],
    recipe: CondensationRecipe,
    *,
    features: Callable[[Tensor], Tensor] | None = None,
) -> Matching:
    """Gradient of the matching loss ``sum_k D_k + (rho / 2) |.|_k`` in the synthetic images.

    The classes meet in the sum alone, so the graph of one batch is freed before the next is built.

    Args:
        network: in evaluation mode, on the device of the images.
        images: synthetic, ``(c * ipc, channels, height, width)``, class after class.
        data: the original images, on the same device.
        batches: from `draw_batches`.
        recipe: how to compare.
        features: how to call `network.features` on original images; None: itself.

    Returns:
        A `Matching`: a sum over the classes, of losses that are means over images.
    """
    gradient = torch.zeros_like(images)
    distance = penalty = 0.0
    for batch in batches:
        rows = _rows(batch, recipe.ipc)
        stored = images[rows].detach().requires_grad_()
        terms = _terms(network, stored, data, batch, recipe, features)
        gradient[rows] = torch.autograd.grad(terms.loss(recipe.rho), stored)[0]
        distance += float(terms.distance.detach().sum())
        penalty += float(terms.penalty.detach().sum())
    return Matching(gradient, distance, penalty)


def equal_strength(
    network: Network, images: Tensor, data: ImageDataset, recipe: CondensationRecipe, control: str, seed: int = 0
) -> float:
    """The rho at which a control pulls the images as hard as the recipe's penalty does.

    The gradient of ``(rho / 2) |.|`` in the images is proportional to rho, so one comparison of its norms settles it:
    at this network, these images and one draw of batches, which are the same for both.

    Args:
        network: in evaluation mode, on the device of the images.
        images: synthetic, ``(c * ipc, channels, height, width)``.
        data: the original images, on the same device.
        recipe: with rho > 0.
        control: key of another objective with a moment.
        seed: of the draw.

    Returns:
        rho for the control.

    Raises:
        ValueError: one of the two has no penalty.
    """
    norms: list[float] = []
    for name in (recipe.objective, control):
        matched = replace(recipe, objective=name)
        if matched.matched.moment is None:
            raise ValueError(f"{name!r} at rho={recipe.rho} has no penalty whose strength could be compared")
        rows = [(data.labels == label).nonzero()[:, 0].cpu() for label in range(data.num_classes)]
        gradients = []
        for each in (matched, replace(matched, rho=2 * matched.rho)):
            batches = draw_batches(rows, each, torch.Generator().manual_seed(seed))
            gradients.append(matching_gradient(network, images, data, batches, each).gradient)
        norms.append((gradients[1] - gradients[0]).norm().item())
    return recipe.rho * norms[0] / norms[1]


def image_step(
    images: Tensor, velocity: Tensor, gradient: Tensor, recipe: CondensationRecipe, data: ImageDataset
) -> tuple[Tensor, Tensor]:
    """SGD with momentum: ``v <- m v + g``, ``x <- x - eta v``.

    In pixel units the learning rate belongs to ``u = x std + mean``: a step of -eta dL/du moves x by -eta (dL/dx) /
    std^2, after which u is brought back to [0, 1].

    Args:
        images: ``(n, channels, height, width)``, normalised.
        velocity: v, same shape.
        gradient: g, same shape.
        recipe: learning rate, momentum, and whether they are meant for pixels.
        data: whose mean and std normalise.

    Returns:
        New images and new velocity.
    """
    velocity = recipe.image_momentum * velocity + gradient
    if not recipe.pixel_units:
        return images - recipe.image_learning_rate * velocity, velocity
    mean, std = (images.new_tensor(values).reshape(-1, 1, 1) for values in (data.mean, data.std))
    moved = images - recipe.image_learning_rate * velocity / std.square()
    return moved.clamp(-mean / std, (1 - mean) / std), velocity


def _rows(batch: ClassBatch, ipc: int) -> Tensor:
    """Rows of the stored images of the batch's classes, (k, ipc)."""
    return torch.tensor(batch.classes)[:, None] * ipc + torch.arange(ipc)


def _terms(
    network: Network,
    stored: Tensor,
    data: ImageDataset,
    batch: ClassBatch,
    recipe: CondensationRecipe,
    features: Callable[[Tensor], Tensor] | None,
) -> Terms:
    """The loss's terms of some classes, whose stored images are (k, ipc, channels, height, width)."""
    objective = recipe.matched
    images = _originals(data, batch.real.to(stored.device)).to(stored.dtype)
    with torch.autocast(stored.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        real = _view(objective, network, _transformed(images, batch), batch, create_graph=False, features=features)
    chosen = _chosen(stored, batch.synthetic.to(stored.device), recipe.factor)
    synthetic = _view(objective, network, _transformed(chosen, batch), batch, create_graph=True)
    return compare(
        objective, real.detach(), synthetic, distance=recipe.distance, layers=recipe.layers, norm=recipe.norm
    )


def _view(
    objective: Objective,
    network: Network,
    images: Tensor,
    batch: ClassBatch,
    *,
    create_graph: bool,
    features: Callable[[Tensor], Tensor] | None = None,
) -> Observation:
    """What the network makes of (k, b, channels, height, width); only what the objective looks at."""
    labels = torch.tensor(batch.classes, device=images.device)[:, None].expand(images.shape[:2])
    if objective.distance == "gradients":
        return observe(network, images, labels, create_graph=create_graph, features=features)
    with torch.set_grad_enabled(create_graph):
        return observe_features(network, images, labels)


def _originals(data: ImageDataset, rows: Tensor) -> Tensor:
    """Normalised images of rows (k, b): (k, b, channels, height, width)."""
    images: Tensor = data.normalized(rows.flatten()).unflatten(0, rows.shape)
    return images


def _chosen(stored: Tensor, positions: Tensor, factor: int) -> Tensor:
    """The images at positions (k, s) among the decoded ones of each class."""
    decoded = torch.stack([decode(images, factor) for images in stored])
    return decoded[torch.arange(len(stored), device=stored.device)[:, None], positions]


def _transformed(images: Tensor, batch: ClassBatch) -> Tensor:
    """Each class under its own transformation."""
    pairs = zip(batch.transformations, images, strict=True)
    return torch.stack([apply_transformation(transformation, part) for transformation, part in pairs])
