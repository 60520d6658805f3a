"""`lcmat plan`: the runs of a profile, their status, and what the missing ones will take."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lcmat.cli.arguments import add_selection, in_words, selected, this_device

if TYPE_CHECKING:
    from lcmat.sweep.plan import Planned


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("plan", help="list the runs of a profile, their state and cost", allow_abbrev=False)
    add_selection(parser)
    parser.add_argument("--json", action="store_true", help="for other programs")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the plan. Files that are no records are named, and make the status 1."""
    from lcmat.records.record import path_of
    from lcmat.sweep.plan import plan

    planned = plan(selected(options), this_device())
    print(json.dumps([_row(entry) for entry in planned], indent=1) if options.json else _table(planned))
    unreadable = [entry for entry in planned if entry.status.unreadable]
    for entry in unreadable:
        print(f"lcmat: {path_of(entry.run)}: {entry.status.reason}", file=sys.stderr)
    return 1 if unreadable else 0


def _row(entry: "Planned") -> dict[str, Any]:
    return {
        "study": entry.study,
        "experiment": entry.run.experiment,
        "key": entry.run.key,
        "parameters": entry.run.canonical(),
        "state": entry.status.state,
        "reason": entry.status.reason,
        "expected_seconds": None if entry.cost is None else entry.cost.seconds,
    }


def _table(planned: Sequence["Planned"]) -> str:
    """A line for each run with the parameters in which those of its study differ, and one for each study."""
    from lcmat.sweep.plan import varying

    lines, sums = [], []
    for study in dict.fromkeys(entry.study for entry in planned):
        entries = [entry for entry in planned if entry.study == study]
        names = varying([entry.run for entry in entries])
        lines += [f"{study:24} {entry.run.key} {_line(entry, names)}" for entry in entries]
        sums.append(f"{study}: {_counts(entries)}{_rest(entries)}")
    return "\n".join([*lines, "", *sums, f"all: {_counts(planned)}{_rest(planned)}"])


def _line(entry: "Planned", names: Sequence[str]) -> str:
    values = entry.run.canonical()
    cost = "unknown" if entry.cost is None else in_words(entry.cost.seconds)
    differing = " ".join(f"{name}={values[name]}" for name in names if name in values)
    return f"{entry.status.state:8} {cost:>8}  {differing}"


def _counts(planned: Sequence["Planned"]) -> str:
    counts = Counter(entry.status.state for entry in planned)
    return f"{len(planned)} runs, " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _rest(planned: Sequence["Planned"]) -> str:
    """What the missing ones will take on one core, a network that runs share counted once."""
    from lcmat.sweep.plan import total_seconds, waiting_seconds

    seconds, unknown = total_seconds(waiting_seconds(planned))
    parts = [in_words(seconds)] if seconds else []
    parts += [f"{unknown} of unknown duration"] if unknown else []
    return f"; the missing ones: {' and '.join(parts)}" if parts else ""
