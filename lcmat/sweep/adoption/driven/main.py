"""Does the tasks of a file in this tree and writes the hashes of all that they give."""

import hashlib
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .stages import STAGES


def main(tree: str, tasks: str, results: str) -> None:
    """Do the tasks and write their results: name -> {what: value or hash}, or name -> {"error": the error}.

    Args:
        tree: folder of the package that must be the one imported.
        tasks: file with a list of {"name", "stage", "experiment", "parameters", "scale"}.
        results: file to write.

    Raises:
        ImportError: another copy of the package comes first.
    """
    import lcmat

    if Path(lcmat.__file__).resolve().parent.parent != Path(tree).resolve():
        raise ImportError(f"{lcmat.__file__} was imported instead of the package in {tree}")
    torch.set_num_threads(1)
    found = {}
    for task in json.loads(Path(tasks).read_bytes()):
        if task["stage"] != "fingerprints":
            print(task["name"], file=sys.stderr, flush=True)
        found[task["name"]] = _attempt(task)
    Path(results).write_text(json.dumps(found), encoding="utf-8")


def _attempt(task: Mapping[str, Any]) -> dict[str, Any]:
    from lcmat.config import parse

    try:
        run = parse(task["experiment"], task["parameters"])
        return {name: hashed(value) for name, value in STAGES[task["stage"]](run, task["scale"]).items()}
    except Exception:  # whatever it is, this stage does not run in this tree; others may
        return {"error": traceback.format_exc(limit=-3)}


def hashed(value: Any) -> Any:
    """SHA-256 of the bytes of a tensor, with its type and shape; anything else as it is, floats exactly.

    >>> hashed(torch.tensor([0.0])) == hashed(torch.tensor([-0.0]))
    False
    >>> hashed((0.5, {"a": "text"}))
    ['0x1.0000000000000p-1', {'a': 'text'}]
    """
    if isinstance(value, Tensor):
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        return hashlib.sha256(f"{array.dtype}{tuple(value.shape)}".encode() + array.tobytes()).hexdigest()
    if isinstance(value, dict):
        return {name: hashed(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [hashed(part) for part in value]
    return value.hex() if isinstance(value, float) else value
