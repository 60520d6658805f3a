"""The stored measurement of the derivation: its rows keep the inequalities that always hold, and survive the file."""

import pytest
import torch

from lcmat.curvature import LastLayer
from lcmat.measurements import curvature_gap
from lcmat.measurements.curvature_gap import Subset, measure, random_subsets, selected_subsets
from tests.test_curvature import dense_by_autograd, random_samples


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
        assert row["cluster_weights_gap"] <= row["assignment_bound"] * (1 + 1e-9)


def test_the_assignment_bound_and_its_gaps_equal_plain_loops():
    sample = LastLayer(*random_samples(n=30, d=3, c=3))
    gradients, diagonals = (part.flatten(1) for part in dense_by_autograd(*sample))
    distances = torch.tensor([[float((a - b).norm()) for b in gradients] for a in gradients]).double()
    distances += 0.25 * torch.cdist(diagonals, diagonals, p=1)  # rho / 2 at radius 1/2; all dimensions are in K
    chosen = [3, 8, 20]
    row = curvature_gap.assignment_row(sample, Subset("", torch.tensor(chosen), None), distances, 0.5)
    nearest = [min(chosen, key=lambda j, i=i: float(distances[i, j])) for i in range(30)]
    assert row["assignment_bound"] == pytest.approx(sum(float(distances[i, j]) for i, j in enumerate(nearest)) / 30)
    for name, weights in {
        "cluster_weights_gap": [nearest.count(j) / 30 for j in chosen],
        "equal_weights_gap": [1 / 3] * 3,
    }.items():
        means = [
            part.mean(dim=0) - sum(w * part[j] for w, j in zip(weights, chosen, strict=True))
            for part in (gradients, diagonals)
        ]
        assert row[name] == pytest.approx(float(means[0].norm() + 0.25 * means[1].abs().sum()))
