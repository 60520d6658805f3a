"""What condensation minimises: for each class, a distance of real and synthetic batch, and for LCMat-C a penalty.

    loss = sum over the classes of  D(real, synthetic) + (rho / 2) |moment(real) - moment(synthetic)|

LCMat-C (paper Eq. 15) takes the distance of DC and as moment the elementwise variance of the last layer's per-sample
gradients, which stands in for the Hessian's diagonal.  Other moments of the same gradients in the same place are the
controls: if they help as much, it is not the curvature that helps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lcmat.condensation.distances import DISTANCES, Layers, Norm, choose_layers, gap
from lcmat.condensation.observation import Observation
from lcmat.config.base import nearest
from lcmat.curvature.moments import gradient_variance, mean_gradient, second_moment

Moment = Callable[..., Tensor]  # (features, logits, labels, *, bias)


@dataclass(frozen=True)
class Objective:
    """One way to compare batches.

    Attributes:
        title: as on a page.
        reference: where it comes from.
        distance: what is compared at full strength: the gradients of all layers, or the mean features.
        moment: of the last layer's per-sample gradients, compared at strength rho / 2; None: nothing more.
        pooled: take the moment over all classes together instead of one by one.
        fewest: images of a class that the moment needs.
    """

    title: str
    reference: str
    distance: Literal["gradients", "features"] = "gradients"
    moment: Moment | None = None
    pooled: bool = False
    fewest: int = 1


class Terms(NamedTuple):
    """The two parts of the loss before rho enters."""

    distance: Tensor  # (k,)
    penalty: Tensor  # (k,); (1,) if pooled; zeros without a moment

    def loss(self, rho: float) -> Tensor:
        """Scalar ``sum D + (rho / 2) sum |.|``: a sum over the classes."""
        return self.distance.sum() + rho / 2 * self.penalty.sum()


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "dc": Objective("DC", "Zhao et al., ICLR 2021"),
        "dsa": Objective("DSA", "Zhao & Bilen, ICML 2021: DC under Siamese augmentation"),
        "dm": Objective("DM", "Zhao & Bilen, WACV 2023", distance="features"),
        "idc-i": Objective("IDC-I", "Kim et al., ICML 2022: with factor > 1, IDC"),
        "lcmat-c": Objective("LCMat-C", "Shin et al., AISTATS 2023, Eq. 15", moment=gradient_variance, fewest=2),
        "mean-control": Objective("Mean control", "the first moment in the variance's place", moment=mean_gradient),
        "second-moment-control": Objective(
            "Second-moment control", "the variance without its centre: the empirical Fisher", moment=second_moment
        ),
        "pooled-variance-control": Objective(
            "Pooled-variance control", "one variance over all classes", moment=gradient_variance, pooled=True
        ),
    }
)


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
        wanted = choose_layers(real.gradients, layers)
        distances = DISTANCES[distance](wanted, choose_layers(synthetic.gradients, layers))
    return Terms(distances, _penalty(objective, real, synthetic, norm))


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


def _penalty(objective: Objective, real: Observation, synthetic: Observation, norm: Norm) -> Tensor:
    if objective.moment is None:
        return torch.zeros_like(synthetic.logits[:, 0, 0])
    wanted = _moments(objective.moment, real, objective.pooled)
    return gap(wanted, _moments(objective.moment, synthetic, objective.pooled), norm)


def _moments(moment: Moment, observation: Observation, pooled: bool) -> Tensor:
    """The moment of each class's last-layer gradients, (k, c, d + 1); of all classes' together, (1, c, d + 1)."""
    parts = (observation.features, observation.logits, observation.labels)
    if pooled:
        return moment(*(part.flatten(0, 1) for part in parts), bias=observation.bias)[None]
    return torch.stack([moment(*samples, bias=observation.bias) for samples in zip(*parts, strict=True)])
