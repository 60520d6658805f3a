"""The selecting network: trained once for what its training depends on; every view of it is taken from its weights."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.data import ImageDataset, Splits
from lcmat.data.dataset import side
from lcmat.experiments import training_fingerprint
from lcmat.experiments.seeds import derived_seed
from lcmat.models import Network, build
from lcmat.records.caching import Stored, cached, identity_on, resumable
from lcmat.training import DivergedError, Recipe, TrainingResult, train
from lcmat.training.loop import Progress

PURPOSE = "selector"
"""Names the random draws of the selecting network itself."""

PROGRESS_SECONDS = 2.0
"""Between two calls of a progress callback within an epoch."""


class SelectingNetwork(NamedTuple):
    """A trained network on the CPU, its accuracy on the test images in percent, and the seconds its training took."""

    network: Network
    test_accuracy_percent: float
    seconds: float


def selecting_network(
    parameters: SelectionParameters,
    splits: Splits,
    device: str,
    progress: Progress | None = None,
    *,
    held_out: Tensor | None = None,
    purpose: str = PURPOSE,
) -> SelectingNetwork:
    """Train the selecting network on the training images, or take its weights from the cache.

    Of several processes that need the same network at once, one trains it while the others wait; a training that was
    killed is gone on with. A damaged file is made again, with a warning.

    Args:
        parameters: of the run; method, fraction and what else concerns the coreset alone do not matter.
        splits: of the data set.
        device: where to train.
        progress: called as by `lcmat.training.train`, also within an epoch.
        held_out: rows of the training images that the network is not trained on; None: it is trained on all.
        purpose: another name gives a network of another seed, trained likewise.

    Raises:
        DivergedError: its loss or its weights are not finite.
    """

    def compute(checkpoint: Path) -> Stored:
        network, result = train_resumable(
            parameters,
            purpose,
            splits.train if held_out is None else splits.train.subset(remaining_rows(splits.train, held_out)),
            checkpoint,
            recipe=selector_recipe(parameters),
            test=splits.test,
            evaluate_every=parameters.selection_epochs,
            device=device,
            progress=progress,
        )
        weights = network.state_dict()
        check_finite(*weights.values())
        details = {"test_accuracy_percent": result.last_accuracy_percent, "seconds": result.wall_seconds}
        return Stored(weights, details)

    identity = selector_identity(parameters, splits, device, held_out, purpose)
    weights, details = cached("selecting-networks", parameters.dataset, identity, compute)
    network = make_network(parameters, splits.train, purpose)
    network.load_state_dict(weights)
    return SelectingNetwork(network, **details)


def check_finite(*tensors: Tensor) -> None:
    """Refuse weights of a network that chooses, or what it makes of the images, if nothing can be chosen by them.

    Raises:
        DivergedError: a number is not finite; the last step may make it so when every loss was finite.
    """
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise DivergedError("the selecting network's weights or outputs are not finite: lower its learning rate")


def selector_recipe(parameters: SelectionParameters) -> Recipe:
    """The selecting network is trained at a constant rate on images as they are."""
    assert parameters.selection_epochs is not None
    decay, rate = parameters.selection_weight_decay, parameters.selection_learning_rate
    return Recipe(
        epochs=parameters.selection_epochs,
        weight_decay=Recipe(epochs=1).weight_decay if decay is None else decay,
        optimizer=parameters.selection_optimizer or "sgd",
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate if rate is None else rate,
        schedule="constant",
        crop_padding=0,
        flip=False,
        precision=parameters.precision,
        compile=parameters.compile,
    )


def make_network(parameters: SelectionParameters, data: ImageDataset, purpose: str) -> Network:
    """The untrained network for these images, its initial weights drawn from a stream of their own.

    Args:
        parameters: of the run.
        data: for the shape of the images and the number of classes.
        purpose: names the stream; "learner" is the network trained on the coreset, which may be another architecture.
    """
    network, width = parameters.network, parameters.width
    if purpose == "learner" and parameters.learner is not None:
        network, width = parameters.learner, parameters.learner_width
    assert network is not None
    return build(
        network,
        num_classes=data.num_classes,
        in_channels=data.images.shape[1],
        image_size=side(data.images, data.name),
        width=width,
        seed=derived_seed(parameters.seed, f"{purpose}: initial weights"),
    )


def train_resumable(
    parameters: SelectionParameters,
    purpose: str,
    data: ImageDataset,
    checkpoint: Path,
    **options: Any,
) -> tuple[Network, TrainingResult]:
    """Train from the checkpoint where there is a good one, else from the start; the checkpoint stays for the caller.

    Args:
        parameters: of the run.
        purpose: names the streams of random draws; see `make_network`.
        data: training images.
        checkpoint: its file.
        options: of `lcmat.training.train`.
    """
    seed = derived_seed(parameters.seed, f"{purpose}: draws")
    options = {"checkpoint": checkpoint, "progress_seconds": PROGRESS_SECONDS, **options}

    def attempt() -> tuple[Network, TrainingResult]:
        network = make_network(parameters, data, purpose)
        return network, train(network, data, generator=torch.Generator().manual_seed(seed), **options)

    return resumable(attempt, checkpoint, "epoch")


def selector_identity(
    parameters: SelectionParameters,
    splits: Splits,
    device: str,
    held_out: Tensor | None = None,
    purpose: str = PURPOSE,
) -> dict[str, Any]:
    """All that the bits of the selecting network depend on."""
    assert parameters.network is not None
    rows = {} if held_out is None else {"held_out": hashlib.sha256(held_out.numpy().tobytes()).hexdigest()}
    known = {
        "data": [split.content_hash for split in splits],
        "network": parameters.network,
        "width": parameters.width,
        "recipe": asdict(selector_recipe(parameters)),
        "seed": parameters.seed,
        "purpose": purpose,
        "code": training_fingerprint(parameters.network, __name__),
        **rows,
    }
    return identity_on(device, known)


def remaining_rows(data: ImageDataset, held_out: Tensor) -> Tensor:
    """Rows of the images that are not held out, int64, ascending."""
    remaining = torch.ones(len(data), dtype=torch.bool)
    remaining[held_out] = False
    return remaining.nonzero().flatten()
