"""GradMatch-Val: GradMatch towards the gradients of samples held out from the training set."""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset
from lcmat.selection.gradient_factors import gradient_factors, mean_gradient
from lcmat.selection.gradmatch import match
from lcmat.selection.official import LossReduction, OfficialWeights


def gradmatch_val(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    validation: LastLayer,
    ridge: float = 0.5,
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    official_weights: OfficialWeights | None = None,
    bias: bool = True,
) -> Coreset:
    """GradMatch whose target is the mean gradient of validation samples (Killamsetty et al., ICML 2021, ``L = L_V``).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        validation: samples of the same class that are neither test nor candidates: a part held out from the training
            set.
        ridge: see `lcmat.selection.gradmatch`, as all that follows.
        double_softmax: the official baselines' loss.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, both sets.
        official_weights: as for `lcmat.selection.gradmatch`.
        bias: whether the last layer has one.

    Raises:
        ValueError: no validation sample is of this class.
    """
    factors = gradient_factors(logits, labels, double_softmax=double_softmax, loss_reduction=loss_reduction)
    held_out = gradient_factors(
        validation.logits, validation.labels, double_softmax=double_softmax, loss_reduction=loss_reduction
    )
    target, raw = mean_gradient(held_out, validation.features, bias=bias), official_weights is not None
    return match(target, factors, features, budget, ridge=ridge, raw=raw)
