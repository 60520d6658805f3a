"""Training from the first epoch, or from a checkpoint, to the last."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from lcmat.config.arguments import checked
from lcmat.data.dataset import ImageDataset
from lcmat.files.checkpoints import resume_from
from lcmat.models.last_layer import evaluation_mode, logits_of
from lcmat.training import resume
from lcmat.training.draws import check_generator
from lcmat.training.recipe import Recipe
from lcmat.training.steps import Epoch, Trainer

Progress = Callable[[float, int, float, float | None], None]


class DivergedError(RuntimeError):
    """The training loss is no longer a finite number; the message names the epoch and the remedy."""


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run reports; the trained weights are in the network.

    Attributes:
        losses: mean training loss of each epoch: per sample, in nats, over the augmented images, each at the moment
            when it was trained on.
        accuracies_percent: test accuracy after each epoch of `evaluated_epochs`, in percent; empty without a test set.
        evaluated_epochs: numbers of these epochs; the first epoch is 1, the last is always evaluated.
        wall_seconds: time spent, evaluation included, summed over resumptions.
    """

    losses: tuple[float, ...]
    accuracies_percent: tuple[float, ...]
    evaluated_epochs: tuple[int, ...]
    wall_seconds: float

    @property
    def last_accuracy_percent(self) -> float:
        """Test accuracy after the last epoch: the honest number; a ValueError without a test set."""
        return self._measured()[-1]

    @property
    def best_accuracy_percent(self) -> float:
        """Largest test accuracy over the evaluated epochs: optimistic, chosen on the test set (ValueError without)."""
        return max(self._measured())

    @property
    def best_epoch(self) -> int:
        """First epoch (from 1) with that accuracy."""
        return self.evaluated_epochs[self.accuracies_percent.index(self.best_accuracy_percent)]

    def _measured(self) -> tuple[float, ...]:
        if not self.accuracies_percent:
            raise ValueError("no accuracy was measured: give train() a test set, test=...")
        return self.accuracies_percent


@checked(device="device", checkpoint_seconds="[0, inf]", progress_seconds="[0, inf]")
def train(
    network: nn.Module,
    data: ImageDataset,
    *,
    recipe: Recipe,
    generator: torch.Generator,
    test: ImageDataset | None = None,
    evaluate_every: int = 1,
    weights: Tensor | None = None,
    weights_per_batch: bool = False,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress | None = None,
    progress_seconds: float = math.inf,
) -> TrainingResult:
    """Train a network in place with SGD on the mean cross-entropy, by a recipe.

    On the CPU, at a fixed number of threads, the result is bit for bit a function of the arguments: shuffles, crops,
    flips and dropout are all drawn from `generator`, and the global random state is left alone.

    Args:
        network: any classifier of images; trained in place and moved to the device.
        data: the n training images, kept on the device as bytes.
        recipe: see `Recipe`.
        generator: on the CPU; advanced by the draws.
        test: where to measure accuracy; None: nowhere.
        evaluate_every: epochs from one measurement to the next; the last epoch is always measured.
        weights: non-negative (n,); sample i enters the loss as weights[i] / mean(weights) times its cross-entropy.
        weights_per_batch: the mean is that of the batch, as in the official code, and not of all n.
        device: as torch names it.
        checkpoint: file for the state of the run. It is written when a step ends `checkpoint_seconds` or more after
            the last writing, and after the last epoch. Where it exists, the run goes on from there, to bitwise the
            result of a run without interruption; a finished run returns at once. Deleting it is up to the caller.
        checkpoint_seconds: a kill loses at most this time and one step, or one measurement on `test`.
        progress: called after each epoch with (epoch from 1, epochs, mean loss, accuracy in percent or None).
        progress_seconds: so long after the last call it is called within an epoch too, the first argument being the
            epochs done so far with a fraction, the loss that of the last step, and the accuracy None.

    Returns:
        The `TrainingResult`.

    Raises:
        ValueError: no images, a network that gives no logits or none for some label, or weights or a generator that
            do not fit.
        DivergedError: the mean loss of an epoch is infinite or not a number.
        CheckpointMismatchError: the checkpoint belongs to another run.
        CorruptArtifactError: the checkpoint is damaged.
    """
    _check(network, data, test, evaluate_every, weights, generator)
    trainer = Trainer(network, data, recipe, generator, weights, device, weights_per_batch)
    state = resume.State(network, trainer.optimizer, generator)
    run = resume.identity(state, data, test, recipe, weights, evaluate_every, device) if checkpoint else {}
    run |= {"weights": f"{run['weights']}, batch by batch"} if checkpoint and weights_per_batch else {}
    save = resume_from(checkpoint, *(partial(act, state=state, run=run) for act in (resume.restore, resume.save)))
    saving = _Regularly(checkpoint_seconds, save)
    for number in range(len(state.losses) + 1, recipe.epochs + 1):
        measured = test if number % evaluate_every == 0 or number == recipe.epochs else None
        telling = _Regularly(progress_seconds, partial(_tell, progress, trainer, state))
        accuracy = _run_epoch(trainer, state, number, measured, (saving, telling))
        if progress:
            progress(number, recipe.epochs, state.losses[-1], accuracy)
        if number == recipe.epochs:
            save()
    return _result(state)


