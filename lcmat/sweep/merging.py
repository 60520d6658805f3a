"""Bringing in records that were made elsewhere: all of them, or none if one is not what it should be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lcmat.config import parse
from lcmat.experiments import stale_keys
from lcmat.records import record as records
from lcmat.records.record import Record


@dataclass(frozen=True)
class Merged:
    """What became of the files: records that are new here, the number of those that were known, why some were refused.

    If any was refused, none of the new ones was written.
    """

    new: list[Record] = field(default_factory=list)
    known: int = 0
    refused: list[str] = field(default_factory=list)


def merge(folders: Sequence[Path], *, stale: bool = False) -> Merged:
    """Check every record in the folders and, if all are acceptable, write those that are not here yet.

    A record is refused that is damaged or was edited, lies elsewhere than a record of this run would, contradicts a
    record of the same run, here or in another folder, or was made by other code than today's.

    Args:
        folders: each laid out as the folder of the records, `<experiment>/<dataset>/<key>.json`; other files are left
            alone.
        stale: accept records of other code.

    Raises:
        ValueError: a folder holds no records.
    """
    found, refused = _read(folders)
    old = set() if stale else stale_keys(record for _, record in found)
    seen: dict[str, tuple[Path, Record]] = {}
    new, known = [], 0
    for path, record in found:
        present = seen.get(record.key) or _present(record)
        if record.key in old:
            refused.append(f"{path}: other code than today's made it; --stale brings it in nevertheless")
        elif present and not records.same_results(present[1], record):
            older = " (made by other code than today's)" if stale_keys([present[1]]) else ""
            refused.append(f"{path} and {present[0]}{older} contradict each other: delete the wrong one")
        elif present and not stale_keys([present[1]]):
            known += 1
        else:
            new.append(record)
        seen.setdefault(record.key, (path, record))
    if not refused:
        records.write_all(new)
    return Merged(new, known, refused)


def _read(folders: Sequence[Path]) -> tuple[list[tuple[Path, Record]], list[str]]:
    """The records of the folders with their files, and what is wrong with the others."""
    found, refused = list[tuple[Path, Record]](), list[str]()
    for folder in folders:
        valid, problems = records.load_all(folder)
        if not valid and not problems:
            raise ValueError(f"{folder} holds no records: name the folder that holds <experiment>/<dataset>/<key>.json")
        found += [(_path(record, folder), record) for record in valid]
        refused += [problem.message for problem in problems]
    return found, refused


def _present(record: Record) -> tuple[Path, Record] | None:
    """The record of the same run that is here."""
    path = _path(record)
    return (path, records.read(path)) if path.exists() else None


def _path(record: Record, folder: Path | None = None) -> Path:
    return records.path_of(parse(record.experiment, record.parameters), folder)
