r"""The weighted loss difference of two sets as a function of the last layer, with its exact derivatives.

Everything in :mod:`lcmat.bound` is about one function of a perturbation :math:`V` of the last layer,

.. math:: \Delta(V) = L(T; W + V) - L(S_w; W + V) = \sum_i a_i\, \ell\big((W + V)\tilde h_i, y_i\big),
          \qquad \tilde h = [h; 1],

with :math:`\ell` the softmax cross-entropy and signed coefficients :math:`a_i`: :math:`1/n` for a sample of T,
:math:`-w_j` for one of S, the two added up for a sample that is in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lcmat.config.arguments import check_tensors, checked, made_of
from lcmat.curvature.last_layer import augmented_features

WEIGHT_SUM_TOLERANCE = 1e-6
_TWO_SETS = "n+ d, n c++, int<c n, m d, m c, int<c m"


@dataclass(frozen=True, eq=False)
class LossDifference:
    """A signed combination of per-sample losses at the current last layer, in float64.

    Attributes:
        inputs: (n, d+1) penultimate features with a trailing one, the bias column last; (n, d) without bias.
        logits: (n, c) outputs of the last layer before any perturbation.
        labels: (n,) int64 classes.
        coefficients: (n,) signed weights of the per-sample losses.
    """

    inputs: Tensor
    logits: Tensor
    labels: Tensor
    coefficients: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (c, d+1) of a perturbation of the last layer."""
        return self.logits.shape[1], self.inputs.shape[1]

    @cached_property
    def probabilities(self) -> Tensor:
        """(n, c) softmax of the unperturbed logits."""
        return self.logits.softmax(dim=1)

    @cached_property
    def input_norms(self) -> Tensor:
        """(n,) Euclidean norms of the inputs, bias entry included."""
        norms: Tensor = self.inputs.norm(dim=1)
        return norms


made_of(LossDifference, inputs="double n e", logits="double n c++", labels="int<c n", coefficients="double n")


@checked(features="n+ d", logits="n c++", labels="int<c n", indices="int m", weights="real _")
def subset_difference(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    indices: Tensor,
    weights: Tensor | None = None,
    *,
    bias: bool = True,
) -> LossDifference:
    r"""Describe :math:`L(T) - L(S_w)` for a subset S of T.

    Args:
        features: (n, d) penultimate features of T.
        logits: (n, c) outputs of the last layer on T.
        labels: (n,) classes of T.
        indices: (m,) positions of S in T.
        weights: (m,) nonnegative weights with sum one, or None for 1/m each.
        bias: whether the last layer has one; without it :math:`\tilde h = h`.

    Raises:
        ValueError: shapes disagree, an index is outside T, S is empty, or the weights are not a probability vector.

    >>> two = torch.tensor([[1.0], [3.0]])
    >>> whole = subset_difference(two, torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([0]))
    >>> whole.coefficients.tolist()
    [-0.5, 0.5]
    """
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < len(features):
        raise ValueError(f"indices must lie in [0, {len(features)}); pass positions in T, not data set numbers")
    coefficients = torch.full((len(features),), 1.0 / len(features), dtype=torch.float64)
    coefficients.index_add_(0, indices, -_weights_of(len(indices), weights))
    inputs = augmented_features(features.double(), bias=bias)
    return LossDifference(inputs, logits.double(), labels, coefficients)


@checked(weights="real _")
def set_difference(
    first: tuple[Tensor, Tensor, Tensor],
    second: tuple[Tensor, Tensor, Tensor],
    weights: Tensor | None = None,
    *,
    bias: bool = True,
) -> LossDifference:
    r"""Describe :math:`L(T) - L(S_w)` for any two sets, for example T and condensed images.

    Args:
        first: features (n, d), logits (n, c) and labels (n,) of T.
        second: the same three for S, with m rows.
        weights: (m,) weights of S with sum one, or None for 1/m each.
        bias: whether the last layer has one; without it :math:`\tilde h = h`.

    Raises:
        ValueError: shapes disagree, S is empty, or its weights are not a probability vector.
    """
    names = (f"{name}[{position}]" for name in ("first", "second") for position in range(3))
    check_tensors(dict(zip(names, (*first, *second), strict=True)), _TWO_SETS.split(", "))
    features, logits, labels = (torch.cat(pair) for pair in zip(first, second, strict=True))
    size = len(first[2])
    uniform = torch.full((size,), 1.0 / size, dtype=torch.float64)
    coefficients = torch.cat([uniform, -_weights_of(len(second[2]), weights)])
    inputs = augmented_features(features.double(), bias=bias)
    return LossDifference(inputs, logits.double(), labels, coefficients)


