"""Checks of the derivation on a trained network; the tests of `lcmat.bound` make them on random problems."""

import numpy as np
import pandas as pd
import pytest
import torch

from lcmat import bound
from lcmat.curvature import gradient_distances, hessian_diagonals, per_sample_gradients
from lcmat.measurements import curvature_gap

RADII = (0.01, 0.05, 0.5)


@pytest.fixture(scope="module")
def sample():
    return curvature_gap.trained_sample("digits", width=4, epochs=5, size=150)[0]


@pytest.fixture(scope="module")
def subsets(sample):
    drawn = curvature_gap.random_subsets(sample, (5, 20, 60), 8, torch.Generator().manual_seed(0))
    return [*drawn, *curvature_gap.selected_subsets(sample, (0.1, 0.3), (0.0, 0.5))]


@pytest.fixture(scope="module")
def rows(sample, subsets):
    generator = torch.Generator().manual_seed(0)
    return pd.DataFrame(curvature_gap.measure(sample, subsets, RADII, generator=generator, num_starts=4, steps=20))


def dense_diagonal_difference(sample, subset):
    """Mean of the samples' Hessian diagonals in T minus that in S, from all n x c (d + 1) numbers."""
    diagonals = hessian_diagonals(sample.features, sample.logits).flatten(1)
    weights = torch.full((len(subset.indices),), 1 / len(subset.indices)).double()
    chosen = weights if subset.weights is None else subset.weights
    return diagonals.mean(dim=0) - chosen @ diagonals[subset.indices]


def test_what_exceeds_the_theorem_without_its_remainder_is_within_the_remainder(rows):
    """The two terms alone are no bound, as some subset shows; the excess is of third order."""
    excess = rows.attained - (rows.gradient_gap + rows.rho / 2 * spectral_norm(rows))
    assert len(rows) == 3 * 32
    assert (excess > 1e-9 * rows.attained).any()
    assert (excess <= rows.remainder_term * (1 + 1e-9)).all()


def test_the_printed_and_the_diagonal_bound_are_beaten_on_a_trained_network(rows):
    assert (rows.attained > rows.printed * (1 + 1e-9)).any()
    assert (rows.attained > rows.diagonal * (1 + 1e-9)).any()
    assert (rows.diagonal <= rows.gradient_gap + rows.rho / 2 * spectral_norm(rows) * (1 + 1e-8)).all()


def test_whether_the_top_dimensions_hold_the_largest_agrees_with_the_dense_diagonals(sample, subsets, rows):
    by_variance = hessian_diagonals(sample.features, sample.logits).flatten(1).var(dim=0)
    top = by_variance.argsort(descending=True, stable=True)[: curvature_gap.TOP_K].tolist()
    held = rows.groupby("subset").top_k_holds_largest.first()
    expected = [int(dense_diagonal_difference(sample, s).abs().argmax()) in top for s in subsets]
    assert held.tolist() == expected
    assert held.sum() > 0


def test_float32_distances_from_norms_lose_small_distances_and_ours_do_not(sample):
    """The official kernel, |a|^2 + |b|^2 - 2 ab in float32, has the rounding error of the squared norms."""
    gradients = per_sample_gradients(*sample).flatten(1).float().numpy()
    squared = (gradients**2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        official = np.sqrt(squared[:, None] + squared - 2 * gradients @ gradients.T)
    exact = torch.cdist(*[per_sample_gradients(*sample).flatten(1)] * 2, compute_mode="donot_use_mm_for_euclid_dist")
    ours = gradient_distances(sample.features.float(), sample.logits.float(), sample.labels)
    error = np.abs(np.nan_to_num(official) - exact.numpy())
    assert error.max() < 3e-3 * np.sqrt(squared.max())
    assert error.max() > 20 * float((ours - exact).abs().max())


def test_restricting_the_perturbation_to_some_layers_lowers_the_gap(sample):
    """The last layer's bias alone, a subspace of the last layer: its worst case is attained in the whole layer too."""
    indices = torch.arange(10)
    bias_alone = (torch.empty(len(sample.labels), 0).double(), sample.logits, sample.labels)
    part = bound.subset_difference(*bias_alone, indices)
    whole = bound.subset_difference(*sample, indices)
    generator = torch.Generator().manual_seed(0)
    for rho in RADII:
        attained = bound.certified_gap(part, rho, generator=generator).attained
        assert 0 < attained <= bound.certified_gap(whole, rho, generator=generator).upper * (1 + 1e-9)


def spectral_norm(rows):
    return rows[["largest_eigenvalue", "smallest_eigenvalue"]].abs().max(axis=1)
