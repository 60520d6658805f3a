"""How far each training image is from the selecting network's decision boundary."""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.curvature.boundary import deepfool_distances
from lcmat.data import Splits
from lcmat.experiments.evidence.networks import Gathered, Progresses, cached_evidence
from lcmat.experiments.selecting import selecting_network
from lcmat.models.last_layer import evaluation_mode
from lcmat.training.evaluation import on_device

BATCH_SIZE = 256


def boundary_distances(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """DeepFool's distances for the selecting network, float64 ``(n,)``, in the unit of the normalised images.

    An image from which no boundary was found counts as farther than any other.
    """

    def compute() -> dict[str, Tensor]:
        network = selecting_network(parameters, splits, device, progress and progress("selector")).network.to(device)
        data = on_device(splits.train, device)
        with evaluation_mode(network):
            parts = [
                deepfool_distances(network, data.normalized(slice(start, start + BATCH_SIZE))).cpu()
                for start in range(0, len(data), BATCH_SIZE)
            ]
        return {"boundary_distances": finite(torch.cat(parts).double())}

    tensors, details = cached_evidence(__name__, parameters, splits, device, compute)
    return Gathered(tensors["boundary_distances"], details["seconds"])


def finite(distances: Tensor) -> Tensor:
    """Infinite distances replaced by twice the largest finite one (by 1 where there is none).

    >>> finite(torch.tensor([0.5, torch.inf]))
    tensor([0.5000, 1.0000])
    """
    known = distances[distances.isfinite()]
    return distances.nan_to_num(posinf=2 * float(known.max()) if len(known) else 1.0)
