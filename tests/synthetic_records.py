"""Records made up for tests of what is shown: no run is behind them."""

import numpy as np

from lcmat.config import parse
from lcmat.data import DATASETS
from lcmat.records import Record


def make_record(accuracy=50.0, *, status="done", **parameters):
    """A valid record of the selection benchmark with the given last-epoch accuracy, in percent."""
    resolved = parse("selection", parameters)
    images = getattr(DATASETS[resolved.dataset], "content", {}).get("train", "0")
    metrics = {"test_accuracy_percent": accuracy, "best_test_accuracy_percent": min(accuracy + 1, 100.0)}
    return Record(
        experiment="selection",
        key=resolved.key,
        parameters=resolved.canonical(),
        seed=resolved.seed,
        status=status,
        metrics=metrics if status == "done" else {},
        series={},
        seconds={},
        started="2026-01-01T00:00:00Z",
        wall_seconds=1.5,
        peak_memory_mb=100.0,
        device="CPU",
        versions={},
        determinism={"threads": 1, "deterministic_algorithms": True},
        commit="0" * 40,
        dirty=False,
        fingerprint="f" * 16,
        data={"train": {"content_hash": images, "provenance": "made up"}},
        error=None if status == "done" else "diverged at epoch 3",
    )


def make_sweep(dataset="digits", seeds=5, fractions=(0.01, 0.05, 0.1), rhos=(0.0, 0.1, 0.5), gain=2.0):
    """A sweep in which LCMat-S gains `gain` points on uniform selection, with a spread of one point."""
    noise = np.random.default_rng(0)
    records = []
    for fraction in fractions:
        for seed in range(seeds):
            base = 40 + 200 * fraction + noise.normal()
            shared = {"dataset": dataset, "fraction": fraction, "seed": seed}
            records.append(make_record(base, method="uniform", **shared))
            records += [
                make_record(base + gain + 0.3 * noise.normal(), method="lcmat-s", rho=rho, **shared) for rho in rhos
            ]
    return records
