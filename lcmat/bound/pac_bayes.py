r"""A PAC-Bayes bound for Gaussian perturbations of the parameters, every constant kept.

The setting of Theorem 3.4 with its gaps closed: a loss in [0, B], n independent samples T of a population D, and noise
:math:`z \sim N(0, \sigma^2 I)` on k parameters, its standard deviation fixed before T was seen. With probability at
least :math:`1 - \delta`, for all :math:`\theta` at once,

.. math:: \mathbb E_z |L(D; \theta + z) - L(T; \theta + z)| \le B \sqrt{\frac{\mathcal C + \log(2n/\delta)}{2(n - 1)}},

with :math:`\mathcal C` from :func:`complexity`. All results are without unit: multiples of B.
"""

from __future__ import annotations

import math

from scipy.stats import chi2

from lcmat.config.arguments import checked

_SQUARE, _DEVIATION = "[0, 1e100]", "[1e-50, 1e50]"  # no power of them is too large for a float


@checked(squared_distance=_SQUARE, sigma=_DEVIATION, prior_sigma=_DEVIATION, num_parameters="[1, 1e18]")
def isotropic_kl(squared_distance: float, sigma: float, prior_sigma: float, num_parameters: int) -> float:
    r"""Kullback-Leibler divergence of two isotropic Gaussians.

    .. math:: \tfrac12 \Bigl[ \frac{k \sigma^2 + \|\mu - \mu_0\|^2}{\sigma_0^2} - k
              + k \log \frac{\sigma_0^2}{\sigma^2} \Bigr]

    Args:
        squared_distance: squared Euclidean distance of the means.
        sigma: standard deviation of the posterior, positive.
        prior_sigma: standard deviation of the prior, positive.
        num_parameters: dimension k.

    Returns:
        The divergence of the posterior from the prior, in nats.

    >>> isotropic_kl(4.0, 1.0, 1.0, 7)   # equal deviations: half the squared distance
    2.0
    """
    ratio = (sigma / prior_sigma) ** 2
    return 0.5 * (squared_distance / prior_sigma**2 + num_parameters * (ratio - 1 - math.log(ratio)))


@checked(squared_norm=_SQUARE, sigma=_DEVIATION, num_parameters="[1, 1e18]")
def complexity(squared_norm: float, sigma: float, num_parameters: int) -> float:
    r"""Divergence from the best prior on the grid plus the price of the choice, bounded in closed form.

    The priors are :math:`N(0, \sigma^2 e^{j/k} I)` with weights :math:`1/(j(j+1))`, j = 1, 2, ...; with
    :math:`a = k \log(1 + \|\theta\|^2 / (k \sigma^2))` one of them, :math:`j = \max(1, \lceil a \rceil)`, has

    .. math:: \mathrm{KL} + \log j(j+1) \le \frac{a + 1}{2} + \log j(j+1) .

    Args:
        squared_norm: of theta, or of its distance from any centre fixed before T was seen.
        sigma: standard deviation of the perturbation, positive.
        num_parameters: dimension k.

    Returns:
        The right side, in nats.

    >>> round(complexity(0.0, 1.0, 10), 6)   # (0 + 1) / 2 + log 2
    1.193147
    """
    exponent = num_parameters * math.log1p(squared_norm / (num_parameters * sigma**2))
    index = max(1, math.ceil(exponent))
    return (exponent + 1) / 2 + math.log(index) + math.log(index + 1)


@checked(squared_norm=_SQUARE, sigma=_DEVIATION, num_parameters="[1, 1e18]", num_samples="[2, inf)", delta="(0, 1)")
def pac_bayes_gap(squared_norm: float, sigma: float, num_parameters: int, num_samples: int, delta: float) -> float:
    r"""Bound on the mean absolute difference of population and training loss under Gaussian perturbation.

    .. math:: \sqrt{\frac{\mathcal C + \log(2n/\delta)}{2(n - 1)}}

    Args:
        squared_norm: as for :func:`complexity`.
        sigma: standard deviation of the perturbation, positive.
        num_parameters: dimension k.
        num_samples: n, at least 2.
        delta: allowed probability of failure, in (0, 1).

    Returns:
        The bound as a multiple of B; from one on it says nothing.

    Raises:
        ValueError: n or delta is out of range.

    >>> round(pac_bayes_gap(0.0, 1.0, 10, 1001, 0.05), 6)   # sqrt((1.193147 + log 40040) / 2000)
    0.076781
    """
    nats = complexity(squared_norm, sigma, num_parameters) + math.log(2 * num_samples / delta)
    return math.sqrt(nats / (2 * (num_samples - 1)))


@checked(rho="[0, 1e50]", sigma=_DEVIATION, num_parameters="[1, 1e18]")
def outside_ball(rho: float, sigma: float, num_parameters: int) -> float:
    r"""Probability :math:`P(\|z\| > \rho)` for :math:`z \sim N(0, \sigma^2 I)`, the exact chi-square tail.

    >>> round(outside_ball(2.0, 1.0, 2), 6)   # two dimensions: exp(-rho^2 / (2 sigma^2))
    0.135335
    """
    return float(chi2.sf((rho / sigma) ** 2, num_parameters))


@checked(sigma=_DEVIATION, num_parameters="[1, 1e18]", tail="(0, 1]")
def ball_radius(sigma: float, num_parameters: int, tail: float) -> float:
    r"""Radius :math:`\sigma (\sqrt k + \sqrt{2 \log(1/\tau)})`, which a Gaussian exceeds with probability at most tau.

    Args:
        sigma: standard deviation of each of the k coordinates.
        num_parameters: dimension k.
        tail: tau, in (0, 1].

    >>> ball_radius(0.5, 16, 1.0)
    2.0
    """
    return sigma * (math.sqrt(num_parameters) + math.sqrt(2 * math.log(1 / tail)))
