"""What a selection method must be told beyond the view of one last layer, computed for a run and kept in the cache.

One provider for each name in the values of `lcmat.config.defaults.METHOD_EVIDENCE`. None of them sees a test image.
"""

from collections.abc import Mapping
from types import MappingProxyType

from lcmat.config import SelectionParameters
from lcmat.config.defaults import METHOD_EVIDENCE
from lcmat.data import Splits
from lcmat.experiments.evidence.boundary import boundary_distances
from lcmat.experiments.evidence.forgetting import forgetting_events
from lcmat.experiments.evidence.networks import Evidence, Progresses, Provider
from lcmat.experiments.evidence.norms import error_norms, gradient_norms
from lcmat.experiments.evidence.validation import validation

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "boundary_distances": boundary_distances,
        "error_norms": error_norms,
        "forgetting_events": forgetting_events,
        "gradient_norms": gradient_norms,
        "validation": validation,
    }
)


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
    names = METHOD_EVIDENCE.get(parameters.method, ())
    return Evidence({name: PROVIDERS[name](parameters, splits, device, progress) for name in names})
