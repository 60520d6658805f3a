"""The command `lcmat`.

Exit status: 0 for success, 1 when something failed, 2 for parameters or words that make no sense.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lcmat import __version__
from lcmat.config import EXPERIMENTS, Experiment, ParameterError, expected, parse_assignments
from lcmat.paths import project_folder
from lcmat.profiles import PROFILES


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except ParameterError as error:
        return _fail(error, 2)
    except (RuntimeError, ValueError, OSError) as error:  # a damaged record is a ValueError
        return _fail(error, 1)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command goes on from here", 130)


def _fail(error: object, status: int) -> int:
    print(f"lcmat: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lcmat", description="Loss-curvature matching, reproduced.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"lcmat {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="do one run and write its record", allow_abbrev=False)
    run.add_argument("experiment", choices=list(EXPERIMENTS))
    run.add_argument(
        "-p", dest="assignments", metavar="NAME=VALUE", action="append", default=[], help="see `lcmat parameters`"
    )
    run.add_argument("--no-notebook", action="store_true", help="without Jupyter, in this process; same record")
    run.set_defaults(command=_run)

    parameters = commands.add_parser("parameters", help="list the parameters of an experiment")
    parameters.add_argument("experiment", choices=list(EXPERIMENTS), nargs="?", default=next(iter(EXPERIMENTS)))
    parameters.set_defaults(command=_parameters)

    sweep = commands.add_parser("sweep", help="do the runs of a profile that are missing", allow_abbrev=False)
    described = "; ".join(f"{name}: {profile.description}" for name, profile in PROFILES.items())
    sweep.add_argument("--profile", choices=list(PROFILES), required=True, help=described)
    sweep.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="runs at a time (%(default)s)")
    sweep.add_argument("--no-notebook", action="store_true", help="without Jupyter; same records")
    sweep.set_defaults(command=_sweep)

    chapters = commands.add_parser("chapters", help="execute the book's notebooks that are not current")
    chapters.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="at a time (%(default)s)")
    chapters.set_defaults(command=_chapters)

    notebooks = commands.add_parser("notebooks", help="convert the notebooks to .ipynb, not executed")
    notebooks.add_argument(
        "folder", type=Path, nargs="?", default=None, help="by default notebooks/, beside the sources"
    )
    notebooks.set_defaults(command=_notebooks)

    for name, command, text in (
        ("status", _status, "count the records, and name the files that are none"),
        ("methods", _methods, "list the selection methods, their options and what they need beyond the last layer"),
        ("datasets", _datasets, "list the data sets"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)
    return parser


def _run(options: argparse.Namespace) -> int:
    from lcmat import records
    from lcmat.runner import run_directly, run_notebook

    parameters = parse_assignments(options.experiment, options.assignments)
    if records.is_done(parameters):
        print(f"already done: {records.path_of(parameters)}{_stale_note(parameters)}")
        return 0
    path = run_directly(parameters) if options.no_notebook else run_notebook(parameters)
    record = records.read(path)
    accuracy = record.metrics.get("test_accuracy_percent")
    print(f"{record.status}: {record.error if accuracy is None else f'test accuracy {accuracy:.2f} %'}, record {path}")
    return 0


def _stale_note(parameters: Experiment) -> str:
    from lcmat import records
    from lcmat.experiments import code_fingerprint

    if records.read(records.path_of(parameters)).fingerprint == code_fingerprint(parameters):
        return ""
    return "\nIts code has changed since; delete the record to repeat the run."


def _parameters(options: argparse.Namespace) -> int:
    for name, field in EXPERIMENTS[options.experiment].model_fields.items():
        default = "" if field.default is None else f" (default {field.default})"
        print(f"{name:17} {expected(field)}: {field.description}{default}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from lcmat.sweep import discard_outdated, sweep

    profile = PROFILES[options.profile]
    runs = profile.runs()
    discarded = discard_outdated(runs) if profile.disposable else 0
    outcome = sweep(runs, jobs=options.jobs, notebooks=not options.no_notebook)
    failed = len(outcome.failures)
    note = f" ({discarded} outdated ones removed)" if discarded else ""
    print(f"{len(runs)} runs: {outcome.found} found{note}, {outcome.computed} computed, {failed} failed")
    for failure in outcome.failures:
        print(f"  failed: {failure.parameters.key}, see {failure.log}", file=sys.stderr)
    return 1 if failed else 0


def _chapters(options: argparse.Namespace) -> int:
    from lcmat.chapters import execute_chapters, sources

    executed, messages = execute_chapters(jobs=options.jobs)
    current = len(sources()) - len(executed) - len(messages)
    print(f"chapters: {len(executed)} executed, {current} current, {len(messages)} failed")
    for message in messages:
        print(f"lcmat: {message}", file=sys.stderr)
    return 1 if messages else 0


def _notebooks(options: argparse.Namespace) -> int:
    from lcmat.chapters import export_notebooks

    for path in export_notebooks(options.folder or project_folder() / "notebooks"):
        print(path)
    return 0


def _status(options: argparse.Namespace) -> int:
    from lcmat import records
    from lcmat.experiments import stale_keys

    found, problems = records.load_all()
    stale = stale_keys(found)
    counts = Counter(
        (record.experiment, record.parameters["dataset"], "stale" if record.key in stale else record.status)
        for record in found
    )
    for (experiment, dataset, state), count in sorted(counts.items()):
        print(f"{experiment:12} {dataset:18} {state:10} {count:5}")
    for problem in problems:
        print(f"lcmat: {problem.message}", file=sys.stderr)
    return 1 if problems else 0


def _methods(options: argparse.Namespace) -> int:
    from lcmat.selection import METHODS

    for name, method in METHODS.items():
        print(f"{name:21} {method.title:18} {method.reference}")
        for word, texts in (
            ("options", [f"{option}={default}" for option, default in method.options.items()]),
            ("evidence", method.evidence),
        ):
            if texts:
                print(f"{'':21} {word}: {', '.join(texts)}")
    return 0


def _datasets(options: argparse.Namespace) -> int:
    from lcmat.data import DATASETS

    for name, spec in DATASETS.items():
        counts = ", ".join(f"{sum(numbers)} {split}" for split, numbers in spec.counts.items())
        shape = "x".join(map(str, spec.image_shape))
        print(f"{name:17} {spec.title:20} {spec.num_classes:4} classes  {shape:8} {counts}")
    return 0


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number >= 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
