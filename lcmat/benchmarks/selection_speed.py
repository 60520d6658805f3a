"""How long LCMat-S takes for one class, beside the naive way on the same inputs in the same run.

    python -m lcmat.benchmarks.selection_speed

writes `book/benchmarks/selection-speed.json`: one entry per fraction, and what it was measured on.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch
from torch import Tensor

import lcmat
from lcmat.benchmarks.memory import peak_megabytes
from lcmat.curvature import hessian_diagonal_columns, per_sample_gradients, top_variance_dimensions
from lcmat.paths import atomic_write, project_folder
from lcmat.selection.lcmat_s import lcmat_distances
from lcmat.submodular import facility_location

RESULT = "book/benchmarks/selection-speed.json"
NAIVE_BYTES = 100 * 2**20  # of the naive L1's temporary at a time; the whole of it would not fit
RHO, TOP_K = 0.1, 100


def measure(samples: int, features: int, classes: int, fractions: Iterable[float], seed: int = 0) -> dict[str, Any]:
    """Wall time and memory of the distances and of the greedy choice, ours and naive, for one class of random samples.

    Ours comes first, so that the growth of the process's peak memory is its own.

    Args:
        samples: n, images of the class.
        features: d, inputs of the last layer.
        classes: c.
        fractions: shares to choose, each measured on its own.
        seed: of the random samples.

    Returns:
        Seconds and megabytes (2^20 bytes); `same_picks` says whether both chose the same samples in the same order.
    """
    sample = random_class(samples, features, classes, seed)
    budgets = {fraction: round(fraction * samples) for fraction in fractions}
    before = peak_megabytes()
    distances, kernel_seconds = timed(lambda: lcmat_distances(*sample, rho=RHO, top_k=TOP_K))
    ours = {fraction: timed(partial(facility_location, distances, m)) for fraction, m in budgets.items()}
    grown = peak_megabytes() - before
    naive, naive_kernel_seconds = timed(lambda: naive_distances(*sample, rho=RHO, top_k=TOP_K))
    error = float((naive - distances).abs().max() / distances.max())
    theirs = {fraction: timed(partial(naive_greedy, naive, m)) for fraction, m in budgets.items()}
    return {
        "samples": samples,
        "features": features,
        "classes": classes,
        "rho": RHO,
        "top_k": TOP_K,
        "kernel_seconds": kernel_seconds,
        "naive_kernel_seconds": naive_kernel_seconds,
        "peak_growth_mb": grown,
        "naive_temporary_mb": samples**2 * TOP_K * 4 / 2**20,  # float32, as the official code has it
        "largest_relative_difference_of_distances": error,
        "budgets": [
            {
                "fraction": fraction,
                "greedy_seconds": ours[fraction][1],
                "naive_greedy_seconds": theirs[fraction][1],
                "same_picks": ours[fraction][0].indices.tolist() == theirs[fraction][0],
            }
            for fraction in budgets
        ],
    }


def random_class(samples: int, features: int, classes: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Non-negative features, confident logits and one label, float64: what a class looks like behind a ReLU."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(samples, features, generator=generator, dtype=torch.float64).relu()
    z = 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    return h, z, torch.zeros(samples, dtype=torch.int64)


def naive_distances(features: Tensor, logits: Tensor, labels: Tensor, *, rho: float, top_k: int) -> Tensor:
    """Equation 10 as it is written: all c (d + 1) columns of the gradients, and the n x n x K temporary in slices."""
    gradients = per_sample_gradients(features, logits, labels).flatten(1)
    squared = gradients.square().sum(dim=1)
    distances = (squared[:, None] + squared - 2 * gradients @ gradients.T).clamp_(min=0).sqrt_()
    columns = hessian_diagonal_columns(features, logits, top_variance_dimensions(features, logits, top_k))
    for rows in torch.arange(len(columns)).split(max(1, NAIVE_BYTES // columns.nbytes)):
        distances[rows] += rho / 2 * (columns[rows, None] - columns).abs().sum(dim=2)
    return distances.fill_diagonal_(0)


def naive_greedy(distances: Tensor, budget: int) -> list[int]:
    """Every candidate's gain from scratch at every step."""
    nearest = distances.max().expand(len(distances))
    chosen: list[int] = []
    for _ in range(budget):
        gains = (nearest[:, None] - distances).clamp_(min=0).sum(dim=0)
        gains[chosen] = -torch.inf
        chosen.append(int((gains >= gains.max() * (1 - 1e-10)).nonzero()[0]))
        nearest = torch.minimum(nearest, distances[:, chosen[-1]])
    return chosen


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """A function's result and its wall time in seconds."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def environment() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "load_average_at_start": os.getloadavg()[0],
        "versions": {"python": platform.python_version(), "lcmat": lcmat.__version__, "torch": torch.__version__},
    }


def main() -> None:
    """Measure one class of CIFAR-10's size behind a ResNet-18, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.01, 0.1])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = {"environment": environment(), "result": measure(5000, 512, 10, options.fractions)}
    atomic_write(project_folder() / RESULT, (json.dumps(result, indent=1) + "\n").encode())
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
