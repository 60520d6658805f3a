"""Tensors computed once, kept in a verified file, and shared by every process that needs them."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from torch import Tensor

from lcmat.files import checkpoints
from lcmat.files.paths import cache_folder
from lcmat.records import adoptions


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
        for known, its_identity in paths.items():
            if (found := _load(known, its_identity)) is not None:
                return found
        begun = [known.with_suffix(".training") for known in paths]
        unfinished = next(filter(Path.exists, begun), begun[0])
        found = compute(unfinished)
        checkpoints.save(path, found.tensors, {"identity": identity, **found.details})
        unfinished.unlink(missing_ok=True)
    return found


def unfinished(key: str, code: str) -> Path:
    """Where the state of an unfinished run is kept; other code must not go on with it, unless it was adopted.

    Args:
        key: of the run.
        code: fingerprint of its code.
    """
    folder = cache_folder() / "checkpoints"
    paths = [folder / f"{key}-{each}.safetensors" for each in adoptions.lineage(code)]
    return next(filter(Path.exists, paths), paths[0])


def _alternatives(identity: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The identity, then those of the same tensors made by adopted code."""
    known = adoptions.read()
    codes = {name: adoptions.lineage(value, known) for name, value in identity.items() if name.endswith("code")}
    for values in product(*codes.values()):
        yield {**identity, **dict(zip(codes, values, strict=True))}


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _load(path: Path, identity: Mapping[str, Any]) -> Stored | None:
    try:
        tensors, metadata = checkpoints.load(path)
    except FileNotFoundError:
        return None
    except checkpoints.CorruptArtifactError as error:
        warnings.warn(f"{error} It is being made again now.", stacklevel=4)
        return None
    if metadata.pop("identity") != identity:
        warnings.warn(f"{path} belongs to another run; it is being made again now", stacklevel=4)
        return None
    return Stored(tensors, metadata)
