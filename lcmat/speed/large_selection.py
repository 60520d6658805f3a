"""Time and memory of LCMat-S on a data set of ImageNet's size, whose features lie in a file mapped into memory.

    python -m lcmat.speed.large_selection --folder /where/8/GB/fit [--present 1000] [--threads 2]

writes `book/benchmarks/large-selection.json` with what it was measured on. Features and logits are synthetic, float16:
1281 images of each of 1000 classes behind a ResNet-50. The files are removed afterwards.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lcmat.files.paths import project_folder
from lcmat.numerics.submodular import facility_location
from lcmat.selection import select
from lcmat.selection.lcmat_s import lcmat_distances
from lcmat.speed import peers
from lcmat.speed.inputs import LATENT_DIMENSIONS, RHO, TOP_K
from lcmat.speed.measuring import Costs, cost, measured, save

RESULT = "book/benchmarks/large-selection.json"
SAMPLES, FEATURES, CLASSES, FRACTION = 1281, 2048, 1000, 0.01


def measure(samples: int, features: int, classes: int, present: int, fraction: float, folder: Path) -> Costs:
    """LCMat-S of many classes from mapped files, and of one class beside the peers.

    Args:
        samples: of each class.
        features: of a sample.
        classes: of the network, columns of the logits.
        present: classes that have samples.
        fraction: of each class that is chosen.
        folder: for the files.

    Returns:
        Sizes, what the whole selection cost, and what each way to choose from the first class does.
    """
    arrays = [_mapped(folder / name, present * samples, width) for name, width in (("h", features), ("z", classes))]
    for label in range(present):
        _write_class(arrays, label, samples)
    labels = np.arange(present).repeat(samples)
    coreset, ours = cost(
        lambda: select("lcmat-s", arrays[0], arrays[1], labels, fraction=fraction, rho=RHO, top_k=TOP_K)
    )
    return {
        "samples": len(labels),
        "features": features,
        "classes": classes,
        "present": present,
        "file_megabytes": sum(array.nbytes for array in arrays) / 1e6,
        "chosen": len(coreset),
        "ours": ours,
        "one_class": _one_class(arrays, samples, fraction),
    }


def _mapped(path: Path, rows: int, columns: int) -> np.ndarray:
    return np.memmap(path, np.float16, "w+", shape=(rows, columns))


def _write_class(arrays: list[np.ndarray], label: int, samples: int) -> None:
    """Features that vary in few directions around the class's own, and logits that mostly say so."""
    generator = torch.Generator().manual_seed(label)
    rows, width = slice(label * samples, (label + 1) * samples), arrays[0].shape[1]
    latent, mixing = (
        torch.randn(*s, generator=generator) for s in ((samples, LATENT_DIMENSIONS), (LATENT_DIMENSIONS, width))
    )
    h = (torch.randn(width, generator=generator) + latent @ mixing / LATENT_DIMENSIONS**0.5).relu()
    z = torch.randn(samples, arrays[1].shape[1], generator=generator)
    z[:, label] += 8
    arrays[0][rows], arrays[1][rows] = h.numpy(), z.numpy()


def _one_class(arrays: list[np.ndarray], samples: int, fraction: float) -> Costs:
    """The first class: our distances and choice, and the choices of the peers from the same similarities."""
    h, z = (torch.from_numpy(array[:samples]).double() for array in arrays)
    budget, labels = round(fraction * samples), torch.zeros(samples, dtype=torch.int64)
    distances, kernel = cost(partial(lcmat_distances, h, z, labels, rho=RHO, top_k=TOP_K))
    ranking, greedy = cost(partial(facility_location, distances, budget))
    entry: Costs = {"budget": budget, "distances": kernel, "greedy": greedy, "others": {}}
    similarities = (distances.max() - distances).numpy()
    for name, function in peers.FACILITY_LOCATION.items():
        if peers.installed(name):
            function(similarities[:50, :50].copy(), 2)  # imports and compiles
            indices, theirs = cost(partial(function, similarities, budget))
            entry["others"][name] = theirs | {"same_picks": len(set(indices) & set(ranking.indices.tolist())) / budget}
    return entry


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="for the files; the system's folder for temporary ones by default")
    parser.add_argument("--present", type=int, default=CLASSES, help="classes that have samples")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(40, 8, 3, 3, 0.1, Path(folder))  # compiles what will be measured
        sizes = (SAMPLES, FEATURES, CLASSES, options.present, FRACTION)
        result = measured(lambda: measure(*sizes, Path(folder)), "numba", *peers.PACKAGES)
    result["environment"]["threads"] = options.threads
    save(project_folder() / RESULT, result)
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
