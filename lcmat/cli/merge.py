"""`lcmat merge`: bring in records that were made elsewhere."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lcmat.cli.arguments import listed


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("merge", help="bring in records made elsewhere, after checking them")
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a folder of records, as book/records is")
    parser.add_argument("--stale", action="store_true", help="also bring in records that other code than today's made")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Bring in all records of the folders, or none and say why."""
    from lcmat.sweep.merging import merge

    result = merge(options.folders, stale=options.stale)
    if result.refused:
        print(listed([f"lcmat: refused: {reason}" for reason in result.refused]), file=sys.stderr)
        print(f"nothing was brought in: {len(result.refused)} files were refused", file=sys.stderr)
        return 1
    print(f"{len(result.new)} records brought in, {result.known} were here already")
    return 0
