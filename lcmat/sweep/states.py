"""What there is of each run of a plan: a current record, a stale one, a failure or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lcmat.config import Experiment
from lcmat.experiments import stale_keys
from lcmat.records import record as records
from lcmat.records.record import Record, RecordError

State = Literal["done", "stale", "missing", "failed"]


@dataclass(frozen=True)
class Finding:
    """What there is of a run.

    Attributes:
        state: "done"; "stale" when other code made the record than today's, or from other images; "failed" when the
            training diverged or the file is no valid record; "missing".
        reason: why a run failed.
        unreadable: whether there is a file that is no valid record.
    """

    state: State
    reason: str | None = None
    unreadable: bool = False


def find(runs: Sequence[Experiment]) -> list[Finding]:
    """What there is of each run."""
    found = [_read(run) for run in runs]
    stale = stale_keys(each for each in found if isinstance(each, Record))
    return [_finding(each, stale) for each in found]


def discard_outdated(runs: Iterable[Experiment]) -> int:
    """Remove the runs' records that are damaged or stale; return how many."""
    present = [run for run in runs if records.path_of(run).exists()]
    found = find(present)
    outdated = [run for run, what in zip(present, found, strict=True) if what.unreadable or what.state == "stale"]
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


def _finding(found: Record | FileNotFoundError | RecordError, stale: set[str]) -> Finding:
    if isinstance(found, FileNotFoundError):
        return Finding("missing")
    if isinstance(found, RecordError):
        return Finding("failed", str(found), unreadable=True)
    if found.key in stale:
        return Finding("stale")
    return Finding("done") if found.status == "done" else Finding("failed", found.error)
