"""What is compared of a profile's runs, kept in one file: a line for each run, with its numbers on every machine met.

Machines on which a run gave the same numbers share them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from lcmat.files.paths import atomic_write, read_file, repository_folder
from lcmat.records.adoptions import lineage
from lcmat.records.circumstances import Machine
from lcmat.records.record import Record

_VERSION = 4


class Platform(Machine):
    """What decides the last bits of a run's numbers: the machine, torch and numpy."""

    torch: str
    numpy: str


@dataclass(frozen=True)
class Entry:
    """What is compared of a run on one machine.

    Attributes:
        experiment: its name.
        fingerprint: of the code.
        platform: on which it was computed.
        status: "done" or "diverged".
        series: hash of the curves.
        metrics: the numbers.
    """

    experiment: str
    fingerprint: str
    platform: Platform
    status: str
    series: str
    metrics: Mapping[str, float]

    def agrees(self, other: "Entry") -> bool:
        """Whether all numbers are the same, whatever code and machine made them."""
        return (self.status, self.series, self.metrics) == (other.status, other.series, other.metrics)


Reference = Mapping[str, Sequence[Entry]]
"""Key of a run -> its entries, one for each machine."""


def reference_path(profile: str) -> Path:
    """Where the reference of a profile lies, under version control."""
    return repository_folder() / "book" / "records" / f"{profile}.json"


def entry_of(record: Record) -> Entry:
    """The part of a record that is compared."""
    platform = Platform(**record.machine.model_dump(), torch=record.environment.torch, numpy=record.environment.numpy)
    series = json.dumps(record.series, sort_keys=True, allow_nan=False).encode()
    digest = hashlib.sha256(series).hexdigest()[:12]
    return Entry(record.experiment, record.fingerprint, platform, record.status, digest, record.metrics)


def renewed(reference: Reference, found: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    """The reference with new entries in place of older ones of their machines.

    An entry of another machine stays as long as it is of code that gives the same numbers as today's: of the same code,
    of code that was adopted, or of code with which this machine had these numbers too.
    """
    return {key: [entry, *_kept(reference.get(key, ()), entry)] for key, entry in found.items()}


def write(path: Path, reference: Reference) -> None:
    """Write a reference: a line for each run, sorted, so that a change of one run is a change of one line."""
    entries = [entry for each in reference.values() for entry in each]
    platforms = sorted({entry.platform for entry in entries}, key=Platform.model_dump_json)
    parts = []
    by_experiment = sorted(reference.items(), key=lambda item: (item[1][0].experiment, item[0]))
    for experiment, items in groupby(by_experiment, key=lambda item: item[1][0].experiment):
        rows = dict(items)
        metrics = sorted({name for each in rows.values() for entry in each for name in entry.metrics})
        lines = ",\n".join(f'"{key}": {json.dumps(_rows(each, platforms, metrics))}' for key, each in rows.items())
        parts.append(f'"{experiment}": {{"metrics": {json.dumps(metrics)}, "runs": {{\n{lines}\n}}}}')
    named = ",\n".join(json.dumps(platform.model_dump()) for platform in platforms)
    head = f'"schema_version": {_VERSION},\n"platforms": [\n{named}\n]'
    atomic_write(path, f'{{\n{head},\n"experiments": {{\n{",".join(parts)}\n}}\n}}\n'.encode())


def read(path: Path) -> dict[str, list[Entry]]:
    """Read what `write` wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is no reference.
    """
    try:
        content = json.loads(read_file(path))
        if content["schema_version"] != _VERSION:
            raise ValueError(f"its schema_version is {content['schema_version']}, not {_VERSION}")
        platforms = [Platform(**facts) for facts in content["platforms"]]
        return {
            key: [entry for row in rows for entry in _entries(experiment, row, platforms, part["metrics"])]
            for experiment, part in content["experiments"].items()
            for key, rows in part["runs"].items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        remedy = "complete the records with lcmat sweep, then write it anew with lcmat compare --update"
        raise ValueError(f"{path} is no reference for this code ({error}): {remedy}") from None


def _kept(older: Sequence[Entry], new: Entry) -> Iterable[Entry]:
    own = [each for each in older if each.platform == new.platform]
    same_code = {*lineage(new.fingerprint), *(each.fingerprint for each in own if each.agrees(new))}
    for each in older:
        if each.platform != new.platform and each.fingerprint in same_code:
            yield replace(each, fingerprint=new.fingerprint)


def _rows(entries: Sequence[Entry], platforms: list[Platform], metrics: list[str]) -> list[list[Any]]:
    """Numbers, each set of them with all the machines that gave it."""
    rows: list[list[Any]] = []
    for entry in entries:
        numbers = [entry.status, entry.series, *(entry.metrics.get(name) for name in metrics)]
        same = next((row for row in rows if row[0] == entry.fingerprint and row[2:] == numbers), None)
        if same is None:
            rows.append(same := [entry.fingerprint, [], *numbers])
        same[1].append(platforms.index(entry.platform))
    return rows


def _entries(experiment: str, row: list[Any], platforms: list[Platform], metrics: list[str]) -> Iterable[Entry]:
    fingerprint, machines, status, series, *values = row
    numbers = {name: value for name, value in zip(metrics, values, strict=True) if value is not None}
    return [Entry(experiment, fingerprint, platforms[each], status, series, numbers) for each in machines]
