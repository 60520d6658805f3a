"""Records: one small JSON file per run, the only thing that the book's numbers are computed from.

A record is written as the last act of a run, in one step. A run that crashes leaves none; a training that diverged is a
result and leaves one, whose status says so and which has no accuracy.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from lcmat.config import Experiment, parse
from lcmat.files.paths import atomic_write_all, read_file, records_folder
from lcmat.records.circumstances import Determinism, Environment, Hex, Machine, Part

# What differs between two runs that give the same numbers.
_CIRCUMSTANCES = {"seconds", "started", "wall_seconds", "peak_memory_mb", "commit", "dirty"}
_RESULTS = {"status", "metrics", "series", "data", "indices", "artifacts", "error"}
_SCHEMA: Literal[2] = 2
_HASH = "content_sha256"
_LARGEST = 2**26  # bytes


class RecordError(ValueError):
    """A file is no valid record; the message names the file and the remedy."""


class DataSource(Part):
    """Which images a run used: a hash of their pixels and labels, and where they come from, in a sentence."""

    content_hash: str
    provenance: str


class Record(Part):
    """The result of one run and all that is needed to judge and to repeat it.

    Attributes:
        schema_version: of this model.
        experiment: a key of `lcmat.config.EXPERIMENTS`.
        key: of the parameters; also the name of the file.
        parameters: resolved, as `Experiment.canonical` gives them.
        seed: repeated from the parameters.
        status: "done", or "diverged" when the training loss stopped being a finite number.
        metrics: finite numbers; names that end in `_percent` lie in 0 .. 100. `test_accuracy_percent` is that of the
            last epoch, `best_test_accuracy_percent` the largest of the evaluated epochs.
        series: curves, for instance the loss of each epoch.
        seconds: stage -> its duration, also where its result came from a cache. Metrics and series, in contrast, repeat
            bit for bit on the same device.
        started: when the run began, UTC.
        wall_seconds: duration of the run, or of its last part if it was interrupted.
        peak_memory_mb: largest resident memory of the process, in 10^6 bytes.
        machine: see `Machine`.
        environment: see `Environment`.
        deterministic_algorithms: torch's deterministic mode.
        commit: of the repository, None outside of one.
        dirty: whether tracked files other than records differed from that commit.
        fingerprint: of the code that made the numbers, see `lcmat.records.fingerprint`.
        data: split -> `DataSource`.
        indices: of the chosen images among the training images in the canonical order of the data set, class by class,
            best first; None where nothing is chosen once.
        artifacts: what else the run made and the cache keeps, for instance a condensed set -> hash of its content.
        error: why the status is not "done".
    """

    schema_version: Literal[2] = _SCHEMA
    experiment: str
    key: Hex
    parameters: dict[str, Any]
    seed: int
    status: Literal["done", "diverged"]
    metrics: dict[str, float]
    series: dict[str, list[float]]
    seconds: dict[str, float]
    started: AwareDatetime
    wall_seconds: float = Field(ge=0)
    peak_memory_mb: float = Field(ge=0)
    machine: Machine
    environment: Environment
    deterministic_algorithms: bool
    commit: str | None
    dirty: bool | None
    fingerprint: Hex
    data: dict[str, DataSource]
    indices: list[Annotated[int, Field(ge=0)]] | None = None
    artifacts: dict[str, str] = Field(default_factory=dict)
    error: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """The key fits the parameters, percentages are percentages, and the status fits the rest."""
        parameters = parse(self.experiment, self.parameters)
        if parameters.canonical() != self.parameters:
            raise ValueError("parameters are not the resolved ones")
        if (self.key, self.seed) != (parameters.key, self.parameters.get("seed")):
            raise ValueError(f"key {self.key} and seed {self.seed} do not belong to the parameters ({parameters.key})")
        for name, value in self.metrics.items():
            if name.endswith("_percent") and not 0 <= value <= 100:
                raise ValueError(f"{name} = {value} is no percentage")
        if (self.status == "done") != ("test_accuracy_percent" in self.metrics and self.error is None):
            raise ValueError(f"status {self.status!r} contradicts metrics and error")
        if len(set(self.indices or ())) != len(self.indices or ()):
            raise ValueError("an image is chosen twice")
        return self

    @property
    def device(self) -> str:
        """What computed, in words."""
        return self.machine.device

    @property
    def versions(self) -> dict[str, str]:
        """Of Python, lcmat, numpy and torch."""
        return self.environment.model_dump(exclude={"lock"})

    @property
    def determinism(self) -> Determinism:
        """See `Determinism`."""
        return Determinism(threads=self.machine.threads, deterministic_algorithms=self.deterministic_algorithms)


@dataclass(frozen=True)
class Problem:
    """A file among the records that is none, and why."""

    path: Path
    message: str


def path_of(parameters: Experiment, folder: Path | None = None) -> Path:
    """Where the record of a run with these parameters lies: `<experiment>/<dataset>/<key>.json`."""
    return (folder or records_folder()) / _place(parameters)


def write(record: Record, folder: Path | None = None) -> Path:
    """Write a record in one step and return where it lies; one that says the same stays as it is, with its times."""
    return write_all([record], folder)[0]


def write_all(records: Sequence[Record], folder: Path | None = None) -> list[Path]:
    """Write records as `write` does: all of them, or none if one cannot be written.

    Raises:
        OSError: the folder cannot be written, or there is no room.
    """
    paths = [path_of(parse(record.experiment, record.parameters), folder) for record in records]
    missing = {p: record for p, record in zip(paths, records, strict=True) if not _is_there(record, p)}
    atomic_write_all({path: _as_text(record).encode() for path, record in missing.items()})
    return paths


def read(path: Path) -> Record:
    """Read and check a record.

    Raises:
        FileNotFoundError: there is none.
        RecordError: the file is damaged, was changed by hand, is of another schema version, lies elsewhere than a
            record of its run does, or cannot be read.
    """
    try:
        record = Record.model_validate_json(json.dumps(_content(path)), strict=True)
    except ValidationError as error:
        details = (f"{'.'.join(map(str, detail['loc'])) or 'record'}: {detail['msg']}" for detail in error.errors())
        raise _invalid(path, "; ".join(details)) from None
    place = _place(parse(record.experiment, record.parameters))
    if path.absolute().parts[-3:] != place.parts:
        raise RecordError(f"{path} belongs at {place} in the folder of the records: move it there, or delete the copy")
    return record


def agree(one: Record, other: Record) -> bool:
    """Whether two records of a run say the same, whenever it ran and however long it took."""
    return one.model_dump(exclude=_CIRCUMSTANCES) == other.model_dump(exclude=_CIRCUMSTANCES)


def same_results(one: Record, other: Record) -> bool:
    """Whether two records of a run found the same, whichever machine, environment and code found it."""
    return one.model_dump(include=_RESULTS) == other.model_dump(include=_RESULTS)


def load_all(folder: Path | None = None, experiment: str | None = None) -> tuple[list[Record], list[Problem]]:
    """Read all records below a folder, in the order of their paths, and tell which files are none.

    Args:
        folder: by default the project's records.
        experiment: read only this one's.
    """
    records, problems = [], []
    for path in sorted((folder or records_folder()).glob(f"{experiment or '*'}/*/*.json")):
        try:
            records.append(read(path))
        except (RecordError, FileNotFoundError) as error:  # the second of a link that leads nowhere
            problems.append(Problem(path, str(error)))
    return records, problems


def is_done(parameters: Experiment, folder: Path | None = None) -> bool:
    """Whether the record of this run exists.

    Raises:
        RecordError: a file is there but is no valid record.
    """
    path = path_of(parameters, folder)
    return path.exists() and bool(read(path))


def _is_there(record: Record, path: Path) -> bool:
    try:
        return agree(read(path), record)
    except (FileNotFoundError, RecordError):
        return False


def _place(parameters: Experiment) -> Path:
    return Path(parameters.experiment, parameters.canonical()["dataset"], f"{parameters.key}.json")


def _as_text(record: Record) -> str:
    content = record.model_dump(mode="json")
    content[_HASH] = _sha256(content)
    lines = (f'"{name}": {json.dumps(value, ensure_ascii=False, allow_nan=False)}' for name, value in content.items())
    return "{{\n{}\n}}\n".format(",\n".join(lines))


def _content(path: Path) -> dict[str, Any]:
    """What a file of this schema says, as it was written."""
    try:
        content = json.loads(read_file(path, _LARGEST))
        version = content["schema_version"]
    except FileNotFoundError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, OSError) as error:
        raise _invalid(path, f"{type(error).__name__}: {error}") from None
    if version != _SCHEMA:
        made = ", made by the first edition" if version == 1 else ""
        raise _invalid(path, f"schema_version {version}{made}, not {_SCHEMA}")
    if content.pop(_HASH, None) != _sha256(content):
        raise _invalid(path, f"it was edited or damaged: its content has another hash than its {_HASH}")
    return dict(content)


def _sha256(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _invalid(path: Path, reason: str) -> RecordError:
    return RecordError(f"{path} is no valid record ({reason}); delete the file and repeat its run")
