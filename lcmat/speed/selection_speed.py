"""Time and memory of the selection, beside other libraries and direct formulations on the same inputs in the same run.

    python -m lcmat.speed.selection_speed [--largest 50000]

writes `book/benchmarks/selection-speed.json`, section by section, with what it was measured on. All inputs are random,
float64, and of CIFAR-10's size behind a ResNet-18 where nothing else is said.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch

from lcmat.curvature.distances import hessian_distances
from lcmat.curvature.last_layer import (
    LastLayer,
    hessian_diagonal_columns,
    per_sample_gradients,
    top_variance_dimensions,
)
from lcmat.files.paths import project_folder
from lcmat.numerics.submodular import facility_location
from lcmat.selection import METHODS, select
from lcmat.selection.coreset import Coreset
from lcmat.selection.herding import herding
from lcmat.selection.k_center import k_center
from lcmat.selection.lcmat_s import lcmat_distances
from lcmat.speed import peers
from lcmat.speed.greedy_speed import greedy_choices
from lcmat.speed.inputs import RHO, TOP_K, random_class, structured_class
from lcmat.speed.measuring import Costs, cost, limits, measured, save
from lcmat.speed.naive import naive_distances, naive_greedy, naive_herding, naive_k_center, naive_pursuit

RESULT = "book/benchmarks/selection-speed.json"
RIDGE = 0.5
REFERENCE = "lcmat-s-spectral"  # computes eigenvalues for every pair: for a few hundred samples, says its docstring


def whole_data_set(samples: int, features: int, classes: int, fraction: float) -> Costs:
    """LCMat-S of all classes through `select`, and the naive way for the first of them."""
    parts = [structured_class(samples, features, classes, seed) for seed in range(classes)]
    data = LastLayer(
        torch.cat([part.features for part in parts]).float(),
        torch.cat([part.logits for part in parts]).float(),
        torch.arange(classes).repeat_interleave(samples),
    )
    del parts
    coreset, ours = cost(lambda: select("lcmat-s", *data, fraction=fraction, rho=RHO, top_k=TOP_K))
    first = LastLayer(data.features[:samples].double(), data.logits[:samples].double(), data.labels[:samples])
    budget = round(fraction * samples)
    own_distances, own_kernel = cost(lambda: lcmat_distances(*first, rho=RHO, top_k=TOP_K))
    own, own_greedy = cost(lambda: facility_location(own_distances, budget))
    distances, kernel = cost(lambda: naive_distances(*first, rho=RHO, top_k=TOP_K))
    indices, greedy = cost(lambda: naive_greedy(distances, budget))
    return {
        **{"samples": samples, "features": features, "classes": classes, "fraction": fraction, "ours": ours},
        "one_class": {"kernel": own_kernel, "greedy": own_greedy},
        "naive_class": {"kernel": kernel, "greedy": greedy},
        "naive_temporary_mb": samples**2 * TOP_K * 4 / 1e6,  # float32, as the official code has it
        "same_picks": indices == own.indices.tolist() == coreset.indices[:budget].tolist(),
        "relative_difference_of_distances": float((distances - own_distances).abs().max() / distances.max()),
    }


def one_group(sizes: Iterable[int], fraction: float) -> list[Costs]:
    """LCMat-S of n samples as one group: with the matrix of distances up to a limit, without it above."""
    entries = []
    for size in sizes:
        samples = structured_class(size, 512, 10, seed=0)
        _, ours = cost(partial(select, "lcmat-s", *samples, fraction=fraction, balanced=False))
        entries.append({"samples": size, "fraction": fraction, "ours": ours})
    return entries


def kernel_parts(samples: int) -> list[Costs]:
    """The parts of the distances beside those of other libraries: L1 distances, and what the last layer gives."""
    h, z, y = random_class(samples, 512, 10, seed=0)
    dimensions = top_variance_dimensions(h, z, TOP_K)
    columns = hessian_diagonal_columns(h, z, dimensions)
    ways: list[tuple[str, str, Callable[[], Any]]] = [
        ("L1 distances", "ours", lambda: hessian_distances(h, z, dimensions)),
        ("L1 distances", "torch.cdist", lambda: torch.cdist(columns, columns, p=1)),
        ("L1 distances", "scikit-learn", lambda: peers.manhattan(columns)),
        ("Hessian diagonals", "ours", lambda: hessian_diagonal_columns(h, z, top_variance_dimensions(h, z, TOP_K))),
    ]
    if peers.installed("backpack"):
        ways.append(("Hessian diagonals", "BackPACK", lambda: peers.backpack(h, y, z.shape[1])))
    return [{"part": part, "way": way, **cost(function)[1]} for part, way, function in ways]


def one_by_one(samples: int, budget: int, pursuit_budget: int) -> list[Costs]:
    """k-center and herding, a sample at a time, and GradMatch's pursuit, beside their direct formulations."""
    layer = random_class(samples, 512, 10, seed=0)
    gradients = per_sample_gradients(*layer).flatten(1)
    gradmatch = METHODS["gradmatch"].function
    first = int(torch.randint(samples, (), generator=_generator()))
    pursuit = partial(naive_pursuit, gradients, pursuit_budget, RIDGE)
    ways: dict[str, tuple[int, Callable[[], Coreset], dict[str, Callable[[], list[int]]]]] = {
        "k-center": (
            budget,
            lambda: k_center(layer, budget, _generator()),
            {"all distances again": lambda: naive_k_center(layer.features, budget, first)},
        ),
        "herding": (
            budget,
            lambda: herding(layer, budget, _generator()),
            {"all distances again": lambda: naive_herding(layer.features, budget)},
        ),
        "gradmatch": (
            pursuit_budget,
            lambda: gradmatch(layer, pursuit_budget, _generator(), ridge=RIDGE),
            {
                "regression solved again": pursuit,
                "regression by least squares again, as DeepCore has it": partial(pursuit, least_squares=True),
            },
        ),
    }
    return [entry for method, way in ways.items() for entry in _beside_others(method, *way)]


