"""Which networks that choose images the cache holds: nobody need wait for their training."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from lcmat.config import Experiment, SelectionParameters
from lcmat.config.datasets import DATASETS
from lcmat.config.registry import METHODS
from lcmat.files.paths import cache_folder

_SPLITS = ("train", "test")


def kept(runs: Iterable[Experiment]) -> set[str]:
    """Keys of the runs whose selecting network this machine has trained with as many threads as this process has.

    Networks for images that are made worse, are held out, or have no known hash are not looked for.
    """
    networks = cache_folder() / "selecting-networks"
    return {run.key for run in runs if (networks / run.canonical()["dataset"]).is_dir() and _is_kept(run)}


def _is_kept(run: Experiment) -> bool:
    if not isinstance(run, SelectionParameters) or run.label_noise or run.imbalance:
        return False
    method, content = METHODS[run.method], DATASETS[run.dataset].content
    if not method.looks or "validation" in method.evidence or not set(_SPLITS) <= content.keys():
        return False
    from lcmat.experiments.selecting import selector_identity  # imports torch
    from lcmat.records.caching import holds
    from lcmat.records.machine import chosen_device

    images: Any = [SimpleNamespace(content_hash=content[split]) for split in _SPLITS]
    return holds("selecting-networks", run.dataset, selector_identity(run, images, chosen_device()))
