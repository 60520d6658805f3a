"""`lcmat chapters` and `lcmat notebooks`: the book's notebooks, executed or not."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from lcmat.cli.arguments import positive
from lcmat.files.paths import repository_folder


def add(commands: Any) -> None:
    """Declare the commands."""
    chapters = commands.add_parser("chapters", help="execute the book's notebooks that are not current")
    chapters.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="at a time (%(default)s)")
    chapters.set_defaults(command=_chapters)

    notebooks = commands.add_parser("notebooks", help="convert the notebooks to .ipynb, not executed")
    notebooks.add_argument("folder", type=Path, nargs="?", default="notebooks", help="(%(default)s, here)")
    notebooks.set_defaults(command=_notebooks)


def _chapters(options: argparse.Namespace) -> int:
    repository_folder()
    from lcmat.book.chapters import execute_chapters, sources

    executed, messages = execute_chapters(jobs=options.jobs)
    current = len(sources()) - len(executed) - len(messages)
    print(f"chapters: {len(executed)} executed, {current} current, {len(messages)} failed")
    for message in messages:
        print(f"lcmat: {message}", file=sys.stderr)
    return 1 if messages else 0


def _notebooks(options: argparse.Namespace) -> int:
    repository_folder()
    from lcmat.book.publishing import export_notebooks

    for path in export_notebooks(options.folder):
        print(path)
    return 0
