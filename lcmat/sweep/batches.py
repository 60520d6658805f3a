"""Runs that one process does one after the other; each writes its own record, and none stops the others."""

import json
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, inf
from pathlib import Path
from typing import Any

from lcmat.config import Experiment, parse
from lcmat.experiments import code_fingerprint, code_fingerprints
from lcmat.files.paths import atomic_write
from lcmat.sweep.costs import Estimate, Ledger, network_of
from lcmat.sweep.outcome import log_of
from lcmat.sweep.runner import RunError, run_directly

LARGEST = 100
"""Runs of a batch at most: so many that the start of a process costs little, so few that jobs end at about one time."""
STRETCH = 8
"""Runs in a row that go to one batch before the next batch gets its share: so many that most share a network."""


@dataclass(frozen=True)
class Task:
    """A run, the code it was planned with, and what it is expected to take if that is known."""

    run: Experiment
    fingerprint: str
    cost: Estimate | None = None


def tasks_of(runs: Sequence[Experiment], costs: Iterable[Estimate | None]) -> list[Task]:
    """The runs with the fingerprint of the code as it is now."""
    current = code_fingerprints(runs)
    return [Task(run, current[run.key], cost) for run, cost in zip(runs, costs, strict=True)]


def split(tasks: Sequence[Task], jobs: int, largest: int = LARGEST) -> list[list[Task]]:
    """Deal tasks into batches of equal size, as many for each job; most that share a network stay together.

    Every batch gets its share of the dear and of the cheap tasks, so that the jobs end at about one time.

    Args:
        tasks: most important first.
        jobs: how many batches run at a time.
        largest: size of a batch.

    Returns:
        The batches. They differ in size by at most one, and hold the networks in the order of their first task.
    """
    networks = {network: place for place, network in enumerate(dict.fromkeys(network_of(task.run) for task in tasks))}
    ordered = sorted(tasks, key=lambda task: networks[network_of(task.run)])  # stable
    count = min(len(ordered), jobs * ceil(len(ordered) / (largest * jobs)))
    parts: list[list[Task]] = [[] for _ in range(count)]
    for row in (ordered[first : first + STRETCH * count] for first in range(0, len(ordered), STRETCH * count or 1)):
        cuts = [round(len(row) * part / count) for part in range(count + 1)]
        for part, (start, end) in zip(parts, pairwise(cuts), strict=True):
            part += row[start:end]
    return parts


def perform(
    tasks: Iterable[Task],
    deadline: float = inf,
    *,
    wanted: Callable[[], bool] = lambda: True,
    after_each: Callable[[], Any] = lambda: None,
) -> None:
    """Do runs one after the other; the traceback of one that fails is written to `log_of`.

    Args:
        tasks: the runs.
        deadline: in seconds since the epoch. No run is started after it, or that would not be done by then as far as
            its duration is known.
        wanted: asked before each run whether to go on.
        after_each: called after each task, also after one that was left out.
    """
    ledger = Ledger()
    for task in tasks:
        if not wanted():
            return
        if time.time() + (ledger.seconds(task.run, task.cost) or 0.0) < deadline:
            ledger.enter(task.run)
            _attempt(task)
        after_each()


def write(path: Path, tasks: Sequence[Task], deadline: float = inf) -> None:
    """Write what `perform_file` does in another process."""
    rows = [
        {
            "experiment": task.run.experiment,
            "parameters": task.run.canonical(),
            "fingerprint": task.fingerprint,
            "cost": task.cost and asdict(task.cost),
        }
        for task in tasks
    ]
    content = {"deadline": None if deadline == inf else deadline, "runs": rows}
    atomic_write(path, json.dumps(content, indent=1).encode())


def perform_file(path: Path) -> None:
    """Do the runs of a batch until it is through or its file is gone: a newer sweep has taken over then.

    Raises:
        OSError: there is no such file.
        ValueError: it is no batch.
    """
    content = json.loads(path.read_bytes())
    try:
        tasks = [_read(row) for row in content["runs"]]
        deadline = content["deadline"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no batch of runs ({error!r}); start the sweep again") from None
    perform(tasks, inf if deadline is None else deadline, wanted=path.exists)


def _read(row: Mapping[str, Any]) -> Task:
    cost = row["cost"]
    return Task(parse(row["experiment"], row["parameters"]), row["fingerprint"], cost and Estimate(**cost))


def _attempt(task: Task) -> None:
    log = log_of(task.run)
    try:
        if code_fingerprint(task.run) != task.fingerprint:
            raise RunError("the code has changed since the sweep was started: start it again")
        run_directly(task.run, progress=False)
    except Exception:  # whatever it is, the other runs go on
        atomic_write(log, traceback.format_exc().encode())
    else:
        log.unlink(missing_ok=True)
