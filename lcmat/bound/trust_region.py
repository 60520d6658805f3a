r"""Exact maximum of a quadratic model in a ball, with a dual value that nothing in the ball exceeds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

from lcmat.bound.spectrum import ConvergenceError, Product
from lcmat.config.arguments import checked

STEPS_PER_CHECK = 8


@dataclass(frozen=True, eq=False)
class TrustRegion:
    """Solution of the trust-region problem.

    Attributes:
        step: (m,) maximiser, of norm at most the radius.
        value: value of the model at `step`, a lower estimate of the maximum.
        upper: dual value, never below the maximum.
        multiplier: multiplier of the ball; zero for an interior maximum.
    """

    step: Tensor
    value: float
    upper: float
    multiplier: float


@checked(gradient="double m+", radius="(0, inf)", top="double m", tolerance="(0, inf)", max_steps="[1, inf)")
def maximise_in_ball(
    gradient: Tensor,
    product: Product,
    radius: float,
    *,
    largest: float,
    top: Tensor,
    tolerance: float = 1e-8,
    max_steps: int = 400,
) -> TrustRegion:
    r"""Solve :math:`\max_{\|v\| \le \rho} g^\top v + \tfrac12 v^\top B v` for a symmetric, possibly indefinite B.

    A Lanczos basis of g, enlarged by the leading eigenvector for the hard case, reduces the problem to a small one that
    the secular equation :math:`\|(\nu I - B)^{-1} g\| = \rho` solves. For any x,
    :math:`\nu \ge \lambda_{\max}(B)` and :math:`r = g - (\nu I - B)x`, weak duality gives the upper value

    .. math:: \tfrac12 \nu \rho^2 + \tfrac12 x^\top (\nu I - B) x + \rho \|r\|.

    Args:
        gradient: (m,) vector g.
        product: the operator B, (m,) -> (m,).
        radius: rho, positive.
        largest: largest eigenvalue of B, as :func:`lcmat.bound.extremes` returns it.
        top: (m,) its eigenvector.
        tolerance: allowed gap between the two values, relative to the upper one.
        max_steps: largest dimension of the basis.

    Raises:
        ConvergenceError: the gap is still above the tolerance after `max_steps` products.

    >>> solution = maximise_in_ball(torch.tensor([1.0, 0.0]).double(), lambda v: 0 * v, 2.0, largest=0.0,
    ...                             top=torch.tensor([0.0, 1.0]).double())
    >>> solution.value, solution.upper
    (2.0, 2.0)
    """
    basis, images = [top / top.norm()], [product(top / top.norm())]
    candidate = gradient
    while True:
        for _ in range(STEPS_PER_CHECK):
            direction = _orthogonal_part(candidate, basis)
            if direction is None:
                break
            basis.append(direction)
            images.append(product(direction))
            candidate = images[-1]
        solution = _best_in_basis(gradient, torch.stack(basis), torch.stack(images), radius, largest)
        if solution.upper - solution.value <= tolerance * solution.upper:
            return solution
        if direction is None or len(basis) >= min(max_steps, len(gradient)):
            gap = (solution.upper - solution.value) / solution.upper
            raise ConvergenceError(f"trust-region gap {gap:.1e} after {len(basis)} products; is `largest` accurate?")


def _orthogonal_part(vector: Tensor, basis: list[Tensor]) -> Tensor | None:
    """Unit component of `vector` orthogonal to the basis, or None if the basis already holds it."""
    span, part = torch.stack(basis), vector
    for _ in range(2):  # twice is enough: the second pass removes what rounding left of the first
        part = part - span.T @ (span @ part)
    norm = float(part.norm())
    return part / norm if norm > 1e-12 * float(vector.norm()) else None


def _best_in_basis(gradient: Tensor, basis: Tensor, images: Tensor, radius: float, largest: float) -> TrustRegion:
    coordinates, inner_multiplier = _solve_small(basis @ gradient, basis @ images.T, radius)
    step, image = basis.T @ coordinates, images.T @ coordinates
    multiplier = max(inner_multiplier, largest, 0.0)
    residual = float((gradient - multiplier * step + image).norm())
    value = float(gradient @ step + step @ image / 2)
    upper = (multiplier * radius**2 + float(step @ (multiplier * step - image))) / 2 + radius * residual
    return TrustRegion(step, value, max(upper, value), multiplier)


def _solve_small(gradient: Tensor, matrix: Tensor, radius: float) -> tuple[Tensor, float]:
    """Dense trust-region problem by its secular equation: maximiser and multiplier."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    loads = vectors.T @ gradient
    floor = max(float(values[-1]), 0.0)
    ceiling = floor + float(loads.norm()) / radius

    def excess(multiplier: float) -> float:
        return float((loads / (multiplier - values)).norm()) - radius

    lowest = floor + 1e-14 * (ceiling + abs(floor) + float(values.abs().max()))
    if lowest < ceiling and excess(lowest) > 0:
        multiplier = brentq(excess, lowest, ceiling, xtol=1e-300, rtol=1e-15) if excess(ceiling) < 0 else ceiling
        return vectors @ (loads / (multiplier - values)), multiplier
    return vectors @ _hard_case(values, loads, radius, floor), floor


def _hard_case(values: Tensor, loads: Tensor, radius: float, floor: float) -> Tensor:
    """Coordinates at multiplier `floor`: the minimum-norm solution, topped up along the leading eigenvector."""
    gaps = floor - values
    regular = gaps > 1e-10 * values.abs().max()
    coordinates = torch.where(regular, loads / gaps.where(regular, torch.ones_like(gaps)), 0.0)
    missing = radius**2 - float(coordinates.square().sum())
    if not bool(regular[-1]) and missing > 0:
        coordinates[-1] = missing**0.5 * (-1.0 if loads[-1] < 0 else 1.0)
    return coordinates
