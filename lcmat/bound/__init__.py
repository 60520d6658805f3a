r"""The worst-case loss-curvature gap of the last layer: attained from below, bounded from above, term by term.

The gap of Eq. 4 at radius rho is :math:`\max_{\|V\| \le \rho} [|\Delta(V)| - |\Delta(0)|]/\rho` with :math:`\Delta`
the weighted loss difference of two sets. Every function takes it as one :class:`LossDifference`; all arithmetic is in
float64.
"""

from lcmat.bound.ascent import AttainedGap, ascend, loss_gap, random_starts
from lcmat.bound.certificate import CertifiedGap, certified_gap, dominating_bound, signed_bound
from lcmat.bound.difference import (
    LossDifference,
    difference_at,
    gradient_at,
    gradient_gap,
    hessian_product,
    set_difference,
    subset_difference,
)
from lcmat.bound.network import network_hessian_product
from lcmat.bound.remainder import dominating_product, growth_factor, third_derivative_constant
from lcmat.bound.spectrum import (
    ConvergenceError,
    Extremes,
    extremes,
    flat_hessian_product,
    hessian_extremes,
    largest_pair,
)
from lcmat.bound.surrogates import (
    dense_hessian,
    frobenius_norm,
    gershgorin_bound,
    hessian_diagonal,
    largest_diagonal,
    top_diagonal,
)
from lcmat.bound.trust_region import TrustRegion, maximise_in_ball

__all__ = [
    "AttainedGap",
    "CertifiedGap",
    "ConvergenceError",
    "Extremes",
    "LossDifference",
    "TrustRegion",
    "ascend",
    "certified_gap",
    "dense_hessian",
    "difference_at",
    "dominating_bound",
    "dominating_product",
    "extremes",
    "flat_hessian_product",
    "frobenius_norm",
    "gershgorin_bound",
    "gradient_at",
    "gradient_gap",
    "growth_factor",
    "hessian_diagonal",
    "hessian_extremes",
    "hessian_product",
    "largest_diagonal",
    "largest_pair",
    "loss_gap",
    "maximise_in_ball",
    "network_hessian_product",
    "random_starts",
    "set_difference",
    "signed_bound",
    "subset_difference",
    "third_derivative_constant",
    "top_diagonal",
]
