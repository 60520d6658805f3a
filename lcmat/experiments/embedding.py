"""The selecting network's view of the training set, computed once and shared by all methods and fractions."""

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from lcmat import checkpoints
from lcmat.config import SelectionParameters
from lcmat.data import ImageDataset, Splits
from lcmat.experiments import training_fingerprint
from lcmat.experiments.batch_statistics import embed_with_batch_statistics
from lcmat.experiments.seeds import derived_seed
from lcmat.models import Network, build
from lcmat.paths import cache_folder
from lcmat.training import CheckpointMismatchError, Recipe, TrainingResult, embed, train

Progress = Callable[[int, int, float, float | None], None]


class SelectorView(NamedTuple):
    """Features (n, d) and logits (n, c) of the training set, float32, and what it took to get them.

    `test_accuracy_percent` is the selecting network's own; `seconds` its training and the embedding together.
    """

    features: Tensor
    logits: Tensor
    test_accuracy_percent: float
    seconds: float


def selector_view(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progress | None = None
) -> SelectorView:
    """Train the selecting network on all training images, or take its embedding from the cache.

    Of several processes that need the same embedding at once, one computes it while the others wait. A damaged file
    is made again, with a warning.
    """
    identity = _identity(parameters, splits, device)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / "embeddings" / parameters.dataset / f"{digest}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        found = _load(path, identity)
        if found is None:
            found = _compute(parameters, splits, device, path.with_suffix(".training"), progress)
            tensors = {"features": found.features, "logits": found.logits}
            details = {"test_accuracy_percent": found.test_accuracy_percent, "seconds": found.seconds}
            checkpoints.save(path, tensors, {"identity": identity, **details})
    return found


def selector_recipe(parameters: SelectionParameters) -> Recipe:
    """The selecting network is trained at a constant rate on images as they are."""
    assert parameters.selection_epochs is not None
    return Recipe(
        epochs=parameters.selection_epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        schedule="constant",
        crop_padding=0,
        flip=False,
        precision=parameters.precision,
        compile=parameters.compile,
    )


def make_network(parameters: SelectionParameters, data: ImageDataset, purpose: str) -> Network:
    """The untrained network for these images, its initial weights drawn from a stream of their own."""
    assert parameters.network is not None
    return build(
        parameters.network,
        num_classes=data.num_classes,
        in_channels=data.images.shape[1],
        image_size=data.images.shape[2],
        width=parameters.width,
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


def _compute(
    parameters: SelectionParameters, splits: Splits, device: str, checkpoint: Path, progress: Progress | None
) -> SelectorView:
    network, result = train_resumable(
        lambda: make_network(parameters, splits.train, "selector"),
        parameters,
        "selector",
        splits.train,
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
    return SelectorView(embedding.features, embedding.logits, result.last_accuracy_percent, seconds)


def _load(path: Path, identity: dict[str, Any]) -> SelectorView | None:
    try:
        tensors, metadata = checkpoints.load(path)
    except FileNotFoundError:
        return None
    except checkpoints.CorruptArtifactError as error:
        warnings.warn(f"{error} It is being made again now.", stacklevel=3)
        return None
    if metadata["identity"] != identity:
        warnings.warn(f"{path} belongs to another run; it is being made again now", stacklevel=3)
        return None
    return SelectorView(tensors["features"], tensors["logits"], metadata["test_accuracy_percent"], metadata["seconds"])


def _identity(parameters: SelectionParameters, splits: Splits, device: str) -> dict[str, Any]:
    """All that the bits of an embedding depend on."""
    assert parameters.network is not None
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
    }
