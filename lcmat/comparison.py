"""Whether recomputed records say what they said before: one line for each run of a profile, kept in one file.

Equal bits can be expected of the same processor or GPU with the same torch and numpy; elsewhere a difference is worth
a warning.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from lcmat.paths import atomic_write, project_folder
from lcmat.records import Record

_VERSION = 1
_LIBRARIES = ("torch", "numpy")


@dataclass(frozen=True)
class Entry:
    """What is compared of a run.

    Attributes:
        experiment: its name.
        fingerprint: of the code.
        environment: device, version of torch, version of numpy.
        status: "done" or "diverged".
        series: hash of the curves.
        metrics: the numbers.
    """

    experiment: str
    fingerprint: str
    environment: tuple[str, ...]
    status: str
    series: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """What differs: failures in any case, and differences that another environment can explain."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def reference_path(profile: str) -> Path:
    """Where the reference of a profile lies, under version control."""
    return project_folder() / "book" / "records" / f"{profile}.json"


def entry_of(record: Record) -> Entry:
    """The part of a record that is compared."""
    environment = (record.device, *(record.versions.get(name, "unknown") for name in _LIBRARIES))
    series = json.dumps(record.series, sort_keys=True, allow_nan=False).encode()
    digest = hashlib.sha256(series).hexdigest()[:12]
    return Entry(record.experiment, record.fingerprint, environment, record.status, digest, record.metrics)


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
        elif reference[key].fingerprint != found[key].fingerprint:
            result.failures.append(f"{key}: the reference was made by older code: update it")
        else:
            _compare_numbers(key, reference[key], found[key], result)
    return result


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write a reference: a line for each run, sorted, so that a change of one run is a change of one line."""
    environments = sorted({entry.environment for entry in entries.values()})
    parts = []
    by_experiment = sorted(entries.items(), key=lambda item: (item[1].experiment, item[0]))
    for experiment, items in groupby(by_experiment, key=lambda item: item[1].experiment):
        rows = dict(items)
        metrics = sorted({name for entry in rows.values() for name in entry.metrics})
        lines = ",\n".join(f'"{key}": {json.dumps(_row(entry, environments, metrics))}' for key, entry in rows.items())
        parts.append(f'"{experiment}": {{"metrics": {json.dumps(metrics)}, "runs": {{\n{lines}\n}}}}')
    head = f'"schema_version": {_VERSION},\n"environments": {json.dumps(environments)}'
    atomic_write(path, f'{{\n{head},\n"experiments": {{\n{",".join(parts)}\n}}\n}}\n'.encode())


def read(path: Path) -> dict[str, Entry]:
    """Read what `write` wrote, by key.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is no reference.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["schema_version"] != _VERSION:
            raise KeyError(f"schema_version {content['schema_version']}")
        return {
            key: _entry(experiment, row, content["environments"], part["metrics"])
            for experiment, part in content["experiments"].items()
            for key, row in part["runs"].items()
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path} is no reference ({error}); make it anew: lcmat compare --update") from None


def _compare_numbers(key: str, expected: Entry, found: Entry, result: Comparison) -> None:
    differences = [f"{key}: {text}" for text in _differences(expected, found)]
    if expected.environment == found.environment:
        result.failures.extend(differences)
    else:
        names = zip(("device", *_LIBRARIES), found.environment, expected.environment, strict=True)
        reason = ", ".join(f"{name} {new}, reference {old}" for name, new, old in names if new != old)
        result.warnings.extend(f"{text} ({reason})" for text in differences)


def _differences(expected: Entry, found: Entry) -> Iterable[str]:
    if expected.status != found.status:
        yield f"status {found.status}, reference {expected.status}"
    for name in sorted({*expected.metrics, *found.metrics}):
        new, old = found.metrics.get(name), expected.metrics.get(name)
        if new != old:
            yield f"{name} {new}, reference {old}"
    if expected.series != found.series:
        yield f"the series differ (hash {found.series}, reference {expected.series})"


def _row(entry: Entry, environments: list[tuple[str, ...]], metrics: list[str]) -> list[Any]:
    numbers = [entry.metrics.get(name) for name in metrics]
    return [entry.fingerprint, environments.index(entry.environment), entry.status, entry.series, *numbers]


def _entry(experiment: str, row: list[Any], environments: list[list[str]], metrics: list[str]) -> Entry:
    fingerprint, number, status, series, *values = row
    numbers = {name: value for name, value in zip(metrics, values, strict=True) if value is not None}
    return Entry(experiment, fingerprint, tuple(environments[number]), status, series, numbers)
