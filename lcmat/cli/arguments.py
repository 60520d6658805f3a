"""Arguments that several commands share."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace

from lcmat.config import having
from lcmat.sweep.profiles import PROFILES
from lcmat.sweep.profiles.study import Study

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SHARE = re.compile(r"(\d+)/(\d+)")


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number >= 1, got {text!r}")
    return int(text)


def duration(text: str) -> float:
    """Seconds of a duration such as 2h, 90m, 1h30m or 540s.

    >>> duration("1h30m")
    5400.0
    """
    found = _DURATION.fullmatch(text) if text.isascii() else None
    parts = [int(part or 0) for part in found.groups()] if found else []
    if not any(parts):
        raise argparse.ArgumentTypeError(f"expected a duration such as 2h, 90m, 1h30m or 540s, got {text!r}")
    hours, minutes, seconds = parts
    return float(3600 * hours + 60 * minutes + seconds)


def share(text: str) -> tuple[int, int]:
    """One machine's number and how many there are.

    >>> share("2/8")
    (2, 8)
    """
    found = _SHARE.fullmatch(text) if text.isascii() else None
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise argparse.ArgumentTypeError(f"expected N/M with 1 <= N <= M, got {text!r}")
    return number, count


def in_words(seconds: float) -> str:
    """A duration for the reader.

    >>> [in_words(seconds) for seconds in (0.27, 12, 600, 9000)]
    ['0.3 s', '12 s', '10 min', '2.5 h']
    """
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def add_selection(parser: argparse._ActionsContainer, *, required: bool = True) -> None:
    """Declare the arguments that choose runs of a profile."""
    described = "; ".join(f"{name}: {profile.description}" for name, profile in PROFILES.items())
    parser.add_argument("--profile", choices=list(PROFILES), required=required, help=described)
    parser.add_argument("--study", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument(
        "--table", action="append", default=[], help="only studies of this table or figure of the paper"
    )
    parser.add_argument(
        "--only",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="only runs with this value of a parameter; may be repeated, values of one parameter are alternatives",
    )


def selected(options: argparse.Namespace) -> list[Study]:
    """The chosen studies with their chosen runs."""
    from lcmat.sweep.plan import select_studies

    studies = select_studies(PROFILES[options.profile], options.study, options.table)
    keys = {run.key for run in having((run for study in studies for run in study.runs), options.only)}
    parts = (replace(study, runs=tuple(run for run in study.runs if run.key in keys)) for study in studies)
    return [study for study in parts if study.runs]


def this_device() -> str:
    """What would compute here, as records name it."""
    from lcmat.records.machine import chosen_device, describe

    return describe(chosen_device())


def listed(lines: Sequence[str], largest: int = 20) -> str:
    """Lines for the reader, of many only the first."""
    more = [f"... and {len(lines) - largest} more"] if len(lines) > largest else []
    return "\n".join([*lines[:largest], *more])
