r"""Upper bounds of the worst-case curvature gap of the last layer with all constants, and the gap attained below them.

They are numerical certificates: theorems in exact arithmetic, evaluated in float64 with extreme eigenvalues from
Lanczos (a dense decomposition below 64 parameters). A Ritz value errs downwards, which is the unsafe side, and a small
residual proves an eigenvalue but not that it is the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lcmat.bound.ascent import ascend, random_starts
from lcmat.bound.difference import LossDifference, difference_at, gradient_gap
from lcmat.bound.remainder import dominating_product, third_derivative_constant
from lcmat.bound.spectrum import Extremes, flat_hessian_product, hessian_extremes, largest_pair
from lcmat.bound.surrogates import largest_diagonal
from lcmat.bound.trust_region import TrustRegion, maximise_in_ball
from lcmat.config.arguments import checked


@dataclass(frozen=True)
class CertifiedGap:
    r"""What is known of :math:`\max_{\|V\|\le\rho} [|\Delta(V)| - |\Delta(0)|]/\rho`; all gaps in nats per unit length.

    Attributes:
        rho: radius of the ball.
        attained: lower estimate, a gap found by ascent.
        upper: the smaller of `theorem` and `dominating`, a bound that holds for every rho.
        theorem: gradient + curvature + remainder term (Theorem 1 with the explicit remainder).
        signed: Theorem 1 with one signed eigenvalue, which holds for every rho too (see :func:`signed_bound`).
        dominating: bound by two dominating quadratics, maximised exactly.
        gradient_term: :math:`\|g\|`.
        curvature_term: :math:`\tfrac12\rho\|H\|_2`.
        remainder_term: :math:`\kappa\rho^2/6`.
        printed: the paper's Eq. 6, :math:`\|g\| + \tfrac12\rho\lambda_{\max}(H)`, which is not a bound.
        diagonal: the paper's Eq. 7, :math:`\|g\| + \tfrac12\rho\max_k|H_{kk}|`, which is not a bound.
        model: exact maximum for the quadratic model of the difference, neither an upper nor a lower bound.
    """

    rho: float
    attained: float
    upper: float
    theorem: float
    signed: float
    dominating: float
    gradient_term: float
    curvature_term: float
    remainder_term: float
    printed: float
    diagonal: float
    model: float

    @property
    def tightness(self) -> float:
        """Certified bound over attained gap, at least 1; infinite where nothing was attained."""
        return self.upper / self.attained if self.attained else float("inf")


@checked(rho="(0, 1e100]", num_starts="[0, inf)", steps="[0, inf)")
def certified_gap(
    difference: LossDifference,
    rho: float,
    *,
    generator: torch.Generator,
    num_starts: int = 8,
    steps: int = 50,
    ends: Extremes | None = None,
) -> CertifiedGap:
    r"""Enclose the worst-case curvature gap of the last layer between an attained and a certified value.

    .. math:: \max_{\|V\|_F \le \rho} \frac{|\Delta(V)| - |\Delta(0)|}{\rho}
              \le \|g\| + \frac{\rho}{2}\|H\|_2 + \frac{\kappa}{6}\rho^2 .

    Args:
        difference: the loss difference.
        rho: radius of the ball, positive.
        generator: source of the random starts of the ascent.
        num_starts: random starts, beside the analytic ones (gradient, extreme eigenvectors, model maximisers).
        steps: ascent steps for each start.
        ends: extreme eigenpairs of the Hessian difference if already computed; they do not depend on rho.

    Raises:
        ValueError: rho is not positive.
        ConvergenceError: an eigenvalue or a quadratic maximum did not reach its accuracy.
    """
    ends = ends or hessian_extremes(difference)
    gradient = gradient_gap(difference)
    models = [_model_maximum(difference, gradient, rho, sign, ends) for sign in (1, -1)]
    analytic = [gradient, -gradient, *_both_ways(ends, difference), *(model.step for model in models)]
    starts = torch.stack([_on_sphere(start.view(difference.shape), rho) for start in analytic])
    starts = torch.cat([starts, random_starts(difference, rho, num_starts, generator)])
    terms = (float(gradient.norm()), rho / 2 * ends.spectral_norm, third_derivative_constant(difference) * rho**2 / 6)
    dominating = dominating_bound(difference, rho)
    return CertifiedGap(
        rho=rho,
        attained=ascend(difference, starts, rho, steps=steps).value,
        upper=min(sum(terms), dominating),
        theorem=sum(terms),
        signed=signed_bound(difference, rho, ends),
        dominating=dominating,
        gradient_term=terms[0],
        curvature_term=terms[1],
        remainder_term=terms[2],
        printed=terms[0] + rho / 2 * ends.largest,
        diagonal=terms[0] + rho / 2 * largest_diagonal(difference),
        model=_gap_of(difference, rho, *(model.value for model in models)),
    )


@checked(rho="(0, 1e100]")
def signed_bound(difference: LossDifference, rho: float, ends: Extremes | None = None) -> float:
    r"""Theorem 1 with signed eigenvalues, valid without any assumption on the sign of the difference in the ball.

    With :math:`b_s = \|g\| + \tfrac12\rho\max(0, \lambda_{\max}(sH)) + \kappa\rho^2/6` bounding the growth of
    :math:`s\Delta`, and s the sign of :math:`\Delta(0)`, the gap is at most
    :math:`\max(b_s,\; b_{-s} - 2|\Delta(0)|/\rho)`: to gain by a change of sign, :math:`|\Delta|` must first lose
    :math:`|\Delta(0)|`. The paper prints the first entry alone, for s = +1, without the maximum with zero. A last layer
    needs no such maximum: adding a constant to all logits changes nothing, so H has the eigenvalue zero.
    """
    ends = ends or hessian_extremes(difference)
    common = float(gradient_gap(difference).norm()) * rho + third_derivative_constant(difference) * rho**3 / 6
    growths = (common + rho**2 / 2 * max(0.0, side) for side in (ends.largest, -ends.smallest))
    return _gap_of(difference, rho, *growths)


@checked(rho="(0, 1e100]")
def dominating_bound(difference: LossDifference, rho: float) -> float:
    r"""Bound by the exact maxima of the two quadratics that dominate the growth of :math:`\pm\Delta` in the ball.

    Keeps what Theorem 1 throws away: the angle between gradient and curvature, the actual class probabilities in the
    remainder, and the sign of :math:`\Delta(0)`. See :func:`lcmat.bound.dominating_product`.

    Raises:
        ConvergenceError: an eigenvalue or a quadratic maximum did not reach its accuracy.
    """
    gradient = gradient_gap(difference)
    growths = []
    for sign in (1, -1):
        product = dominating_product(difference, rho, sign)
        largest, top = largest_pair(product, gradient.numel())
        growths.append(maximise_in_ball(sign * gradient.flatten(), product, rho, largest=largest, top=top).upper)
    return _gap_of(difference, rho, *growths)


def _gap_of(difference: LossDifference, rho: float, rise: float, fall: float) -> float:
    """Largest gap when the difference rises by at most `rise` and falls by at most `fall`."""
    value = float(difference_at(difference, torch.zeros(difference.shape, dtype=torch.float64)))
    along, against = (rise, fall) if value >= 0 else (fall, rise)
    return max(along, against - 2 * abs(value)) / rho


def _model_maximum(difference: LossDifference, gradient: Tensor, rho: float, sign: int, ends: Extremes) -> TrustRegion:
    product = flat_hessian_product(difference) if ends.spectral_norm else torch.zeros_like
    largest, top = (ends.largest, ends.top) if sign > 0 else (-ends.smallest, ends.bottom)
    return maximise_in_ball(
        sign * gradient.flatten(), lambda vector: sign * product(vector), rho, largest=largest, top=top
    )


def _both_ways(ends: Extremes, difference: LossDifference) -> list[Tensor]:
    return [side * vector for vector in (ends.top, ends.bottom) for side in (1, -1)]


def _on_sphere(start: Tensor, rho: float) -> Tensor:
    return start * (rho / max(float(start.norm()), torch.finfo(torch.float64).tiny))
