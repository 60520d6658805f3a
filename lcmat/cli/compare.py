"""`lcmat compare`: do recomputed records say what the reference under version control says?"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.cli.arguments import listed
from lcmat.sweep.profiles import PROFILES

if TYPE_CHECKING:
    from lcmat.sweep.references import Entry, Reference


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("compare", help="compare recomputed records with the reference", allow_abbrev=False)
    parser.add_argument("--profile", choices=list(PROFILES), default="smoke", help="whose runs (%(default)s)")
    parser.add_argument("--reference", type=Path, help="file to compare with (book/records/PROFILE.json)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--strict", action="store_true", help="differences fail also in another environment")
    how.add_argument("--update", action="store_true", help="write the reference from the records")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Print what differs; status 1 if something does that another environment does not explain."""
    from lcmat.sweep import comparison, references

    path = options.reference or references.reference_path(options.profile)
    if options.update:
        return _update(path, options.profile)
    if options.reference and not path.exists():
        print(f"lcmat: there is no reference {path}", file=sys.stderr)
        return 1
    if not path.exists():
        print(f"lcmat: warning: there is no reference {path}, so nothing was compared; lcmat compare --update makes it")
        return 0
    found, problems = _entries(options.profile)
    keys = [run.key for run in PROFILES[options.profile].runs()]
    result = comparison.compare(references.read(path), found, keys)
    failures = problems + result.failures + (result.warnings if options.strict else [])
    warnings = [] if options.strict else result.warnings
    if warnings:
        print(listed([f"lcmat: warning: {text}" for text in warnings]), file=sys.stderr)
    if failures:
        print(listed([f"lcmat: {text}" for text in failures]), file=sys.stderr)
    elsewhere = f", {len(result.elsewhere)} runs are of another environment" if result.elsewhere else ""
    print(f"{len(keys)} runs compared: {len(failures)} failures, {len(warnings)} warnings{elsewhere}")
    return 1 if failures else 0


def _update(path: Path, profile: str) -> int:
    """Write this machine's part of the reference, if there is a current record of every run."""
    from lcmat.records.record import path_of
    from lcmat.sweep import references
    from lcmat.sweep.states import statuses

    runs = PROFILES[profile].runs()
    found = zip(runs, statuses(runs), strict=True)
    absent = [(run, status) for run, status in found if status.unreadable or status.state in ("missing", "stale")]
    if absent:
        print(listed([f"lcmat: {status.state}: {path_of(run)}" for run, status in absent]), file=sys.stderr)
        print(f"no reference was written: lcmat sweep --profile {profile} completes the records", file=sys.stderr)
        return 1
    entries = _entries(profile)[0]
    written = references.renewed(_older(path), entries)
    references.write(path, written)
    others = {entry.platform for each in written.values() for entry in each} - {e.platform for e in entries.values()}
    print(f"{len(runs)} runs written to {path}, beside those of {len(others)} other machines")
    unknown = sum(not entry.platform.known for entry in entries.values())
    if unknown:
        print(
            f"lcmat: warning: {unknown} of them are of a machine not fully known: they will not be held to their digits"
        )
    return 0


def _older(path: Path) -> "Reference":
    """What the reference says so far; nothing, with a warning, where it cannot be read."""
    from lcmat.sweep import references

    try:
        return references.read(path) if path.exists() else {}
    except ValueError as error:
        print(f"lcmat: warning: {error}", file=sys.stderr)
        return {}


def _entries(profile: str) -> tuple[dict[str, "Entry"], list[str]]:
    """What is compared of the profile's records, by key, and which files are no records."""
    from lcmat.records import record as records
    from lcmat.sweep import references

    entries, problems = {}, []
    for path in filter(Path.exists, map(records.path_of, PROFILES[profile].runs())):
        try:
            record = records.read(path)
        except records.RecordError as error:
            problems.append(str(error))
        else:
            entries[record.key] = references.entry_of(record)
    return entries, problems
