"""Methods that rank by a score, against the definitions in plain Python."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lcmat import select
from lcmat.selection.coreset import equally_weighted
from lcmat.selection.scores import best
from tests.test_curvature import random_samples


def ranked(score, samples):
    """Sample numbers by descending score of their probabilities; ties to the lowest."""
    scores = [score(probabilities(row)) for row in samples.logits.tolist()]
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def probabilities(logits):
    exponentials = [math.exp(z) for z in logits]
    return sorted((e / sum(exponentials) for e in exponentials), reverse=True)


class Samples:
    def __init__(self, n=60, c=5, seed=0):
        self.features, self.logits, _ = random_samples(n=n, d=4, c=c, seed=seed)
        self.labels = torch.zeros(n, dtype=torch.int64)

    def order(self, method, size=None, **options):
        return select(
            method, self.features, self.logits, self.labels, size=size or len(self.labels), **options
        ).indices.tolist()


@pytest.mark.parametrize(
    ("method", "score"),
    [
        ("least-confidence", lambda p: 1 - p[0]),
        ("margin", lambda p: p[1] - p[0]),
        ("entropy", stats.entropy),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_uncertainty_is_ranked_as_defined(method, score, seed):
    samples = Samples(seed=seed)
    assert samples.order(method) == ranked(score, samples)
    assert samples.order(method, size=7) == ranked(score, samples)[:7]


def test_raw_logits_are_the_official_least_confidence():
    samples = Samples()
    largest = [max(row) for row in samples.logits.tolist()]
    expected = sorted(range(60), key=lambda i: largest[i])
    assert samples.order("least-confidence", raw_logits=True) == expected
    assert expected != samples.order("least-confidence")


@pytest.mark.parametrize("method", ["least-confidence", "margin", "entropy"])
def test_saturated_predictions_are_still_ranked(method):
    """All these probabilities round to 1, and the official scores are all equal."""
    samples = Samples(n=4, c=3)
    samples.logits = torch.tensor([[60.0, 0, 0], [50.0, 0, 0], [0, 70.0, 0], [0, 0, 40.0]], dtype=torch.float64)
    assert (samples.logits.softmax(1).max(1).values == 1).all()
    assert samples.order(method) == [3, 1, 0, 2]


@pytest.mark.parametrize("method", ["least-confidence", "margin", "entropy"])
def test_equal_logits_are_a_tie(method):
    samples = Samples(n=5, c=2)
    samples.logits = torch.zeros_like(samples.logits)
    assert samples.order(method) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("method", "evidence", "sign"),
    [
        ("el2n", "error_norms", 1),
        ("grand", "gradient_norms", 1),
        ("forgetting", "forgetting_events", 1),
        ("deepfool", "boundary_distances", -1),
    ],
)
def test_evidence_is_ranked(method, evidence, sign):
    samples = Samples(n=30)
    values = torch.randint(0, 6, (30,), generator=torch.Generator().manual_seed(1)).double()
    expected = sorted(range(30), key=lambda i: (-sign * values[i].item(), i))
    assert samples.order(method, **{evidence: values}) == expected
    assert samples.order(method, size=4, **{evidence: values.float()}) == expected[:4]


@given(st.lists(st.integers(-3, 3), max_size=30), st.data())
def test_best_is_a_stable_sort(scores, data):
    budget = data.draw(st.integers(0, len(scores)))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:budget]
    assert best(torch.tensor(scores, dtype=torch.float64), budget).indices.tolist() == expected


def test_scores_that_differ_by_rounding_are_ties():
    third = torch.tensor([1 / 3, 1 / 3 + 1e-15, 0.5, 1 / 3 - 1e-15], dtype=torch.float64)
    assert best(third, 4).indices.tolist() == [2, 0, 1, 3]
    apart = torch.tensor([1 / 3, 1 / 3 + 1e-8], dtype=torch.float64)
    assert best(apart, 2).indices.tolist() == [1, 0]
    near_zero = torch.tensor([-2e-16, 0.0], dtype=torch.float64)
    assert best(near_zero, 2).indices.tolist() == [1, 0]
    assert best(near_zero, 2, rounding=1e-15).indices.tolist() == [0, 1]


def test_equal_weights_sum_to_the_number_of_samples():
    coreset = equally_weighted(torch.tensor([3, 1]), 9)
    assert coreset.weights.tolist() == [4.5, 4.5]
    assert coreset.gains.isnan().all()
    assert len(equally_weighted(torch.empty(0, dtype=torch.int64), 9)) == 0
