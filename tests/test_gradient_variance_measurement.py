"""The stored measurement of the gradient variance: its numbers against plain arithmetic."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from lcmat import data
from lcmat.measurements import gradient_variance as measurement
from tests.test_curvature import dense_by_autograd, random_samples


@pytest.fixture(scope="module")
def samples():
    return random_samples(n=60, d=4, c=3)


@pytest.fixture(scope="module")
def rows(samples):
    return measurement.measure(samples, (5, 10), 20, torch.Generator().manual_seed(0))


def test_there_is_a_row_for_each_class_and_one_for_all(rows, samples):
    assert [row["label"] for row in rows] == [measurement.ALL_CLASSES, 0, 1, 2]
    assert [row["samples"] for row in rows] == [60, *torch.bincount(samples[2]).tolist()]
    assert all(math.isfinite(value) for row in rows for value in row.values())


def test_a_class_row_equals_plain_arithmetic_on_dense_derivatives(rows, samples):
    members = samples[2] == 1
    gradients, diagonals = dense_by_autograd(*(part[members] for part in samples))
    hessian, fisher, variance = diagonals.mean(0), gradients.square().mean(0), gradients.var(0)
    row = rows[2]
    for name, candidate in (("fisher", fisher), ("variance", variance)):
        left, right = candidate.numpy().ravel(), hessian.numpy().ravel()
        cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
        assert row[f"{name}_cosine"] == pytest.approx(cosine, rel=1e-10)
        assert row[f"{name}_ratio"] == pytest.approx(np.linalg.norm(left) / np.linalg.norm(right), rel=1e-10)
    assert row["mean_share"] == pytest.approx(float(gradients.mean(0).square().sum() / fisher.sum()), rel=1e-10)


def test_rank_correlations_equal_those_of_plainly_ranked_gaps(samples):
    generator = torch.Generator().manual_seed(1)
    draws = [torch.randperm(60, generator=generator)[:8] for _ in range(15)]
    row = measurement.rank_row(measurement.differences(samples, draws))
    gradients, diagonals = dense_by_autograd(*samples)
    hessian = [float((diagonals[draw].mean(0) - diagonals.mean(0)).abs().sum()) for draw in draws]
    variance = [float((gradients[draw].var(0) - gradients.var(0)).abs().sum()) for draw in draws]
    expected = np.corrcoef(rankdata(hessian), rankdata(variance))[0, 1]
    assert row["variance_rank_sum"] == pytest.approx(expected, rel=1e-9)


def test_a_trajectory_measures_before_the_first_and_after_every_epoch():
    train_set = data.load("digits").train
    settings = {"width": 8, "epochs": 3, "measured": 600, "num_subsets": 3}
    rows = measurement.trajectory(train_set, seed=0, **settings)
    assert [row["epoch"] for row in rows] == sorted([0, 1, 2, 3] * 11)
    losses = [row["loss"] for row in rows if row["label"] == measurement.ALL_CLASSES]
    assert losses[-1] < losses[0]
    assert rows == measurement.trajectory(train_set, seed=0, **settings)


def test_a_class_without_proper_subsets_is_named(samples):
    few = torch.cat([(samples[2] == 0).nonzero()[:3, 0], (samples[2] != 0).nonzero()[:, 0]])
    with pytest.raises(ValueError, match="class 0 has 3 samples"):
        measurement.measure(tuple(part[few] for part in samples), (2,), 3, torch.Generator().manual_seed(0))
