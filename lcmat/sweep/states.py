"""The status of each run of a plan: it has a current record, a stale one, a failure or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lcmat.config import Experiment
from lcmat.experiments import stale_keys
from lcmat.records import record as records
from lcmat.records.record import Record, RecordError

State = Literal["done", "stale", "missing", "failed"]


@dataclass(frozen=True)
class Status:
    """Whether a run is done.

    Attributes:
        state: "done"; "stale" when other code made the record than today's, or from other images; "failed" when the
            training diverged or the file is no valid record; "missing".
        reason: why a run failed.
        unreadable: whether there is a file that is no valid record.
    """

    state: State
    reason: str | None = None
    unreadable: bool = False


def statuses(runs: Sequence[Experiment]) -> list[Status]:
    """The status of each run."""
    found = [_read(run) for run in runs]
    stale = stale_keys(each for each in found if isinstance(each, Record))
    return [_status(each, stale) for each in found]


def discard_outdated(runs: Iterable[Experiment]) -> int:
    """Remove the runs' records that are damaged or stale; return how many."""
    present = [run for run in runs if records.path_of(run).exists()]
    found = zip(present, statuses(present), strict=True)
    outdated = [run for run, status in found if status.unreadable or status.state == "stale"]
    for run in outdated:
        records.path_of(run).unlink()
    return len(outdated)


def is_done(run: Experiment) -> bool:
    """Whether a run has a valid record; a file that is none counts as no record."""
    try:
        return records.is_done(run)
    except RecordError:
        return False


def _read(run: Experiment) -> Record | FileNotFoundError | RecordError:
    try:
        return records.read(records.path_of(run))
    except (FileNotFoundError, RecordError) as error:
        return error


def _status(found: Record | FileNotFoundError | RecordError, stale: set[str]) -> Status:
    if isinstance(found, FileNotFoundError):
        return Status("missing")
    if isinstance(found, RecordError):
        return Status("failed", str(found), unreadable=True)
    if found.key in stale:
        return Status("stale")
    return Status("done") if found.status == "done" else Status("failed", found.error)
