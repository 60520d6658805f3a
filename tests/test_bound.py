"""The last layer's loss difference and its spectrum against autograd, dense algebra and finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lcmat import bound


def random_problem(seed, n=30, d=4, c=3, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64) * scale
    logits = 2 * torch.randn(n, c, generator=generator, dtype=torch.float64)
    labels = torch.randint(c, (n,), generator=generator)
    return features, logits, labels


def random_difference(seed, m=5, **sizes):
    features, logits, labels = random_problem(seed, **sizes)
    generator = torch.Generator().manual_seed(seed + 1)
    indices = torch.randperm(len(labels), generator=generator)[:m]
    weights = torch.rand(m, generator=generator, dtype=torch.float64) + 0.1
    return bound.subset_difference(features, logits, labels, indices, weights / weights.sum())


def direct_difference(difference, perturbation):
    """D(V) from torch's own cross-entropy, the independent reference."""
    logits = difference.logits + difference.inputs @ perturbation.T
    return functional.cross_entropy(logits, difference.labels, reduction="none") @ difference.coefficients


def autograd_hessian(difference):
    """Dense Hessian by reverse over reverse."""
    size = difference.shape[0] * difference.shape[1]
    at = torch.zeros(size, dtype=torch.float64)
    return torch.autograd.functional.hessian(lambda v: direct_difference(difference, v.view(difference.shape)), at)


