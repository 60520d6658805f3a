"""How long the spectral norm of the Hessian difference takes without forming it, beside the dense way, in the same run.

    python -m lcmat.speed.spectral_norm

writes `book/benchmarks/spectral-norm.json`: the times, the agreement of both norms, and what it was measured on.
"""

import argparse
import json
import os
import sys
from typing import Any

import torch

from lcmat import bound
from lcmat.files.paths import project_folder
from lcmat.speed.inputs import random_class
from lcmat.speed.measuring import measured, save, timed

RESULT = "book/benchmarks/spectral-norm.json"
REPEATS = 3  # of the fast side; the dense one takes long enough to be measured once


def measure(samples: int, features: int, classes: int, subset: int, seed: int = 0) -> dict[str, Any]:
    """Wall time of both ways to the spectral norm of the same Hessian difference, of random samples.

    Args:
        samples: n, size of T.
        features: d, inputs of the last layer.
        classes: c; the dense matrix has c (d + 1) rows.
        subset: m, size of S, the first samples of T, equally weighted.
        seed: of the random samples.

    Returns:
        Seconds (the median of three for the matrix-free side), both norms, and their difference relative to the dense.
    """
    difference = bound.subset_difference(*random_class(samples, features, classes, seed), torch.arange(subset))
    runs = [timed(lambda: bound.hessian_extremes(difference).spectral_norm) for _ in range(REPEATS)]
    norm, lanczos_seconds = sorted(runs, key=lambda run: run[1])[REPEATS // 2]
    hessian, building_seconds = timed(lambda: bound.dense_hessian(difference))
    eigenvalues, eigen_seconds = timed(lambda: torch.linalg.eigvalsh(hessian))
    dense_norm = float(eigenvalues.abs().max())
    return {
        "samples": samples,
        "features": features,
        "classes": classes,
        "subset": subset,
        "rows_of_the_hessian": len(hessian),
        "lanczos_seconds": lanczos_seconds,
        "building_seconds": building_seconds,
        "eigenvalues_seconds": eigen_seconds,
        "ratio": (building_seconds + eigen_seconds) / lanczos_seconds,
        "lanczos_norm": norm,
        "dense_norm": dense_norm,
        "relative_difference": abs(norm - dense_norm) / dense_norm,
        "dense_megabytes": hessian.nbytes / 1e6,
    }


def main() -> None:
    """Measure at the size of a ResNet-18's last layer on CIFAR-10, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = measured(lambda: measure(samples=1000, features=512, classes=10, subset=30))
    save(project_folder() / RESULT, result)
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
