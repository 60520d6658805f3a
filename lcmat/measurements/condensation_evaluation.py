"""How much networks trained on the same random images differ, on held-out training images.

`python -m lcmat.measurements.condensation_evaluation digits` trains them as the condensation benchmark does now and as
it did at first, at several learning rates, and writes every accuracy into `book/measurements/condensation-evaluation/`.
Random images, so that no method is favoured; nobody looks at the test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping
from statistics import mean, variance
from types import MappingProxyType
from typing import Any

import torch

from lcmat import data
from lcmat.condensation import initial_set, train_on_set
from lcmat.experiments import measurement_fingerprint
from lcmat.experiments.condensation import evaluation_recipe
from lcmat.experiments.real_images import stream
from lcmat.measurements.condensation_tuning import EVALUATION_RATES, parameters_of, split
from lcmat.records import measurements
from lcmat.training import accuracy_percent

KIND = "condensation-evaluation"
DRAWS, NETWORKS = 5, 2
SIZES = (5, 10)  # images per class

Row = measurements.Row

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


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=("digits",))
    parser.add_argument("--held-out", type=int, default=359, help="training images that are measured on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started, code = time.process_time(), measurement_fingerprint("lcmat.measurements.condensation_evaluation")
    rows = [row for settings, rates in TRIALS for rate in rates for row in rows_of(settings, rate, options.held_out)]
    train = data.load(options.dataset).train
    provenance = {
        "held_out": options.held_out,
        "data": train.provenance,
        "content_hash": train.content_hash,
        "torch": torch.__version__,
        "fingerprint": code,
        "processor_seconds": round(time.process_time() - started),
    }
    print(measurements.write(KIND, options.dataset, provenance, rows, digits=5))


if __name__ == "__main__":
    main()
