"""Other libraries on the same inputs, where they are installed (`pip install lcmat[peers]`)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

PACKAGES = ("apricot-select", "submodlib-py", "scikit-learn", "backpack-for-pytorch")


@contextmanager
def same_threads() -> Iterator[None]:
    """Give torch its number of threads back: importing apricot raises it, and waiting threads use up the processor."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@same_threads()
def apricot(similarities: Any, budget: int) -> list[int]:
    """Facility location by apricot's lazy greedy; it compiles at each fit."""
    from apricot import FacilityLocationSelection

    selector = FacilityLocationSelection(budget, metric="precomputed", optimizer="lazy")
    return [int(index) for index in selector.fit(similarities).ranking]


@same_threads()
def submodlib(similarities: Any, budget: int) -> list[int]:
    """Facility location by submodlib's lazy greedy."""
    from submodlib import FacilityLocationFunction

    function = FacilityLocationFunction(n=len(similarities), mode="dense", sijs=similarities, separate_rep=False)
    chosen = function.maximize(
        budget, "LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
    )
    return [int(index) for index, _ in chosen]


@same_threads()
def manhattan(values: Tensor) -> Any:
    """L1 distances by scikit-learn."""
    from sklearn.metrics.pairwise import manhattan_distances

    return manhattan_distances(values.numpy())


@same_threads()
def backpack(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Per-sample gradients and Hessian diagonals of a linear layer of zeros by BackPACK, all of their columns."""
    from backpack import backpack as extended
    from backpack import extend, extensions

    layer = torch.nn.utils.skip_init(torch.nn.Linear, features.shape[1], num_classes, dtype=features.dtype)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    layer = extend(layer)
    loss = extend(torch.nn.CrossEntropyLoss(reduction="sum"))
    with extended(extensions.BatchGrad(), extensions.BatchDiagHessian()):
        loss(layer(features), labels).backward()
    return layer.weight.grad_batch, layer.weight.diag_h_batch


FACILITY_LOCATION: Mapping[str, Callable[[Any, int], list[int]]] = {"apricot": apricot, "submodlib": submodlib}


def installed(module: str) -> bool:
    """Whether a peer's module can be imported."""
    return find_spec(module) is not None
