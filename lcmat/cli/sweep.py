"""`lcmat sweep`: do the runs of a profile that are missing; `lcmat batch`: do those of a file, for Snakemake's jobs."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.cli.arguments import add_selection, duration, listed, positive, selected, share, this_device
from lcmat.config import Experiment, ParameterError
from lcmat.sweep.profiles import PROFILES

if TYPE_CHECKING:
    from lcmat.sweep import Outcome


def add(commands: Any) -> None:
    """Declare the commands."""
    parser = commands.add_parser("sweep", help="do the runs of a profile that are missing", allow_abbrev=False)
    add_selection(parser)
    parser.add_argument("--budget", type=duration, help="such as 2h: do what fits, most informative runs first")
    parser.add_argument("--shard", type=share, metavar="N/M", help="only the N-th of M shares, for M machines")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="runs at a time (%(default)s)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--notebooks",
        choices=("all", "first", "none"),
        default="all",
        help="which runs execute their notebook: all, the first of each experiment, none; same records (%(default)s)",
    )
    how.add_argument("--no-notebook", dest="notebooks", action="store_const", const="none", help="--notebooks none")
    how.add_argument("--in-process", action="store_true", help="one after the other, without Snakemake and Jupyter")
    parser.add_argument("--executor", metavar="NAME", help="Snakemake's plugin that submits the jobs, such as slurm")
    parser.add_argument("--snakemake-args", metavar="ARGUMENTS", default="", help="more for Snakemake, in quotes")
    parser.set_defaults(command=execute)

    batch = commands.add_parser("batch", help="do the runs of a batch file that `lcmat sweep` wrote")
    batch.add_argument("file", type=Path)
    batch.set_defaults(command=execute_batch)


def execute(options: argparse.Namespace) -> int:
    """Do what is missing and say what failed."""
    from lcmat.sweep import discard_outdated
    from lcmat.sweep.plan import share_of
    from lcmat.sweep.profiles.study import distinct

    if options.in_process and (options.executor or options.snakemake_args):
        raise ParameterError("--in-process runs without Snakemake: leave out --executor and --snakemake-args")
    runs = distinct(run for study in selected(options) for run in study.runs)
    if options.shard:
        runs = share_of(runs, *options.shard)
    discarded = discard_outdated(runs) if PROFILES[options.profile].disposable else 0
    return _report(_do(runs, options), len(runs), discarded)


def execute_batch(options: argparse.Namespace) -> int:
    """Do the runs of a file. Failed ones leave a log; the status tells only whether all were tried."""
    from lcmat.sweep.batches import perform_file

    perform_file(options.file)
    return 0


def _do(runs: list[Experiment], options: argparse.Namespace) -> "Outcome":
    from lcmat.sweep import Engine, sweep

    engine = Engine(options.jobs, options.executor, tuple(shlex.split(options.snakemake_args)))
    return sweep(
        runs,
        None if options.in_process else engine,
        notebooks=options.notebooks,
        budget=options.budget,
        device=this_device() if options.budget else None,
    )


def _report(outcome: "Outcome", total: int, discarded: int) -> int:
    failed, over = len(outcome.failures), len(outcome.over_budget)
    note = f" ({discarded} outdated ones removed)" if discarded else ""
    rest = f", {over} over budget" if over else ""
    print(f"{total} runs: {outcome.found} found{note}, {outcome.computed} computed, {failed} failed{rest}")
    if failed:
        print(listed([f"  failed: {f.run.key}, see {f.log}" for f in outcome.failures]), file=sys.stderr)
    return 1 if failed else 0