def test_value_and_gradient_equal_autograd_away_from_the_origin():
    difference = random_difference(0)
    points = torch.randn(4, *difference.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for point, gradient in zip(points, bound.gradient_at(difference, points), strict=True):
        variable = point.clone().requires_grad_()
        value = direct_difference(difference, variable)
        (expected,) = torch.autograd.grad(value, variable)
        torch.testing.assert_close(bound.difference_at(difference, point), value.detach(), rtol=0, atol=1e-13)
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(bound.gradient_gap(difference), bound.gradient_at(difference, 0 * points[0]))


def test_set_difference_is_the_subset_difference_of_the_concatenation():
    features, logits, labels = random_problem(2)
    chosen = torch.tensor([3, 8, 20])
    weights = torch.tensor([0.5, 0.3, 0.2])
    whole = (features, logits, labels)
    part = tuple(tensor[chosen] for tensor in whole)
    one = bound.subset_difference(*whole, chosen, weights)
    two = bound.set_difference(whole, part, weights)
    torch.testing.assert_close(bound.gradient_gap(one), bound.gradient_gap(two))
    torch.testing.assert_close(bound.dense_hessian(one), bound.dense_hessian(two))
    assert bound.third_derivative_constant(one) < bound.third_derivative_constant(two)


def test_hessian_equals_autograd_and_finite_differences():
    difference = random_difference(3)
    dense = bound.dense_hessian(difference)
    torch.testing.assert_close(dense, autograd_hessian(difference), rtol=0, atol=1e-12)
    direction = torch.randn(difference.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    step = 1e-5
    slope = bound.gradient_at(difference, torch.stack([step * direction, -step * direction]))
    product = bound.hessian_product(difference, direction)
    torch.testing.assert_close(product, (slope[0] - slope[1]) / (2 * step), rtol=0, atol=1e-9)
    torch.testing.assert_close(product.flatten(), dense @ direction.flatten(), rtol=0, atol=1e-13)


def test_hessian_product_takes_batches():
    difference = random_difference(4)
    directions = torch.randn(2, 3, *difference.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    products = bound.hessian_product(difference, directions)
    torch.testing.assert_close(products[1, 2], bound.hessian_product(difference, directions[1, 2]))


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), d=st.integers(1, 3), c=st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_surrogates_are_on_their_side_of_the_spectral_norm(seed, n, d, c):
    difference = random_difference(seed, m=1, n=n, d=d, c=c)
    dense = bound.dense_hessian(difference)
    norm = float(torch.linalg.eigvalsh(dense).abs().max())
    assert bound.largest_diagonal(difference) <= norm * (1 + 1e-8)
    assert norm <= bound.frobenius_norm(difference) * (1 + 1e-8)
    assert norm <= bound.gershgorin_bound(difference) * (1 + 1e-8)
    torch.testing.assert_close(bound.hessian_diagonal(difference).flatten(), dense.diagonal(), rtol=0, atol=1e-13)
    assert bound.frobenius_norm(difference) == pytest.approx(float(dense.norm()), rel=1e-12)
    assert bound.gershgorin_bound(difference) == pytest.approx(float(dense.abs().sum(dim=1).max()), rel=1e-12)


def test_top_diagonal_sum_lies_between_its_maximum_and_k_times_it():
    difference = random_difference(5)
    entries = bound.hessian_diagonal(difference).flatten().abs()
    dimensions = torch.tensor([0, 4, 7, 13])
    largest, total = bound.top_diagonal(difference, dimensions)
    assert largest == float(entries[dimensions].max()) <= bound.largest_diagonal(difference)
    assert largest <= total <= len(dimensions) * largest
    assert bound.top_diagonal(difference, torch.arange(len(entries)))[0] == bound.largest_diagonal(difference)


@pytest.mark.parametrize(("d", "c"), [(3, 3), (24, 5), (40, 10)])
def test_lanczos_equals_a_dense_eigendecomposition(d, c):
    difference = random_difference(6, n=80, m=12, d=d, c=c)
    values = torch.linalg.eigvalsh(bound.dense_hessian(difference))
    ends = bound.hessian_extremes(difference)
    scale = float(values.abs().max())
    assert ends.spectral_norm == pytest.approx(scale, rel=1e-8)
    assert ends.largest == pytest.approx(float(values[-1]), abs=1e-8 * scale)
    assert ends.smallest == pytest.approx(float(values[0]), abs=1e-8 * scale)
    assert ends.residual <= 1e-8
    product = bound.flat_hessian_product(difference)
    assert bound.largest_pair(product, c * (d + 1))[0] == pytest.approx(float(values[-1]), abs=1e-8 * scale)


@pytest.mark.parametrize("size", [10, 200])
@pytest.mark.parametrize("sign", [1, -1])
def test_extremes_of_a_definite_operator_include_the_end_near_zero(size, sign):
    diagonal = sign * torch.linspace(0, 1, size, dtype=torch.float64)
    ends = bound.extremes(lambda vector: diagonal * vector, size)
    assert (ends.largest, ends.smallest) == pytest.approx((max(sign, 0), min(sign, 0)), abs=1e-8)
    assert bound.largest_pair(lambda vector: diagonal * vector, size)[0] == pytest.approx(max(sign, 0), abs=1e-8)


def test_extremes_of_the_zero_operator():
    ends = bound.extremes(lambda vector: 0 * vector, 100)
    assert (ends.largest, ends.smallest, ends.residual) == (0, 0, 0)


@pytest.mark.parametrize("size", [6, 100])
def test_an_asymmetric_operator_is_refused(size):
    matrix = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(bound.ConvergenceError, match=r"residual|converge"):
        bound.extremes(lambda vector: matrix @ vector, size)


def test_a_set_against_itself_has_no_curvature():
    features, logits, labels = random_problem(7, d=30)
    difference = bound.subset_difference(features, logits, labels, torch.arange(len(labels)))
    assert bound.hessian_extremes(difference).spectral_norm == 0
    result = bound.certified_gap(difference, 0.1, generator=torch.Generator().manual_seed(0))
    assert result.attained == result.upper == 0 and result.tightness == math.inf


@pytest.mark.parametrize("d", [3, 20, 100])
@pytest.mark.parametrize("shift", [0, 1])
def test_sets_of_the_same_inputs_in_another_order_have_no_curvature_but_rounding(d, shift):
    """With other labels the difference is linear, so its gap is the norm of its gradient at every radius."""
    features, logits, labels = random_problem(8, n=30, d=d, c=5)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    other = (features[order], logits[order], (labels[order] + shift) % 5)
    difference = bound.set_difference((features, logits, labels), other)
    assert bound.dense_hessian(difference).abs().max() > 0
    assert bound.hessian_extremes(difference).spectral_norm == 0
    for rho in (0.1, 2.0):
        gap = bound.certified_gap(difference, rho, generator=torch.Generator().manual_seed(0))
        assert gap.attained == pytest.approx(gap.gradient_term, abs=1e-12)
        assert gap.model == pytest.approx(gap.gradient_term, abs=1e-12)
    assert (gap.gradient_term > 0.1) == bool(shift)


def test_a_tiny_curvature_of_saturated_samples_is_not_taken_for_rounding():
    logits = torch.tensor([[60.0, 0.0, 0.0]] * 3).double()
    features = torch.tensor([[1.0], [2.0], [4.0]]).double()
    difference = bound.subset_difference(features, logits, torch.zeros(3, dtype=torch.int64), torch.tensor([0]))
    largest = float(torch.linalg.eigvalsh(bound.dense_hessian(difference))[-1])
    assert 0 < largest < 1e-20
    assert bound.hessian_extremes(difference).spectral_norm == pytest.approx(largest, rel=1e-6)


@pytest.mark.parametrize(
    ("indices", "weights", "message"),
    [
        ([], None, "empty"),
        ([30], None, "positions in T"),
        ([-1], None, "positions in T"),
        ([0, 1], [0.5, 0.4], "sum 0.9"),
        ([0, 1], [1.5, -0.5], "nonnegative"),
        ([0, 1], [1.0], "2 nonnegative weights"),
    ],
)
def test_impossible_subsets_are_refused(indices, weights, message):
    chosen = torch.tensor(indices, dtype=torch.int64)
    given_weights = None if weights is None else torch.tensor(weights)
    with pytest.raises(ValueError, match=message):
        bound.subset_difference(*random_problem(8), chosen, given_weights)
