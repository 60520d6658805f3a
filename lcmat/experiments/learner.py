"""The network that is trained on a coreset."""

from math import ceil
from pathlib import Path

from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.data import ImageDataset
from lcmat.experiments.selecting import train_resumable
from lcmat.training import Recipe, TrainingResult
from lcmat.training.loop import Progress


def recipe(parameters: SelectionParameters, size: int) -> Recipe:
    """How the network is trained on a coreset of this size: by the paper's protocol, unless the parameters change it.

    With `training_steps` it is trained for the whole number of epochs whose number of steps is nearest.

    >>> recipe(SelectionParameters(training_steps=100), size=300).epochs  # three steps an epoch
    33
    """
    assert parameters.crop_padding is not None and parameters.flip is not None
    steps = parameters.training_steps
    epochs = parameters.epochs if steps is None else max(1, round(steps / ceil(size / parameters.batch_size)))
    assert epochs is not None
    return Recipe(
        epochs=epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        crop_padding=parameters.crop_padding,
        flip=parameters.flip,
        precision=parameters.precision,
        compile=parameters.compile,
    )


def train_learner(
    parameters: SelectionParameters,
    coreset: ImageDataset,
    test: ImageDataset,
    device: str,
    checkpoint: Path,
    *,
    weights: Tensor | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a fresh network on a coreset; an interrupted training is gone on with.

    Args:
        parameters: of the run.
        coreset: its images.
        test: images to measure on.
        device: where to train.
        checkpoint: its file, left for the caller.
        weights: of the images, as for `lcmat.training.train`.
        progress: called as by `lcmat.training.train`, also within an epoch.

    Raises:
        DivergedError: the loss is no longer a finite number.
    """
    plan = recipe(parameters, len(coreset))
    _, result = train_resumable(
        parameters,
        "learner",
        coreset,
        checkpoint,
        recipe=plan,
        test=test,
        evaluate_every=parameters.evaluate_every or plan.epochs,
        weights=weights,
        weights_per_batch=bool(parameters.official_weights),
        device=device,
        progress=progress,
    )
    return result
