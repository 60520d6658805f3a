"""The selection benchmark: train a network on a coreset chosen with the help of another one (paper Sec. 4.1).

The notebook calls these functions one after the other; `run` composes them, and the results agree bit for bit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lcmat import records
from lcmat.config import METHOD_OPTIONS, SelectionParameters
from lcmat.data import Splits, load
from lcmat.experiments.embedding import (
    Progress,
    SelectorView,
    make_network,
    selector_view,
    train_resumable,
)
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.session import Session, begin
from lcmat.paths import cache_folder
from lcmat.records import Record
from lcmat.selection import Coreset, select
from lcmat.training import DivergedError, Recipe, TrainingResult


class Choice(NamedTuple):
    """A coreset and the seconds it took to choose it."""

    coreset: Coreset
    seconds: float


def load_data(parameters: SelectionParameters) -> Splits:
    """Both splits of the data set; nothing but the test accuracies sees the test split."""
    return load(parameters.dataset)


def choose(parameters: SelectionParameters, view: SelectorView, splits: Splits) -> Choice:
    """Select `round(fraction * n_c)` images of each class by the method."""
    values = parameters.canonical()
    options = {name: values[name] for name in METHOD_OPTIONS[parameters.method] if name in values}
    started = time.perf_counter()
    coreset = select(
        parameters.method,
        view.features,
        view.logits,
        splits.train.labels,
        fraction=parameters.fraction,
        seed=derived_seed(parameters.seed, "selection"),
        **options,
    )
    return Choice(coreset, time.perf_counter() - started)


def recipe(parameters: SelectionParameters) -> Recipe:
    """How the network is trained on the coreset: the paper's protocol, as far as the parameters do not change it."""
    assert parameters.epochs is not None and parameters.crop_padding is not None and parameters.flip is not None
    return Recipe(
        epochs=parameters.epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        crop_padding=parameters.crop_padding,
        flip=parameters.flip,
        precision=parameters.precision,
        compile=parameters.compile,
    )


def train_on_coreset(
    session: Session, coreset: Coreset, splits: Splits, progress: Progress | None = None
) -> TrainingResult | DivergedError:
    """Train a fresh network on the coreset; that its loss diverges is a result too.

    An interrupted training goes on where it stopped when the same run is started again.
    """
    parameters = session.parameters
    assert isinstance(parameters, SelectionParameters)
    try:
        _, result = train_resumable(
            lambda: make_network(parameters, splits.train, "learner"),
            parameters,
            "learner",
            splits.train.subset(coreset.indices),
            _checkpoint(session),
            recipe=recipe(parameters),
            test=splits.test,
            evaluate_every=parameters.evaluate_every,
            weights=coreset.weights if parameters.weighted else None,
            device=session.device,
            progress=progress,
        )
    except DivergedError as error:
        return error
    return result


def finish(
    session: Session, splits: Splits, view: SelectorView, choice: Choice, result: TrainingResult | DivergedError
) -> Record:
    """The record of the run."""
    metrics = {
        "coreset_size": float(len(choice.coreset)),
        "selector_test_accuracy_percent": view.test_accuracy_percent,
    }
    seconds = {"selector": view.seconds, "selection": choice.seconds}
    if isinstance(result, DivergedError):
        return session.record(splits, metrics=metrics, series={}, seconds=seconds, error=str(result))
    return session.record(
        splits,
        metrics={
            "test_accuracy_percent": result.last_accuracy_percent,
            "best_test_accuracy_percent": result.best_accuracy_percent,
            "best_epoch": float(result.best_epoch),
            **metrics,
        },
        series={
            "train_loss": list(result.losses),
            "test_accuracy_percent": list(result.accuracies_percent),
            "evaluated_epochs": [float(epoch) for epoch in result.evaluated_epochs],
        },
        seconds={**seconds, "training": result.wall_seconds},
    )


def save(session: Session, record: Record) -> Path:
    """Write the record, a run's last act; what was kept for going on after an interruption is no longer needed."""
    path = records.write(record)
    _checkpoint(session).unlink(missing_ok=True)
    return path


def run(parameters: SelectionParameters, progress: Callable[[str], Progress] | None = None) -> Record:
    """One run from the data to the written record.

    Args:
        parameters: of the run.
        progress: stage -> callback after each epoch, see `lcmat.training.train`.
    """
    session = begin(parameters)
    splits = load_data(parameters)
    view = selector_view(parameters, splits, session.device, progress and progress("selector"))
    choice = choose(parameters, view, splits)
    result = train_on_coreset(session, choice.coreset, splits, progress and progress("learner"))
    record = finish(session, splits, view, choice, result)
    save(session, record)
    return record


def _checkpoint(session: Session) -> Path:
    """The state of an unfinished training; other code must not go on with it."""
    return cache_folder() / "checkpoints" / f"{session.parameters.key}-{session.fingerprint}.safetensors"
