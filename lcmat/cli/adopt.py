"""`lcmat adopt`: keep the records that older code made, if that code and today's give the same numbers."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from lcmat.cli.arguments import add_selection, selected
from lcmat.files.paths import repository_folder

if TYPE_CHECKING:
    from lcmat.sweep.adoption.adopting import Outcome


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("adopt", help="keep records of older code that gives the same numbers as today's")
    parser.add_argument("--from", dest="old", metavar="COMMIT", help="the older code; by default that of most records")
    also = parser.add_argument_group("runs without a record, of which the cache may keep something")
    add_selection(also, required=False)
    parser.add_argument(
        "--rerun",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also repeat one cheap record as a whole, by lot",
    )
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Compare and adopt, or name what differs."""
    repository_folder()  # both commits are in it
    from lcmat.measurements import kinds
    from lcmat.sweep.adoption.adopting import adopt
    from lcmat.sweep.profiles.study import distinct

    planned = distinct(run for study in selected(options) for run in study.runs) if options.profile else []
    measured = {name: kinds.code_of(name) for name in kinds.KINDS}
    return report(adopt(options.old, planned=planned, measured=measured, rerun=options.rerun))


def report(outcome: "Outcome") -> int:
    """Say what came of a comparison; the status is 0 if the records were adopted."""
    for name, different in outcome.compared.items():
        print(f"{name}: {f'DIFFERS: {different}' if different else 'equal'}")
    if outcome.others:
        print(f"{outcome.others} further stale records were made by still other code: adopt them apart")
    if outcome.adoption is None:
        for reason in (*outcome.reasons, "nothing was adopted: the records stay stale"):
            print(f"lcmat: {reason}", file=sys.stderr)
        return 1
    count, repeated = len(outcome.adoption.fingerprints), outcome.adoption.repeated
    print(f"adopted: {count} fingerprints; repeated as a whole: {repeated or 'none'}")
    return 0
