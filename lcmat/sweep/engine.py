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
from importlib.util import find_spec
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from tqdm import tqdm

from lcmat.config import Experiment
from lcmat.files.extras import MissingExtraError, require
from lcmat.files.paths import atomic_write, check_writable, folders, records_folder, repository_folder, runs_folder
from lcmat.records.record import path_of
from lcmat.sweep import batches
from lcmat.sweep.batches import Task
from lcmat.sweep.costs import estimates, within
from lcmat.sweep.outcome import Outcome, log_of, outcome_of, reason_of
from lcmat.sweep.plan import measurements
from lcmat.sweep.runner import RunError

Notebooks = Literal["all", "first", "none"]
SNAKEFILE = Path(__file__).with_name("sweep.smk")
_PLAN, _LOG = "plan.json", "snakemake.log"
_BUILT_IN = ("local", "dryrun", "touch")


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
        MissingExtraError: there is no Snakemake, or no such executor.
        OSError: no record or no log could be written.
        RunError: Snakemake has started no run.
    """
    if engine is not None:
        if notebooks != "none":
            repository_folder()
        require("run", "snakemake")
        check_plugin(engine)
    deadline = time.time() + (inf if budget is None else budget)
    missing = [run for run in runs if not path_of(run).exists()]
    if missing:
        check_writable(records_folder(), runs_folder())
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
    plan = {task.run.key: _notebook(task.run) for task in tasks if task.run.key in executed}
    for number, part in enumerate(parts, start=1):
        name = f"batch-{number}"
        batches.write(folder / f"{name}.json", part, deadline)
        plan[name] = {
            "arguments": ["batch", str(folder / f"{name}.json")],
            "log": str(folder / f"{name}.out"),
            "keys": [task.run.key for task in part],
        }
    atomic_write(folder / _PLAN, json.dumps(plan, indent=1).encode())


def _notebook(run: Experiment) -> dict[str, Any]:
    """The job that executes the notebook of a run."""
    log = log_of(run)
    log.parent.mkdir(parents=True, exist_ok=True)
    return {"arguments": ["run", run.experiment, *assignments(run)], "log": str(log), "keys": [run.key]}


def _snakemake(folder: Path, engine: Engine, deadline: float) -> None:
    """Run Snakemake on the plan and draw a progress bar; its own output goes to a log."""
    plan = json.loads((folder / _PLAN).read_bytes())
    keys, log = {key for job in plan.values() for key in job["keys"]}, folder / _LOG
    with log.open("wb") as output, tqdm(total=len(keys), desc="runs", file=sys.stderr, mininterval=5) as bar:
        process = subprocess.Popen(_command(folder, engine), stdout=output, stderr=output, env=_environment())
        try:
            _follow(process, bar, lambda: _count(keys), deadline)
        finally:
            _stop(process)
    begun = any(os.path.exists(job["log"]) for job in plan.values())
    if process.returncode and not begun and time.time() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunError(f"Snakemake has started no run: {said[-1] if said else 'it says nothing'}; its output: {log}")


def check_plugin(engine: Engine) -> None:
    """Refuse an executor that Snakemake does not have, before anything is planned.

    Raises:
        MissingExtraError: its plugin is not installed; the message says what to install.
    """
    words = [engine.executor or "", *(word for argument in engine.arguments for word in argument.split("=", 1))]
    named = [engine.executor, *(after for word, after in pairwise(words) if word in ("--executor", "-e"))]
    for name in filter(None, named):
        if name not in _BUILT_IN and find_spec(f"snakemake_executor_plugin_{name.replace('-', '_')}") is None:
            remedy = f"pip install snakemake-executor-plugin-{name}"
            raise MissingExtraError(f"Snakemake has no executor {name!r} here: {remedy}", name=name)


def _command(folder: Path, engine: Engine) -> list[str]:
    # nolock: its lock outlives a killed process, ours does not. mtime: no other trigger can apply to what is missing.
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(folder)),
        *("--jobs", str(engine.jobs), "--keep-going", "--retries", "1"),
        *("--rerun-triggers", "mtime", "--nolock", "--scheduler", "greedy", "--nocolor"),
        *(("--executor", engine.executor) if engine.executor else ()),
        *engine.arguments,
    ]


def _environment() -> Mapping[str, str]:
    return {**os.environ, **folders(), "LCMAT_THREADS": "1", "OMP_NUM_THREADS": "1", "LCMAT_FIGURES": "0"}


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
    """Why a run has no record: what it left itself, else the output of its job, else, if it had time, Snakemake's."""
    return reason_of(run) or _broken_job(run, folder) or (None if limited else folder / _LOG)


def _broken_job(run: Experiment, folder: Path) -> Path | None:
    """The output of the job that the run belongs to, if it was broken off."""
    try:
        plan = json.loads((folder / _PLAN).read_bytes())
    except FileNotFoundError:
        return None
    logs = (Path(job["log"]) for name, job in plan.items() if run.key in job["keys"] and not _is_done(folder, name))
    return next(filter(Path.exists, logs), None)


def _is_done(folder: Path, job: str) -> bool:
    return (folder / f"{job}.done").exists()
