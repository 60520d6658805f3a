"""Doing runs in this process, one after the other: without Snakemake and Jupyter, for a machine that has neither."""

import sys
import time
from collections.abc import Sequence
from math import inf

from tqdm import tqdm

from lcmat.config import Experiment
from lcmat.records.record import path_of
from lcmat.sweep.batches import perform, tasks_of
from lcmat.sweep.costs import estimates
from lcmat.sweep.outcome import Failure, Outcome, log_of
from lcmat.sweep.plan import measurements
from lcmat.sweep.states import is_done


def sweep_here(runs: Sequence[Experiment], *, budget: float | None = None, device: str | None = None) -> Outcome:
    """Do the runs that have no record yet, in their order.

    Args:
        runs: those with a record are left alone.
        budget: seconds after which none is started; a run that is known to take longer than is left is passed over.
        device: what computes here, as records name it, to tell how long a run takes.
    """
    deadline = inf if budget is None else time.time() + budget
    missing = [run for run in runs if not path_of(run).exists()]
    for run in missing:
        log_of(run).unlink(missing_ok=True)
    costs = [None] * len(missing) if budget is None else estimates(missing, measurements(), device)
    with tqdm(total=len(missing), desc="runs", file=sys.stderr, mininterval=5) as bar:
        perform(tasks_of(missing, costs), deadline, after_each=bar.update)
    return _outcome(runs, missing)


def _outcome(runs: Sequence[Experiment], missing: Sequence[Experiment]) -> Outcome:
    """What is there now; a run that was not started has neither a record nor a log."""
    undone = [run for run in runs if not is_done(run)]
    logs = {run.key: path_of(run) if path_of(run).exists() else log_of(run) for run in undone}
    failures = [Failure(run, logs[run.key]) for run in undone if logs[run.key].exists()]
    over_budget = [run for run in undone if not logs[run.key].exists()]
    return Outcome(len(runs) - len(missing), sum(map(is_done, missing)), failures, over_budget)
