"""What a selection method must be told beyond the view of one last layer, computed for a run and kept in the cache.

`lcmat.config.registry.EVIDENCE` names a function for each kind. None of them sees a test image.
"""

from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.config.registry import EVIDENCE, METHODS
from lcmat.config.signatures import load
from lcmat.curvature.last_layer import LastLayer
from lcmat.data import Splits
from lcmat.experiments.evidence.networks import Gathered, Progresses


def gather(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> dict[str, Tensor | LastLayer]:
    """The evidence that the method of these parameters needs, by name; empty for most methods.

    Args:
        parameters: of the run.
        splits: of the data set; only the training images are looked at.
        device: where to compute.
        progress: stage -> callback after each epoch, see `lcmat.training.train`.
    """
    return {name: found.value for name, found in _provide(parameters, splits, device, progress).items()}


def gathering_seconds(parameters: SelectionParameters, splits: Splits, device: str) -> float:
    """How long it took to compute what `gather` returns, whenever that was; 0 without evidence."""
    return sum(found.seconds for found in _provide(parameters, splits, device, None).values())


def _provide(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None
) -> dict[str, Gathered]:
    names = METHODS[parameters.method].evidence
    return {name: load(EVIDENCE[name])(parameters, splits, device, progress) for name in names}
