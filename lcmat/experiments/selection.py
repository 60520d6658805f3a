"""The selection benchmark: train a network on a coreset chosen with the help of another one (paper Sec. 4.1).

The notebook calls these functions one after the other; `run` composes them, and the results agree bit for bit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from lcmat.config import SelectionParameters
from lcmat.config.registry import METHODS
from lcmat.data import Splits, load
from lcmat.data.corruption import long_tailed, long_tailed_rows, with_label_noise
from lcmat.experiments import embedding
from lcmat.experiments.choosing import Choice, choose
from lcmat.experiments.embedding import SelectorView, no_view
from lcmat.experiments.evidence import gather
from lcmat.experiments.evidence.networks import Evidence
from lcmat.experiments.held_out import held_out
from lcmat.experiments.learner import train_learner
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.session import Session, begin
from lcmat.records import record as records
from lcmat.records.caching import forget, unfinished
from lcmat.records.record import Record
from lcmat.selection import Coreset
from lcmat.training import DivergedError, TrainingResult
from lcmat.training.loop import Progress

__all__ = ["attempt", "choose", "finish", "gather", "load_data", "run", "save", "selector_view", "train_on_coreset"]

T = TypeVar("T")


def load_data(parameters: SelectionParameters) -> Splits:
    """Both splits of the data set, the training images made worse where the parameters ask for it.

    Nothing but the test accuracies sees the test split.
    """
    train, test = load(parameters.dataset)
    if parameters.imbalance is not None:
        train = long_tailed(train, parameters.imbalance, _stream(parameters, "class imbalance"))
    if parameters.label_noise is not None:
        train = with_label_noise(train, parameters.label_noise, _stream(parameters, "label noise"))
    return Splits(train, test)


def attempt(step: Callable[..., T], *arguments: Any) -> T | DivergedError:
    """Take a step of a run; that a training in it diverges is a result too, also for the steps that build on it.

    Args:
        step: `selector_view`, `gather` or `choose`.
        arguments: of the step. If one is a `DivergedError`, nothing is done and it is returned.
    """
    for argument in arguments:
        if isinstance(argument, DivergedError):
            return argument
    try:
        return step(*arguments)
    except DivergedError as error:
        return error


def selector_view(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progress | None = None
) -> SelectorView:
    """What the selecting network makes of all training images; it has not learnt from those held out for validation.

    A method that looks at no network has none trained.
    """
    if not METHODS[parameters.method].looks:
        return no_view(splits)
    return embedding.selector_view(parameters, splits, device, progress, held_out=held_out(parameters, splits))


def train_on_coreset(
    session: Session[SelectionParameters], coreset: Coreset, splits: Splits, progress: Progress | None = None
) -> TrainingResult | DivergedError:
    """Train a fresh network on the coreset; that its loss diverges is a result too.

    An interrupted training goes on where it stopped when the same run is started again.
    """
    parameters = session.parameters
    images, weights = splits.train.subset(coreset.indices), coreset.weights if parameters.weighted else None
    try:
        return train_learner(
            parameters,
            images,
            splits.test,
            session.device,
            _checkpoint(session),
            weights=weights,
            progress=progress,
        )
    except DivergedError as error:
        return error


def finish(
    session: Session[SelectionParameters],
    splits: Splits,
    view: SelectorView | DivergedError,
    evidence: Evidence | DivergedError,
    choice: Choice | DivergedError,
    result: TrainingResult | DivergedError,
) -> Record:
    """The record of the run; where nothing could be chosen, it says only why."""
    if isinstance(view, DivergedError) or isinstance(evidence, DivergedError) or isinstance(choice, DivergedError):
        return session.record(splits, metrics={}, series={}, seconds={}, error=str(choice))
    metrics = _metrics_of_coreset(session.parameters, splits, view, choice)
    seconds = {"selection": choice.seconds, **({"evidence": evidence.seconds} if evidence else {})}
    if view.test_accuracy_percent is not None:
        seconds["selector"] = view.seconds
    indices = _canonical_indices(session.parameters, choice.coreset)
    if isinstance(result, DivergedError):
        return session.record(splits, metrics=metrics, series={}, seconds=seconds, indices=indices, error=str(result))
    accuracies = {
        "test_accuracy_percent": result.last_accuracy_percent,
        "best_test_accuracy_percent": result.best_accuracy_percent,
        "best_epoch": float(result.best_epoch),
    }
    return session.record(
        splits,
        metrics={**accuracies, **metrics},
        series={**_curves(result), **_accuracies_of_radii(choice)},
        seconds={**seconds, "training": result.wall_seconds},
        indices=indices,
    )


def save(session: Session[SelectionParameters], record: Record) -> Path:
    """Write the record, a run's last act; what was kept for going on after an interruption is no longer needed."""
    path = records.write(record)
    forget(_checkpoint(session))
    return path


