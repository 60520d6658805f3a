"""Stopping a condensation and going on with it, bit for bit."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lcmat.condensation.recipe import CondensationRecipe
from lcmat.condensation.synthetic import SyntheticSet, description
from lcmat.data.dataset import ImageDataset
from lcmat.files import checkpoints
from lcmat.models import Network
from lcmat.training.sgd import Sgd


@dataclass
class State:
    """All that a run changes while it goes on; saved and restored as a whole.

    Attributes:
        images: synthetic, on the device.
        velocity: of the images.
        network: in the middle of its life.
        sgd: its optimizer.
        generator: of all draws, on the CPU.
        losses: float64 (steps, 2): distance and penalty of each step done, summed over the classes; NaN for the rest.
        step: steps done.
        wall_seconds: spent on them.
    """

    images: Tensor
    velocity: Tensor
    network: Network
    sgd: Sgd
    generator: torch.Generator
    losses: Tensor
    step: int = 0
    wall_seconds: float = 0.0


def identity(
    recipe: CondensationRecipe, data: ImageDataset, initial: SyntheticSet, generator_state: Tensor, device: str
) -> dict[str, Any]:
    """What a run is a function of, by name; the state of the generator is that before any draw."""
    return {
        "recipe": asdict(recipe),
        "data": data.content_hash,
        "initial images": initial.content_hash,
        "initial generator": hashlib.sha256(generator_state.numpy().tobytes()).hexdigest(),
        "device": torch.device(device).type,
    }


def save(path: Path, state: State, run: dict[str, Any], initial: SyntheticSet) -> None:
    """Write the state of the run `run` to one verified file; `lcmat.condensation.load_set` reads it as a set, too."""
    tensors = {"images": state.images, "labels": initial.labels, "velocity": state.velocity, "losses": state.losses}
    tensors |= {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"sgd.{name}": tensor for name, tensor in state.sgd.velocities.items()}
    tensors["generator"] = state.generator.get_state()
    progress = {"step": state.step, "wall_seconds": state.wall_seconds}
    checkpoints.save(path, tensors, {"run": run, "progress": progress, **description(initial)})


def restore(path: Path, state: State, run: dict[str, Any]) -> None:
    """Put the state that `save` wrote into `state`.

    Raises:
        CheckpointMismatchError: the file belongs to another run than `run`.
        CorruptArtifactError: the file is damaged.
    """
    tensors, metadata = checkpoints.load_run(path, run)
    for name in ("images", "velocity", "losses"):
        getattr(state, name).copy_(tensors[name])
    state.network.load_state_dict(checkpoints.with_prefix(tensors, "network."))
    for name, velocity in checkpoints.with_prefix(tensors, "sgd.").items():
        state.sgd.velocities[name].copy_(velocity)
    state.generator.set_state(tensors["generator"])
    state.step, state.wall_seconds = metadata["progress"]["step"], metadata["progress"]["wall_seconds"]
