"""What a sweep found and did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lcmat.config import Experiment
from lcmat.files.paths import runs_folder
from lcmat.records import record as records
from lcmat.sweep.states import is_done


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


def outcome_of(
    runs: Sequence[Experiment], missing: Sequence[Experiment], reason: Callable[[Experiment], Path | None]
) -> Outcome:
    """What has become of the runs of a sweep.

    Args:
        runs: all of them.
        missing: those that had no record before.
        reason: the file that says why a run has no valid record; None: it was not started.
    """
    reasons = [(run, reason(run)) for run in runs if not is_done(run)]
    return Outcome(
        found=len(runs) - len(missing),
        computed=sum(map(is_done, missing)),
        failures=[Failure(run, log) for run, log in reasons if log is not None],
        over_budget=[run for run, log in reasons if log is None],
    )


def reason_of(run: Experiment) -> Path | None:
    """The file that says why a run has no valid record, if it left any: the invalid record, else the run's output."""
    return next(filter(Path.exists, (records.path_of(run), log_of(run))), None)


def log_of(run: Experiment) -> Path:
    """Where the output of a run is written: of its notebook, or the traceback of a run of a batch."""
    return records.path_of(run, runs_folder()).with_suffix(".out")
