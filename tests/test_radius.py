"""The search for the gap at growing radii, where the exact gap is known or another search is at hand."""

import pytest
import torch

from lcmat import bound
from lcmat.measurements import radius

RADII = (0.01, 0.1, 1.0)


@pytest.fixture
def sample():
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    return torch.randn(12, 4, **draw), torch.randn(12, 3, **draw), torch.arange(12) % 3


def test_a_linear_difference_has_the_norm_of_its_gradient_for_a_gap_at_every_radius(sample):
    """Of the same inputs with other labels; the ascent follows the gradient all the way."""
    features, logits, labels = sample
    twice = (torch.cat([features, features]), torch.cat([logits, logits]), torch.cat([labels, (labels + 1) % 3]))
    difference = bound.subset_difference(*twice, torch.arange(12))
    slope = bound.gradient_gap(difference)
    ends = bound.Extremes(0.0, 0.0, slope.flatten() / slope.norm(), -slope.flatten() / slope.norm(), 0.0)
    found = radius.search(difference, ends, RADII, generator=torch.Generator())
    assert [found[rho].value for rho in RADII] == pytest.approx([float(slope.norm())] * 3)
    row = radius.attained_row(difference, ends, 0.1, found[0.1])
    assert (row["gap"], row["length"], row["gradient"]) == pytest.approx((float(slope.norm()), 1.0, 1.0))
    assert row["eigenvectors"] == pytest.approx(2.0)  # the made-up ones both lie along the gradient


def test_no_search_exceeds_the_certificate_and_many_random_starts_find_no_more(sample):
    difference = bound.subset_difference(*sample, torch.arange(4))
    ends = bound.hessian_extremes(difference)
    found = radius.search(difference, ends, RADII, generator=torch.Generator(), steps=40)
    for rho in RADII:
        starts = bound.random_starts(difference, rho, 200, torch.Generator().manual_seed(1))
        other = bound.ascend(difference, starts, rho, steps=40).value
        assert other * (1 - 1e-6) <= found[rho].value <= bound.dominating_bound(difference, rho) * (1 + 1e-9)
