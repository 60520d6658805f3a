"""Choosing the coreset of a run, and before that, if wanted, the radius to choose it with."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.config.registry import METHODS
from lcmat.config.selection import PAPER_RADII
from lcmat.curvature.last_layer import LastLayer
from lcmat.data import ImageDataset, Splits
from lcmat.experiments import measurement_fingerprint
from lcmat.experiments.embedding import SelectorView
from lcmat.experiments.held_out import held_out, held_out_rows
from lcmat.experiments.learner import train_learner
from lcmat.experiments.seeds import derived_seed
from lcmat.experiments.selecting import remaining_rows, selector_identity
from lcmat.records.caching import Stored, cached
from lcmat.selection import Coreset, select
from lcmat.selection.budgets import class_budgets


class Choice(NamedTuple):
    """A coreset, the seconds it took to choose it, and what chose the radius where the parameters do not state it.

    `radii` is radius -> accuracy on the held-out images in percent; `radius` the first of the best.
    """

    coreset: Coreset
    seconds: float
    radii: Mapping[float, float]
    radius: float | None


def choose(
    parameters: SelectionParameters,
    view: SelectorView,
    splits: Splits,
    evidence: Mapping[str, Tensor | LastLayer] | None = None,
    device: str = "cpu",
) -> Choice:
    """Select `round(fraction * n_c)` images of each class by the method, from those that are not held out.

    With `rho_choice` a coreset is first selected at each of the paper's radii from nine tenths of each class, a network
    trained on it and measured on the last tenth; the test images play no part. The radius that did best then selects
    from all images.

    Args:
        parameters: of the run.
        view: `selector_view`.
        splits: of the data set; only the training images are looked at.
        evidence: what `gather` returns.
        device: where networks are trained to choose the radius.

    Raises:
        DivergedError: one of these trainings diverged.
    """
    radii = _accuracies_of_radii(parameters, view, splits, device) if parameters.rho_choice else {}
    radius = max(radii, key=radii.__getitem__, default=None)
    started = time.perf_counter()
    fixed = parameters if radius is None else parameters.model_copy(update={"rho": radius})
    coreset = _select(fixed, view, splits.train, held_out(parameters, splits), evidence or {})
    return Choice(coreset, time.perf_counter() - started, radii, radius)


def _accuracies_of_radii(
    parameters: SelectionParameters, view: SelectorView, splits: Splits, device: str
) -> dict[float, float]:
    rows = held_out_rows(splits.train.labels, parameters.seed)
    code = measurement_fingerprint(__name__, parameters.method, networks=_networks(parameters))
    identity = {
        **selector_identity(parameters, splits, device),
        "run": parameters.model_dump(mode="json", exclude={"evaluate_every"}),
        "choosing code": code,
    }

    def measure(radius: float, checkpoint: Path) -> Stored:
        fixed = parameters.model_copy(update={"rho": radius, "evaluate_every": None})
        coreset = _select(fixed, view, splits.train, rows, {})
        images, weights = splits.train.subset(coreset.indices), coreset.weights if parameters.weighted else None
        result = train_learner(fixed, images, splits.train.subset(rows), device, checkpoint, weights=weights)
        return Stored({}, {"accuracy_percent": result.last_accuracy_percent})

    found = {}
    for radius in PAPER_RADII:
        known = {**identity, "radius": radius}
        stored = cached("radii", parameters.dataset, known, partial(measure, radius))
        found[radius] = stored.details["accuracy_percent"]
    return found


def _networks(parameters: SelectionParameters) -> list[str]:
    return [name for name in (parameters.network, parameters.learner) if name is not None]


def _select(
    parameters: SelectionParameters,
    view: SelectorView,
    train: ImageDataset,
    kept_out: Tensor | None,
    evidence: Mapping[str, Tensor | LastLayer],
) -> Coreset:
    """Select from all images; or from those that are left, as many in all and each class its share."""
    values = parameters.canonical()
    options = {name: values[name] for name in METHODS[parameters.method].options if name in values} | dict(evidence)
    options |= {"balanced": parameters.across_classes is None, "bias": view.bias}
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
