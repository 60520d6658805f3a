"""Time, memory and the machine: what a speed benchmark states of itself."""

import gc
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lcmat.files.paths import atomic_write
from lcmat.records.machine import this_environment, this_machine
from lcmat.records.memory import peak_megabytes, reset_peak, resident_megabytes

GEMM_SIZE = 2048
READ_MEGABYTES = 256
REPEATS = 5

Costs = dict[str, Any]


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """A function's result and its wall time in seconds."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def cost(function: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """A function's result and what it cost.

    Returns:
        The result; `seconds` on the clock, `processor_seconds` of this process (which other programs lengthen less),
        and `peak_mb`, by how much the resident memory grew at its largest, in 10^6 bytes.
    """
    gc.collect()
    reset_peak()
    before, processor = resident_megabytes(), time.process_time()
    result, seconds = timed(function)
    processor = time.process_time() - processor
    grown = max(0.0, peak_megabytes() - before)
    return result, {"seconds": seconds, "processor_seconds": processor, "peak_mb": grown}


def limits() -> dict[str, float]:
    """What this machine reaches at best: float64 matrix products and reads of memory, per processor second."""
    large = torch.rand(READ_MEGABYTES * 2**17, dtype=torch.float64)
    read = min(cost(large.sum)[1]["processor_seconds"] for _ in range(REPEATS))
    return {"gemm_gigaflops": gemm_gigaflops(torch.float64), "read_gigabytes": large.nbytes / read / 1e9}


def gemm_gigaflops(dtype: torch.dtype, device: str = "cpu") -> float:
    """Billions of operations per second (`seconds_on`) in a product of two square matrices, the best of several."""
    square = torch.rand(GEMM_SIZE, GEMM_SIZE).to(device, dtype)
    costs = [cost(lambda: finished(square @ square))[1] for _ in range(REPEATS + 1)]
    return 2 * GEMM_SIZE**3 / min(each[seconds_on(device)] for each in costs) / 1e9


def seconds_on(device: str) -> str:
    """Which of the `cost` counts: the processor's seconds for itself, those on the clock for a device it waits for."""
    return "processor_seconds" if torch.device(device).type == "cpu" else "seconds"


def finished(result: Tensor) -> Tensor:
    """The same tensor, once its device has computed it."""
    if result.device.type == "cuda":
        torch.cuda.synchronize(result.device)
    return result


def measured(measure: Callable[[], Any], *packages: str, device: str = "cpu") -> dict[str, Any]:
    """What `measure` returns as `result`, beside the `environment` in which it did."""
    about = environment(*packages, device=device)
    result = measure()
    return {"environment": about | {"load_average_at_end": os.getloadavg()[0]}, "result": result}


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a benchmark's file."""
    atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())


def environment(*packages: str, device: str = "cpu") -> dict[str, Any]:
    """What the numbers were measured on; the versions of some packages too, None for those that are missing."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": this_machine(device).model_dump(),
        "cores": os.cpu_count(),
        "load_average_at_start": os.getloadavg()[0],
        "versions": this_environment().model_dump() | {package: _version(package) for package in packages},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
