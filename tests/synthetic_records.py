"""Records made up for tests of what is shown: no run is behind them."""

from functools import cache

import numpy as np

from lcmat.config import parse
from lcmat.data import DATASETS
from lcmat.experiments import code_fingerprint
from lcmat.records.record import Record
from tests.test_records import ENVIRONMENT, MACHINE


@cache
def current_fingerprint(method, network, learner):
    """Fingerprint of the code behind such runs as it is today."""
    named = {"method": method, "network": network, "learner": learner}
    return code_fingerprint(parse("selection", {name: value for name, value in named.items() if value}))


def hashed_images(dataset):
    """What a record of today's training images states, as far as the catalogue knows."""
    return DATASETS[dataset].content.get("train", "0")


def make_record(accuracy=50.0, *, status="done", fingerprint=None, **parameters):
    """A valid record of the selection benchmark with the given last-epoch accuracy, in percent; by today's code."""
    resolved = parse("selection", parameters)
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
        machine=MACHINE,
        environment=ENVIRONMENT,
        deterministic_algorithms=True,
        commit="0" * 40,
        dirty=False,
        fingerprint=fingerprint or current_fingerprint(resolved.method, resolved.network, resolved.learner),
        data={"train": {"content_hash": hashed_images(resolved.dataset), "provenance": "made up"}},
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
