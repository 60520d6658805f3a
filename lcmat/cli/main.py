"""The command `lcmat`.

Exit status: 0 for success, 1 when something failed, 2 for parameters or arguments that make no sense.
"""

import argparse
import sys
from collections.abc import Sequence

from lcmat import __version__
from lcmat.cli import adopt, compare, lists, measure, merge, notebooks, plan, run, sweep
from lcmat.config import ParameterError
from lcmat.files.extras import MissingExtraError
from lcmat.files.paths import PACKAGE, other_checkout, pin_folders


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        pin_folders()
        if (other := other_checkout()) is not None:
            remedy = f"not that of the checkout here: make install in {other}"
            print(f"lcmat: warning: the code that runs is {PACKAGE}, {remedy}", file=sys.stderr)
        status: int = options.command(options)
        return status
    except ParameterError as error:
        return _fail(error, 2)
    except (RuntimeError, ValueError, OSError, MissingExtraError) as error:  # a damaged record is a ValueError
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
    for command in (run, plan, sweep, merge, adopt, compare, measure, notebooks, lists):
        command.add(commands)
    return parser
