"""Doing many runs: one after the other in this process, or at once by Snakemake, here or on a cluster.

The records are all the state there is: each of Snakemake's sweeps plans what is missing in a folder of its own, so that
nothing of an interrupted one, whose processes may still be alive, can confuse the next.
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
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from tqdm import tqdm

from lcmat.config import Experiment
from lcmat.files.extras import require
from lcmat.files.paths import atomic_write, records_folder, repository_folder, runs_folder
from lcmat.records.record import path_of
from lcmat.sweep import batches
from lcmat.sweep.batches import Task
from lcmat.sweep.costs import estimates, within
from lcmat.sweep.outcome import Outcome, log_of, outcome_of, reason_of
from lcmat.sweep.plan import measurements

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
    engine: Engine | None = None,
    *,
    notebooks: Notebooks = "all",
    budget: float | None = None,
    device: str | None = None,
) -> Outcome:
    """Do the runs that have no record yet.

    Args:
        runs: most informative first; those with a record are left alone.
        engine: how Snakemake does them; None: in this process, one after the other, without Snakemake and Jupyter.
        notebooks: which of Snakemake's runs execute their notebook: all, the first of each experiment or none. The
            others are done in batches without Jupyter, to the same records.
        budget: seconds until all should be done. Runs that do not fit are passed over, as far as is known how long
            they take, and none is started afterwards.
        device: what computes here, as records name it, to tell how long a run takes.

    Raises:
        NoRepositoryError: there are no notebooks here.
        MissingExtraError: there is no Snakemake.
    """
    if engine is not None:
        if notebooks != "none":
            repository_folder()
        require("run", "snakemake")
    deadline = time.time() + (inf if budget is None else budget)
    missing = [run for run in runs if not path_of(run).exists()]
    costs = [None] * len(missing) if budget is None else estimates(missing, measurements(), device)
    tasks = batches.tasks_of(missing, costs)
    if engine is None:
        _perform_here(tasks, deadline)
        return outcome_of(runs, missing, reason_of)
    folder = runs_folder() / "sweep" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    fits = within(missing, costs, inf if budget is None else budget, engine.jobs)
    if affordable := [task for task, fit in zip(tasks, fits, strict=True) if fit]:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / "lock"):
            _prepare(folder, affordable, first_of_each(runs, notebooks), engine.jobs, deadline)
            _snakemake(folder, engine, deadline)
    return outcome_of(runs, missing, partial(_reason, folder=folder, limited=budget is not None))


def first_of_each(runs: Sequence[Experiment], notebooks: Notebooks) -> set[str]:
    """Keys of the runs that execute their notebook."""
    if notebooks == "first":
        return {run.key for run in {run.experiment: run for run in reversed(runs)}.values()}
    return {run.key for run in runs} if notebooks == "all" else set()


def _perform_here(tasks: Sequence[Task], deadline: float) -> None:
    _remove_logs(tasks)
    with tqdm(total=len(tasks), desc="runs", file=sys.stderr, mininterval=5) as bar:
        batches.perform(tasks, deadline, after_each=bar.update)


def _remove_logs(tasks: Sequence[Task]) -> None:
    for task in tasks:
        log_of(task.run).unlink(missing_ok=True)


def _prepare(folder: Path, tasks: Sequence[Task], executed: set[str], jobs: int, deadline: float) -> None:
    """Write the plan of a sweep, and remove those of older ones: what is left of them stops after its current run."""
    for older in folder.parent.iterdir():
        if older.is_dir():
            shutil.rmtree(older, ignore_errors=True)
    _remove_logs(tasks)
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


def _snakemake(folder: Path, engine: Engine, deadline: float) -> None:
    """Run Snakemake on the plan and draw a progress bar; its own output goes to a log."""
    plan = json.loads((folder / "plan.json").read_bytes())
    keys = {key for part in plan["batches"].values() for key in part}
    targets = [Path(path) for path in plan["notebooks"]]
    with (
        (folder / "snakemake.log").open("wb") as log,
        tqdm(total=len(keys) + len(targets), desc="runs", file=sys.stderr, mininterval=5) as bar,
    ):
        process = subprocess.Popen(_command(folder, engine), stdout=log, stderr=log, env=_environment())
        try:
            _follow(process, bar, lambda: _count(keys) + sum(map(Path.exists, targets)), deadline)
        finally:
            _stop(process)


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


def _follow(process: subprocess.Popen[bytes], bar: "tqdm[Any]", done: Callable[[], int], deadline: float) -> None:
    """Wait for the process; once the deadline has passed, ask it to start no further job."""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        bar.update(done() - bar.n)
        if time.time() > deadline:
            process.terminate()
            deadline = inf


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, if it is still there: we are being stopped, and so must be its jobs."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait()


def assignments(run: Experiment) -> list[str]:
    """The arguments with which `lcmat run` does this run."""
    return [part for name, value in run.canonical().items() for part in ("-p", f"{name}={value}")]


def _reason(run: Experiment, folder: Path, *, limited: bool) -> Path | None:
    """Why a run has no record: what it left itself, else the output of its batch, else, if it had time, Snakemake's."""
    return reason_of(run) or _broken_batch(run, folder) or (None if limited else folder / "snakemake.log")


def _broken_batch(run: Experiment, folder: Path) -> Path | None:
    """The output of the batch that the run belongs to, if it was broken off."""
    try:
        planned = json.loads((folder / "plan.json").read_bytes())["batches"]
    except FileNotFoundError:
        return None
    outputs = (folder / f"{name}.out" for name, keys in planned.items() if run.key in keys)
    return next((path for path in outputs if path.exists() and not path.with_suffix(".done").exists()), None)
