r"""The worst-case curvature gap from below: projected gradient ascent from many starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lcmat.bound.difference import LossDifference, difference_at, gradient_at
from lcmat.config.arguments import checked


@dataclass(frozen=True, eq=False)
class AttainedGap:
    r"""The largest gap found in a ball.

    Attributes:
        value: :math:`[|\Delta(V)| - |\Delta(0)|]/\rho` at `step`, nats per unit length; zero if nothing is better
            than V = 0.
        step: (c, d+1) the perturbation V that attains it.
    """

    value: float
    step: Tensor


@checked(perturbations="double ... c e", rho="(0, inf)")
def loss_gap(difference: LossDifference, perturbations: Tensor, rho: float) -> Tensor:
    r"""The quotient of Eq. 4, :math:`[|\Delta(V)| - |\Delta(0)|]/\rho`, of perturbations: (..., c, d+1) -> (...)."""
    origin = torch.zeros(difference.shape, dtype=torch.float64)
    return (difference_at(difference, perturbations).abs() - difference_at(difference, origin).abs()) / rho


@checked(rho="(0, inf)", count="[0, inf)")
def random_starts(difference: LossDifference, rho: float, count: int, generator: torch.Generator) -> Tensor:
    """Points uniform on the sphere of radius rho, (count, c, d+1)."""
    points = torch.randn(count, *difference.shape, dtype=torch.float64, generator=generator)
    scaled: Tensor = rho * points / points.flatten(1).norm(dim=1).view(-1, 1, 1)
    return scaled


@checked(starts="double b+ c e", rho="(0, inf)", steps="[0, inf)")
def ascend(difference: LossDifference, starts: Tensor, rho: float, *, steps: int = 50) -> AttainedGap:
    r"""Maximise the gap in the ball :math:`\|V\|_F \le \rho` by projected gradient ascent, all starts at once.

    Each start doubles its step length while :math:`|\Delta|` grows and quarters it otherwise, so none gets worse.
    A lower estimate of the true maximum: a bound below it is refuted, a bound above it is not proved.

    Args:
        difference: the loss difference.
        starts: (b, c, d+1) initial perturbations; those outside the ball are projected.
        rho: radius of the ball.
        steps: gradient evaluations for each start.

    Raises:
        ValueError: rho is not positive.
    """
    points = _project(starts, rho)
    heights = difference_at(difference, points)
    lengths = torch.full((len(starts), 1, 1), rho, dtype=torch.float64)
    for _ in range(steps):
        slopes = gradient_at(difference, points) * heights.sign().view(-1, 1, 1)
        norms = slopes.flatten(1).norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny).view(-1, 1, 1)
        trials = _project(points + lengths * slopes / norms, rho)
        trial_heights = difference_at(difference, trials)
        better = (trial_heights.abs() > heights.abs()).view(-1, 1, 1)
        points = torch.where(better, trials, points)
        heights = torch.where(better.flatten(), trial_heights, heights)
        lengths = torch.where(better, lengths * 2, lengths / 4)
    gaps = loss_gap(difference, points, rho)
    best = int(gaps.argmax())
    if gaps[best] <= 0:
        return AttainedGap(0.0, torch.zeros(difference.shape, dtype=torch.float64))
    return AttainedGap(float(gaps[best]), points[best])


def _project(points: Tensor, rho: float) -> Tensor:
    norms: Tensor = points.flatten(1).norm(dim=1).view(-1, 1, 1)
    return points * (rho / norms.clamp_min(rho))
