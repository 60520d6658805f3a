"""The PAC-Bayes formulae against independent references: torch's divergence, binomial sums, quadrature, simulation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom
from torch.distributions import Independent, Normal, kl_divergence

from lcmat.bound.pac_bayes import ball_radius, complexity, isotropic_kl, outside_ball, pac_bayes_gap

scales = st.floats(1e-3, 1e3)


@given(distance=st.floats(0, 1e3), sigma=scales, prior_sigma=scales, k=st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_isotropic_kl_equals_torch(distance, sigma, prior_sigma, k):
    mean = torch.full((k,), distance / math.sqrt(k), dtype=torch.float64)
    posterior = Independent(Normal(mean, torch.full_like(mean, sigma)), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.full_like(mean, prior_sigma)), 1)
    expected = float(kl_divergence(posterior, prior))
    assert isotropic_kl(float(mean @ mean), sigma, prior_sigma, k) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_isotropic_kl_equals_monte_carlo():
    generator = torch.Generator().manual_seed(0)
    mean, sigma, prior_sigma = torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64), 0.7, 1.3
    draws = mean + sigma * torch.randn(200_000, 3, generator=generator, dtype=torch.float64)
    ratios = Normal(mean, sigma).log_prob(draws).sum(1) - Normal(0, prior_sigma).log_prob(draws).sum(1)
    error = float(ratios.std()) / math.sqrt(len(draws))
    assert abs(float(ratios.mean()) - isotropic_kl(float(mean @ mean), sigma, prior_sigma, 3)) < 4 * error


@given(norm=st.floats(0, 1e3), sigma=scales, k=st.integers(1, 1000))
@settings(max_examples=200, deadline=None)
def test_a_prior_of_the_grid_keeps_the_complexity(norm, sigma, k):
    """Search the grid for the cheapest prior; the closed form must cover it."""
    last = math.ceil(k * math.log1p(norm**2 / (k * sigma**2))) + 2
    candidates = np.unique(np.append(np.linspace(1, last, 200).astype(int), [last - 2, last - 1]))
    costs = [
        isotropic_kl(norm**2, sigma, sigma * math.exp(j / (2 * k)), k) + math.log(j * (j + 1)) for j in candidates if j
    ]
    assert min(costs) <= complexity(norm**2, sigma, k) * (1 + 1e-9)


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.8])
def test_the_exponential_moment_is_at_most_twice_n(n, p):
    """E exp(2 (n - 1) (L - mean)^2) <= 2n - 1 for a Bernoulli loss, summed exactly; the lemma under the bound."""
    counts = np.arange(n + 1)
    log_terms = binom.logpmf(counts, n, p) + 2 * (n - 1) * (counts / n - p) ** 2
    assert np.exp(log_terms).sum() <= 2 * n - 1 + 1e-9


def test_gap_is_the_formula_and_shrinks_with_samples():
    nats = complexity(4.0, 0.5, 20) + math.log(2 * 100 / 0.05)
    assert pac_bayes_gap(4.0, 0.5, 20, 100, 0.05) == pytest.approx(math.sqrt(nats / 198))
    gaps = [pac_bayes_gap(4.0, 0.5, 20, n, 0.05) for n in (10, 100, 1000, 10_000)]
    assert gaps == sorted(gaps, reverse=True)


def test_gap_fails_less_often_than_delta_and_without_complexity_far_more_often():
    """Labels by coin: the population's error is 1/2 whatever theta; theta is fitted to T, 100 independent times."""
    generator = torch.Generator().manual_seed(0)
    n, k, sigma, delta = 200, 100, 0.06, 0.05
    failures = {"bound": 0, "without complexity": 0}
    for _ in range(100):
        inputs = torch.randn(n, k, generator=generator)
        signs = torch.randint(2, (n,), generator=generator) * 2.0 - 1
        theta = torch.nn.functional.normalize(signs @ inputs, dim=0)
        weights = theta + sigma * torch.randn(100, k, generator=generator)
        errors = ((inputs @ weights.T) * signs[:, None] < 0).float().mean(dim=0)
        gap = float((errors - 0.5).abs().mean())
        failures["bound"] += gap > pac_bayes_gap(1.0, sigma, k, n, delta)
        failures["without complexity"] += gap > math.sqrt(math.log(2 * n / delta) / (2 * (n - 1)))
    assert pac_bayes_gap(1.0, sigma, k, n, delta) < 0.5  # a bound that no error rate could exceed would prove nothing
    assert failures["bound"] <= 5
    assert failures["without complexity"] >= 90


@pytest.mark.parametrize(("n", "delta"), [(1, 0.1), (10, 0.0), (10, 1.0)])
def test_gap_refuses_what_the_theorem_excludes(n, delta):
    with pytest.raises(ValueError, match=r"num_samples must be|delta must be"):
        pac_bayes_gap(1.0, 1.0, 1, n, delta)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_tail_equals_quadrature_of_the_density(k):
    def density(radius):
        log_norm = (k / 2 - 1) * math.log(2) + math.lgamma(k / 2)
        return math.exp((k - 1) * math.log(radius) - radius**2 / 2 - log_norm)

    assert outside_ball(1.0, 0.5, k) == pytest.approx(quad(density, 2.0, 60)[0], rel=1e-8)


@given(k=st.integers(1, 20_000_000), exponent=st.floats(-12, -0.05), sigma=scales)
@settings(max_examples=300, deadline=None)
def test_ball_holds_all_but_its_tail(k, exponent, sigma):
    tail = 10**exponent
    assert outside_ball(ball_radius(sigma, k, tail), sigma, k) <= tail * (1 + 1e-9)


def test_ball_is_larger_than_the_deviation_by_the_root_of_the_dimension():
    draws = torch.randn(2000, 400, generator=torch.Generator().manual_seed(0))
    norms = draws.norm(dim=1)
    assert float(norms.mean()) == pytest.approx(20, rel=0.01)
    assert float((norms > ball_radius(1.0, 400, 0.01)).float().mean()) <= 0.01
