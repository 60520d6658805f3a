"""Whether recomputed records say what they said before: one line for each run of a profile, kept in one file.

Equal bits can be expected in an equal environment: the same model of processor with the same extensions, or the same
GPU, as many threads, the same torch and numpy. There a difference is a failure; elsewhere it is reported.

What is unknown of an environment equals nothing.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from lcmat.files.paths import atomic_write, read_file, repository_folder
from lcmat.records.adoptions import lineage
from lcmat.records.circumstances import UNKNOWN, Machine
from lcmat.records.record import Record

_VERSION = 3


class Platform(Machine):
    """What decides the last bits of a run's numbers: the machine, torch and numpy."""

    torch: str
    numpy: str


@dataclass(frozen=True)
class Entry:
    """What is compared of a run.

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


@dataclass(frozen=True)
class Comparison:
    """What differs: failures in any case, differences that another environment can explain, and keys of runs in one."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def reference_path(profile: str) -> Path:
    """Where the reference of a profile lies, under version control."""
    return repository_folder() / "book" / "records" / f"{profile}.json"


def entry_of(record: Record) -> Entry:
    """The part of a record that is compared."""
    platform = Platform(**record.machine.model_dump(), torch=record.environment.torch, numpy=record.environment.numpy)
    series = json.dumps(record.series, sort_keys=True, allow_nan=False).encode()
    digest = hashlib.sha256(series).hexdigest()[:12]
    return Entry(record.experiment, record.fingerprint, platform, record.status, digest, record.metrics)


def compare(reference: Mapping[str, Entry], found: Mapping[str, Entry], wanted: Iterable[str]) -> Comparison:
    """Compare the entries of the runs that are wanted, by key, with those of the reference."""
    result, keys = Comparison(), set(wanted)
    for key in sorted(keys | set(reference)):
        if key not in keys:
            result.failures.append(f"{key}: no run of the profile any more: update the reference")
        elif key not in found:
            result.failures.append(f"{key}: there is no record of it: lcmat sweep computes it")
        elif key not in reference:
            result.failures.append(f"{key}: not in the reference: update it")
        elif reference[key].fingerprint not in lineage(found[key].fingerprint):
            result.failures.append(f"{key}: the reference was made by older code: update it")
        else:
            _compare_numbers(key, reference[key], found[key], result)
    return result


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write a reference: a line for each run, sorted, so that a change of one run is a change of one line."""
    platforms = sorted({entry.platform for entry in entries.values()}, key=Platform.model_dump_json)
    parts = []
    by_experiment = sorted(entries.items(), key=lambda item: (item[1].experiment, item[0]))
    for experiment, items in groupby(by_experiment, key=lambda item: item[1].experiment):
        rows = dict(items)
        metrics = sorted({name for entry in rows.values() for name in entry.metrics})
        lines = ",\n".join(f'"{key}": {json.dumps(_row(entry, platforms, metrics))}' for key, entry in rows.items())
        parts.append(f'"{experiment}": {{"metrics": {json.dumps(metrics)}, "runs": {{\n{lines}\n}}}}')
    named = ",\n".join(json.dumps(platform.model_dump()) for platform in platforms)
    head = f'"schema_version": {_VERSION},\n"platforms": [\n{named}\n]'
    atomic_write(path, f'{{\n{head},\n"experiments": {{\n{",".join(parts)}\n}}\n}}\n'.encode())


def read(path: Path) -> dict[str, Entry]:
    """Read what `write` wrote, by key.

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
            key: _entry(experiment, row, platforms, part["metrics"])
            for experiment, part in content["experiments"].items()
            for key, row in part["runs"].items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        remedy = "complete the records with lcmat sweep, then write it anew with lcmat compare --update"
        raise ValueError(f"{path} is no reference for this code ({error}): {remedy}") from None


def _compare_numbers(key: str, expected: Entry, found: Entry, result: Comparison) -> None:
    differences = [f"{found.experiment} {key}: {text}" for text in _differences(expected, found)]
    if expected.platform.known and expected.platform == found.platform:
        result.failures.extend(differences)
        return
    facts = zip(found.platform, dict(expected.platform).values(), strict=True)
    reason = ", ".join(f"{name} {new}, reference {old}" for (name, new), old in facts if new != old or new == UNKNOWN)
    result.warnings.extend(f"{text} ({reason})" for text in differences)
    result.elsewhere.append(key)


def _differences(expected: Entry, found: Entry) -> Iterable[str]:
    if expected.status != found.status:
        yield f"the status moved from {expected.status} to {found.status}"
    for name in sorted({*expected.metrics, *found.metrics}):
        old, new = expected.metrics.get(name), found.metrics.get(name)
        if old != new:
            yield f"{name} moved from {_or_nothing(old)} to {_or_nothing(new)}"
    if expected.series != found.series:
        yield f"the series moved (hash {expected.series}, now {found.series})"


def _or_nothing(number: float | None) -> str:
    return "nothing" if number is None else repr(number)


def _row(entry: Entry, platforms: list[Platform], metrics: list[str]) -> list[Any]:
    numbers = [entry.metrics.get(name) for name in metrics]
    return [entry.fingerprint, platforms.index(entry.platform), entry.status, entry.series, *numbers]


def _entry(experiment: str, row: list[Any], platforms: list[Platform], metrics: list[str]) -> Entry:
    fingerprint, number, status, series, *values = row
    numbers = {name: value for name, value in zip(metrics, values, strict=True) if value is not None}
    return Entry(experiment, fingerprint, platforms[number], status, series, numbers)
