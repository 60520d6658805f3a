"""What every experiment notes beside its numbers: when, where, with which code, at what cost."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from lcmat.config import Experiment, ParameterError
from lcmat.config.datasets import DATASETS
from lcmat.config.registry import ZOO_PREFIX
from lcmat.data import Splits
from lcmat.experiments import code_fingerprint
from lcmat.files.paths import PACKAGE
from lcmat.records.machine import chosen_device, this_environment, this_machine
from lcmat.records.memory import peak_megabytes
from lcmat.records.record import DataSource, Record

P = TypeVar("P", bound=Experiment)

_ROOT = PACKAGE.parent


@dataclass(frozen=True)
class Session(Generic[P]):
    """A run under way. Whatever could change while it goes on, such as the source code, is taken at its start."""

    parameters: P
    fingerprint: str
    commit: str | None
    dirty: bool | None
    device: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.perf_counter)

    def record(
        self,
        splits: Splits,
        *,
        metrics: Mapping[str, float],
        series: Mapping[str, list[float]],
        seconds: Mapping[str, float],
        indices: Sequence[int] | None = None,
        artifacts: Mapping[str, str] | None = None,
        error: str | None = None,
    ) -> Record:
        """The record of this run, which ends now."""
        values = self.parameters.canonical()
        return Record(
            experiment=self.parameters.experiment,
            key=self.parameters.key,
            parameters=values,
            seed=values["seed"],
            status="done" if error is None else "diverged",
            metrics=dict(metrics),
            series=dict(series),
            seconds=dict(seconds),
            data={s.split: DataSource(content_hash=s.content_hash, provenance=s.provenance) for s in splits},
            indices=None if indices is None else list(indices),
            artifacts=dict(artifacts or {}),
            error=error,
            **self._circumstances(),
        )

    def _circumstances(self) -> dict[str, Any]:
        """When, where, with which code and at what cost, up to now."""
        return {
            "started": self.started,
            "wall_seconds": time.perf_counter() - self.clock,
            "peak_memory_mb": peak_megabytes(),
            "machine": this_machine(self.device),
            "environment": this_environment(),
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "commit": self.commit,
            "dirty": self.dirty,
            "fingerprint": self.fingerprint,
        }


def begin(parameters: P) -> Session[P]:
    """Start a run: fix the number of threads, which the bits of a result depend on, and start the clock.

    The environment may choose `LCMAT_THREADS` (1) and `LCMAT_DEVICE` (CUDA where there is any, else the CPU).

    Raises:
        ParameterError: a network does not exist or cannot take the images.
    """
    check_built_networks(parameters)
    torch.set_num_threads(int(os.environ.get("LCMAT_THREADS") or 1))
    return Session(parameters, code_fingerprint(parameters), *_commit(), chosen_device())


def check_built_networks(parameters: Experiment) -> None:
    """Refuse networks that would be found not to fit after another one has been trained.

    Raises:
        ParameterError: a network does not exist, cannot take the images, or has no batch norm whose statistics count.
    """
    values = parameters.canonical()
    named = {name: values[name] for name in ("network", "learner", "test_network") if name in values}
    if len(named) < 2 and not any(name.startswith(ZOO_PREFIX) for name in named.values()):
        return
    widths = {"network": "width", "learner": "learner_width", "test_network": "test_width"}
    for parameter, name in named.items():
        normalised = _has_batch_norm(name, values.get(widths[parameter]), values["dataset"])
        if parameter == "network" and values.get("batch_norm") and not normalised:
            raise ParameterError(f"batch_norm: the network {name!r} has no batch norm; leave it out")


@cache
def _has_batch_norm(network: str, width: int | None, dataset: str) -> bool:
    """Build the network for these images, and look."""
    from torch.nn.modules.batchnorm import _BatchNorm

    from lcmat.models import build

    try:
        spec = DATASETS[dataset]
        shape = {"in_channels": spec.channels, "image_size": spec.image_size}
        built = build(network, num_classes=spec.num_classes, width=width, **shape)
    except ValueError as error:
        raise ParameterError(str(error)) from None
    return any(isinstance(module, _BatchNorm) for module in built.modules())


def _commit() -> tuple[str | None, bool | None]:
    """Commit of the repository this package lies in, and whether tracked files other than records differ from it."""
    if Path(_git("rev-parse", "--show-toplevel") or os.devnull) != _ROOT:
        return None, None
    commit = _git("rev-parse", "HEAD") or None
    # Renewing committed records replaces tracked files, run by run.
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)book/records")
    return commit, None if commit is None else bool(changes)


def _git(*arguments: str) -> str:
    """Output of a git command, empty where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", _ROOT, *arguments], capture_output=True, encoding="utf-8", errors="surrogateescape"
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
