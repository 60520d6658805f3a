"""What runs cost: what was spent, from the records, and what a check would take, scaled from them."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lcmat.config import parse

if TYPE_CHECKING:
    from lcmat.records.record import Record
    from lcmat.report.protocol import Check

BUDGET_HOURS = 24.0
"""A check that would take longer, on the device of the records, is over budget: stated instead of "not run"."""

_SETUP = ("dataset", "network", "width", "learner", "learner_width")


def passes(parameters: Mapping[str, Any]) -> float:
    """Passes over the training set in both trainings: ``selection_epochs + fraction * epochs``.

    >>> passes({"selection_epochs": 10, "epochs": 200, "fraction": 0.1})
    30.0
    """
    return float(parameters["selection_epochs"] + parameters["fraction"] * parameters["epochs"])


def seconds_per_pass(records: Iterable[Record]) -> dict[str, float]:
    """Mean seconds of a pass over the training set, for each data set and pair of networks that has records.

    Trainings dominate the cost of the selection benchmark, so the time of a run is taken as proportional to its
    `passes`; that of a coreset's choice counts as part of them.

    Returns:
        Data set and networks, as one text -> seconds of all their complete runs by their passes; a stage that came from
        a cache counts as if the run had computed it.
    """
    spent: dict[str, float] = defaultdict(float)
    done: dict[str, float] = defaultdict(float)
    for record in records:
        if record.experiment == "selection" and record.status == "done":
            spent[_setup(record.parameters)] += max(record.wall_seconds, sum(record.seconds.values()))
            done[_setup(record.parameters)] += passes(record.parameters)
    return {setup: spent[setup] / done[setup] for setup in spent}


def describe_cost(records: Iterable[Record]) -> str:
    """Say what the recorded runs took, by experiment and device; a stage counts in the run that computed it.

    >>> describe_cost([])
    'No run has been recorded, so nothing was spent.'
    """
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        spent[record.experiment, record.device].append(record.wall_seconds)
    parts = [
        f"- {experiment}: {len(seconds)} runs, {sum(seconds) / 3600:.1f} hours on {html.escape(device)}"
        for (experiment, device), seconds in sorted(spent.items())
    ]
    return "\n".join(parts) if parts else "No run has been recorded, so nothing was spent."


def estimated_hours(check: Check, rates: Mapping[str, float]) -> float | None:
    """Hours that all runs of a check would take at these rates, one after the other; None if no rate is known.

    Args:
        check: as `lcmat.report.protocol.paper_parameters` gives it.
        rates: as `seconds_per_pass` gives them.
    """
    if check.experiment != "selection" or not rates:
        return None
    runs = [parse(check.experiment, values).canonical() for values in check.combinations()]
    if any(_setup(run) not in rates for run in runs):
        return None
    return sum(rates[_setup(run)] * passes(run) for run in runs) / 3600


def _setup(parameters: Mapping[str, Any]) -> str:
    return " ".join(str(parameters.get(name)) for name in _SETUP)