def run(parameters: SelectionParameters, progress: Callable[[str], Progress] | None = None) -> Record:
    """One run from the data to the written record.

    Args:
        parameters: of the run.
        progress: stage -> callback after each epoch, see `lcmat.training.train`.
    """
    session = begin(parameters)
    splits = load_data(parameters)
    view = attempt(selector_view, parameters, splits, session.device, progress and progress("selector"))
    evidence = attempt(gather, parameters, splits, session.device, progress)
    choice = attempt(choose, parameters, view, splits, evidence, session.device)
    result: TrainingResult | DivergedError
    if isinstance(choice, DivergedError):
        result = choice
    else:
        result = train_on_coreset(session, choice.coreset, splits, progress and progress("learner"))
    record = finish(session, splits, view, evidence, choice, result)
    save(session, record)
    return record


def _metrics_of_coreset(
    parameters: SelectionParameters, splits: Splits, view: SelectorView, choice: Choice
) -> dict[str, float]:
    """What is to be said of the coreset, and of what chose it, before a network is trained on it."""
    coreset, accuracy = choice.coreset, view.test_accuracy_percent
    return {
        "coreset_size": float(len(coreset)),
        "classes_left_out": float(splits.train.num_classes - len(splits.train.labels[coreset.indices].unique())),
        **({} if choice.radius is None else {"chosen_rho": choice.radius}),
        **({} if accuracy is None else {"selector_test_accuracy_percent": accuracy}),
        **_share_of_wrong_labels(parameters, splits, coreset),
    }


def _curves(result: TrainingResult) -> dict[str, list[float]]:
    return {
        "train_loss": list(result.losses),
        "test_accuracy_percent": list(result.accuracies_percent),
        "evaluated_epochs": [float(epoch) for epoch in result.evaluated_epochs],
    }


def _accuracies_of_radii(choice: Choice) -> dict[str, list[float]]:
    """What chose the radius, where it was chosen."""
    radii = choice.radii
    return {"radii": list(radii), "held_out_accuracy_percent": list(radii.values())} if radii else {}


def _canonical_indices(parameters: SelectionParameters, coreset: Coreset) -> list[int]:
    """Indices of the chosen images in the data set as it was before images were left out on purpose."""
    if parameters.imbalance is None:
        return coreset.indices.tolist()
    rows = long_tailed_rows(
        load(parameters.dataset).train, parameters.imbalance, _stream(parameters, "class imbalance")
    )
    return rows[coreset.indices].tolist()


def _share_of_wrong_labels(parameters: SelectionParameters, splits: Splits, coreset: Coreset) -> dict[str, float]:
    """How many of the chosen images bear a wrong label, where labels were replaced on purpose."""
    if parameters.label_noise is None:
        return {}
    clean = load_data(parameters.model_copy(update={"label_noise": None})).train.labels
    wrong = (splits.train.labels != clean)[coreset.indices].double().mean()
    return {"wrong_labels_percent": 100 * float(wrong)}


def _stream(parameters: SelectionParameters, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derived_seed(parameters.seed, purpose))


def _checkpoint(session: Session[SelectionParameters]) -> Path:
    """The state of an unfinished training."""
    return unfinished(session.parameters.key, session.fingerprint)
