"""What all evidence has in common, and keeping it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.curvature.last_layer import LastLayer
from lcmat.data import Splits
from lcmat.experiments import measurement_fingerprint
from lcmat.experiments.selecting import selector_identity
from lcmat.records.caching import Stored, cached
from lcmat.training.loop import Progress

Progresses = Callable[[str], Progress]


class Gathered(NamedTuple):
    """Evidence, and the seconds that computing it took."""

    value: Tensor | LastLayer
    seconds: float


class Evidence(dict[str, Tensor | LastLayer]):
    """What a method is told beyond the view of one last layer, by name.

    Attributes:
        seconds: that computing it took, whenever that was.
    """

    def __init__(self, gathered: Mapping[str, Gathered]) -> None:
        """Take values and seconds apart."""
        super().__init__({name: found.value for name, found in gathered.items()})
        self.seconds = sum(found.seconds for found in gathered.values())


def cached_evidence(
    module: str, parameters: SelectionParameters, splits: Splits, device: str, compute: Callable[[], dict[str, Tensor]]
) -> Stored:
    """Take a provider's tensors from the cache, or compute and keep them; `details["seconds"]` is what that took.

    Args:
        module: the provider's dotted name; other code of it does not share its tensors.
        parameters: of the run.
        splits: of the data set.
        device: where it computes.
        compute: gives the tensors by name.
    """
    assert parameters.network is not None
    code = measurement_fingerprint(module, networks=[parameters.network])

    def timed(_: Path) -> Stored:
        started = time.perf_counter()
        tensors = compute()
        return Stored(tensors, {"seconds": time.perf_counter() - started})

    identity = {**selector_identity(parameters, splits, device), "evidence": module, "evidence code": code}
    return cached("evidence", parameters.dataset, identity, timed)
