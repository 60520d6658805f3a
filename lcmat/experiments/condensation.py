"""The condensation benchmark: train networks on a few images per class, learnt or real (paper Sec. 4.2, Table 4 and 5).

The notebook calls these functions one after the other; `run` composes them, and the results agree bit for bit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat.condensation import EvaluationRecipe, train_on_set
from lcmat.config import CondensationParameters
from lcmat.config.condensation import EVALUATION
from lcmat.config.condensation_defaults import REAL_METHODS
from lcmat.data import Splits, load
from lcmat.experiments.condensing import Condensed, condense
from lcmat.experiments.real_images import stream
from lcmat.experiments.session import Session, begin
from lcmat.records import record as records
from lcmat.records.record import Record
from lcmat.training import DivergedError, accuracy_percent
from lcmat.training.loop import Progress

__all__ = ["condense", "evaluate", "finish", "load_data", "run", "save"]

CURVE_POINTS = 200  # of a curve in the record, however many steps there were


class Evaluation(NamedTuple):
    """Test accuracies of the networks trained on a set, in percent, and the seconds it took."""

    accuracies: list[float]
    seconds: float


def load_data(parameters: CondensationParameters) -> Splits:
    """Both splits of the data set; nothing but the test accuracies sees the test split.

    Raises:
        ValueError: a method takes more real images of a class than there are.
    """
    splits = load(parameters.dataset)
    smallest = int(torch.bincount(splits.train.labels, minlength=splits.train.num_classes).min())
    if parameters.method in REAL_METHODS and parameters.ipc > smallest:
        raise ValueError(
            f"ipc={parameters.ipc}: {parameters.method!r} takes real images, but a class of {parameters.dataset} has "
            f"only {smallest}; take fewer"
        )
    return splits


def evaluate(
    session: Session[CondensationParameters], condensed: Condensed, splits: Splits
) -> Evaluation | DivergedError:
    """Test networks trained on the set alone, each after its last epoch; their draws are the same for every method."""
    parameters, started = session.parameters, time.perf_counter()
    generator = stream(parameters, "evaluation")
    accuracies = []
    for number in range(parameters.evaluations):
        network = train_on_set(
            condensed.synthetic, evaluation_recipe(parameters), generator=generator, device=session.device
        )
        if not all(bool(parameter.isfinite().all()) for parameter in network.parameters()):
            return DivergedError(f"network {number + 1} trained on the set has weights that are not finite")
        accuracies.append(accuracy_percent(network, splits.test, device=session.device))
    return Evaluation(accuracies, time.perf_counter() - started)


def evaluation_recipe(parameters: CondensationParameters) -> EvaluationRecipe:
    """How a network is trained on the set."""
    values = parameters.canonical()
    own = {name.removeprefix("evaluation_"): values[name] for name in EVALUATION if name.startswith("evaluation_")}
    tested = "test_network" if "test_network" in values else "network"
    width = "test_width" if "test_network" in values else "width"
    return EvaluationRecipe(network=values[tested], width=values.get(width), **own)


def finish(
    session: Session[CondensationParameters],
    splits: Splits,
    condensed: Condensed | DivergedError,
    evaluation: Evaluation | DivergedError | None,
) -> Record:
    """The record of the run; without a set there is nothing to evaluate."""
    if isinstance(condensed, DivergedError):
        return session.record(splits, metrics={}, series={}, seconds={}, error=str(condensed))
    metrics = {"set_size": float(len(condensed.synthetic.images)), "penalty_rho": condensed.rho}
    common: dict[str, Any] = {"artifacts": {"synthetic_set": condensed.synthetic.content_hash}}
    curves, seconds = _curves(condensed.losses), {"condensation": condensed.seconds}
    if not isinstance(evaluation, Evaluation):
        return session.record(splits, metrics=metrics, series=curves, seconds=seconds, error=str(evaluation), **common)
    accuracies = evaluation.accuracies
    return session.record(
        splits,
        metrics={"test_accuracy_percent": sum(accuracies) / len(accuracies), **metrics},
        series={"test_accuracy_percent": accuracies, **curves},
        seconds={**seconds, "evaluation": evaluation.seconds},
        **common,
    )


def save(session: Session[CondensationParameters], record: Record) -> Path:
    """Write the record, a run's last act."""
    return records.write(record)


def run(parameters: CondensationParameters, progress: Callable[[str], Progress] | None = None) -> Record:
    """One run from the data to the written record.

    Args:
        parameters: of the run.
        progress: stage -> callback after each step of the images.
    """
    session = begin(parameters)
    splits = load_data(parameters)
    condensed = condense(session, splits, progress and progress("condensation"))
    evaluation = None if isinstance(condensed, DivergedError) else evaluate(session, condensed, splits)
    record = finish(session, splits, condensed, evaluation)
    save(session, record)
    return record


def _curves(losses: Tensor) -> dict[str, list[float]]:
    """Distance and penalty, each point the mean of some consecutive steps."""
    if not len(losses):
        return {}
    points = torch.stack([part.mean(dim=0) for part in losses.chunk(CURVE_POINTS)])
    return dict(zip(("distance", "penalty"), points.T.tolist(), strict=True))
