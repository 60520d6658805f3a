"""Tensors computed once, kept in a verified file, and shared by every process that needs them."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from lcmat.config.warning import warn
from lcmat.files import checkpoints
from lcmat.files.checkpoints import CheckpointMismatchError, CorruptArtifactError
from lcmat.files.degrading import optional
from lcmat.files.paths import cache_folder
from lcmat.records import adoptions
from lcmat.records.machine import chosen_device, describe
from lcmat.training.loop import DivergedError

T = TypeVar("T")
_DIVERGED = "diverged"


class Stored(NamedTuple):
    """Tensors by name, and what else is to be known of them, as JSON can express it."""

    tensors: dict[str, Tensor]
    details: dict[str, Any]


def cached(kind: str, dataset: str, identity: Mapping[str, Any], compute: Callable[[Path], Stored]) -> Stored:
    """Take tensors from the cache, or compute and keep them.

    Of several processes that need the same tensors at once, one computes them while the others wait. A damaged file
    is made again, with a warning. What older code has made or begun is taken up if it was adopted. A cache that cannot
    be used costs time and a warning. That a training diverged is kept too.

    Args:
        kind: of the tensors, the folder's name.
        dataset: the folder in it.
        identity: all that the bits of the tensors depend on, as JSON can express it. Fingerprints of code have names
            that end in "code".
        compute: makes them; its argument is where to keep the state of an unfinished computation, which is removed
            afterwards.

    Raises:
        DivergedError: a training in `compute` diverged, now or before.
    """
    paths = _paths(kind, dataset, identity)
    path = next(iter(paths))
    with _locked(path.with_suffix(".lock")):
        stored = _first_good(paths)
        if stored is None:
            state = _first_existing([known.with_suffix(".training") for known in paths])
            stored = _outcome(compute, state)
            with optional():
                checkpoints.save(path, stored.tensors, {"identity": identity, **stored.details})
            if _DIVERGED not in stored.details:
                forget(state)
    if _DIVERGED in stored.details:
        raise DivergedError(stored.details[_DIVERGED])
    return stored


def holds(kind: str, dataset: str, identity: Mapping[str, Any]) -> bool:
    """Whether `cached` would look at a file instead of computing; whether that is good is not known before."""
    return any(os.path.exists(path) for path in _paths(kind, dataset, identity))


def identity_on(device: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """All that the bits of a result depend on: what is known of it, and what computes it.

    Args:
        device: as torch names it.
        known: of the computation, for instance its recipe, its data and its code.
    """
    return {
        **known,
        "device": torch.device(device).type,
        "threads": torch.get_num_threads(),
        "versions": [np.__version__, torch.__version__],
    }


def resumable(attempt: Callable[[], T], checkpoint: Path | None, unit: str) -> T:
    """Compute from the checkpoint where there is a good one, else, with a warning, from the start.

    Args:
        attempt: goes on from the checkpoint if the file exists, and may be called twice.
        checkpoint: the file; one that is damaged or belongs to another run is removed.
        unit: what the computation consists of, for the warning, such as "epoch".
    """
    try:
        return attempt()
    except (CorruptArtifactError, CheckpointMismatchError) as error:
        if checkpoint is None:
            raise
        warn(f"{error} Starting again from the first {unit}.")
        forget(checkpoint)
    return attempt()


@optional()
def forget(state: Path) -> None:
    """Remove the state of a computation that is done, or that is of no use."""
    state.unlink(missing_ok=True)


def unfinished(key: str, code: str) -> Path:
    """Where the state of an unfinished run is kept.

    Other code must not go on with it, unless it was adopted, nor another processor, device, number of threads or
    version of torch: the record names one of each.

    Args:
        key: of the run.
        code: fingerprint of its code.
    """
    folder, device = cache_folder() / "checkpoints", chosen_device()
    computer = _digest(identity_on(device, {"processor": describe(device)}))
    return _first_existing([folder / f"{key}-{each}-{computer}.safetensors" for each in adoptions.lineage(code)])


def _first_existing(paths: Sequence[Path]) -> Path:
    """The first of the paths where there is a file, the very first if there is none."""
    return next(filter(os.path.exists, paths), paths[0])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time go on; where nothing can be locked, each computes for itself."""
    lock = FileLock(path)
    with optional():
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _outcome(compute: Callable[[Path], Stored], state: Path) -> Stored:
    """What is computed, or that it diverged."""
    try:
        return compute(state)
    except DivergedError as error:
        return Stored({}, {_DIVERGED: str(error)})


def _paths(kind: str, dataset: str, identity: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """Where tensors of this identity may lie, today's code first."""
    folder = cache_folder() / kind / dataset
    return {folder / f"{_digest(each)}.safetensors": each for each in _alternatives(identity)}


def _alternatives(identity: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The identity, then those of the same tensors made by adopted code."""
    known = adoptions.read()
    codes = {name: adoptions.lineage(value, known) for name, value in identity.items() if name.endswith("code")}
    for values in product(*codes.values()):
        yield {**identity, **dict(zip(codes, values, strict=True))}


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _first_good(paths: Mapping[Path, Mapping[str, Any]]) -> Stored | None:
    """What the first file holds that is there and good, None if there is no such file."""
    for path, identity in paths.items():
        if (found := _load(path, identity)) is not None:
            return found
    return None


def _load(path: Path, identity: Mapping[str, Any]) -> Stored | None:
    try:
        found = _read(path) if os.path.exists(path) else None
    except CorruptArtifactError as error:
        warn(f"{error} It is being made again now.")
        return None
    if found is not None and found.details.pop("identity") != identity:
        warn(f"{path} belongs to another run; it is being made again now")
        return None
    return found


def _read(path: Path) -> Stored | None:
    found = None
    with optional():
        found = Stored(*checkpoints.load(path))
    return found