def _result(state: resume.State) -> TrainingResult:
    return TrainingResult(
        losses=tuple(state.losses),
        accuracies_percent=tuple(state.accuracies_percent),
        evaluated_epochs=tuple(state.evaluated_epochs),
        wall_seconds=state.wall_seconds,
    )


def _tell(progress: Progress | None, trainer: Trainer, state: resume.State) -> None:
    """Report how far the epoch is."""
    if progress and state.epoch:
        done = len(state.losses) + len(state.epoch.losses) / trainer.num_steps
        progress(done, trainer.recipe.epochs, float(state.epoch.losses[-1]), None)


class _Regularly:
    """Something to be done every so many seconds."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._act = act
        self._seconds = seconds
        self._last = time.perf_counter()

    def __call__(self) -> None:
        """Do it if it is time."""
        if time.perf_counter() - self._last >= self._seconds:
            self._act()
            self._last = time.perf_counter()


def _run_epoch(
    trainer: Trainer,
    state: resume.State,
    number: int,
    test: ImageDataset | None,
    after_step: Iterable[Callable[[], None]],
) -> float | None:
    """Train for one epoch (from 1), measure on `test` if given, and write both down in `state`."""
    clock = time.perf_counter()

    def after(epoch: Epoch) -> None:
        nonlocal clock
        state.wall_seconds += time.perf_counter() - clock
        for act in after_step:
            act()
        clock = time.perf_counter()

    state.epoch = state.epoch or trainer.begin_epoch()
    loss = _finite(trainer.run_epoch(number, state.epoch, after), number, trainer.recipe)
    accuracy = None if test is None else trainer.accuracy_percent(test)
    state.epoch = None
    state.losses.append(loss)
    if accuracy is not None:
        state.accuracies_percent.append(accuracy)
        state.evaluated_epochs.append(number)
    state.wall_seconds += time.perf_counter() - clock
    return accuracy


def _finite(loss: float, epoch: int, recipe: Recipe) -> float:
    """The loss, unless it says that the training has diverged."""
    if not math.isfinite(loss):
        raise DivergedError(
            f"the training loss is {loss} in epoch {epoch}: lower the recipe's learning_rate={recipe.learning_rate}"
        )
    return loss


def _check(
    network: nn.Module,
    data: ImageDataset,
    test: ImageDataset | None,
    evaluate_every: int,
    weights: Tensor | None,
    generator: torch.Generator,
) -> None:
    parts = (data,) if test is None else (data, test)
    for part in parts:
        if len(part) == 0:
            raise ValueError(f"{part.name} ({part.split}) has no images: nothing to train on or to measure")
    num_classes = _num_logits(network, data)
    for part in parts:
        low, high = int(part.labels.min()), int(part.labels.max())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"{part.name} ({part.split}) has labels {low}..{high}, the network has logits 0..{num_classes - 1}: "
                f"build it with num_classes={part.num_classes}"
            )
    if evaluate_every < 1:
        raise ValueError(f"evaluate_every={evaluate_every} must be at least 1")
    check_generator(generator)
    if weights is not None:
        _check_weights(weights, len(data))


@torch.no_grad()
def _num_logits(network: nn.Module, data: ImageDataset) -> int:
    """How many logits the network gives to an image."""
    device = next(network.parameters()).device
    with evaluation_mode(network):
        logits = logits_of(network, data.normalized([0]).to(device))
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ValueError(f"network: {type(network).__name__} does not take images to one tensor of logits (n, c)")
    if logits.shape[1] < 2:
        raise ValueError(
            f"network: {type(network).__name__} has one logit, whose softmax is 1: build it with two or more"
        )
    return logits.shape[1]


def _check_weights(weights: Tensor, n: int) -> None:
    if weights.shape != (n,):
        raise ValueError(f"weights have shape {tuple(weights.shape)}, but there are {n} training images")
    if not (weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError("weights must be finite, none negative and not all zero")
