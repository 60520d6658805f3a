"""The stored measurement of the derivation: its rows keep the inequalities that always hold, and survive the file."""

import pytest
import torch

from lcmat.curvature import LastLayer
from lcmat.experiments.curvature_gap import measure, random_subsets, selected_subsets
from tests.test_curvature import random_samples


@pytest.fixture(scope="module")
def rows():
    sample = LastLayer(*random_samples(n=60, d=4, c=3))
    generator = torch.Generator().manual_seed(0)
    subsets = [*random_subsets(sample, (6,), 2, generator), *selected_subsets(sample, (0.2,), (0.0, 0.5))]
    return measure(sample, subsets, (0.05, 0.5), generator=generator, num_starts=2, steps=10)


def test_there_is_a_row_for_each_subset_and_radius(rows):
    assert len({(row["subset"], row["rho"]) for row in rows}) == len(rows) == 6 * 2
    assert {row["origin"] for row in rows} >= {"random", "lcmat-s, rho = 0.5", "lcmat-s, rho = 0.5, weighted"}


def test_what_always_holds_holds(rows):
    for row in rows:
        norm = max(row["largest_eigenvalue"], -row["smallest_eigenvalue"])
        assert row["attained"] <= row["upper"] * (1 + 1e-9) + 1e-12
        assert row["upper"] <= row["theorem"] * (1 + 1e-9)
        assert row["top_k_max"] <= row["largest_diagonal"] * (1 + 1e-12) <= norm * (1 + 1e-8)
        assert norm <= min(row["gershgorin"], row["frobenius"]) * (1 + 1e-8)
        assert row["top_k_max"] <= row["top_k_sum"] * (1 + 1e-12)
