"""Two commits side by side: their trees, and what each gives for the same tasks."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lcmat.files.paths import data_folder
from lcmat.sweep.adoption.stages import Task

Results = Mapping[str, Mapping[str, Any]]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "LCMAT_THREADS")
_START = "import sys; sys.path.append(sys.argv[1]); from driven.main import main; main(*sys.argv[2:])"


def git(repository: Path, *arguments: str) -> bytes:
    """Output of a git command.

    Raises:
        ValueError: it failed; the message is its own.
    """
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def check_out(repository: Path, commit: str, folder: Path) -> Path:
    """Write the package as it was at a commit into a new folder, which is returned. The repository stays as it is."""
    archive = io.BytesIO(git(repository, "archive", commit, "lcmat"))
    with tarfile.open(fileobj=archive) as content:
        content.extractall(folder, filter="data")
    return folder


def run(tree: Path, tasks: Iterable[Task], tools: Path) -> Results:
    """What a tree gives for tasks, by their names: on one thread of the processor, with caches and records of its own.

    Args:
        tree: folder of the package; what is written lies beside it, in folders named after it.
        tasks: their names appear on the standard error as it goes along.
        tools: folder of the package whose `lcmat.sweep.adoption.driven` does them.

    Raises:
        RuntimeError: the process died.
    """
    written, results = tree.with_name(f"{tree.name}-tasks.json"), tree.with_name(f"{tree.name}-results.json")
    written.write_text(json.dumps([task.as_json() for task in tasks]), encoding="utf-8")
    command = [
        sys.executable,
        "-P",
        "-c",
        _START,
        *map(str, (tools / "lcmat" / "sweep" / "adoption", tree, written, results)),
    ]
    if subprocess.run(command, env=_environment(tree), check=False).returncode:
        raise RuntimeError(f"the process that ran {tree.name} code died; its message is above")
    found: Results = json.loads(results.read_bytes())
    return found


def _environment(tree: Path) -> dict[str, str]:
    own = {name: str(tree.with_name(f"{tree.name}-{name}")) for name in ("LCMAT_CACHE", "LCMAT_RECORDS", "LCMAT_RUNS")}
    given = {"PYTHONPATH": str(tree), "LCMAT_DATA": str(data_folder()), "LCMAT_DEVICE": "cpu"}
    return {**os.environ, **dict.fromkeys(_THREADS, "1"), **own, **given}
