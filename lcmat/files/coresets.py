"""Files of coresets: which samples of a training set were chosen, and with which weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lcmat.config.arguments import checked
from lcmat.files import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

_METADATA = {"kind": "coreset"}


@checked(path="path")
def save_coreset(path: str | Path, tensors: Mapping[str, "Tensor"]) -> None:
    """Write a coreset to one file (safetensors and a hash; no pickle), atomically.

    Args:
        path: the file to write; its folder is created when missing.
        tensors: the attributes of a `lcmat.Coreset` by name.

    Raises:
        OSError: the folder is not writable.
    """
    checkpoints.save(Path(path), tensors, _METADATA)


@checked(path="path")
def load_coreset(path: str | Path) -> dict[str, "Tensor"]:
    """Read what `save_coreset` wrote, on the CPU.

    Returns:
        The attributes of a `lcmat.Coreset` by name.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptArtifactError: the file is damaged.
        ValueError: the file holds something else.
    """
    tensors, metadata = checkpoints.load(Path(path))
    if metadata.get("kind") != _METADATA["kind"]:
        raise ValueError(f"path {str(path)!r} holds {metadata.get('kind', 'something else')}, not a coreset")
    return tensors
