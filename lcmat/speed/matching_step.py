"""One step of LCMat-C's synthetic images beside the sequential formulation, on the same draws in the same run.

    python -m lcmat.speed.matching_step [--device cuda]

writes `book/benchmarks/matching-step-<device>.json`: seconds of each way (the processor's, or on the clock for another
device), how far its gradient in the images is from the sequential one, what the curvature term adds, and the time that
the arithmetic alone would take on this machine.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from lcmat import data as datasets
from lcmat.condensation import CondensationRecipe, initial_set, published
from lcmat.condensation.batches import draw_batches
from lcmat.condensation.preparation import callable_features, checked_rows, new_network
from lcmat.condensation.step import matching_gradient
from lcmat.data.dataset import ImageDataset
from lcmat.files.paths import project_folder
from lcmat.models.last_layer import evaluation_mode
from lcmat.speed.measuring import cost, finished, gemm_gigaflops, measured, save, seconds_on
from lcmat.speed.sequential import sequential_gradient
from lcmat.training.evaluation import on_device

WAYS: Mapping[str, Mapping[str, Any]] = {
    "float32": {},
    "float32, classes together": {"classes_per_pass": 5},
    "float32, compiled": {"compile": True},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, compiled": {"precision": "bfloat16", "compile": True},
    "bfloat16, compiled, rho = 0": {"precision": "bfloat16", "compile": True, "rho": 0.0},
}
"""Title -> what it changes in the recipe; the last one shows what the curvature term costs."""

Step = Callable[[int], Tensor]


def path_of(device: str) -> Path:
    """Where the measurement on a kind of device lies."""
    return project_folder() / "book" / "benchmarks" / f"matching-step-{torch.device(device).type}.json"


def measure(data: ImageDataset, recipe: CondensationRecipe, repeats: int, device: str = "cpu") -> dict[str, Any]:
    """All ways in turn, several times over.

    Args:
        data: original images.
        recipe: in float32, not compiled.
        repeats: how often; each time with other draws, the same for all ways.
        device: as torch names it.

    Returns:
        Of each way its first step, which compiles, the median of the others' seconds (`seconds_on` the device), and the
        smallest cosine of its gradient with the sequential one (rho = 0: of another loss, so none).
    """
    images = initial_set(data, recipe.ipc, "real", generator=torch.Generator().manual_seed(0)).images.to(device)
    stored, kind = on_device(data, device), seconds_on(device)
    steps = {"sequential": _sequential(stored, recipe, images)} | {
        title: _ours(stored, replace(recipe, **changes), images) for title, changes in WAYS.items()
    }
    firsts = {title: cost(partial(step, 0))[1] for title, step in steps.items()}
    rounds = [{title: cost(partial(step, seed)) for title, step in steps.items()} for seed in range(repeats)]
    entries = []
    for title, first in firsts.items():
        seconds = [results[title][1][kind] for results in rounds]
        cosines = [_cosine(results[title][0], results["sequential"][0]) for results in rounds]
        entries.append({"way": title, "first": first["seconds"], "seconds": median(seconds)})
        entries[-1] |= {"all": seconds, "cosine": None if "rho = 0" in title else min(cosines)}
    with FlopCounterMode(display=False) as counter:
        steps["float32"](0)
    return {
        **{name: getattr(recipe, name) for name in ("objective", "network", "width", "ipc", "real_batch", "rho")},
        **{"augmentation": recipe.augmentation, "data": data.provenance, "repeats": repeats, "ways": entries},
        "gigaflops_of_the_step": counter.get_total_flops() / 1e9,
        "gigaflops_per_second": {
            name: gemm_gigaflops(dtype, device)
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
        },
    }


def _sequential(data: ImageDataset, recipe: CondensationRecipe, images: Tensor) -> Step:
    rows, network = checked_rows(data, recipe), new_network(data, recipe, seed=0).to(images.device)

    def step(seed: int) -> Tensor:
        batches = draw_batches(rows, recipe, torch.Generator().manual_seed(seed))
        with evaluation_mode(network):
            return finished(sequential_gradient(network, images, data, batches, recipe))

    return step


def _ours(data: ImageDataset, recipe: CondensationRecipe, images: Tensor) -> Step:
    rows, network = checked_rows(data, recipe), new_network(data, recipe, seed=0).to(images.device)
    features = callable_features(network, recipe)

    def step(seed: int) -> Tensor:
        batches = draw_batches(rows, recipe, torch.Generator().manual_seed(seed))
        with evaluation_mode(network):
            return finished(matching_gradient(network, images, data, batches, recipe, features=features).gradient)

    return step


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(cosine_similarity(a.double().flatten(), b.double().flatten(), dim=0))


def main() -> None:
    """Measure on CIFAR-10 at ten images per class, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="as torch names it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = published("lcmat-c", 10, init="real", real_batch=256, width=128)
    data = datasets.load("cifar10").train
    result = measured(lambda: measure(data, recipe, options.repeats, options.device), device=options.device)
    save(path_of(options.device), result)
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
