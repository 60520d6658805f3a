"""A memory of condensed images."""

from pathlib import Path

from lcmat.condensation.loop import CondensationResult, condense
from lcmat.condensation.recipe import CondensationRecipe, published
from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset
from lcmat.experiments import code_fingerprint
from lcmat.experiments.memory.stage import Filled, identity, strategy, stream
from lcmat.records.caching import Stored, cached, resumable
from lcmat.training.loop import Progress

_CLASSES_PER_PASS = 10  # equal to one at a time up to rounding, and faster

_PARAMETERS = (
    "rho",
    "init",
    "outer_iterations",
    "inner_steps",
    "network_epochs",
    "network_images",
    "real_batch",
    "image_learning_rate",
)


def condensed_memory(
    parameters: ContinualParameters, data: ImageDataset, stage: int, device: str, progress: Progress | None = None
) -> Filled:
    """Condense the stage's images to `ipc` of each class.

    An interrupted condensation goes on where it stopped; a finished one stays in the cache.

    Args:
        parameters: of the run.
        data: the stage's training images, labels from 0.
        stage: its number, from 0; names the random streams.
        device: where to compute.
        progress: called after each step.

    Raises:
        DivergedError: a loss or the images are no longer finite.
    """

    def compute(checkpoint: Path) -> Stored:
        result = _condense(parameters, data, stage, device, checkpoint, progress)
        tensors = {"images": result.synthetic.images, "labels": result.synthetic.labels}
        return Stored(tensors, {"seconds": result.wall_seconds})

    recipe, code = condensation_recipe(parameters), code_fingerprint(parameters)
    known = identity(parameters, data, stage, device, recipe=recipe, code=code)
    tensors, details = cached("memories", parameters.dataset, known, compute)
    memory = SyntheticSet(tensors["images"], tensors["labels"], data.class_names, data.mean, data.std)
    return Filled(memory, details["seconds"])


def condensation_recipe(parameters: ContinualParameters) -> CondensationRecipe:
    """The published settings of the method, but for what the parameters say."""
    values = parameters.canonical()
    stated = {name: values[name] for name in _PARAMETERS if name in values}
    usual = published(parameters.method, max(parameters.ipc, 2), classes_per_pass=_CLASSES_PER_PASS)
    transformed = {
        name: strategy(getattr(usual, name), parameters) for name in ("augmentation", "network_augmentation")
    }
    return published(
        parameters.method,
        parameters.ipc,
        network=parameters.network,
        width=parameters.width,
        classes_per_pass=_CLASSES_PER_PASS,
        cutmix=usual.cutmix if parameters.augment else 0.0,
        **transformed,
        **stated,
    )


def _condense(
    parameters: ContinualParameters,
    data: ImageDataset,
    stage: int,
    device: str,
    checkpoint: Path,
    progress: Progress | None,
) -> CondensationResult:
    """From the checkpoint where there is a good one, else from the start."""

    def attempt() -> CondensationResult:
        return condense(
            data,
            condensation_recipe(parameters),
            generator=stream(parameters, "condensation", stage),
            device=device,
            checkpoint=checkpoint,
            progress=progress and (lambda step, steps, distance, _: progress(step, steps, distance, None)),
        )

    return resumable(attempt, checkpoint, "step")