def _beside_others(
    method: str, size: int, ours: Callable[[], Coreset], others: dict[str, Callable[[], list[int]]]
) -> list[Costs]:
    coreset, own = sorted((cost(ours) for _ in range(3)), key=_processor_seconds)[1]  # the median of three
    chosen, entries = set(coreset.indices.tolist()), []
    for way, other in others.items():
        indices, theirs = cost(other)
        entries.append({"method": method, "way": way, "budget": size, "ours": own, "naive": theirs})
        entries[-1]["same_picks"] = len(chosen & set(indices)) / size
    return entries


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _processor_seconds(measured: tuple[Any, Costs]) -> float:
    return float(measured[1]["processor_seconds"])


def each_method(grid: Iterable[tuple[int, int, int]]) -> list[Costs]:
    """Every method but the reference that needs no further evidence, for samples n, classes c and budget of a grid."""
    names = [name for name, method in METHODS.items() if not method.evidence and name != REFERENCE]
    entries = []
    for samples, classes, budget in grid:
        data = random_class(samples, 512, classes, seed=0)
        for name in names:
            _, ours = cost(partial(select, name, *data, size=budget))
            entries.append({"method": name, "samples": samples, "classes": classes, "budget": budget, **ours})
    return entries


GRID = [(1000, 10, 100), (5000, 10, 50), (5000, 10, 500), (1000, 100, 100)]


def sections(largest: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by name."""
    sizes = [size for size in (1000, 2000, 5000, 10_000, 20_000, 50_000) if size <= largest]
    return {
        "limits": limits,
        "greedy": lambda: [
            *greedy_choices(5000, (50, 500, 1500), naive_budgets=(50,)),
            *greedy_choices(5000, (50, 500, 1500), naive_budgets=(), ties=False),
        ],
        "whole_data_set": lambda: whole_data_set(5000, 512, 10, 0.1),
        "kernel_parts": lambda: kernel_parts(5000),
        "one_by_one": lambda: one_by_one(5000, 1500, 500),
        "methods": lambda: each_method(GRID),
        "one_group": lambda: one_group(sizes, 0.1),
    }


def main() -> None:
    """Measure some or all sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--largest", type=int, default=20_000, help="largest single group (50000: several minutes)")
    parser.add_argument("--sections", nargs="+", choices=sections(0), default=list(sections(0)))
    options = parser.parse_args()
    if len(options.sections) > 1:  # each in a process of its own, whose memory nothing else has used before
        own = [sys.executable, "-m", "lcmat.speed.selection_speed", "--threads", str(options.threads)]
        for name in options.sections:
            subprocess.run([*own, "--largest", str(options.largest), "--sections", name], check=True)
        return
    torch.set_num_threads(options.threads)
    whole_data_set(60, 8, 3, 0.1), one_by_one(60, 5, 5)  # compiles what will be measured
    store(options.sections[0], sections(options.largest)[options.sections[0]])


def store(name: str, measure: Callable[[], Any]) -> None:
    """Measure one section and write it to the file, beside those it holds already."""
    path = project_folder() / RESULT
    section = measured(measure, "numba", *peers.PACKAGES)
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    save(path, {other: old[other] for other in sections(0) if other in old} | {name: section})
    json.dump(section, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
