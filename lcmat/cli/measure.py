"""`lcmat measure`: make a stored measurement of a chapter anew."""

import argparse
import ast
from collections.abc import Mapping, Sequence
from typing import Any

from lcmat.config import ParameterError, nearest


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("measure", help="make a chapter's stored numbers, or list their kinds and options")
    parser.add_argument("kind", nargs="?", help="what is measured; without it, the kinds are listed")
    parser.add_argument("dataset", nargs="?", help="of which data set; without it, the options are listed")
    parser.add_argument(
        "-p", dest="assignments", metavar="NAME=VALUE", action="append", default=[], help="an option of the kind"
    )
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Measure and print the file's path, or list what there is."""
    from lcmat.measurements.kinds import KINDS, make, options_of

    if options.kind is None:
        for name, kind in KINDS.items():
            print(f"{name:24} {kind.title}; stored: {', '.join(kind.datasets) or 'none'}")
        return 0
    known = options_of(options.kind)
    if options.dataset is None:
        for name, default in known.items():
            print(f"{name:12} default {default}")
        return 0
    print(make(options.kind, options.dataset, read_options(options.assignments, known)))
    return 0


def read_options(assignments: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Values of options from `name=value` texts, each of the type of its default.

    Args:
        assignments: the texts.
        known: name -> default.

    Raises:
        ParameterError: there is no such option, or the value is of another type.

    >>> read_options(["width=8", "seeds=0,1"], {"width": 32, "seeds": (0,)})
    {'width': 8, 'seeds': (0, 1)}
    """
    values = {}
    for text in assignments:
        name, separator, value = text.partition("=")
        if not separator or name not in known:
            raise ParameterError(f"{text!r} sets no option, written NAME=VALUE; {nearest(name, known)}")
        values[name] = _read(name, value, known[name])
    return values


def _read(name: str, text: str, default: Any) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, tuple) and not isinstance(value, tuple):
        value = (value,)
    if isinstance(default, float) and isinstance(value, int):
        value = float(value)
    if type(value) is not type(default):
        raise ParameterError(f"{name}={text}: expected a value such as {default!r}")
    return value
