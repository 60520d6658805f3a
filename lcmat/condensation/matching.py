"""What condensation minimises: for each class, a distance of real and synthetic batch, and for LCMat-C a penalty.

    loss = sum over the classes of  D(real, synthetic) + (rho / 2) |moment(real) - moment(synthetic)|

LCMat-C (paper Eq. 15) takes the distance of DC and as moment the elementwise variance of the last layer's per-sample
gradients, which stands in for the Hessian's diagonal.  Other moments of the same gradients in the same place are the
controls: if they help as much, it is not the curvature that helps.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.condensation.distances import DISTANCES, Layers, Norm, choose_layers, gap
from lcmat.condensation.observation import Observation
from lcmat.config.arguments import checked
from lcmat.config.base import nearest, recognised
from lcmat.config.registry import OBJECTIVES, Objective


class Terms(NamedTuple):
    """The two parts of the loss before rho enters."""

    distance: Tensor  # (k,)
    penalty: Tensor  # (k,); (1,) if pooled; zeros without a moment

    def loss(self, rho: float) -> Tensor:
        """Scalar ``sum D + (rho / 2) sum |.|``: a sum over the classes."""
        return self.distance.sum() + rho / 2 * self.penalty.sum()


@checked()
def find_objective(name: str) -> Objective:
    """The objective of this name.

    Raises:
        ValueError: there is none; the message says the nearest.

    >>> find_objective("lcmat")
    Traceback (most recent call last):
    ValueError: no objective 'lcmat'; did you mean 'lcmat-c'? There are: dc, dsa, dm, ...
    """
    if name not in OBJECTIVES:
        hint = nearest(name, OBJECTIVES, cutoff=0)
        raise ValueError(f"no objective {name!r}; {hint} There are: {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]


@checked()
def compare(
    objective: Objective,
    real: Observation,
    synthetic: Observation,
    *,
    distance: str = "layerwise",
    layers: Layers = "weights",
    norm: Norm = "l2",
) -> Terms:
    """Both terms of an objective for k classes, differentiable in the synthetic observation.

    Args:
        objective: from `OBJECTIVES`.
        real: k batches of original images.
        synthetic: k batches of synthetic ones, of the same classes, with a graph.
        distance: of gradients, a key of `DISTANCES`.
        layers: whose gradients.
        norm: of the penalty.

    Raises:
        ValueError: the moment is undefined for so few images.
    """
    if objective.distance == "features":
        distances = feature_distance(real.features, synthetic.features)
    else:
        measure = DISTANCES[recognised(distance, "distance", DISTANCES)]
        wanted = choose_layers(real.gradients, layers)
        distances = measure(wanted, choose_layers(synthetic.gradients, layers))
    return Terms(distances, moment_gap(objective, real, synthetic, norm))


@checked(real="any k b+ d", synthetic="any k s+ d")
def feature_distance(real: Tensor, synthetic: Tensor) -> Tensor:
    """DM's distance ``|mean h - mean h'|^2`` of the features' means.

    Args:
        real: ``(k, b, d)``.
        synthetic: ``(k, b', d)``.

    Returns:
        ``(k,)``; a sum over the d features of squared differences of means.

    >>> feature_distance(torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[5.0]]]))
    tensor([9.])
    """
    return (real.mean(dim=1) - synthetic.mean(dim=1)).square().sum(dim=1)


def moment_gap(objective: Objective, real: Observation, synthetic: Observation, norm: Norm) -> Tensor:
    """The penalty of an objective: how far the moments of the last layer's gradients are apart.

    Args:
        objective: from `OBJECTIVES`.
        real: k batches of original images.
        synthetic: k batches of synthetic ones, of the same classes.
        norm: of the difference.

    Returns:
        ``(k,)``, or ``(1,)`` if the classes are pooled; zeros if the objective has no moment.
    """
    if objective.moment is None:
        return torch.zeros_like(synthetic.logits[:, 0, 0])
    wanted = class_moments(objective.moment, real, objective.pooled)
    return gap(wanted, class_moments(objective.moment, synthetic, objective.pooled), norm)


def class_moments(moment: Callable[..., Tensor], observation: Observation, pooled: bool) -> Tensor:
    """The moment of each class's last-layer gradients.

    Args:
        moment: a function of features, logits and labels.
        observation: of k batches, one for each class.
        pooled: take the moment of all classes' gradients together.

    Returns:
        ``(k, c, d + 1)``, or ``(1, c, d + 1)`` if pooled.
    """
    parts = (observation.features, observation.logits, observation.labels)
    if pooled:
        return moment(*(part.flatten(0, 1) for part in parts), bias=observation.bias)[None]
    return torch.stack([moment(*samples, bias=observation.bias) for samples in zip(*parts, strict=True)])
