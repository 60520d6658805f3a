"""Doing many runs, several at once, by Snakemake; what is done stays, what was interrupted is completed."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from lcmat import records
from lcmat.config import Experiment
from lcmat.experiments import code_fingerprint
from lcmat.paths import atomic_write, records_folder, runs_folder
from lcmat.records import RecordError

SNAKEFILE = Path(__file__).with_name("sweep.smk")


@dataclass(frozen=True)
class Failure:
    """A run without a valid record, and the file that says why."""

    parameters: Experiment
    log: Path


@dataclass(frozen=True)
class Outcome:
    """What a sweep found and did: numbers of runs, and those that failed."""

    found: int
    computed: int
    failures: list[Failure]


def sweep(runs: Sequence[Experiment], *, jobs: int, notebooks: bool = True) -> Outcome:
    """Do the runs that have no record yet.

    Args:
        runs: in any order; those with a record are left alone.
        jobs: how many at a time, each on one thread.
        notebooks: execute each run's notebook; otherwise run without Jupyter, to the same record.
    """
    missing = [run for run in runs if not records.path_of(run).exists()]
    if missing:
        with FileLock(_folder() / "lock"):
            _snakemake(missing, jobs, notebooks)
    failures = [Failure(run, _log(run)) for run in runs if not _valid(run)]
    found = len(runs) - len(missing)
    return Outcome(found, sum(map(_valid, missing)), failures)


def discard_outdated(runs: Sequence[Experiment]) -> int:
    """Remove the runs' records that are damaged or were made by other code than today's; return how many."""
    outdated = [run for run in runs if records.path_of(run).exists() and _is_outdated(run)]
    for run in outdated:
        records.path_of(run).unlink()
    return len(outdated)


def _is_outdated(run: Experiment) -> bool:
    try:
        return records.read(records.path_of(run)).fingerprint != code_fingerprint(run)
    except RecordError:
        return True


def _valid(run: Experiment) -> bool:
    try:
        return records.is_done(run)
    except RecordError:
        return False


def _snakemake(missing: Sequence[Experiment], jobs: int, notebooks: bool) -> None:
    """Run Snakemake on the targets and draw a progress bar; its own words go to a log."""
    options = [] if notebooks else ["--no-notebook"]
    plan = {
        "records": str(records_folder()),
        "runs": str(runs_folder()),
        "words": {str(records.path_of(run)): [*_assignments(run), *options] for run in missing},
    }
    plan_file = _folder() / "plan.json"
    atomic_write(plan_file, json.dumps(plan, indent=1).encode())
    with (_folder() / "snakemake.log").open("wb") as log:
        process = subprocess.Popen(_command(plan_file, jobs), stdout=log, stderr=log, env=_environment())
        _follow(process, [records.path_of(run) for run in missing])


def _command(plan_file: Path, jobs: int) -> list[str]:
    # nolock: its lock outlives a killed process, ours does not. mtime: no other trigger can apply to what is missing.
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(_folder())),
        *("--config", f"plan={plan_file}", "--cores", str(jobs), "--keep-going", "--retries", "1"),
        *("--rerun-incomplete", "--rerun-triggers", "mtime", "--nolock", "--scheduler", "greedy", "--nocolor"),
    ]


def _environment() -> dict[str, str]:
    return {**os.environ, "LCMAT_THREADS": "1", "OMP_NUM_THREADS": "1", "LCMAT_FIGURES": "0"}


def _follow(process: subprocess.Popen, targets: Sequence[Path]) -> None:
    with tqdm(total=len(targets), desc="runs", file=sys.stderr, mininterval=5) as bar:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            bar.update(sum(target.exists() for target in targets) - bar.n)


def _assignments(run: Experiment) -> list[str]:
    words = [f"{name}={value}" for name, value in run.canonical().items()]
    return [part for word in words for part in ("-p", word)]


def _log(run: Experiment) -> Path:
    """What says why: a record that is none, else the run's own output where it got so far, else Snakemake's."""
    if records.path_of(run).exists():
        return records.path_of(run)
    own = records.path_of(run, runs_folder()).with_suffix(".out")
    return own if own.exists() else _folder() / "snakemake.log"


def _folder() -> Path:
    folder = runs_folder() / "sweep"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
