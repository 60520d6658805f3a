"""Glister-Val: Glister judged by samples held out from the training set."""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import LastLayer
from lcmat.selection.coreset import Coreset
from lcmat.selection.glister import ascend
from lcmat.selection.official import LossReduction


def glister_val(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    validation: LastLayer,
    eta: float = 0.01,
    rounds: int | None = None,
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    bias: bool = True,
) -> Coreset:
    """Glister as its paper defines it, with the log-likelihood of validation samples (Killamsetty et al., AAAI 2021).

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        validation: samples of the same class that are neither test nor candidates: a part held out from the training
            set.
        eta: step size, see `lcmat.selection.glister` for all that follows.
        rounds: how often the gradient is renewed, None for after each choice.
        double_softmax: the official baselines' loss.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, both sets.
        bias: whether the last layer has one.

    Raises:
        ValueError: no validation sample is of this class.
    """
    return ascend(
        LastLayer(features, logits, labels),
        validation,
        budget,
        eta=eta,
        rounds=rounds,
        double_softmax=double_softmax,
        loss_reduction=loss_reduction,
        bias=bias,
    )
