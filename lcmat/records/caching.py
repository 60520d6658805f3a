"""Tensors computed once, kept in a verified file, and shared by every process that needs them."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from lcmat.files import checkpoints
from lcmat.files.checkpoints import CheckpointMismatchError, CorruptArtifactError
from lcmat.files.paths import cache_folder
from lcmat.records import adoptions

T = TypeVar("T")


class Stored(NamedTuple):
    """Tensors by name, and what else is to be known of them, as JSON can express it."""

    tensors: dict[str, Tensor]
    details: dict[str, Any]


def cached(kind: str, dataset: str, identity: Mapping[str, Any], compute: Callable[[Path], Stored]) -> Stored:
    """Take tensors from the cache, or compute and keep them.

    Of several processes that need the same tensors at once, one computes them while the others wait. A damaged file
    is made again, with a warning. What older code has made or begun is taken up if it was adopted.

    Args:
        kind: of the tensors, the folder's name.
        dataset: the folder in it.
        identity: all that the bits of the tensors depend on, as JSON can express it. Fingerprints of code have names
            that end in "code".
        compute: makes them; its argument is where to keep the state of an unfinished computation, which is removed
            afterwards.
    """
    folder = cache_folder() / kind / dataset
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / f"{_digest(each)}.safetensors": each for each in _alternatives(identity)}
    path = next(iter(paths))
    with FileLock(path.with_suffix(".lock")):
        if (stored := _first_good(paths)) is not None:
            return stored
        state = _first_existing([known.with_suffix(".training") for known in paths])
        computed = compute(state)
        checkpoints.save(path, computed.tensors, {"identity": identity, **computed.details})
        state.unlink(missing_ok=True)
    return computed


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
        warnings.warn(f"{error} Starting again from the first {unit}.", stacklevel=3)
        checkpoint.unlink(missing_ok=True)
    return attempt()


def unfinished(key: str, code: str) -> Path:
    """Where the state of an unfinished run is kept; other code must not go on with it, unless it was adopted.

    Args:
        key: of the run.
        code: fingerprint of its code.
    """
    folder = cache_folder() / "checkpoints"
    return _first_existing([folder / f"{key}-{each}.safetensors" for each in adoptions.lineage(code)])


def _first_existing(paths: Sequence[Path]) -> Path:
    """The first of the paths where there is a file, the very first if there is none."""
    return next(filter(Path.exists, paths), paths[0])


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
        tensors, metadata = checkpoints.load(path)
    except FileNotFoundError:
        return None
    except CorruptArtifactError as error:
        warnings.warn(f"{error} It is being made again now.", stacklevel=5)
        return None
    if metadata.pop("identity") != identity:
        warnings.warn(f"{path} belongs to another run; it is being made again now", stacklevel=5)
        return None
    return Stored(tensors, metadata)
