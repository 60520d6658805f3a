"""How much networks trained on the same random images differ, on held-out training images.

`lcmat measure condensation-evaluation digits` trains them as the condensation benchmark does now and as
it did at first, at several learning rates, and writes every accuracy into `book/measurements/condensation-evaluation/`.
Random images, so that no method is favoured; nobody looks at the test images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import mean, variance
from types import MappingProxyType
from typing import Any

from lcmat import data
from lcmat.condensation import initial_set, train_on_set
from lcmat.config import ParameterError
from lcmat.experiments.condensation import evaluation_recipe
from lcmat.experiments.real_images import stream
from lcmat.measurements.condensation_tuning import EVALUATION_RATES, parameters_of, split
from lcmat.records.measurements import Row
from lcmat.training import accuracy_percent

DRAWS, NETWORKS = 5, 2
SIZES = (5, 10)  # images per class

AT_FIRST: Mapping[str, Any] = MappingProxyType({"network": "digits-net", "width": 8, "evaluation_epochs": 100})
NOW: Mapping[str, Any] = MappingProxyType({"network": "digits-net", "width": 16, "evaluation_epochs": 200})
OTHER: Mapping[str, Any] = MappingProxyType({"test_network": "convnet", "test_width": 8, **NOW})
TRIALS: tuple[tuple[Mapping[str, Any], tuple[float, ...]], ...] = (
    (AT_FIRST, (0.1,)),
    (NOW, EVALUATION_RATES),
    (OTHER, EVALUATION_RATES),
)
"""Networks with the learning rates that are tried for each."""


def rows_of(settings: Mapping[str, Any], rate: float, held_out_images: int) -> list[Row]:
    """Accuracies on held-out images: two networks for each of five draws of images at each size.

    Args:
        settings: of the network and its training.
        rate: learning rate of the evaluation.
        held_out_images: how many training images are held out.
    """
    kept, held_out = split(data.load("digits").train, held_out_images)
    rows = []
    for ipc in SIZES:
        for draw in range(DRAWS):
            parameters = parameters_of(
                "random", {"dataset": "digits", "ipc": ipc, "seed": draw}, **settings, evaluation_learning_rate=rate
            )
            images = initial_set(kept, ipc, "real", generator=stream(parameters, "initial images"))
            generator, recipe = stream(parameters, "evaluation"), evaluation_recipe(parameters)
            for _ in range(NETWORKS):
                network = train_on_set(images, recipe, generator=generator)
                rows.append(_row(recipe, ipc, draw, accuracy_percent(network, held_out)))
    return rows


def scatter(rows: Iterable[Row]) -> dict[str, float]:
    """Mean of all accuracies, and the standard deviation of networks that were trained on the same images.

    >>> row = {"draw": 0, "accuracy_percent": 90.0}
    >>> scatter([row, {**row, "accuracy_percent": 94.0}])
    {'mean': 92.0, 'deviation': 2.8284271247461903}
    """
    of_draw: dict[int, list[float]] = {}
    for row in rows:
        of_draw.setdefault(row["draw"], []).append(row["accuracy_percent"])
    accuracies = [accuracy for values in of_draw.values() for accuracy in values]
    return {"mean": mean(accuracies), "deviation": mean(map(variance, of_draw.values())) ** 0.5}


def _row(recipe: Any, ipc: int, draw: int, accuracy: float) -> Row:
    setting = {"network": recipe.network, "width": recipe.width, "epochs": recipe.epochs, "rate": recipe.learning_rate}
    return {**setting, "ipc": ipc, "draw": draw, "accuracy_percent": accuracy}


def measure_dataset(dataset: str, *, held_out: int = 359) -> tuple[Row, list[Row]]:
    """Measure on some of the training images, which are held out."""
    if dataset != "digits":
        raise ParameterError(f"the spread of networks is measured on digits alone, not on {dataset!r}")
    rows = [row for settings, rates in TRIALS for rate in rates for row in rows_of(settings, rate, held_out)]
    train = data.load(dataset).train
    return {"held_out": held_out, "data": train.provenance, "content_hash": train.content_hash}, rows
