"""Tensors and their metadata in one file that is verified byte by byte when it is read.

A checkpoint is an ordinary safetensors file, so other tools can open it. The format itself does not notice a flipped
byte; therefore the header carries the SHA-256 of the whole file, computed while the 64 digits of the hash itself are
zeros. Nothing is ever pickled.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.files.degrading import optional
from lcmat.files.paths import atomic_write, read_file

if TYPE_CHECKING:
    from torch import Tensor

# One metadata entry, because safetensors writes several in random order. The hash comes first, so that the first
# occurrence of its (escaped) name is the hash itself whatever the metadata hold.
_ENTRY = "lcmat"
_HASH_FIELD = rb"{\"sha256\": \""
_ZEROS = b"0" * 64


class CorruptArtifactError(RuntimeError):
    """A stored file is not what was written; the message names the file and the remedy."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say what is wrong with which file and that deleting it helps."""
        super().__init__(f"{path}: {reason}. Delete this file and repeat the command: it will be made again.")
        self.path = path


class CheckpointMismatchError(RuntimeError):
    """A checkpoint belongs to another run; the message names the file, what differs and the remedy."""


def save(path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, Any]) -> None:
    """Write tensors and metadata to one file: after a crash it is either absent, the old one or whole.

    Args:
        path: the file to write; its folder is created when missing.
        tensors: name -> tensor of any shape, dtype and device; no two may share memory.
        metadata: whatever JSON can express (no NaN, string keys).

    Raises:
        TypeError, ValueError: the metadata is not JSON.
        OSError: the folder is not writable.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Path(folder, "a.safetensors"), {"x": torch.arange(3)}, {"epoch": 7})
    ...     load(Path(folder, "a.safetensors"))
    ({'x': tensor([0, 1, 2])}, {'epoch': 7})
    """
    from safetensors import torch as safetensors

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    entry = json.dumps({"sha256": _ZEROS.decode(), "metadata": metadata}, allow_nan=False)
    content = safetensors.save(plain, {_ENTRY: entry})
    start = content.index(_HASH_FIELD) + len(_HASH_FIELD)
    digest = hashlib.sha256(content).hexdigest().encode()
    atomic_write(Path(path), b"".join((content[:start], digest, memoryview(content)[start + len(digest) :])))


def load(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read what `save` wrote, on the CPU.

    Returns:
        The tensors by name, and the metadata.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptArtifactError: the file was truncated, altered anywhere (tensors, metadata, hash) or never written by
            `save`.
    """
    from safetensors import torch as safetensors

    content = read_file(Path(path))
    _verify(Path(path), content)
    return safetensors.load(content), json.loads(_header(content)["__metadata__"][_ENTRY])["metadata"]


def load_run(path: Path, run: Mapping[str, Any]) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read the checkpoint of a run whose metadata state, as "run", what it is a function of; otherwise as `load`.

    Args:
        path: the file.
        run: what the run that goes on from there is a function of, by name.

    Raises:
        CheckpointMismatchError: the two differ.
    """
    tensors, metadata = load(path)
    stored = metadata.get("run", {})
    different = [name for name in run if stored.get(name) != run[name]]
    if different:
        raise CheckpointMismatchError(
            f"{path} is the checkpoint of another run (other {', '.join(different)}): "
            "give this run a path of its own, or delete the file to start afresh"
        )
    return tensors, metadata


def resume_from(path: Path | None, restore: Callable[[Path], None], save: Callable[[Path], None]) -> Callable[[], None]:
    """Go on from the checkpoint of an interrupted run, if there is one, and return what saves the state there.

    A checkpoint that cannot be read or written, for instance on a full disk, costs a warning and not the run.

    Args:
        path: the file; None: nothing is read or written.
        restore: puts what the file holds into the state; called at once if the file exists.
        save: writes the state to the file.
    """
    if path is None:
        return lambda: None
    with optional():
        if os.path.exists(path):
            restore(path)
    return optional()(partial(save, path))


def with_prefix(tensors: Mapping[str, "Tensor"], prefix: str) -> dict[str, "Tensor"]:
    """The tensors whose names begin with the prefix, under the rest of their names.

    >>> with_prefix({"network.weight": 1, "images": 2}, "network.")
    {'weight': 1}
    """
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _verify(path: Path, content: bytes) -> None:
    start = content.find(_HASH_FIELD)
    if start < 0:
        raise CorruptArtifactError(path, "no SHA-256 in its header, so it is damaged or was not written by lcmat")
    start += len(_HASH_FIELD)
    view = memoryview(content)
    digest = hashlib.sha256(view[:start])
    digest.update(_ZEROS)
    digest.update(view[start + len(_ZEROS) :])
    stored = content[start : start + len(_ZEROS)]
    if stored != digest.hexdigest().encode():
        raise CorruptArtifactError(path, "its content does not match the SHA-256 in its header (truncated or altered)")


def _header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    return header
