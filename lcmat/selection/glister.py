"""Glister: samples whose gradient step raises the log-likelihood most."""

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.ties import first_best
from lcmat.selection.coreset import Coreset, equally_weighted
from lcmat.selection.gradient_factors import gradient_factors, logit_changes, mean_gradient, products_with
from lcmat.selection.official import LossReduction


@checked(budget="[0, n]", eta="(0, inf)", rounds="[1, inf)")
def glister(
    layer: LastLayer,
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

    It is `glister_val` with the candidates for validation.  The official code is ``rounds=1`` (the function that would
    renew the gradient is passed under a misspelt name and never runs), ``double_softmax=True`` and
    ``loss_reduction="mean-per-batch"``: the top of one inner product.

    Args:
        layer: the last layer's view of the n samples of a class.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        eta: step size; 0.01 as in the authors' configurations.
        rounds: how often the gradient is renewed; None: after each choice.
        double_softmax: the official baselines' loss, see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales as the official code does, see `lcmat.selection.official`.
        bias: whether the last layer has one.

    Returns:
        The choice, its weights and gains as `glister_val` defines them.

    Raises:
        ValueError: eta is not positive and finite, or rounds is not positive.
    """
    return glister_val(
        layer,
        budget,
        generator,
        validation=layer,
        eta=eta,
        rounds=rounds,
        double_softmax=double_softmax,
        loss_reduction=loss_reduction,
        bias=bias,
    )


@checked(budget="[0, n]", validation="m", eta="(0, inf)", rounds="[1, inf)")
def glister_val(
    layer: LastLayer,
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

    Greedily raises their mean log-likelihood after one gradient step on the chosen samples.  The step starts from the
    network's last layer, ``theta_S = theta - eta sum_{j in S} g_j(theta)``, and the gain of a candidate is its Taylor
    approximation there, ``eta g_j(theta) . G(theta_S)`` with G the mean gradient of the validation samples.  G is
    renewed after each of the rounds; within a round its best candidates are taken at once.

    Args:
        layer: the last layer's view of the n samples of a class, the candidates.
        budget: how many samples to choose.
        generator: not used: the choice is deterministic.
        validation: samples of the same class that are neither test nor candidates: a part held out from the training
            set.
        eta: step size, positive; 0.01 as in the authors' configurations.
        rounds: number of rounds of equal size (the last may be shorter); None: one for each choice.
        double_softmax: the official baselines' loss, of both sets; see `lcmat.selection.gradient_factors`.
        loss_reduction: ``"mean-per-batch"`` scales both sets as the official code does, see `lcmat.selection.official`.
        bias: whether the last layer has one.

    Returns:
        Indices in the order of choice; equal weights, for the method defines none; the Taylor gains in the mean
        log-likelihood (per validation sample), negative where the choice lowers it.

    Raises:
        ValueError: eta is not positive and finite, rounds is not positive, or no validation sample is of this class.

    >>> layer = LastLayer(torch.tensor([[1.0], [2.0]]), torch.zeros(2, 2), torch.tensor([0, 0]))
    >>> glister_val(layer, 1, torch.Generator(), validation=layer, eta=0.5).gains  # 0.5 (2 * 1.5 + 1) / 2
    tensor([1.], dtype=torch.float64)
    """
    factors = _factors(layer, double_softmax, loss_reduction)
    at_once = -(-budget // (rounds or max(budget, 1)))
    free = torch.ones(len(factors), dtype=torch.bool, device=factors.device)
    indices: list[int] = []
    gains: list[float] = []
    while len(indices) < budget:
        target = mean_gradient(_factors(validation, double_softmax, loss_reduction), validation.features, bias=bias)
        values = eta * products_with(target, factors, layer.features)
        picks = _take(values, free, min(at_once, budget - len(indices)))
        indices += picks
        gains += values[picks].tolist()
        step = len(picks) * mean_gradient(factors[picks], layer.features[picks], bias=bias)
        moved = validation.logits - eta * logit_changes(step, validation.features)
        validation = validation._replace(logits=moved)
    chosen = torch.tensor(indices, dtype=torch.int64)
    return equally_weighted(chosen, len(factors), torch.tensor(gains, dtype=torch.float64))


def _factors(samples: LastLayer, double_softmax: bool, loss_reduction: LossReduction | None) -> Tensor:
    return gradient_factors(
        samples.logits, samples.labels, double_softmax=double_softmax, loss_reduction=loss_reduction
    )


def _take(values: Tensor, free: Tensor, count: int) -> list[int]:
    """Take the indices of the largest free values, largest first, and mark them as no longer free."""
    picks = []
    for _ in range(count):
        picks.append(first_best(values, free))
        free[picks[-1]] = False
    return picks
