"""What a sweep found and did."""

from dataclasses import dataclass, field
from pathlib import Path

from lcmat.config import Experiment
from lcmat.files.paths import runs_folder
from lcmat.records import record as records


@dataclass(frozen=True)
class Failure:
    """A run without a valid record, and the file that says why."""

    run: Experiment
    log: Path


@dataclass(frozen=True)
class Outcome:
    """Numbers of runs found and computed, those that failed, and those for which the budget did not suffice."""

    found: int
    computed: int
    failures: list[Failure]
    over_budget: list[Experiment] = field(default_factory=list)


def log_of(run: Experiment) -> Path:
    """Where the output of a run is kept: of its notebook, or the traceback of a run of a batch."""
    return records.path_of(run, runs_folder()).with_suffix(".out")
