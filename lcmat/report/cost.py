"""What runs cost: what was spent, from the records, and what a check would take, in proportion to its work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.config import Experiment, parse
from lcmat.report.markup import prose
from lcmat.report.schemes import method_label
from lcmat.sweep.costs import network_of
from lcmat.sweep.work import work_of

if TYPE_CHECKING:
    from lcmat.records.record import Record
    from lcmat.report.protocol import Check

BUDGET_HOURS = 24.0
"""A check that would take longer, on the device of the records, is over budget: stated instead of "not run"."""

STAGES = ("selector", "evidence", "selection", "training")
SETTING = ("dataset", "network", "width", "device", "method", "fraction")


def stage_seconds(records: Iterable[Record]) -> pd.DataFrame:
    """Median seconds of each stage over the seeds, one row for each method, fraction and setting.

    Returns:
        Columns `SETTING` (the method by its label), `n`, and `STAGES` with NaN where a stage does not occur. Seconds on
        the clock of whatever machine and load the runs met, one thread: compare rows of one setting only.
    """
    rows = [
        {
            **{name: record.parameters.get(name) for name in ("dataset", "network", "width", "fraction")},
            "device": record.device,
            "method": method_label(record.parameters["method"], record.parameters),
            **{stage: record.seconds.get(stage) for stage in STAGES},
        }
        for record in records
    ]
    table = pd.DataFrame(rows, columns=[*SETTING, *STAGES]).astype(dict.fromkeys(STAGES, float))
    grouped = table.groupby(list(SETTING), dropna=False, sort=False)
    return grouped[list(STAGES)].median().assign(n=grouped.size()).reset_index()


def describe_cost(records: Iterable[Record]) -> str:
    """Say what the recorded runs took, by experiment and device; a stage counts in the run that computed it.

    >>> describe_cost([])
    'No run has been recorded, so nothing was spent.'
    """
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        spent[record.experiment, record.device].append(record.wall_seconds)
    parts = [
        f"- {experiment}: {len(seconds)} runs, {sum(seconds) / 3600:.1f} hours on {prose(device)}"
        for (experiment, device), seconds in sorted(spent.items())
    ]
    return "\n".join(parts) if parts else "No run has been recorded, so nothing was spent."


def seconds_per_image(records: Iterable[Record]) -> dict[str, float]:
    """Mean seconds for an image to go through a network and back, for each data set and pair of networks on record.

    Trainings dominate the cost of the selection benchmark, so the time of a run is taken as proportional to its work
    (`lcmat.sweep.work`), whatever its method; that of a coreset's choice counts as part of it.

    Returns:
        Data set and networks, as one text -> seconds of all their complete runs by their images; a stage that came from
        a cache counts as if the run had computed it.
    """
    spent: dict[str, float] = defaultdict(float)
    done: dict[str, float] = defaultdict(float)
    for record in records:
        if record.experiment == "selection" and record.status == "done":
            spent[_setup(record.parameters)] += max(record.wall_seconds, sum(record.seconds.values()))
            done[_setup(record.parameters)] += _passes(parse(record.experiment, record.parameters))
    return {setup: spent[setup] / done[setup] for setup in spent}


def estimated_hours(check: Check, rates: Mapping[str, float]) -> float | None:
    """Hours that all runs of a check would take at these rates, one after the other; None if no rate is known.

    Args:
        check: as `lcmat.report.protocol.paper_parameters` gives it.
        rates: as `seconds_per_image` gives them.
    """
    if check.experiment != "selection" or not rates:
        return None
    runs = [parse(check.experiment, values) for values in check.combinations(seeds=False)]
    setups = [_setup(run.canonical()) for run in runs]
    if any(setup not in rates for setup in setups):
        return None
    seeds = len(check.axes.get("seed", (None,)))  # each takes as long
    return seeds * sum(rates[setup] * _passes(run) for setup, run in zip(setups, runs, strict=True)) / 3600


def remaining_work(comparison: pd.DataFrame) -> pd.DataFrame:
    """Count what is missing before every number that can be judged has a verdict.

    Args:
        comparison: rows of `lcmat.report.compare`.

    Returns:
        A row per table and one for all: `table`, `numbers` without a run that counts, `runs` (each once) and
        `million images` that would go through a network and back, a selecting network that runs share counted once.
    """
    rows = comparison[comparison["margin"].notna() & (comparison["n"] == 0)]
    groups = [(str(name), group) for name, group in rows.groupby("table", sort=False)] + [("all", rows)]
    return pd.DataFrame([_remaining(name, group) for name, group in groups])


def _remaining(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    runs = {
        run.key: run for check in rows["check"] for run in (parse(check.experiment, v) for v in check.combinations())
    }
    work = [(run, stage, images.passes) for run in runs.values() for stage, images in work_of(run).items()]
    networks = {network_of(run): images for run, stage, images in work if stage == "selector"}
    own = sum(images for _, stage, images in work if stage != "selector")
    millions = (own + sum(networks.values())) / 1e6
    return {"table": name, "numbers": len(rows), "runs": len(runs), "million images": round(millions, 1)}


def _passes(run: Experiment) -> float:
    """Images that go through a network and back in all stages of a run."""
    return sum(images.passes for images in work_of(run).values())


def _setup(parameters: Mapping[str, Any]) -> str:
    """What the speed of a run's trainings depends on."""
    return " ".join(str(parameters.get(name)) for name in ("dataset", "network", "width", "learner", "learner_width"))
