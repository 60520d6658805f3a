"""The outer loop of condensation: compare, move the images, train the network, and now and then take a new one."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from lcmat.condensation.batches import draw_batches
from lcmat.condensation.network_training import Variation, shuffled_batches, train_on_batches
from lcmat.condensation.preparation import beginning, callable_features, check_initial, checked_rows, new_network
from lcmat.condensation.recipe import CondensationRecipe
from lcmat.condensation.state import State, identity, restore
from lcmat.condensation.state import save as write
from lcmat.condensation.step import image_step, matching_gradient
from lcmat.condensation.synthetic import SyntheticSet, decode, initial_set, with_images
from lcmat.config.arguments import checked
from lcmat.data.dataset import ImageDataset
from lcmat.files.checkpoints import resume_from
from lcmat.models import Network
from lcmat.models.last_layer import evaluation_mode
from lcmat.training.draws import check_generator, dropout_from
from lcmat.training.evaluation import on_device
from lcmat.training.loop import DivergedError

Progress = Callable[[int, int, float, float], None]
Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class CondensationResult:
    """What a finished run reports.

    Attributes:
        synthetic: the condensed set, on the CPU.
        losses: float64 (steps, 2): distance and penalty of each step, summed over the classes, without rho / 2.
        wall_seconds: time spent, summed over resumptions.
    """

    synthetic: SyntheticSet
    losses: Tensor
    wall_seconds: float


@checked(device="device", checkpoint_seconds="[0, inf]")
def condense(
    data: ImageDataset,
    recipe: CondensationRecipe,
    *,
    generator: torch.Generator,
    initial: SyntheticSet | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress | None = None,
) -> CondensationResult:
    """Learn a few images per class that give a network the gradients of the whole data set.

    On the CPU, at a fixed number of threads, the result is bit for bit a function of the arguments: everything is
    drawn from `generator`, and the global random state is left alone.  A network with batch normalisation is compared
    with its running statistics, which are those of its training so far.

    Args:
        data: original images, at least one of each class.
        recipe: see `CondensationRecipe`; zero outer iterations return the initial images.
        generator: on the CPU; advanced by the draws.
        initial: the set to start from; None: drawn as the recipe says.
        device: as torch names it.
        checkpoint: file for the state of the run. It is written when a step ends `checkpoint_seconds` or more after
            the last writing, and after the last step. Where it exists, the run goes on from there, to bitwise the
            result of a run without interruption; a finished run returns at once.
        checkpoint_seconds: a kill loses at most this time and one step.
        progress: called after each step with (steps done, steps, distance, penalty).

    Returns:
        The `CondensationResult`.

    Raises:
        ValueError: a class has too few images, the initial set does not fit, or the generator is not on the CPU.
        DivergedError: a loss or the images are no longer finite; the state before that step is in the checkpoint.
        CheckpointMismatchError: the checkpoint belongs to another run.
        CorruptArtifactError: the checkpoint is damaged.
    """
    rows_of_class = checked_rows(data, recipe)
    check_generator(generator)
    begun = generator.get_state()
    initial = initial or initial_set(data, recipe.ipc, recipe.init, generator=generator, factor=recipe.factor)
    check_initial(initial, data, recipe)
    state = beginning(data, recipe, initial, generator, device)
    run = identity(recipe, data, initial, begun, device)
    save = resume_from(
        checkpoint, partial(restore, state=state, run=run), partial(write, state=state, run=run, initial=initial)
    )
    task = Task(recipe, on_device(data, device), rows_of_class, callable_features(state.network, recipe))
    _complete(state, task, save, checkpoint_seconds, progress)
    return CondensationResult(with_images(initial, state.images), state.losses, state.wall_seconds)


@dataclass(frozen=True)
class Task:
    """What a step needs and does not change.

    Attributes:
        recipe: of the condensation.
        data: original images, on the device.
        rows_of_class: rows of the original images of each class.
        features: of the network on original images, compiled or not.
    """

    recipe: CondensationRecipe
    data: ImageDataset
    rows_of_class: list[Tensor]
    features: Forward


def _complete(
    state: State, task: Task, save: Callable[[], None], save_seconds: float, progress: Progress | None
) -> None:
    """Take the steps that are left; the state is saved regularly, after the last one, and before a divergence."""
    saved, num_steps = state.wall_seconds, task.recipe.num_steps
    while state.step < num_steps:
        try:
            advance(state, task)
        except DivergedError:
            save()
            raise
        if progress:
            progress(state.step, num_steps, *state.losses[state.step - 1].tolist())
        if state.wall_seconds - saved >= save_seconds or state.step == num_steps:
            save()
            saved = state.wall_seconds


def advance(state: State, task: Task) -> None:
    """One step of the images, then training of the network, unless the next step takes a new one.

    Args:
        state: is moved on by one step; after a divergence it is as before, so that a repetition ends likewise.
        task: what stays.

    Raises:
        DivergedError: the loss or the images are not finite.
    """
    started, before = time.perf_counter(), state.generator.get_state()
    recipe = task.recipe
    if state.step % recipe.inner_steps == 0:
        _renew_network(state, task)
    batches = draw_batches(task.rows_of_class, recipe, state.generator)
    with evaluation_mode(state.network):
        matching = matching_gradient(state.network, state.images, task.data, batches, recipe, features=task.features)
    images, velocity = image_step(state.images, state.velocity, matching.gradient, recipe, task.data)
    if not (math.isfinite(matching.distance + matching.penalty) and bool(images.isfinite().all())):
        state.generator.set_state(before)
        raise DivergedError(
            f"step {state.step + 1}: distance {matching.distance}, penalty {matching.penalty}, or images that are not "
            f"finite: lower image_learning_rate={recipe.image_learning_rate} or rho={recipe.rho}, or, if the network "
            f"diverged, network_learning_rate={recipe.network_learning_rate}"
        )
    state.images, state.velocity = images, velocity
    state.losses[state.step] = torch.tensor([matching.distance, matching.penalty])
    if (state.step + 1) % recipe.inner_steps and recipe.train_on != "nothing":
        train_network(state, task)
    state.step += 1
    state.wall_seconds += time.perf_counter() - started


def _renew_network(state: State, task: Task) -> None:
    """New weights in the old modules, which so stay compiled."""
    seed = int(torch.randint(2**31, (), generator=state.generator))
    state.network.load_state_dict(new_network(task.data, task.recipe, seed).state_dict())
    for velocity in state.sgd.velocities.values():
        velocity.zero_()


def train_network(state: State, task: Task) -> None:
    """Train on the original images (paper Eq. 15: theta follows the gradients of T) or on the synthetic ones (DC).

    Args:
        state: whose network is trained, with draws from its generator.
        task: what stays.
    """
    recipe, labels = task.recipe, task.data.labels
    images: Forward = task.data.normalized
    if recipe.train_on == "synthetic":
        images = decode(state.images, recipe.factor).__getitem__
        labels = _synthetic_labels(task.data, recipe).to(labels.device)
    batches = shuffled_batches(
        len(labels),
        epochs=recipe.network_epochs,
        batch_size=recipe.network_batch,
        most=recipe.network_images,
        generator=state.generator,
    )
    state.network.train()
    with dropout_from(state.generator, labels.device):
        train_on_batches(
            _forward(state.network, task),
            state.sgd,
            images,
            labels,
            batches,
            learning_rates=[recipe.network_learning_rate] * len(batches),
            variation=Variation(recipe.network_augmentation, recipe.combine, recipe.cutmix),
            generator=state.generator,
        )


def _forward(network: Network, task: Task) -> Forward:
    """Logits in float32. Autocast keeps its copies of the weights while it lasts: here, for one step."""

    def logits(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=task.recipe.precision == "bfloat16"):
            rows: Tensor = network.classifier(task.features(images)).float()
            return rows

    return logits


def _synthetic_labels(data: ImageDataset, recipe: CondensationRecipe) -> Tensor:
    """Of the decoded images: the order of `decode`."""
    return torch.arange(data.num_classes).repeat_interleave(recipe.ipc).repeat(recipe.factor**2)
