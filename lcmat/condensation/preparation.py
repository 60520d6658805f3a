"""Before the first step: checks, the first state, networks, and how to call them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lcmat.condensation.recipe import CondensationRecipe
from lcmat.condensation.state import State
from lcmat.condensation.synthetic import SyntheticSet
from lcmat.data.dataset import ImageDataset, side
from lcmat.models import Network, build
from lcmat.training.sgd import Sgd

Forward = Callable[[Tensor], Tensor]


def checked_rows(data: ImageDataset, recipe: CondensationRecipe) -> list[Tensor]:
    """Rows of each class in the data, int64 on the CPU.

    Raises:
        ValueError: a class has no image, or fewer than the objective needs.
    """
    rows = [(data.labels.cpu() == label).nonzero()[:, 0] for label in range(data.num_classes)]
    fewest = recipe.matched.fewest
    for label, of_class in enumerate(rows):
        if min(len(of_class), recipe.real_batch) < fewest:
            raise ValueError(
                f"{data.name} ({data.split}): class {label} has {len(of_class)} images (real_batch="
                f"{recipe.real_batch}), but {recipe.objective!r} needs {fewest} of each class"
            )
    return rows


def check_initial(initial: SyntheticSet, data: ImageDataset, recipe: CondensationRecipe) -> None:
    """Refuse a set of another shape.

    Raises:
        ValueError: it has not `recipe.ipc` images of each class of the data's size, or another factor.
    """
    expected = (data.num_classes * recipe.ipc, *data.images.shape[1:])
    if tuple(initial.images.shape) != expected or initial.factor != recipe.factor:
        raise ValueError(
            f"the initial set has images {tuple(initial.images.shape)} of factor {initial.factor}, "
            f"the recipe asks for {expected} of factor {recipe.factor}"
        )


def beginning(
    data: ImageDataset, recipe: CondensationRecipe, initial: SyntheticSet, generator: torch.Generator, device: str
) -> State:
    """The state before the first step, on the device; its network is replaced in that step."""
    network = new_network(data, recipe, seed=0).to(device)
    sgd = Sgd(network, momentum=recipe.network_momentum, nesterov=False, weight_decay=recipe.weight_decay)
    images = initial.images.to(device, copy=True)
    losses = torch.full((recipe.num_steps, 2), math.nan, dtype=torch.float64)
    return State(images, torch.zeros_like(images), network, sgd, generator, losses)


def new_network(data: ImageDataset, recipe: CondensationRecipe, seed: int) -> Network:
    """An untrained network for this data, a function of the seed.

    Raises:
        ValueError: the images are not square.
    """
    return build(
        recipe.network,
        num_classes=data.num_classes,
        in_channels=data.images.shape[1],
        image_size=side(data.images, data.name),
        width=recipe.width,
        seed=seed,
    )


def callable_features(network: Network, recipe: CondensationRecipe) -> Forward:
    """The network's features, compiled for the usual sizes: every further shape would be compiled anew."""
    if not recipe.compile:
        return network.features
    torch.compiler.reset()  # torch counts compilations over all networks of a process and stops past a limit
    compiled = torch.compile(network.features, dynamic=False, fullgraph=True)
    sizes = (recipe.real_batch, recipe.network_batch)
    return lambda images: (compiled if len(images) in sizes else network.features)(images)
