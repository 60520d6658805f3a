"""Certified bounds against attained gaps, the printed bounds against counterexamples, trust regions against algebra."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from lcmat import bound
from lcmat.bound.remainder import THIRD_MOMENT_CONSTANT


def random_difference(seed, n, d, c, m, scale):
    generator = torch.Generator().manual_seed(seed)
    features = scale * torch.randn(n, d, generator=generator, dtype=torch.float64)
    logits = 3 * scale * torch.randn(n, c, generator=generator, dtype=torch.float64)
    labels = torch.randint(c, (n,), generator=generator)
    weights = torch.rand(m, generator=generator, dtype=torch.float64) ** 3 + 1e-3
    return bound.subset_difference(features, logits, labels, torch.arange(m), weights / weights.sum())


problems = st.builds(
    random_difference,
    seed=st.integers(0, 2**31),
    n=st.integers(3, 9),
    d=st.integers(1, 3),
    c=st.integers(2, 4),
    m=st.integers(1, 3),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
)
radii = st.sampled_from([1e-4, 0.01, 0.05, 0.1, 0.5, 1.0, 3.0])


@given(difference=problems, rho=radii)
@settings(max_examples=300, deadline=None)
def test_no_attained_gap_exceeds_a_certified_bound(difference, rho):
    result = bound.certified_gap(difference, rho, generator=torch.Generator().manual_seed(0), num_starts=4, steps=8)
    slack = 1e-9 * (1 + result.theorem)
    for certified in (result.upper, result.theorem, result.signed, result.dominating):
        assert result.attained <= certified + slack
    assert result.signed <= result.theorem + slack
    assert result.model <= result.gradient_term + result.curvature_term + slack
    assert result.theorem == pytest.approx(result.gradient_term + result.curvature_term + result.remainder_term)


@given(difference=problems, rho=radii, seed=st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_dominating_quadratics_dominate_pointwise(difference, rho, seed):
    starts = bound.random_starts(difference, rho, 8, torch.Generator().manual_seed(seed))
    origin = bound.difference_at(difference, torch.zeros(difference.shape, dtype=torch.float64))
    slopes = (starts * bound.gradient_gap(difference)).sum(dim=(1, 2))
    growth = bound.difference_at(difference, starts) - origin - slopes
    for sign in (1, -1):
        product = bound.dominating_product(difference, rho, sign)
        quadratics = torch.stack([point.flatten() @ product(point.flatten()) / 2 for point in starts])
        assert bool((sign * growth <= quadratics + 1e-9 * (1 + quadratics.abs())).all())


def test_a_sample_without_input_adds_nothing_to_the_dominating_quadratic():
    empty, undecided = torch.zeros(1, 2).double(), torch.zeros(1, 2).double()  # two classes of one half: 0 / 0
    nothing = bound.LossDifference(empty, undecided, torch.tensor([0]), torch.ones(1).double())
    assert bound.dominating_product(nothing, 0.1, 1)(torch.ones(4).double()).tolist() == [0.0] * 4


@given(difference=problems, rho=radii, seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_explicit_remainder_covers_the_taylor_error(difference, rho, seed):
    point = bound.random_starts(difference, rho, 1, torch.Generator().manual_seed(seed))[0]
    origin = torch.zeros_like(point)
    slope = (bound.gradient_gap(difference) * point).sum()
    curve = (bound.hessian_product(difference, point) * point).sum() / 2
    change = bound.difference_at(difference, point) - bound.difference_at(difference, origin)
    assert float((change - slope - curve).abs()) <= bound.third_derivative_constant(difference) * rho**3 / 6 + 1e-10


def test_third_central_moment_constant_is_attained_and_never_exceeded():
    probability = (1 - 1 / math.sqrt(3)) / 2
    attained = probability * (1 - probability) * (1 - 2 * probability)
    assert attained == pytest.approx(THIRD_MOMENT_CONSTANT, rel=1e-12)
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.full(5, 0.3), size=20_000)
    values = generator.random((20_000, 5))
    centred = values - (weights * values).sum(axis=1, keepdims=True)
    spread = np.ptp(values, axis=1)
    moments = np.abs((weights * centred**3).sum(axis=1)) / spread**3
    assert moments.max() <= THIRD_MOMENT_CONSTANT + 1e-12
    assert moments.max() >= 0.9 * THIRD_MOMENT_CONSTANT


@pytest.mark.parametrize(("rate", "until"), list(itertools.product([-8, -0.5, -2e-5, 0, 5e-6, 1e-3, 3], [0, 0.3, 1])))
def test_growth_factor_equals_its_integral(rate, until):
    expected = quad(lambda t: (1 - t) * math.exp(rate * t), 0, until, epsabs=1e-14)[0]
    rate, until = torch.tensor([float(rate), float(until)], dtype=torch.float64)
    assert float(bound.growth_factor(rate, until)) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def calibrated_difference():
    """T confident, S uncertain, both with zero mean gradient: H = H_T - H_S is negative semi-definite."""
    confident = math.log(3)  # probabilities 3/4 and 1/4
    logits = torch.tensor([[confident, 0.0]] * 4 + [[0.0, 0.0]] * 2, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 0, 1])
    features = torch.zeros(6, 0, dtype=torch.float64)
    whole, part = slice(0, 4), slice(4, 6)
    return bound.set_difference(
        (features[whole], logits[whole], labels[whole]), (features[part], logits[part], labels[part])
    )


def test_the_printed_bound_with_the_largest_signed_eigenvalue_is_false():
    difference = calibrated_difference()
    ends = bound.hessian_extremes(difference)
    assert float(bound.gradient_gap(difference).norm()) < 1e-15
    assert ends.largest == pytest.approx(0, abs=1e-15)
    assert ends.smallest == pytest.approx(-2 * (1 / 4 - 3 / 16))
    result = bound.certified_gap(difference, 0.1, generator=torch.Generator().manual_seed(0))
    assert result.printed == pytest.approx(0, abs=1e-15)
    assert result.attained > 0.9 * result.curvature_term > 0
    assert result.attained <= result.upper
    assert result.diagonal == pytest.approx(result.curvature_term / 2)


def test_the_counterexample_beats_the_printed_bound_with_the_remainder_while_the_radius_is_small():
    for rho, refuted in ((0.1, True), (0.3, True), (1.0, False)):
        result = bound.certified_gap(calibrated_difference(), rho, generator=torch.Generator().manual_seed(0))
        assert (result.attained > result.printed + result.remainder_term) == refuted


def test_exchanging_the_two_sets_changes_the_printed_bound_but_not_the_gap():
    difference = calibrated_difference()
    exchanged = bound.LossDifference(difference.inputs, difference.logits, difference.labels, -difference.coefficients)
    results = [
        bound.certified_gap(item, 0.1, generator=torch.Generator().manual_seed(0)) for item in (difference, exchanged)
    ]
    assert results[0].attained == pytest.approx(results[1].attained, rel=1e-12)
    assert results[1].printed > 100 * abs(results[0].printed)


def test_the_signed_bound_needs_its_maximum_with_zero_except_in_a_last_layer():
    """1 - theta^2/2 keeps its sign and has the gap 0 at theta = 0, below which no bound of -rho/2 can be."""
    theta = np.linspace(-0.1, 0.1, 201)
    values = 1 - theta**2 / 2
    assert values.min() > 0 and np.abs(values).max() - abs(values[100]) == 0 > 0.1 / 2 * -1
    for seed in range(20):
        difference = random_difference(seed, n=9, d=3, c=4, m=2, scale=1.0)
        constant = torch.ones(difference.shape, dtype=torch.float64)
        assert bound.hessian_product(difference, constant).abs().max() < 1e-14
        assert bound.hessian_extremes(difference).largest >= -1e-12


def test_gap_minus_gradient_is_within_curvature_and_remainder_and_zero_for_a_linear_difference():
    """It need not grow with the radius: of the same inputs with other labels the difference is linear."""
    curved = random_difference(3, n=9, d=3, c=4, m=2, scale=1.0)
    whole = slice(0, 9)
    sample = curved.inputs[whole, :-1], curved.logits[whole], curved.labels[whole]
    linear = bound.set_difference(sample, (*sample[:2], (sample[2] + 1) % 4))
    for rho in np.geomspace(1e-4, 1, 5):
        for difference, share in ((curved, 1), (linear, 0)):
            result = bound.certified_gap(difference, float(rho), generator=torch.Generator().manual_seed(0))
            excess = abs(result.attained - float(bound.gradient_gap(difference).norm()))
            assert excess <= share * (result.curvature_term + result.remainder_term) + 1e-9
        assert result.remainder_term > 1e-9


def test_certificate_is_tight_for_small_radii():
    difference = random_difference(4, n=9, d=3, c=4, m=2, scale=1.0)
    for rho in (1e-3, 1e-2, 0.05):
        result = bound.certified_gap(difference, rho, generator=torch.Generator().manual_seed(0))
        assert 1 <= result.tightness + 1e-9 <= 1.05


def test_signed_bound_pays_for_a_change_of_sign():
    """A difference of zero leaves no room: both signed eigenvalues count, and the bound is that of Theorem 1."""
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    features = torch.tensor([[1.0], [3.0]], dtype=torch.float64)
    difference = bound.subset_difference(features, logits, torch.tensor([0, 0]), torch.tensor([1]))
    ends = bound.hessian_extremes(difference)
    assert ends.largest < -ends.smallest
    result = bound.certified_gap(difference, 0.1, generator=torch.Generator().manual_seed(0))
    assert result.signed == pytest.approx(result.theorem)


@pytest.mark.parametrize("rho", [0.0, -1.0, float("nan")])
def test_ascent_refuses_an_empty_ball(rho):
    difference = random_difference(1, n=4, d=1, c=2, m=1, scale=1.0)
    with pytest.raises(ValueError, match="rho must be a finite number > 0"):
        bound.ascend(difference, torch.ones(1, *difference.shape, dtype=torch.float64), rho)


def test_ascent_finds_the_global_maximum_of_a_two_parameter_model():
    difference = calibrated_difference()
    starts = bound.random_starts(difference, 0.5, 4, torch.Generator().manual_seed(0))
    found = bound.ascend(difference, starts, 0.5, steps=200)
    angles = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin()], dim=1).unsqueeze(-1)
    disc = torch.cat([radius * circle for radius in torch.linspace(0.05, 0.5, 10).double()])
    best = float(bound.loss_gap(difference, disc, 0.5).max())
    assert found.value >= best - 1e-12
    assert found.value == pytest.approx(best, rel=1e-4)
    assert float(found.step.norm()) <= 0.5 * (1 + 1e-12)


def random_model(seed, size, spectrum):
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    gradient = torch.randn(size, generator=generator, dtype=torch.float64)
    return rotation, gradient, rotation @ torch.diag(spectrum) @ rotation.T


def solve(gradient, matrix, radius):
    values, vectors = torch.linalg.eigh(matrix)
    return bound.maximise_in_ball(
        gradient, lambda v: matrix @ v, radius, largest=float(values[-1]), top=vectors[:, -1].contiguous()
    )


@pytest.mark.parametrize("radius", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("shift", [-3.0, 0.0, 3.0])
def test_trust_region_equals_the_dense_secular_solution(radius, shift):
    spectrum = torch.linspace(-1, 1, 40, dtype=torch.float64) + shift
    rotation, gradient, matrix = random_model(0, 40, spectrum)
    loads = rotation.T @ gradient

    def dual(multiplier):
        return multiplier * radius**2 / 2 + float((loads.square() / (multiplier - spectrum)).sum()) / 2

    floor = max(float(spectrum[-1]), 0.0)
    expected = min(dual(floor + gap) for gap in np.geomspace(1e-9, 1e5, 40_001))
    solution = solve(gradient, matrix, radius)
    assert solution.value == pytest.approx(expected, rel=1e-6)
    assert solution.value <= expected * (1 + 1e-9)
    assert solution.upper <= solution.value * (1 + 1e-8)
    assert float(solution.step.norm()) <= radius * (1 + 1e-9)


def test_trust_region_solves_the_hard_case():
    """The gradient has no part along the leading eigenvector, which alone reaches the sphere."""
    matrix = torch.diag(torch.tensor([2.0, 1.0, -1.0], dtype=torch.float64))
    solution = solve(torch.tensor([0.0, 0.1, 0.0], dtype=torch.float64), matrix, 1.0)
    across = 0.1 / (2 - 1)
    expected = 0.1 * across + across**2 / 2 + 2 * (1 - across**2) / 2
    assert solution.value == pytest.approx(expected, rel=1e-9)


def test_trust_region_finds_an_interior_maximum():
    matrix = torch.diag(torch.tensor([-2.0, -1.0], dtype=torch.float64))
    solution = solve(torch.tensor([1.0, 1.0], dtype=torch.float64), matrix, 10.0)
    assert solution.multiplier == 0
    torch.testing.assert_close(solution.step, torch.tensor([0.5, 1.0], dtype=torch.float64))
    assert solution.value == pytest.approx(0.75)


def test_trust_region_reports_a_wrong_leading_eigenvalue():
    _, gradient, matrix = random_model(1, 30, torch.linspace(-1, 1, 30, dtype=torch.float64))
    with pytest.raises(bound.ConvergenceError, match="largest"):
        bound.maximise_in_ball(gradient, lambda v: matrix @ v, 100.0, largest=5.0, top=gradient / gradient.norm())
