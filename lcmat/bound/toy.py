r"""A model with two parameters, in which everything about a curvature gap can be drawn and searched exhaustively.

Two classes, one feature and a bias make a last layer of 2 x 2 weights. Only the difference of its two rows changes a
loss, so the weights :math:`W(t) = \tfrac{1}{\sqrt2} (-t, t)` for t in the plane are all that counts: distances in the
plane are distances between weights, and no other perturbation of the same norm does more.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import augmented_features


@checked(count="[0, inf)")
def two_class_line(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Samples of two overlapping classes on a line, the second class wider.

    Args:
        count: number n of samples, every other one of each class.
        generator: source of the normal numbers.

    Returns:
        Features (n, 1), float64, and labels 0 or 1, int64 (n,).
    """
    labels = torch.arange(count) % 2
    noise = torch.randn(count, dtype=torch.float64, generator=generator)
    return ((2 * labels - 1) + noise * (1 + labels) / 1.5)[:, None], labels


class Example(NamedTuple):
    """A training set, the parameters at which it is looked at, and a subset.

    Attributes:
        features: (n, 1) one feature each.
        labels: (n,) classes 0 and 1.
        theta: (2,) slope and offset after a few gradient steps on all samples.
        chosen: (m,) positions of the subset.
    """

    features: Tensor
    labels: Tensor
    theta: Tensor
    chosen: Tensor

    @property
    def sample(self) -> tuple[Tensor, Tensor, Tensor]:
        """Features (n, 1), logits (n, 2) and labels (n,), as the functions of the last layer take them."""
        logits = augmented_features(self.features) @ layer_weights(self.theta).T
        return self.features, logits, self.labels


@checked(count="[1, inf)", size="[1, count]", steps="[0, inf)")
def running_example(count: int = 40, size: int = 6, *, steps: int = 5, seed: int = 0) -> Example:
    """The example of the derivation: `count` samples, `steps` gradient steps from zero, `size` of them at random."""
    generator = torch.Generator().manual_seed(seed)
    features, labels = two_class_line(count, generator)
    theta = torch.zeros(2, dtype=torch.float64)
    for _ in range(steps):
        theta = theta - sample_gradients(features, labels, theta).mean(dim=0)
    return Example(features, labels, theta, torch.randperm(count, generator=generator)[:size])


@checked(points="... 2")
def layer_weights(points: Tensor) -> Tensor:
    r"""Weights :math:`W(t) = \tfrac{1}{\sqrt2}(-t, t)` of the two classes, an isometry (..., 2) -> (..., 2, 2).

    >>> round(layer_weights(torch.tensor([0.0, 2.0]).double()).square().sum().item(), 12)
    4.0
    """
    return torch.stack([-points, points], dim=-2) / math.sqrt(2)


@checked(features="n 1", labels="int<2 n", points="... 2")
def sample_losses(features: Tensor, labels: Tensor, points: Tensor) -> Tensor:
    r"""Cross-entropy :math:`\log(1 + e^{-s \sqrt2\, t^\top \tilde h})` of each sample, s = -1 or +1 for its label.

    Args:
        features: (n, 1).
        labels: 0 or 1, (n,).
        points: (..., 2) slope and offset t.

    Returns:
        (..., n) losses in nats, one sample each.

    >>> sample_losses(torch.zeros(1, 1).double(), torch.tensor([1]), torch.zeros(2).double()).item() == math.log(2)
    True
    """
    return softplus(-_signs(labels) * _margins(features, points))


@checked(features="n 1", labels="int<2 n", points="... 2")
def sample_gradients(features: Tensor, labels: Tensor, points: Tensor) -> Tensor:
    r"""Gradients :math:`\sqrt2\, (p - y)\, \tilde h` of `sample_losses` in t, (..., n, 2), p that of class 1."""
    residuals = _margins(features, points).sigmoid() - labels
    return math.sqrt(2) * residuals[..., None] * augmented_features(features)


@checked(features="n 1", points="... 2")
def sample_hessians(features: Tensor, points: Tensor) -> Tensor:
    r"""Hessians :math:`2\, p (1 - p)\, \tilde h \tilde h^\top` of `sample_losses` in t, (..., n, 2, 2)."""
    probabilities = _margins(features, points).sigmoid()
    inputs = augmented_features(features)
    return 2 * (probabilities * (1 - probabilities))[..., None, None] * inputs[:, :, None] * inputs[:, None, :]


@checked(radius="[0, inf)", rings="[1, inf)", spokes="[1, inf)")
def disc(radius: float, rings: int, spokes: int) -> Tensor:
    """The origin and points on equally spaced circles around it, the last of the given radius.

    Returns:
        (1 + rings * spokes, 2), float64.

    >>> disc(2.0, 2, 4).norm(dim=1).round(decimals=6).unique()
    tensor([0., 1., 2.], dtype=torch.float64)
    """
    angles = torch.arange(spokes, dtype=torch.float64) * (2 * math.pi / spokes)
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    radii = radius * torch.arange(1, rings + 1, dtype=torch.float64) / rings
    return torch.cat([torch.zeros(1, 2, dtype=torch.float64), (radii[:, None, None] * circle).flatten(0, 1)])


def _margins(features: Tensor, points: Tensor) -> Tensor:
    return math.sqrt(2) * points @ augmented_features(features).T


def _signs(labels: Tensor) -> Tensor:
    return 2 * labels - 1
