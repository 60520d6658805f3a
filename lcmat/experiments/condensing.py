"""Making the images of a run of the condensation benchmark, with a cache that survives interruptions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat import condensation
from lcmat.condensation import CondensationRecipe, CondensationResult, SyntheticSet, initial_set, published
from lcmat.condensation.preparation import new_network
from lcmat.condensation.step import equal_strength
from lcmat.condensation.synthetic import description, from_description
from lcmat.config import CondensationParameters
from lcmat.config.condensation import EVALUATION
from lcmat.config.condensation_defaults import CONTROLS, REAL_METHODS
from lcmat.data import ImageDataset, Splits
from lcmat.data.augmentation import DSA_STRATEGY
from lcmat.experiments import code_fingerprint
from lcmat.experiments.real_images import chosen_set, stream
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.session import Session
from lcmat.records.caching import Stored, cached, identity_on, resumable
from lcmat.training import DivergedError
from lcmat.training.loop import Progress

CHECKPOINT_SECONDS = 60.0  # of computation that a kill loses at most
_AS_NAMED = (
    *("init", "outer_iterations", "inner_steps", "real_batch", "image_learning_rate", "augmentation", "rho", "norm"),
    *("distance", "layers", "train_on", "network_learning_rate", "network_augmentation", "cutmix"),
    *("network", "width", "classes_per_pass", "precision", "compile"),
)  # parameters that `CondensationRecipe` calls the same


class Condensed(NamedTuple):
    """A set, how it came about, and what that took.

    Attributes:
        synthetic: the set.
        losses: float64 (steps, 2): distance and penalty; no rows where no images were learnt.
        rho: strength of the penalty after scaling; 0 without one.
        seconds: of computation, summed over interruptions.
    """

    synthetic: SyntheticSet
    losses: Tensor
    rho: float
    seconds: float


def recipe(parameters: CondensationParameters, num_classes: int) -> CondensationRecipe:
    """How the images are learnt: the method as published, with the parameters in place of what they set.

    Under one strategy of augmentation all methods see the same views, those of IDC, which combine its operations.
    """
    values = parameters.canonical()
    changes = {name: values[name] for name in _AS_NAMED if name in values}
    if parameters.method == "dm":
        changes |= {"outer_iterations": changes["outer_iterations"] * changes["inner_steps"], "inner_steps": 1}
    if parameters.augmentation != DSA_STRATEGY:
        changes["combine"] = "idc"
    changes |= _network_training(parameters, num_classes)
    return published(parameters.method, parameters.ipc, **changes)


def condense(
    session: Session[CondensationParameters], splits: Splits, progress: Progress | None = None
) -> Condensed | DivergedError:
    """Take real images or learn some; that the learning diverges is a result too.

    What was learnt is kept in the cache, for every run that differs in the evaluation alone. An interrupted learning
    goes on where it stopped when the same run is started again; one that diverged leaves its last finite state there.
    """
    parameters = session.parameters

    def compute(checkpoint: Path) -> Stored:
        learnt = learn(parameters, splits.train, session.device, checkpoint, progress)
        tensors = {"images": learnt.synthetic.images, "labels": learnt.synthetic.labels, "losses": learnt.losses}
        return Stored(tensors, {"rho": learnt.rho, "seconds": learnt.seconds, **description(learnt.synthetic)})

    try:
        if parameters.method in REAL_METHODS:
            synthetic, seconds = chosen_set(parameters, splits, session.device, progress)
            return Condensed(synthetic, torch.empty(0, 2), 0.0, seconds)
        tensors, details = cached("condensed", parameters.dataset, _identity(session, splits.train), compute)
    except DivergedError as error:
        return error
    return Condensed(from_description(tensors, details), tensors["losses"], details["rho"], details["seconds"])


def learn(
    parameters: CondensationParameters,
    train: ImageDataset,
    device: str,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Condensed:
    """Learn the images of a run.

    Args:
        parameters: of the run.
        train: original images.
        device: where to compute.
        checkpoint: file for the state of the learning; a damaged one, or that of another run, means a new start.
        progress: called after each step with (steps done, steps, loss, None).

    Raises:
        DivergedError: the images or a loss are no longer finite.
    """
    settings = recipe(parameters, train.num_classes)
    settings = replace(settings, rho=_scaled_rho(parameters, settings, train))
    initial = initial_set(train, parameters.ipc, settings.init, generator=stream(parameters, "initial images"))

    def attempt() -> CondensationResult:
        return condensation.condense(
            train,
            settings,
            generator=stream(parameters, "condensation"),
            initial=initial,
            device=device,
            checkpoint=checkpoint,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            progress=progress and _loss_of(progress, settings.rho),
        )

    result = resumable(attempt, checkpoint, "step")
    return Condensed(result.synthetic, result.losses, settings.rho, result.wall_seconds)


def _scaled_rho(parameters: CondensationParameters, settings: CondensationRecipe, train: ImageDataset) -> float:
    """A control's rho at which it pulls as hard as LCMat-C's penalty does at rho, seen by an untrained network."""
    if parameters.method not in CONTROLS or parameters.strength_at == "nowhere" or settings.rho == 0:
        return settings.rho
    assert parameters.strength_at is not None
    images = initial_set(train, parameters.ipc, parameters.strength_at, generator=stream(parameters, "strength"))
    network = new_network(train, settings, derived_seed(parameters.seed, "strength: initial weights")).eval()
    compared = replace(settings, objective="lcmat-c")
    return equal_strength(network, images.images, train, compared, parameters.method, seed=parameters.seed)


def _network_training(parameters: CondensationParameters, num_classes: int) -> dict[str, Any]:
    """As many images between two steps whichever set the network learns: a small one is passed over several times."""
    if parameters.train_on != "synthetic" or parameters.network_images is None:
        return {} if parameters.network_images is None else {"network_images": parameters.network_images}
    size = num_classes * parameters.ipc
    return {"network_epochs": max(1, parameters.network_images // size), "network_images": parameters.network_images}


def _identity(session: Session[CondensationParameters], train: ImageDataset) -> dict[str, Any]:
    """All that the bits of a learnt set depend on."""
    parameters = session.parameters
    plain = parameters.model_copy(update={"test_network": None, "test_width": None})
    known = {
        "parameters": {name: value for name, value in plain.canonical().items() if name not in EVALUATION},
        "data": train.content_hash,
        "code": code_fingerprint(plain),
    }
    return identity_on(session.device, known)


def _loss_of(progress: Progress, rho: float) -> Callable[[int, int, float, float], None]:
    return lambda step, steps, distance, penalty: progress(step, steps, distance + rho / 2 * penalty, None)
