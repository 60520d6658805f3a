"""`lcmat run`: do one run and write its record."""

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcmat.cli.arguments import in_words, this_device
from lcmat.config import EXPERIMENTS, Experiment, parse_assignments

if TYPE_CHECKING:
    from lcmat.sweep.costs import Estimate


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("run", help="do one run and write its record", allow_abbrev=False)
    parser.add_argument("experiment", choices=list(EXPERIMENTS))
    parser.add_argument(
        "-p", dest="assignments", metavar="NAME=VALUE", action="append", default=[], help="see `lcmat parameters`"
    )
    parser.add_argument("--no-notebook", action="store_true", help="without Jupyter, in this process; same record")
    parser.add_argument("--dry-run", action="store_true", help="only say whether it is done and how long it would take")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Do the run, unless its record exists."""
    from lcmat.experiments.session import check_built_networks
    from lcmat.records import record as records
    from lcmat.sweep.runner import run_directly, run_notebook

    parameters = parse_assignments(options.experiment, options.assignments)
    if records.is_done(parameters):
        print(f"already done: {records.path_of(parameters)}{_stale_note(parameters)}")
        return 0
    if options.dry_run:
        check_built_networks(parameters)
        print(f"not done: {parameters.key}; {_expected(parameters)}")
        return 0
    path = run_directly(parameters) if options.no_notebook else run_notebook(parameters)
    record = records.read(path)
    accuracy = record.metrics.get("test_accuracy_percent")
    print(f"{record.status}: {record.error if accuracy is None else f'test accuracy {accuracy:.2f} %'}, record {path}")
    return 0


def _stale_note(parameters: Experiment) -> str:
    from lcmat.experiments import stale_keys
    from lcmat.records import record as records

    if not stale_keys([records.read(records.path_of(parameters))]):
        return ""
    return "\nIts code has changed since, or its data; delete the record to repeat the run."


def _expected(parameters: Experiment) -> str:
    """How long it would take, stage by stage, until when, and on what that was measured."""
    from lcmat.sweep.costs import estimate
    from lcmat.sweep.plan import measurements

    cost = estimate(parameters, measurements(), this_device())
    if cost is None:
        return "expected duration unknown: its networks cannot be timed here"
    end = datetime.now() + timedelta(seconds=cost.seconds)
    shared = f"{in_words(cost.shared)} (trained once for all runs that share it)" if cost.shared else "none of its own"
    return (
        f"expected to take {in_words(cost.seconds)}, until {end:%Y-%m-%d %H:%M} if it starts now\n"
        f"selecting network: {shared}\n"
        f"own training and choice: {in_words(cost.own - cost.evaluating)}\n"
        f"evaluations: {in_words(cost.evaluating)}\n"
        f"by {_source(cost)} on this machine"
    )


def _source(cost: "Estimate") -> str:
    if not cost.count:
        return "a few steps of its networks, timed just now"
    return "the record of a run like it" if cost.count == 1 else f"the records of {cost.count} runs like it"
