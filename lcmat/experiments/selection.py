"""The selection benchmark: train a network on a coreset chosen with the help of another one (paper Sec. 4.1).

The notebook calls these functions one after the other; `run` composes them, and the results agree bit for bit.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat import records
from lcmat.config import Experiment, SelectionParameters
from lcmat.curvature import LastLayer
from lcmat.data import ImageDataset, Splits, load
from lcmat.data.corruption import long_tailed, with_label_noise
from lcmat.defaults import METHOD_EVIDENCE, METHOD_OPTIONS
from lcmat.experiments import embedding
from lcmat.experiments.caching import unfinished
from lcmat.experiments.embedding import Progress, SelectorView, make_network, remaining_rows, train_resumable
from lcmat.experiments.evidence import gather, gathering_seconds, held_out
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.session import Session, begin
from lcmat.records import Record
from lcmat.selection import Coreset, select
from lcmat.selection.budgets import class_budgets
from lcmat.training import DivergedError, Recipe, TrainingResult

__all__ = ["choose", "finish", "gather", "load_data", "run", "save", "selector_view", "train_on_coreset"]


class Choice(NamedTuple):
    """A coreset and the seconds it took to choose it."""

    coreset: Coreset
    seconds: float


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


def selector_view(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progress | None = None
) -> SelectorView:
    """What the selecting network makes of all training images; it has not learnt from those held out for validation."""
    return embedding.selector_view(parameters, splits, device, progress, held_out=held_out(parameters, splits))


def choose(
    parameters: SelectionParameters,
    view: SelectorView,
    splits: Splits,
    evidence: Mapping[str, Tensor | LastLayer] | None = None,
) -> Choice:
    """Select `round(fraction * n_c)` images of each class by the method, from those that are not held out.

    Args:
        parameters: of the run.
        view: `selector_view`.
        splits: of the data set.
        evidence: what `gather` returns.
    """
    started = time.perf_counter()
    coreset = _select(parameters, view, splits.train, held_out(parameters, splits), evidence or {})
    return Choice(coreset, time.perf_counter() - started)


def _select(
    parameters: SelectionParameters,
    view: SelectorView,
    train: ImageDataset,
    kept_out: Tensor | None,
    evidence: Mapping[str, Tensor | LastLayer],
) -> Coreset:
    """Select from all images; or from those that are left, as many in all and each class its share."""
    values = parameters.canonical()
    options = {name: values[name] for name in METHOD_OPTIONS[parameters.method] if name in values} | dict(evidence)
    options["balanced"] = parameters.across_classes is None
    seed, fraction = derived_seed(parameters.seed, "selection"), parameters.fraction
    if kept_out is None:
        samples = LastLayer(view.features, view.logits, train.labels)
        return select(parameters.method, *samples, fraction=fraction, seed=seed, **options)
    rows = remaining_rows(train, kept_out)
    size = sum(class_budgets(train.labels, fraction=fraction).values())
    if size > len(rows):
        raise ValueError(
            f"fraction {fraction:g} of {len(train)} images cannot be selected by {parameters.method!r}: "
            f"{len(kept_out)} of them are held out for validation"
        )
    samples = LastLayer(view.features[rows], view.logits[rows], train.labels[rows])
    chosen = select(parameters.method, *samples, size=size, seed=seed, **options)
    return replace(chosen, indices=rows[chosen.indices])


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
        **_share_of_wrong_labels(session.parameters, splits, choice.coreset),
    }
    seconds = {"selector": view.seconds, "selection": choice.seconds, **_evidence_seconds(session, splits)}
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
    evidence = gather(parameters, splits, session.device, progress)
    choice = choose(parameters, view, splits, evidence)
    result = train_on_coreset(session, choice.coreset, splits, progress and progress("learner"))
    record = finish(session, splits, view, choice, result)
    save(session, record)
    return record


def _share_of_wrong_labels(parameters: Experiment, splits: Splits, coreset: Coreset) -> dict[str, float]:
    """How many of the chosen images bear a wrong label, where labels were replaced on purpose."""
    assert isinstance(parameters, SelectionParameters)
    if parameters.label_noise is None:
        return {}
    clean = load_data(parameters.model_copy(update={"label_noise": None})).train.labels
    wrong = (splits.train.labels != clean)[coreset.indices].double().mean()
    return {"wrong_labels_percent": 100 * float(wrong)}


def _stream(parameters: SelectionParameters, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derived_seed(parameters.seed, purpose))


def _evidence_seconds(session: Session, splits: Splits) -> dict[str, float]:
    parameters = session.parameters
    assert isinstance(parameters, SelectionParameters)
    if parameters.method not in METHOD_EVIDENCE:
        return {}
    return {"evidence": gathering_seconds(parameters, splits, session.device)}


def _checkpoint(session: Session) -> Path:
    """The state of an unfinished training."""
    return unfinished(session.parameters.key, session.fingerprint)
