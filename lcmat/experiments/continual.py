"""Class-incremental learning with a replay memory (paper Figure 5).

At each stage the memory receives images of the new classes, selected or condensed with networks that saw this stage's
training images alone, and a new network is trained on the whole memory. The notebook calls these functions one after
the other; `run` composes them, and the results agree bit for bit.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lcmat.condensation.evaluation import EvaluationRecipe, train_on_set
from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset, Splits, load
from lcmat.experiments.memory import fill
from lcmat.experiments.memory.stage import strategy, stream
from lcmat.experiments.replay_metrics import (
    backward_transfer,
    class_stages,
    forgetting,
    joined,
    of_classes,
    seen_accuracy,
    stage_accuracies,
)
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.session import Session, begin
from lcmat.files import checkpoints
from lcmat.files.degrading import optional
from lcmat.records import record as records
from lcmat.records.caching import forget, resumable, unfinished
from lcmat.records.record import Record
from lcmat.training.evaluation import predict
from lcmat.training.loop import DivergedError, Progress

_TEST_BATCH = 250

__all__ = ["Replay", "finish", "learner_recipe", "load_data", "replay", "run", "save", "stages"]


@dataclass(frozen=True)
class Replay:
    """What the stages led to.

    Attributes:
        memory: after the last stage, classes in the order in which they came.
        accuracies: float64 (t, t), percent: after stage k, on the test images of stage j; NaN where j > k.
        own_accuracies: likewise, each image compared among the classes of its own stage.
        counts: test images of each stage, (t,).
        seconds: "memory" and "training", summed over stages and over resumptions.
    """

    memory: SyntheticSet
    accuracies: Tensor
    own_accuracies: Tensor
    counts: Tensor
    seconds: dict[str, float]


def load_data(parameters: ContinualParameters) -> Splits:
    """Both splits of the data set. Nothing but the accuracies sees the test split."""
    return load(parameters.dataset)


def stages(parameters: ContinualParameters, splits: Splits) -> tuple[Tensor, ...]:
    """The classes of each stage.

    Raises:
        ValueError: the number of stages does not divide the number of classes.
    """
    assert parameters.class_order_seed is not None
    generator = torch.Generator().manual_seed(derived_seed(parameters.class_order_seed, "order of the classes"))
    return class_stages(splits.train.num_classes, parameters.num_stages, generator)


def learner_recipe(parameters: ContinualParameters) -> EvaluationRecipe:
    """How a network is trained on the memory, whatever filled it: as condensed sets are evaluated."""
    assert parameters.epochs is not None and parameters.learning_rate is not None
    usual = EvaluationRecipe()
    return EvaluationRecipe(
        network=str(parameters.network),
        width=parameters.width,
        epochs=parameters.epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        augmentation=strategy(usual.augmentation, parameters),
        cutmix=usual.cutmix if parameters.augment else 0.0,
    )


def replay(
    session: Session[ContinualParameters], splits: Splits, progress: Callable[[str], Progress] | None = None
) -> Replay | DivergedError:
    """Go through the stages; that a loss diverges is a result too.

    An interrupted run goes on after its last complete stage when it is started again.
    """
    classes, done = stages(session.parameters, splits), _restore(session)
    try:
        memory, seconds = _go_through(session, splits, classes, done, progress)
    except DivergedError as error:
        return error
    counts = torch.stack([torch.isin(splits.test.labels, new).sum() for new in classes])
    return Replay(memory, done.accuracies, done.own_accuracies, counts, {"memory": seconds, "training": done.seconds})


def finish(session: Session[ContinualParameters], splits: Splits, outcome: Replay | DivergedError) -> Record:
    """The record of the run."""
    if isinstance(outcome, DivergedError):
        return session.record(splits, metrics={}, series={}, seconds={}, error=str(outcome))
    curve, own = (seen_accuracy(matrix, outcome.counts) for matrix in (outcome.accuracies, outcome.own_accuracies))
    classes = len(outcome.memory.class_names) // len(curve)
    several = len(curve) > 1
    return session.record(
        splits,
        metrics={
            "test_accuracy_percent": float(curve[-1]),
            "average_accuracy_percent": float(curve.mean()),
            "own_classes_accuracy_percent": float(own[-1]),
            **({"forgetting_points": float(forgetting(outcome.accuracies)[-1])} if several else {}),
            **({"backward_transfer_points": backward_transfer(outcome.accuracies)} if several else {}),
            "memory_size": float(len(outcome.memory.images)),
        },
        series={
            "classes_seen": [float(classes * stage) for stage in range(1, len(curve) + 1)],
            "test_accuracy_percent": curve.tolist(),
            "own_classes_accuracy_percent": own.tolist(),
            "forgetting_points": forgetting(outcome.accuracies).tolist(),
            "own_classes_forgetting_points": forgetting(outcome.own_accuracies).tolist(),
            **_rows("accuracy_percent", outcome.accuracies),
            **_rows("own_classes_accuracy_percent", outcome.own_accuracies),
            "class_order": [float(label) for label in torch.cat(stages(session.parameters, splits))],
        },
        seconds=outcome.seconds,
    )


def save(session: Session[ContinualParameters], record: Record) -> Path:
    """Write the record, a run's last act; what was kept for going on after an interruption is no longer needed."""
    path = records.write(record)
    forget(_checkpoint(session))
    return path


