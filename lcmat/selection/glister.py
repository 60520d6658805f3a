"""Glister: samples whose gradient step raises the log-likelihood most."""

import torch
from torch import Tensor

from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset
from lcmat.selection.gradient_factors import gradient_factors, logit_changes, mean_gradient, products_with
from lcmat.selection.official import LossReduction


def glister(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    budget: int,
    generator: torch.Generator,
    *,
    eta: float = 0.01,
    rounds: int | None = None,
    double_softmax: bool = False,
    loss_reduction: LossReduction | None = None,
    bias: bool = True,
) -> Coreset:
    """Glister in the last layer, judged by the training samples themselves (Killamsetty et al., AAAI 2021).

    See `ascend`.  Deterministic: the generator is not used.  The official code is ``rounds=1`` (the function that would
    renew the gradient is passed under a misspelt name and never runs), ``double_softmax=True`` and
    ``loss_reduction="mean-per-batch"``: the top of one inner product.

    Args:
        features: inputs of the last linear layer, ``(n, d)``.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, int64 ``(n,)``.
        budget: how many samples to choose.
        generator: unused; every method takes one.
        eta: step size; 0.01 as in the authors' configurations.
        rounds: how often the gradient is renewed, None for after each choice.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.
        bias: whether the last layer has one.
    """
    own = LastLayer(features, logits, labels)
    return ascend(
        own,
        own,
        budget,
        eta=eta,
        rounds=rounds,
        double_softmax=double_softmax,
        loss_reduction=loss_reduction,
        bias=bias,
    )


def ascend(
    candidates: LastLayer,
    judges: LastLayer,
    budget: int,
    *,
    eta: float,
    rounds: int | None,
    double_softmax: bool,
    loss_reduction: LossReduction | None,
    bias: bool,
) -> Coreset:
    """Greedily raise the judges' mean log-likelihood after one gradient step on the chosen candidates.

    The step starts from the network's last layer, ``theta_S = theta - eta sum_{j in S} g_j(theta)``, and the gain of a
    candidate is its Taylor approximation there, ``eta g_j(theta) . G(theta_S)`` with G the judges' mean gradient.  G is
    renewed after each of the rounds; within a round its best candidates are taken at once.

    Args:
        candidates: the samples to choose from, n.
        judges: the samples whose likelihood counts.
        budget: how many to choose.
        eta: step size, positive.
        rounds: number of rounds of equal size (the last may be shorter); None for one per choice.
        double_softmax: the official baselines' loss, candidates' and judges'.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, candidates and judges.
        bias: whether the last layer has one.

    Returns:
        Indices in the order of choice; equal weights, for the method defines none; the Taylor gains in the mean
        log-likelihood (per judge), negative where the choice lowers it.

    Raises:
        ValueError: eta is not positive and finite, rounds is not positive, or there are no judges.
    """
    if not 0 < eta < float("inf") or (rounds is not None and rounds < 1):
        raise ValueError(f"eta must be positive and finite and rounds at least 1, got {eta} and {rounds}")
    factors = _factors(candidates, double_softmax, loss_reduction)
    at_once = -(-budget // (rounds or max(budget, 1)))
    free = torch.ones(len(factors), dtype=torch.bool, device=factors.device)
    indices: list[int] = []
    gains: list[float] = []
    while len(indices) < budget:
        target = mean_gradient(_factors(judges, double_softmax, loss_reduction), judges.features, bias=bias)
        values = eta * products_with(target, factors, candidates.features)
        picks = _take(values, free, min(at_once, budget - len(indices)))
        indices += picks
        gains += values[picks].tolist()
        step = len(picks) * mean_gradient(factors[picks], candidates.features[picks], bias=bias)
        judges = judges._replace(logits=judges.logits - eta * logit_changes(step, judges.features))
    weights = torch.full((budget,), len(factors) / max(budget, 1), dtype=torch.float64)
    return Coreset(torch.tensor(indices, dtype=torch.int64), weights, torch.tensor(gains, dtype=torch.float64))


def _factors(samples: LastLayer, double_softmax: bool, loss_reduction: LossReduction | None) -> Tensor:
    return gradient_factors(
        samples.logits, samples.labels, double_softmax=double_softmax, loss_reduction=loss_reduction
    )


def _take(values: Tensor, free: Tensor, count: int) -> list[int]:
    """The indices of the largest free values, which are free no longer."""
    picks = []
    for _ in range(count):
        picks.append(first_best(values, free))
        free[picks[-1]] = False
    return picks
