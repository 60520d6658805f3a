"""Commands that only list: `status`, `parameters`, `methods`, `datasets`."""

import argparse
import sys
from collections import Counter
from typing import Any

from lcmat.config import EXPERIMENTS, expected
from lcmat.config.registry import METHODS, OBJECTIVES
from lcmat.files.paths import records_folder


def add(commands: Any) -> None:
    """Declare the commands."""
    parameters = commands.add_parser("parameters", help="list the parameters of an experiment")
    parameters.add_argument("experiment", choices=list(EXPERIMENTS), nargs="?", default=next(iter(EXPERIMENTS)))
    parameters.set_defaults(command=_parameters)
    for name, command, text in (
        ("status", _status, "count the records, and name the files that are none"),
        ("methods", _methods, "list the methods of selection, their options and evidence, and those of condensation"),
        ("datasets", _datasets, "list the data sets"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)


def _parameters(options: argparse.Namespace) -> int:
    for name, field in EXPERIMENTS[options.experiment].model_fields.items():
        default = "" if field.default is None else f" (default {field.default})"
        print(f"{name:17} {expected(field)}: {field.description}{default}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from lcmat.experiments import stale_keys
    from lcmat.records import record as records

    found, problems = records.load_all()
    if not found and not problems:
        print(f"no records in {records_folder()}")
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
    print("Selection")
    for name, method in METHODS.items():
        print(f"{name:23} {method.title:23} {method.reference}")
        for word, texts in (
            ("options", [f"{option}={default}" for option, default in method.options.items()]),
            ("evidence", method.evidence),
        ):
            if texts:
                print(f"{'':23} {word}: {', '.join(texts)}")
    print("\nCondensation")
    for name, objective in OBJECTIVES.items():
        print(f"{name:23} {objective.title:23} {objective.reference}")
    return 0


def _datasets(options: argparse.Namespace) -> int:
    from lcmat.config.datasets import DATASETS

    for name, spec in DATASETS.items():
        counts = ", ".join(f"{sum(numbers)} {split}" for split, numbers in spec.counts.items())
        shape = "x".join(map(str, spec.image_shape))
        print(f"{name:17} {spec.title:20} {spec.num_classes:4} classes  {shape:8} {counts}")
    return 0
