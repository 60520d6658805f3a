r"""What the quadratic model leaves out, bounded for every radius.

Two facts about the softmax cross-entropy along :math:`u = V\tilde h`: its third derivative is the third central moment
of u under the class probabilities, and u has range :math:`\beta \le \sqrt2\,\|V\|\|\tilde h\|`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from lcmat.bound.difference import LossDifference, hessian_product
from lcmat.bound.spectrum import Product
from lcmat.config.arguments import checked
from lcmat.curvature.last_layer import bernoulli_variances

THIRD_MOMENT_CONSTANT = 1 / (6 * math.sqrt(3))
RANGE_CONSTANT = math.sqrt(2)
SMALLEST_TRACE = 1e-6  # a smaller one would let the growth factor amplify rounding of the probabilities
SERIES_RADIUS = 1e-5  # both forms are accurate to about 1e-10 there


@checked()
def third_derivative_constant(difference: LossDifference) -> float:
    r"""Bound :math:`\kappa` of the third derivative along any unit direction, at any point.

    .. math:: |\Delta^{(3)}(W)[V, V, V]| \le \kappa\,\|V\|^3, \qquad
              \kappa = \frac{2\sqrt2}{6\sqrt3} \sum_i |a_i|\, \|\tilde h_i\|^3

    since a variable of range :math:`\beta` has :math:`|\mu_3| \le \beta^3 / (6\sqrt3)`, attained by two points with
    :math:`p(1-p) = 1/6`. For a subset, :math:`|1/n - w_j| \le 1/n + w_j` makes it smaller than the sum over both sets.
    Taylor's remainder along V needs no other direction; that :math:`\kappa` is a Lipschitz constant of the Hessian
    is Banach's theorem on symmetric forms.

    >>> single = LossDifference(torch.ones(1, 1).double(), torch.zeros(1, 2).double(), torch.tensor([0]),
    ...                         torch.ones(1).double())
    >>> round(third_derivative_constant(single), 4)
    0.2722
    """
    moments = difference.coefficients.abs() @ difference.input_norms.pow(3)
    return THIRD_MOMENT_CONSTANT * RANGE_CONSTANT**3 * float(moments)


@checked(rho="(0, 1e100]", sign="[-1, 1]")
def dominating_product(difference: LossDifference, rho: float, sign: int) -> Product:
    r"""Hessian product of a quadratic that dominates :math:`\Delta` (or :math:`-\Delta`) in the whole ball.

    Along any V of norm at most rho, with :math:`u = V\tilde h_i`, :math:`\beta_i = \sqrt2\,\rho\,\|\tilde h_i\|` and
    :math:`A_i = \operatorname{diag} p_i - p_i p_i^\top`, the loss is self-concordant in the generalised sense,
    :math:`|\ell^{(3)}| \le \beta_i\,\ell^{(2)}`, and :math:`\ell^{(2)} \le \tfrac12 \|\Pi u\|^2` with the projection
    :math:`\Pi` that centres u. With the first fact up to a time :math:`\alpha_i` and the second after it, the growth
    of second order :math:`\ell_i(V) - \ell_i(0) - \nabla\ell_i^\top V` obeys

    .. math:: \psi(-\beta_i, 1)\, u^\top A_i u \le \ell_i(V) - \ell_i(0) - \nabla\ell_i^\top V
              \le \psi(\beta_i, \alpha_i)\, u^\top A_i u + \tfrac14 (1 - \alpha_i)^2 \|\Pi u\|^2 .

    with :math:`\psi` of :func:`growth_factor`. The left side counts where the coefficient is negative, the right side
    where it is positive, which gives :math:`s\Delta(V) \le s\Delta(0) + s g^\top V + \tfrac12 V^\top B V`.

    Args:
        difference: the loss difference.
        rho: radius of the ball.
        sign: s, +1 to bound the rise of the difference or -1 to bound its fall.

    Returns:
        The operator B on flat vectors, (c (d+1),) -> (c (d+1),).
    """
    signed = sign * difference.coefficients
    ranges = RANGE_CONSTANT * rho * difference.input_norms * signed.sign()
    switches = torch.where(signed > 0, _switching_times(difference, ranges), 1.0)
    reweighted = replace(difference, coefficients=2 * signed * growth_factor(ranges, switches))
    capped = signed.clamp_min(0) * (1 - switches).square() / 2

    def product(vector: Tensor) -> Tensor:
        directions = vector.view(difference.shape)
        centred = directions - directions.mean(dim=0)
        cap = (centred @ difference.inputs.T * capped) @ difference.inputs
        return (hessian_product(reweighted, directions) + cap).flatten()

    return product


def _switching_times(difference: LossDifference, ranges: Tensor) -> Tensor:
    """Time in [0, 1] at which the trace of the growing curvature reaches the cap's; any time would be valid."""
    traces = bernoulli_variances(difference.logits).sum(dim=1).clamp_min(SMALLEST_TRACE)
    times = ((difference.shape[0] - 1) / (2 * traces)).log().div(ranges.abs())
    return times.nan_to_num(nan=1.0).clamp(0, 1)  # 0 / 0: no input, and a curvature that is the cap


@checked(ranges="...", until="...")
def growth_factor(ranges: Tensor, until: Tensor) -> Tensor:
    r""":math:`\psi(\beta, \alpha) = \int_0^\alpha (1 - x)\, e^{\beta x}\, dx`, 1/2 for :math:`\beta = 0, \alpha = 1`.

    >>> one = torch.ones(3).double()
    >>> [round(x, 4) for x in growth_factor(torch.tensor([-1.0, 0.0, 1.0]).double(), one).tolist()]
    [0.3679, 0.5, 0.7183]
    """
    if ranges.shape != until.shape:
        raise ValueError(f"ranges and until must have one shape, got {tuple(ranges.shape)} and {tuple(until.shape)}")
    exponents = ranges * until
    series = until - until.square() / 2 + ranges * (until.square() / 2 - until.pow(3) / 3)
    exact = ((1 - until) * exponents.exp() - 1 + torch.expm1(exponents) / ranges) / ranges
    return torch.where(ranges.abs() < SERIES_RADIUS, series, exact)
