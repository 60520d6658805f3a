"""The selecting network's view of the training set, computed once and shared by all methods and fractions."""

import hashlib
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lcmat import checkpoints
from lcmat.config import SelectionParameters
from lcmat.data import ImageDataset, Splits
from lcmat.experiments import training_fingerprint
from lcmat.experiments.batch_statistics import embed_with_batch_statistics
from lcmat.experiments.caching import Stored, cached
from lcmat.experiments.seeds import derived_seed
from lcmat.models import Network, build
from lcmat.models.last_layer import last_linear
from lcmat.training import CheckpointMismatchError, Recipe, TrainingResult, embed, train

Progress = Callable[[int, int, float, float | None], None]


class SelectorView(NamedTuple):
    """Features (n, d) and logits (n, c) of the training set, float32, and what it took to get them.

    `test_accuracy_percent` is the selecting network's own; `seconds` its training and the embedding together; `bias`
    tells whether its last layer has one.
    """

    features: Tensor
    logits: Tensor
    test_accuracy_percent: float
    seconds: float
    bias: bool = True


def selector_view(
    parameters: SelectionParameters,
    splits: Splits,
    device: str,
    progress: Progress | None = None,
    *,
    held_out: Tensor | None = None,
) -> SelectorView:
    """Train the selecting network on the training images, or take its embedding of all of them from the cache.

    Of several processes that need the same embedding at once, one computes it while the others wait. A damaged file
    is made again, with a warning.

    Args:
        parameters: of the run.
        splits: of the data set.
        device: where to compute.
        progress: called after each epoch.
        held_out: rows of the training images that the network is not trained on; None: it is trained on all.
    """

    def compute(checkpoint: Path) -> Stored:
        view = _compute(parameters, splits, held_out, device, checkpoint, progress)
        details = {"test_accuracy_percent": view.test_accuracy_percent, "seconds": view.seconds, "bias": view.bias}
        return Stored({"features": view.features, "logits": view.logits}, details)

    identity = selector_identity(parameters, splits, device, held_out)
    tensors, details = cached("embeddings", parameters.dataset, identity, compute)
    return SelectorView(tensors["features"], tensors["logits"], **details)


def selector_recipe(parameters: SelectionParameters) -> Recipe:
    """The selecting network is trained at a constant rate on images as they are."""
    assert parameters.selection_epochs is not None
    decay = parameters.selection_weight_decay
    usual = Recipe(epochs=1).weight_decay
    return Recipe(
        epochs=parameters.selection_epochs,
        weight_decay=usual if decay is None else decay,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
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
        image_size=data.images.shape[2],
        width=width,
        seed=derived_seed(parameters.seed, f"{purpose}: initial weights"),
    )


def train_resumable(
    make: Callable[[], Network],
    parameters: SelectionParameters,
    purpose: str,
    data: ImageDataset,
    checkpoint: Path,
    **options: Any,
) -> tuple[Network, TrainingResult]:
    """Train from the checkpoint where there is a good one, else from the start; the checkpoint stays for the caller.

    Args:
        make: gives the untrained network.
        parameters: for their seed.
        purpose: names the stream of random draws.
        data: training images.
        checkpoint: its file.
        options: of `lcmat.training.train`.
    """
    seed = derived_seed(parameters.seed, f"{purpose}: draws")
    try:
        network = make()
        generator = torch.Generator().manual_seed(seed)
        return network, train(network, data, generator=generator, checkpoint=checkpoint, **options)
    except (checkpoints.CorruptArtifactError, CheckpointMismatchError) as error:
        warnings.warn(f"{error} Starting again from the first epoch.", stacklevel=2)
        checkpoint.unlink()
    network, generator = make(), torch.Generator().manual_seed(seed)
    return network, train(network, data, generator=generator, checkpoint=checkpoint, **options)


def selector_identity(
    parameters: SelectionParameters, splits: Splits, device: str, held_out: Tensor | None = None
) -> dict[str, Any]:
    """All that the bits of the selecting network and of its view depend on."""
    assert parameters.network is not None
    rows = {} if held_out is None else {"held_out": hashlib.sha256(held_out.numpy().tobytes()).hexdigest()}
    return {
        "data": [split.content_hash for split in splits],
        "network": parameters.network,
        "width": parameters.width,
        "recipe": asdict(selector_recipe(parameters)),
        "batch_norm": parameters.batch_norm,
        "seed": parameters.seed,
        "code": training_fingerprint(parameters.network),
        "device": torch.device(device).type,
        "threads": torch.get_num_threads(),
        "versions": [np.__version__, torch.__version__],
        **rows,
    }


def remaining_rows(data: ImageDataset, held_out: Tensor) -> Tensor:
    """Rows of the images that are not held out, int64, ascending."""
    remaining = torch.ones(len(data), dtype=torch.bool)
    remaining[held_out] = False
    return remaining.nonzero().flatten()


def _compute(
    parameters: SelectionParameters,
    splits: Splits,
    held_out: Tensor | None,
    device: str,
    checkpoint: Path,
    progress: Progress | None,
) -> SelectorView:
    network, result = train_resumable(
        lambda: make_network(parameters, splits.train, "selector"),
        parameters,
        "selector",
        splits.train if held_out is None else splits.train.subset(remaining_rows(splits.train, held_out)),
        checkpoint,
        recipe=selector_recipe(parameters),
        test=splits.test,
        evaluate_every=parameters.selection_epochs,
        device=device,
        progress=progress,
    )
    started = time.perf_counter()
    see = embed_with_batch_statistics if parameters.batch_norm else embed
    embedding = see(network, splits.train, device=device)
    seconds = result.wall_seconds + time.perf_counter() - started
    checkpoint.unlink()
    bias = last_linear(network).bias is not None
    return SelectorView(embedding.features, embedding.logits, result.last_accuracy_percent, seconds, bias)
