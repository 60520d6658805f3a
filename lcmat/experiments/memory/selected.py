"""A memory of real images, chosen by a selection method."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset
from lcmat.data.dataset import side
from lcmat.experiments import training_fingerprint
from lcmat.experiments.memory.stage import Filled, identity, stream
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.selecting import check_finite
from lcmat.models import build
from lcmat.models.last_layer import last_linear
from lcmat.records.caching import Stored, cached
from lcmat.selection.selector import select
from lcmat.training.evaluation import embed
from lcmat.training.loop import Progress, train
from lcmat.training.recipe import Recipe


class StageView(NamedTuple):
    """Features (n, d) and logits (n, k) of a stage's images, float32, their seconds, and whether there is a bias."""

    features: Tensor
    logits: Tensor
    seconds: float
    bias: bool = True


def selected_memory(
    parameters: ContinualParameters, data: ImageDataset, stage: int, device: str, progress: Progress | None = None
) -> Filled:
    """Select `ipc` images of each class.

    Args:
        parameters: of the run.
        data: the stage's training images, labels from 0.
        stage: its number, from 0; names the random streams.
        device: where to compute.
        progress: called after each epoch of the network that chooses.

    Raises:
        ValueError: a class has fewer images.
    """
    view = stage_view(parameters, data, stage, device, progress)
    started = time.perf_counter()
    rows = torch.cat([_chosen(parameters, view, data, stage, label) for label in range(data.num_classes)])
    images, labels = data.normalized(rows), data.labels[rows]
    memory = SyntheticSet(images, labels, data.class_names, data.mean, data.std)
    return Filled(memory, view.seconds + time.perf_counter() - started)


def stage_view(
    parameters: ContinualParameters, data: ImageDataset, stage: int, device: str, progress: Progress | None = None
) -> StageView:
    """What a network trained on the stage's images makes of them; shared by all selection methods of a seed."""
    recipe = view_recipe(parameters)

    def compute(_: Path) -> Stored:
        started = time.perf_counter()
        generator = stream(parameters, "selector", stage)
        network = build(
            str(parameters.network),
            num_classes=data.num_classes,
            in_channels=data.images.shape[1],
            image_size=side(data.images, data.name),
            width=parameters.width,
            seed=int(torch.randint(2**31, (), generator=generator)),
        )
        train(network, data, recipe=recipe, generator=generator, device=device, progress=progress)
        embedding = embed(network, data, device=device)
        check_finite(*embedding)
        bias = last_linear(network).bias is not None
        return Stored(embedding._asdict(), {"seconds": time.perf_counter() - started, "bias": bias})

    code = training_fingerprint(str(parameters.network), __name__)
    known = identity(parameters, data, stage, device, recipe=recipe, code=code)
    tensors, details = cached("stage-views", parameters.dataset, known, compute)
    return StageView(tensors["features"], tensors["logits"], **details)


def view_recipe(parameters: ContinualParameters) -> Recipe:
    """The selecting network is trained as in the selection benchmark: at a constant rate, on images as they are."""
    assert parameters.selection_epochs is not None
    return Recipe(epochs=parameters.selection_epochs, schedule="constant", crop_padding=0, flip=False)


def _chosen(parameters: ContinualParameters, view: StageView, data: ImageDataset, stage: int, label: int) -> Tensor:
    """Rows of the images chosen of a class, best first."""
    members = (data.labels == label).nonzero().flatten()
    if len(members) < parameters.ipc:
        name = data.class_names[label]
        raise ValueError(f"class {name!r} of {data.name} has {len(members)} images, ipc={parameters.ipc}: lower ipc")
    options: dict[str, Any] = {"bias": view.bias} | ({} if parameters.rho is None else {"rho": parameters.rho})
    seed = derived_seed(parameters.seed, f"selection: stage {stage}, class {label}")
    samples = (view.features[members], view.logits[members], data.labels[members])
    return members[select(parameters.method, *samples, size=parameters.ipc, seed=seed, **options).indices]
