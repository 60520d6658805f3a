"""The benchmark of the spectral norm compares two ways to one number."""

import pytest
import torch

from lcmat import bound
from lcmat.speed.inputs import random_class
from lcmat.speed.spectral_norm import measure


@pytest.fixture(scope="module")
def result():
    return measure(samples=40, features=9, classes=7, subset=5)


def test_both_ways_give_the_same_norm(result):
    assert result["relative_difference"] < 1e-10
    assert result["lanczos_norm"] == pytest.approx(result["dense_norm"], rel=1e-10)


def test_the_norm_is_the_largest_singular_value_of_the_explicit_sum(result):
    features, logits, _ = random_class(40, 9, 7, seed=0)
    inputs = torch.cat([features, torch.ones(40, 1)], dim=1)
    probabilities = logits.softmax(dim=1)
    hessians = torch.stack(
        [torch.kron(p.diag() - p.outer(p), a.outer(a)) for p, a in zip(probabilities, inputs, strict=True)]
    )
    expected = torch.linalg.matrix_norm(hessians.mean(dim=0) - hessians[:5].mean(dim=0), ord=2)
    assert result["dense_norm"] == pytest.approx(float(expected), rel=1e-10)
    assert result["rows_of_the_hessian"] == 7 * 10 >= bound.spectrum.SMALLEST_LANCZOS_SIZE  # Lanczos, not its fallback


def test_the_ratio_is_that_of_the_times(result):
    dense = result["building_seconds"] + result["eigenvalues_seconds"]
    assert result["ratio"] == pytest.approx(dense / result["lanczos_seconds"])
    assert min(dense, result["lanczos_seconds"]) > 0
