"""Options and evidence of selection methods: refused by name when wrong, cut to the class that is selected from."""

from types import MappingProxyType

import pytest
import torch

from lcmat import select
from lcmat.curvature import LastLayer
from lcmat.selection import Coreset, Method, selector
from lcmat.selection.official import LossReduction, loss_scales
from tests.test_curvature import dense_by_autograd, random_samples
from tests.test_submodular import naive_greedy


def by_score(
    layer: LastLayer,
    budget: int,
    generator: torch.Generator,
    *,
    scores: torch.Tensor,
    others: LastLayer,
    descending: bool = True,
    limit: float | None = None,
    reduction: LossReduction | None = None,
):
    assert set(others.labels.tolist()) <= set(layer.labels.tolist())
    indices = scores.argsort(descending=descending, stable=True)[:budget]
    return Coreset(indices, torch.ones(budget).double(), scores[indices])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    methods = {**selector.METHODS, "by-score": Method("By score", f"{__name__}:by_score", "test")}
    monkeypatch.setattr(selector, "METHODS", MappingProxyType(methods))


def call(**changes):
    samples = random_samples(n=40, c=2)
    evidence = {"scores": torch.arange(40.0), "others": LastLayer(*random_samples(n=10, c=2, seed=1))}
    return select("by-score", *samples, **{"size": 6, **evidence, **changes}), samples[2]


def test_evidence_is_cut_to_the_class():
    coreset, labels = call()
    for label in (0, 1):
        members = (labels == label).nonzero().flatten()
        chosen = coreset.indices[labels[coreset.indices] == label]
        assert chosen.tolist() == members.flip(0)[: len(chosen)].tolist()


def test_without_balance_all_samples_compete():
    coreset, _ = call(balanced=False)
    assert coreset.indices.tolist() == [39, 38, 37, 36, 35, 34]
    assert len(call(balanced=False, size=None, fraction=0.1)[0]) == 4


def test_unbalanced_lcmat_s_equals_one_class():
    features, logits, labels = random_samples(n=30, c=3)
    ours = select("lcmat-s", features, logits, labels, size=5, balanced=False, rho=0.0)
    gradients = dense_by_autograd(features, logits, labels)[0].flatten(1)
    assert ours.indices.tolist() == naive_greedy(torch.cdist(gradients, gradients), 5)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": None}, "needs scores=, a Tensor"),
        ({"others": torch.zeros(3)}, "needs others=, a LastLayer"),
        ({"scores": torch.zeros(7)}, "scores has 7 rows for 40 samples"),
        ({"scores": torch.full((40,), torch.nan)}, "scores contain NaN"),
        ({"descending": 1}, "descending of method 'by-score' must be true or false, got 1"),
        ({"limit": "big"}, "limit of method 'by-score' must be a number or None"),
        ({"limit": True}, "limit of method 'by-score' must be a number or None"),
        ({"reduction": "mean"}, "reduction of method 'by-score' must be 'mean-per-batch' or None"),
        ({"score": torch.zeros(40)}, "did you mean 'scores'"),
    ],
)
def test_wrong_options_and_missing_evidence_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        call(**changes)


def test_loss_scales_are_those_of_a_mean_over_each_batch():
    """Differentiate the mean loss of batches of 128 samples, as the official code does."""
    logits = torch.zeros(264, 3, dtype=torch.float64, requires_grad=True)
    for batch in logits.split(128):
        torch.nn.functional.cross_entropy(batch, torch.zeros(len(batch), dtype=torch.int64)).backward()
    single = torch.tensor([1 / 3 - 1, 1 / 3, 1 / 3], dtype=torch.float64)
    torch.testing.assert_close(logits.grad, loss_scales(264, "mean-per-batch", like=logits)[:, None] * single)
    assert loss_scales(264, None, like=logits) is None


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_scaled_lcmat_s_equals_naive_greedy_on_scaled_dense_quantities(rho):
    features, logits, labels = random_samples(n=140, d=3, c=2)
    labels = torch.zeros_like(labels)
    scales = torch.tensor([1 / 128] * 128 + [1 / 12] * 12, dtype=torch.float64)[:, None]
    gradients, diagonals = (scales * part.flatten(1) for part in dense_by_autograd(features, logits, labels))
    dimensions = diagonals.var(dim=0).argsort(descending=True, stable=True)[:4]
    distances = torch.cdist(gradients, gradients, compute_mode="donot_use_mm_for_euclid_dist")
    distances = distances + rho / 2 * torch.cdist(diagonals[:, dimensions], diagonals[:, dimensions], p=1)
    ours = select("lcmat-s", features, logits, labels, size=20, rho=rho, top_k=4, loss_reduction="mean-per-batch")
    assert ours.indices.tolist() == naive_greedy(distances, 20)[0]
    plain = select("lcmat-s", features, logits, labels, size=20, rho=rho, top_k=4)
    assert ours.indices.tolist() != plain.indices.tolist()
