"""Settings of the small condensation benchmarks, chosen on training images that are held out.

`lcmat measure condensation-tuning fashion-mnist` tries a few settings of every competitor with one seed
and writes their accuracies on the held-out images into `book/measurements/condensation-tuning/`. Every competitor has
as many trials, and further ones while its best rate or rho is an end of those tried; what they chose is in
`lcmat.config.condensation_defaults.TUNED`. Nobody looks at the test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from lcmat import data
from lcmat.condensation import SyntheticSet, initial_set, train_on_set
from lcmat.config import CondensationParameters, ParameterError, nearest
from lcmat.config.condensation_defaults import GRADIENTS_ALONE, SMALL, applicable
from lcmat.data.dataset import ImageDataset
from lcmat.experiments.condensation import evaluation_recipe
from lcmat.experiments.condensing import learn
from lcmat.experiments.real_images import stream
from lcmat.records.measurements import Row
from lcmat.training import DivergedError, accuracy_percent

EVALUATION_RATES = (0.01, 0.03, 0.1)
CHOSEN = ("image_learning_rate", "rho")  # what a trial sets
LADDERS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "image_learning_rate": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        "rho": (0.1, 1.0, 10.0, 100.0, 1000.0),
    }
)
"""What a trial sets -> the values that it may have, beside rho = 0 of the gradients alone."""


def _trials(*rates: float, rho: Sequence[float | None] = (None,)) -> tuple[dict[str, float | None], ...]:
    return tuple({"image_learning_rate": rate, "rho": strength} for strength in rho for rate in rates)


TRIALS: Mapping[str, tuple[dict[str, float | None], ...]] = MappingProxyType(
    {
        "dm": _trials(0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        "dc": _trials(0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
        "dsa": _trials(0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
        "idc-i": _trials(0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        GRADIENTS_ALONE: _trials(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, rho=(0.0,)),
        "lcmat-c": _trials(0.01, 0.03, 0.1, rho=(10.0, 100.0)),
    }
)
"""Competitor -> its first trials, as many for each; LCMat-C spends them on two parameters."""


def split(train: ImageDataset, held_out: int) -> tuple[ImageDataset, ImageDataset]:
    """Training images to learn from, and this many others to measure on: a random split, always the same."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return train.subset(order[held_out:]), train.subset(order[:held_out])


def accuracy(parameters: CondensationParameters, synthetic: SyntheticSet, held_out: ImageDataset) -> float:
    """Accuracy on the held-out images of a network trained on the set, in percent."""
    network = train_on_set(synthetic, evaluation_recipe(parameters), generator=stream(parameters, "evaluation"))
    return accuracy_percent(network, held_out)


def evaluation_rows(settings: Mapping[str, Any], kept: ImageDataset, held_out: ImageDataset) -> list[Row]:
    """What random real images are worth at each learning rate of the evaluation."""
    rows = []
    for rate in EVALUATION_RATES:
        parameters = parameters_of("random", settings, evaluation_learning_rate=rate)
        random = initial_set(kept, parameters.ipc, "real", generator=stream(parameters, "initial images"))
        rows.append({"competitor": "random", "evaluation_learning_rate": rate, **dict.fromkeys(CHOSEN)})
        rows[-1]["accuracy_percent"] = accuracy(parameters, random, held_out)
    return rows


def trial_row(
    competitor: str,
    trial: Mapping[str, float | None],
    settings: Mapping[str, Any],
    kept: ImageDataset,
    held_out: ImageDataset,
) -> Row:
    """One trial; a run that diverges has no accuracy."""
    method = "lcmat-c" if competitor == GRADIENTS_ALONE else competitor
    parameters = parameters_of(method, settings, **trial)
    try:
        found: float | None = accuracy(parameters, learn(parameters, kept, "cpu").synthetic, held_out)
    except DivergedError:
        found = None
    rate = settings["evaluation_learning_rate"]
    return {"competitor": competitor, "evaluation_learning_rate": rate, **trial, "accuracy_percent": found}


def parameters_of(method: str, settings: Mapping[str, Any], **changes: Any) -> CondensationParameters:
    """A run with the settings that this method has."""
    return CondensationParameters(method=method, **applicable(method, {"init": "real", **settings, **changes}))


def best(rows: Sequence[Row], competitor: str) -> Row:
    """The competitor's trial of the highest accuracy, the first of several.

    >>> rows = [{"competitor": "dm", "image_learning_rate": rate, "accuracy_percent": 7.0} for rate in (0.1, 1.0)]
    >>> best(rows, "dm")["image_learning_rate"]
    0.1
    """
    own = [row for row in rows if row["competitor"] == competitor and row["accuracy_percent"] is not None]
    return max(own, key=lambda row: row["accuracy_percent"])


def measure(settings: Mapping[str, Any], kept: ImageDataset, held_out: ImageDataset) -> list[Row]:
    """All trials: first the learning rate of the evaluation, on random images, and with it everything else."""
    rows = evaluation_rows(settings, kept, held_out)
    rate = best(rows, "random")["evaluation_learning_rate"]
    found = {**settings, "evaluation_learning_rate": rate}
    for name, trials in TRIALS.items():
        own = [trial_row(name, trial, found, kept, held_out) for trial in trials]
        while (trial := beyond(own)) is not None:
            own.append(trial_row(name, trial, found, kept, held_out))
        rows += own
    return rows


def beyond(rows: Sequence[Row]) -> dict[str, float | None] | None:
    """The next trial of a competitor whose best rate or rho is an end of those tried with the same other one; or None.

    >>> rows = [{"competitor": "dm", "image_learning_rate": r, "rho": None, "accuracy_percent": r} for r in (0.1, 0.3)]
    >>> beyond(rows)
    {'image_learning_rate': 1.0, 'rho': None}
    """
    found = best(rows, rows[0]["competitor"])
    top = {name: found[name] for name in CHOSEN}
    for name, ladder in LADDERS.items():
        tried = [row[name] for row in rows if {**top, name: row[name]} == {each: row[each] for each in CHOSEN}]
        for end, step in ((max, 1), (min, -1)):
            place = ladder.index(top[name]) + step if top[name] in ladder else -1
            if 0 <= place < len(ladder) and top[name] == end(tried):
                return {**top, name: ladder[place]}
    return None


def measure_dataset(dataset: str, *, networks: int = 4, held_out: int = 2000) -> tuple[Row, list[Row]]:
    """Tune on one data set.

    Args:
        dataset: one that has settings of a small benchmark.
        networks: outer iterations of a trial.
        held_out: training images that are measured on, a quarter of them at most.

    Returns:
        The settings with the origin of the images, and `measure`.

    Raises:
        ParameterError: there is no small benchmark of this data set.
    """
    if dataset not in SMALL:
        raise ParameterError(f"{dataset!r} has no small benchmark; {nearest(dataset, SMALL)}")
    train = data.load(dataset).train
    learnt, measured = split(train, min(held_out, len(train) // 4))
    settings = {"dataset": dataset, **SMALL[dataset], "outer_iterations": networks}
    rows = measure(settings, learnt, measured)
    sizes = {"ipc": 10, "seed": 0, "kept": len(learnt), "held_out": len(measured)}
    return {**settings, **sizes, "data": train.provenance, "content_hash": train.content_hash}, rows