def run(parameters: ContinualParameters, progress: Callable[[str], Progress] | None = None) -> Record:
    """One run from the data to the written record.

    Args:
        parameters: of the run.
        progress: name -> callback after each epoch or step of what bears that name.
    """
    session = begin(parameters)
    splits = load_data(parameters)
    record = finish(session, splits, replay(session, splits, progress))
    save(session, record)
    return record


def _rows(name: str, matrix: Tensor) -> dict[str, list[float]]:
    """The rows of an accuracy matrix as far as they are known."""
    return {f"{name}_after_stage_{k}": row[:k].tolist() for k, row in enumerate(matrix, start=1)}


@dataclass
class _Done:
    """The stages that are complete."""

    accuracies: Tensor
    own_accuracies: Tensor
    count: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write the state to a verified file."""
        tensors = {"accuracies": self.accuracies, "own_accuracies": self.own_accuracies}
        with optional():
            checkpoints.save(path, tensors, {"count": self.count, "seconds": self.seconds})


def _go_through(
    session: Session[ContinualParameters],
    splits: Splits,
    classes: tuple[Tensor, ...],
    done: _Done,
    progress: Callable[[str], Progress] | None,
) -> tuple[SyntheticSet, float]:
    """Fill the memory stage by stage and learn the stages that are not done; the memory and the seconds it took."""
    memories, seconds = list[SyntheticSet](), 0.0
    for stage, new in enumerate(classes):
        filled = fill(session.parameters, of_classes(splits.train, new), stage, session.device, progress)
        memories.append(filled.images)
        seconds += filled.seconds
        if stage >= done.count:
            seen = of_classes(splits.test, torch.cat(classes[: stage + 1]))
            _learn(session, joined(memories), seen, stage, done)
    return joined(memories), seconds


def _learn(
    session: Session[ContinualParameters], memory: SyntheticSet, seen: ImageDataset, stage: int, done: _Done
) -> None:
    """Train a new network on the memory and write its accuracies down."""
    started, parameters = time.perf_counter(), session.parameters
    generator = stream(parameters, "learner", stage)
    network = train_on_set(memory, learner_recipe(parameters), generator=generator, device=session.device)
    logits = predict(network, seen, batch_size=_TEST_BATCH, device=session.device).cpu()
    if not logits.isfinite().all():
        raise DivergedError(f"stage {stage + 1}: logits are not finite: lower learning_rate={parameters.learning_rate}")
    for matrix, own in ((done.accuracies, False), (done.own_accuracies, True)):
        matrix[stage, : stage + 1] = stage_accuracies(logits, seen.labels, stage + 1, own_classes=own)
    done.count = stage + 1
    done.seconds += time.perf_counter() - started
    done.save(_checkpoint(session))


def _restore(session: Session[ContinualParameters]) -> _Done:
    """The stages that an interrupted run has completed; none if its file is damaged."""
    path, size = _checkpoint(session), session.parameters.num_stages

    def attempt() -> _Done:
        if os.path.exists(path):
            tensors, details = checkpoints.load(path)
            return _Done(tensors["accuracies"], tensors["own_accuracies"], details["count"], details["seconds"])
        empty = torch.full((size, size), torch.nan, dtype=torch.float64)
        return _Done(empty, empty.clone())

    return resumable(attempt, path, "stage")


def _checkpoint(session: Session[ContinualParameters]) -> Path:
    """The rows of an unfinished run."""
    return unfinished(session.parameters.key, session.fingerprint)
