"""How wrong each training image is early in training, averaged over networks of other seeds."""

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.curvature.last_layer import LastLayer, augmented_features, residuals
from lcmat.data import Splits
from lcmat.experiments.evidence.networks import Gathered, Progresses, cached_evidence
from lcmat.experiments.selecting import check_finite, selecting_network
from lcmat.models.last_layer import last_linear
from lcmat.training import embed

NUM_NETWORKS = 3
"""Each trained like the selecting network, for as many epochs; Paul et al. average over ten."""


def error_norms(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """Mean over the networks of ``||p - y||_2``, float64 ``(n,)`` (Paul et al. 2021, definition 2.2, EL2N)."""
    return _mean_norms("error_norms", parameters, splits, device, progress)


def gradient_norms(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """Mean over the networks of the gradient's norm, float64 ``(n,)`` (Paul et al. 2021, definition 2.1, GraNd).

    Of the last layer's gradient, as in DeepCore: ``||p - y||_2 ||[h; 1]||_2``, or ``||h||_2`` in a layer without bias.
    """
    return _mean_norms("gradient_norms", parameters, splits, device, progress)


def norms(sample: LastLayer, *, bias: bool = True) -> dict[str, Tensor]:
    """Error and gradient norms of single samples for one network, whose last layer may lack a bias; ``(n,)`` each.

    >>> norms(LastLayer(torch.tensor([[3.0**0.5]]), torch.zeros(1, 2), torch.tensor([0])))
    {'error_norms': tensor([0.7071]), 'gradient_norms': tensor([1.4142])}
    """
    errors = residuals(sample.logits, sample.labels).norm(dim=1)
    lengths = augmented_features(sample.features, bias=bias).norm(dim=1)
    return {"error_norms": errors, "gradient_norms": errors * lengths}


def _mean_norms(
    name: str, parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None
) -> Gathered:
    def compute() -> dict[str, Tensor]:
        found = []
        for number in range(1, NUM_NETWORKS + 1):
            purpose = f"scoring network {number}"
            report = progress and progress(purpose)
            network = selecting_network(parameters, splits, device, report, purpose=purpose).network
            view = embed(network, splits.train, device=device)
            check_finite(*view)
            sample = LastLayer(view.features.double(), view.logits.double(), splits.train.labels)
            found.append(norms(sample, bias=last_linear(network).bias is not None))
        return {key: torch.stack([one[key] for one in found]).mean(dim=0) for key in found[0]}

    tensors, details = cached_evidence(__name__, parameters, splits, device, compute)
    return Gathered(tensors[name], details["seconds"])
