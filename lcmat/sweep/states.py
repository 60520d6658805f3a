"""What there is of each run of a plan: a current record, a stale one, a failure or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lcmat import records
from lcmat.config import Experiment
from lcmat.experiments import code_fingerprints
from lcmat.records import RecordError

State = Literal["done", "stale", "missing", "failed"]


@dataclass(frozen=True)
class Finding:
    """What there is of a run.

    Attributes:
        state: "done"; "stale" when other code made the record than today's; "failed" when the training diverged or the
            file is no valid record; "missing".
        reason: why a run failed.
        unreadable: whether there is a file that is no valid record.
    """

    state: State
    reason: str | None = None
    unreadable: bool = False


def find(runs: Sequence[Experiment]) -> list[Finding]:
    """What there is of each run."""
    current = code_fingerprints(runs)
    return [_find(run, current[run.key]) for run in runs]


def discard_outdated(runs: Iterable[Experiment]) -> int:
    """Remove the runs' records that are damaged or were made by other code than today's; return how many."""
    present = [run for run in runs if records.path_of(run).exists()]
    current = code_fingerprints(present)
    outdated = [run for run in present if _is_outdated(run, current[run.key])]
    for run in outdated:
        records.path_of(run).unlink()
    return len(outdated)


def is_done(run: Experiment) -> bool:
    """Whether a run has a valid record; a file that is none counts as no record."""
    try:
        return records.is_done(run)
    except RecordError:
        return False


def _find(run: Experiment, fingerprint: str) -> Finding:
    try:
        record = records.read(records.path_of(run))
    except FileNotFoundError:
        return Finding("missing")
    except RecordError as error:
        return Finding("failed", str(error), unreadable=True)
    if record.fingerprint != fingerprint:
        return Finding("stale")
    return Finding("done") if record.status == "done" else Finding("failed", record.error)


def _is_outdated(run: Experiment, fingerprint: str) -> bool:
    try:
        return records.read(records.path_of(run)).fingerprint != fingerprint
    except RecordError:
        return True