def _weights_of(size: int, weights: Tensor | None) -> Tensor:
    if size == 0:
        raise ValueError("S is empty (no indices), so its mean loss is undefined; select at least one sample")
    if weights is None:
        return torch.full((size,), 1.0 / size, dtype=torch.float64)
    weights = weights.double()
    if len(weights) != size or bool((weights < 0).any()) or abs(float(weights.sum()) - 1) > WEIGHT_SUM_TOLERANCE:
        raise ValueError(
            f"S needs {size} nonnegative weights with sum 1, got {len(weights)} with sum {float(weights.sum()):.6g}; "
            "divide cluster sizes by their sum"
        )
    return weights


@checked(perturbations="double ... c e")
def difference_at(difference: LossDifference, perturbations: Tensor) -> Tensor:
    r"""Evaluate :math:`\Delta(V)` for each perturbation.

    Args:
        difference: the loss difference.
        perturbations: (..., c, d+1) values of V.

    Returns:
        (...) values of the difference of mean losses in nats.

    >>> single = LossDifference(torch.ones(1, 1).double(), torch.zeros(1, 2).double(), torch.tensor([0]),
    ...                         torch.ones(1).double())
    >>> round(float(difference_at(single, torch.zeros(2, 1).double())), 6)   # log 2
    0.693147
    """
    logits = _perturbed_logits(difference, perturbations)
    true_class = difference.labels.view(-1, 1).expand(*logits.shape[:-1], 1)
    losses = logits.logsumexp(dim=-1) - logits.gather(-1, true_class).squeeze(-1)
    return losses @ difference.coefficients


@checked(perturbations="double ... c e")
def gradient_at(difference: LossDifference, perturbations: Tensor) -> Tensor:
    r"""Gradient :math:`\nabla \Delta(V) = \sum_i a_i (p_i(V) - y_i)\,\tilde h_i^\top`, shaped like V."""
    residuals = _perturbed_logits(difference, perturbations).softmax(dim=-1)
    residuals = residuals - torch.nn.functional.one_hot(difference.labels, difference.shape[0])
    return (residuals * difference.coefficients[:, None]).transpose(-1, -2) @ difference.inputs


@checked()
def gradient_gap(difference: LossDifference) -> Tensor:
    r"""Difference of the mean gradients :math:`g = \nabla L(T) - \nabla L(S_w)` at V = 0, (c, d+1)."""
    return gradient_at(difference, torch.zeros(difference.shape, dtype=torch.float64))


@checked(directions="double ... c e")
def hessian_product(difference: LossDifference, directions: Tensor) -> Tensor:
    r"""Product of the Hessian difference with V, without forming the Hessian.

    .. math:: H V = \sum_i a_i \big[(\operatorname{diag} p_i - p_i p_i^\top) V \tilde h_i\big] \tilde h_i^\top

    Exact, because the logits are linear in the weights: the chain rule has no second term, so no label matters.
    n (d + c) numbers of memory instead of (c (d+1)) squared.

    Args:
        difference: the loss difference.
        directions: (..., c, d+1) values of V.

    Returns:
        (..., c, d+1) products.

    >>> single = LossDifference(torch.ones(1, 1).double(), torch.zeros(1, 2).double(), torch.tensor([0]),
    ...                         torch.ones(1).double())
    >>> hessian_product(single, torch.tensor([[1.0], [0.0]]).double()).flatten().tolist()   # p (1 - p), -p p
    [0.25, -0.25]
    """
    outputs = directions @ difference.inputs.T
    # A_i annihilates constants: relative to the likeliest class, a saturated sample's tiny curvature is not cancelled.
    likeliest = difference.logits.argmax(dim=1).expand(*outputs.shape[:-2], 1, -1)
    outputs = outputs - outputs.gather(-2, likeliest)
    weighted = difference.probabilities.T * outputs
    curvature = weighted - difference.probabilities.T * weighted.sum(dim=-2, keepdim=True)
    return (curvature * difference.coefficients) @ difference.inputs


def _perturbed_logits(difference: LossDifference, perturbations: Tensor) -> Tensor:
    return difference.logits + difference.inputs @ perturbations.transpose(-1, -2)
