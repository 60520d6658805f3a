"""Tensors computed once, kept in a verified file, and shared by every process that needs them."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock
from torch import Tensor

from lcmat import checkpoints
from lcmat.paths import cache_folder


class Stored(NamedTuple):
    """Tensors by name, and what else is to be known of them, as JSON can express it."""

    tensors: dict[str, Tensor]
    details: dict[str, Any]


def cached(kind: str, dataset: str, identity: Mapping[str, Any], compute: Callable[[Path], Stored]) -> Stored:
    """Take tensors from the cache, or compute and keep them.

    Of several processes that need the same tensors at once, one computes them while the others wait. A damaged file
    is made again, with a warning.

    Args:
        kind: of the tensors, the folder's name.
        dataset: the folder in it.
        identity: all that the bits of the tensors depend on, as JSON can express it.
        compute: makes them; its argument is where to keep the state of an unfinished computation, which is removed
            afterwards.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / kind / dataset / f"{digest}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        found = _load(path, identity)
        if found is None:
            found = compute(path.with_suffix(".training"))
            checkpoints.save(path, found.tensors, {"identity": identity, **found.details})
            path.with_suffix(".training").unlink(missing_ok=True)
    return found


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
