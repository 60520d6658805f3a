"""Doing many runs at once by Snakemake, here or on a cluster.

The records are all the state there is: each sweep plans what is missing in a folder of its own, so that nothing of an
interrupted one, whose processes may still be alive, can confuse the next.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from tqdm import tqdm

from lcmat.config import Experiment
from lcmat.files.extras import require
from lcmat.files.paths import atomic_write, records_folder, repository_folder, runs_folder
from lcmat.records.record import path_of
from lcmat.sweep import batches
from lcmat.sweep.batches import Task
from lcmat.sweep.costs import estimates, within
from lcmat.sweep.outcome import Failure, Outcome, log_of
from lcmat.sweep.plan import measurements
from lcmat.sweep.states import is_done

Notebooks = Literal["all", "first", "none"]
SNAKEFILE = Path(__file__).with_name("sweep.smk")


@dataclass(frozen=True)
class Engine:
    """How Snakemake runs its jobs.

    Attributes:
        jobs: how many at a time, each on one thread.
        executor: name of the Snakemake plugin that submits them, by default none: they run on this machine.
        arguments: further ones for Snakemake.
    """

    jobs: int
    executor: str | None = None
    arguments: tuple[str, ...] = ()


def sweep(
    runs: Sequence[Experiment],
    engine: Engine,
    *,
    notebooks: Notebooks = "all",
    budget: float | None = None,
    device: str | None = None,
) -> Outcome:
    """Do the runs that have no record yet.

    Args:
        runs: most informative first; those with a record are left alone.
        engine: how.
        notebooks: which runs execute their notebook: all, the first of each experiment or none. The others are done in
            batches without Jupyter, to the same records.
        budget: seconds until all should be done. Runs that do not fit are passed over, as far as is known how long
            they take, and none is started afterwards.
        device: what computes here, as records name it, to tell how long a run takes.

    Raises:
        NoRepositoryError: there are no notebooks here.
        MissingExtraError: there is no Snakemake.
    """
    if notebooks != "none":
        repository_folder()
    require("run", "snakemake")
    deadline = None if budget is None else time.time() + budget
    missing = [run for run in runs if not path_of(run).exists()]
    tasks = _affordable(missing, engine.jobs, budget, device)
    folder = runs_folder() / "sweep" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    if tasks:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / "lock"):
            _snakemake(_prepare(folder, tasks, first_of_each(runs, notebooks), engine.jobs, deadline), engine, deadline)
    return _outcome(runs, missing, folder, limited=budget is not None)


def first_of_each(runs: Sequence[Experiment], notebooks: Notebooks) -> set[str]:
    """Keys of the runs that execute their notebook."""
    if notebooks == "first":
        return {run.key for run in {run.experiment: run for run in reversed(runs)}.values()}
    return {run.key for run in runs} if notebooks == "all" else set()


def _affordable(runs: Sequence[Experiment], jobs: int, budget: float | None, device: str | None) -> list[Task]:
    if budget is None:
        return batches.tasks_of(runs, [None] * len(runs))
    costs = estimates(runs, measurements(), device)
    fits = within(runs, costs, budget, jobs)
    return [task for task, fit in zip(batches.tasks_of(runs, costs), fits, strict=True) if fit]


def _prepare(folder: Path, tasks: Sequence[Task], executed: set[str], jobs: int, deadline: float | None) -> Path:
    """Write the plan of a sweep, and remove those of older ones: what is left of them stops after its current run."""
    for older in folder.parent.iterdir():
        if older.is_dir():
            shutil.rmtree(older, ignore_errors=True)
    for task in tasks:
        log_of(task.run).unlink(missing_ok=True)
    parts = batches.split([task for task in tasks if task.run.key not in executed], jobs)
    named = {f"batch-{number}": part for number, part in enumerate(parts, start=1)}
    for name, part in named.items():
        batches.write(folder / f"{name}.json", part, deadline)
    plan = {
        "folder": str(folder),
        "records": str(records_folder()),
        "runs": str(runs_folder()),
        "notebooks": {str(path_of(t.run)): assignments(t.run) for t in tasks if t.run.key in executed},
        "batches": {name: [task.run.key for task in part] for name, part in named.items()},
    }
    atomic_write(folder / "plan.json", json.dumps(plan, indent=1).encode())
    return folder


def _snakemake(folder: Path, engine: Engine, deadline: float | None) -> None:
    """Run Snakemake on the plan and draw a progress bar; its own words go to a log."""
    plan = json.loads((folder / "plan.json").read_bytes())
    keys = {key for part in plan["batches"].values() for key in part}
    targets = [Path(path) for path in plan["notebooks"]]
    with (folder / "snakemake.log").open("wb") as log:
        process = subprocess.Popen(_command(folder, engine), stdout=log, stderr=log, env=_environment())
        try:
            _follow(process, lambda: _count(keys) + sum(map(Path.exists, targets)), len(keys) + len(targets), deadline)
        finally:
            if process.poll() is None:  # we are being stopped, and so must be its jobs
                process.send_signal(signal.SIGINT)
                process.wait()


def _command(folder: Path, engine: Engine) -> list[str]:
    # nolock: its lock outlives a killed process, ours does not. mtime: no other trigger can apply to what is missing.
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(folder)),
        *("--config", f"plan={folder / 'plan.json'}", "--jobs", str(engine.jobs), "--keep-going", "--retries", "1"),
        *("--rerun-triggers", "mtime", "--nolock", "--scheduler", "greedy", "--nocolor"),
        *(("--executor", engine.executor) if engine.executor else ()),
        *engine.arguments,
    ]


def _environment() -> Mapping[str, str]:
    folders = {"LCMAT_RECORDS": str(records_folder()), "LCMAT_RUNS": str(runs_folder())}  # jobs work in another one
    return {**os.environ, **folders, "LCMAT_THREADS": "1", "OMP_NUM_THREADS": "1", "LCMAT_FIGURES": "0"}


def _count(keys: set[str]) -> int:
    return len(keys & {path.stem for path in records_folder().glob("*/*/*.json")})


def _follow(process: subprocess.Popen[bytes], done: Callable[[], int], total: int, deadline: float | None) -> None:
    """Wait for the process; once the deadline has passed, ask it to start no further job."""
    with tqdm(total=total, desc="runs", file=sys.stderr, mininterval=5) as bar:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            bar.update(done() - bar.n)
            if deadline is not None and time.time() > deadline:
                process.terminate()
                deadline = None


def assignments(run: Experiment) -> list[str]:
    """The words with which `lcmat run` does this run."""
    words = [f"{name}={value}" for name, value in run.canonical().items()]
    return [part for word in words for part in ("-p", word)]


def _outcome(runs: Sequence[Experiment], missing: Sequence[Experiment], folder: Path, *, limited: bool) -> Outcome:
    undone = [run for run in runs if not is_done(run)]
    reasons = {run.key: _log(run, folder) for run in undone}
    rest = None if limited else folder / "snakemake.log"
    failures = [Failure(run, log) for run in undone if (log := reasons[run.key] or rest)]
    over_budget = [run for run in undone if limited and reasons[run.key] is None]
    return Outcome(len(runs) - len(missing), sum(map(is_done, missing)), failures, over_budget)


def _log(run: Experiment, folder: Path) -> Path | None:
    """What says why: a record that is none, else the run's own output, else that of its batch if it was broken off."""
    for path in (path_of(run), log_of(run)):
        if path.exists():
            return path
    with contextlib.suppress(FileNotFoundError):
        for name, keys in json.loads((folder / "plan.json").read_bytes())["batches"].items():
            output, mark = folder / f"{name}.out", folder / f"{name}.done"
            if run.key in keys and output.exists() and not mark.exists():
                return output
    return None
