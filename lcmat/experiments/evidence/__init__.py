"""What a selection method must be told beyond the view of one last layer, computed for a run and kept in the cache.

`lcmat.config.registry.EVIDENCE` names a function for each kind. None of them sees a test image.
"""

from lcmat.config import SelectionParameters
from lcmat.config.registry import EVIDENCE, METHODS
from lcmat.config.signatures import load
from lcmat.data import Splits
from lcmat.experiments.evidence.networks import Evidence, Progresses


def gather(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Evidence:
    """The evidence that the method of these parameters needs, by name; empty for most methods.

    Args:
        parameters: of the run.
        splits: of the data set; only the training images are looked at.
        device: where to compute.
        progress: stage -> callback after each epoch, see `lcmat.training.train`.
    """
    names = METHODS[parameters.method].evidence
    return Evidence({name: load(EVIDENCE[name])(parameters, splits, device, progress) for name in names})
