"""Stopping a training run and going on with it, bit for bit."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lcmat.data.dataset import ImageDataset
from lcmat.files import checkpoints
from lcmat.training.adam import Adam
from lcmat.training.recipe import Recipe
from lcmat.training.sgd import Sgd
from lcmat.training.steps import Epoch


@dataclass
class State:
    """All that a run changes while it goes on; saved and restored as a whole, `epoch` being the one under way."""

    network: nn.Module
    optimizer: Sgd | Adam
    generator: torch.Generator
    epoch: Epoch | None = None
    losses: list[float] = field(default_factory=list)  # one per finished epoch
    accuracies_percent: list[float] = field(default_factory=list)
    evaluated_epochs: list[int] = field(default_factory=list)
    wall_seconds: float = 0.0


def identity(
    state: State,
    data: ImageDataset,
    test: ImageDataset | None,
    recipe: Recipe,
    weights: Tensor | None,
    evaluate_every: int,
    device: str,
) -> dict[str, Any]:
    """What a run is a function of, by name; to be taken before its first step."""
    return {
        "recipe": asdict(recipe),
        "training data": data.content_hash,
        "test data": test.content_hash if test is not None else None,
        "weights": _hash([] if weights is None else [weights]),
        "initial network": _hash(state.network.state_dict().values()),
        "initial generator": _hash([state.generator.get_state()]),
        "evaluate_every": evaluate_every,
        "device": torch.device(device).type,
    }


def save(path: Path, state: State, run: dict[str, Any]) -> None:
    """Write the state of the run `run` (its `identity`) to one verified file."""
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.buffers.items()}
    tensors["generator"] = state.generator.get_state()
    if state.epoch is not None and state.epoch.random_state is not None:
        tensors |= {"epoch.order": state.epoch.order, "epoch.losses": torch.stack(state.epoch.losses)}
        tensors["epoch.random_state"] = state.epoch.random_state
    history = {name: getattr(state, name) for name in _HISTORY}
    checkpoints.save(path, tensors, {"run": run, "history": history})


def restore(path: Path, state: State, run: dict[str, Any]) -> None:
    """Put the state that `save` wrote into `state`.

    Raises:
        CheckpointMismatchError: the file belongs to another run than `run`.
        CorruptArtifactError: the file is damaged.
    """
    tensors, metadata = checkpoints.load_run(path, run)
    state.network.load_state_dict(checkpoints.with_prefix(tensors, "network."))
    for name, buffer in checkpoints.with_prefix(tensors, "optimizer.").items():
        state.optimizer.buffers[name].copy_(buffer)
    state.generator.set_state(tensors["generator"])
    if under_way := checkpoints.with_prefix(tensors, "epoch."):
        device = next(state.network.parameters()).device
        losses = list(under_way["losses"].to(device).unbind())
        state.epoch = Epoch(under_way["order"], losses, under_way["random_state"])
    for name in _HISTORY:
        setattr(state, name, metadata["history"][name])


_HISTORY = ("losses", "accuracies_percent", "evaluated_epochs", "wall_seconds")


def _hash(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
