"""What explains a result: against dense Hessians by autograd, and against counting."""

import pytest
import torch
from torch.nn import functional

from lcmat.config import SelectionParameters
from lcmat.curvature import LastLayer
from lcmat.experiments import selection
from lcmat.measurements import explanation
from tests.test_records import make_record


@pytest.fixture
def sample():
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(12, 3, generator=draws, dtype=torch.float64)
    layer = torch.randn(4, 4, generator=draws, dtype=torch.float64)
    labels = torch.randint(0, 4, (12,), generator=draws)
    return LastLayer(features, features @ layer[:, :3].T + layer[:, 3], labels), layer


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 4.0, 2.0])])
def test_terms_are_those_of_autograd(sample, weights):
    view, layer = sample
    chosen = torch.tensor([7, 2, 5])

    def difference(flat):
        logits = view.features @ flat.view(4, 4)[:, :3].T + flat.view(4, 4)[:, 3]
        losses = functional.cross_entropy(logits, view.labels, reduction="none")
        shares = torch.ones(3).double() / 3 if weights is None else weights.double() / 7
        return losses.mean() - shares @ losses[chosen]

    flat = layer.flatten().requires_grad_()
    gradient = torch.autograd.grad(difference(flat), flat)[0]
    hessian = torch.autograd.functional.hessian(difference, flat.detach())
    row = explanation.explain(view, chosen, weights)
    assert row["gradient_gap"] == pytest.approx(float(gradient.norm()), rel=1e-9)
    assert row["spectral_norm"] == pytest.approx(float(torch.linalg.eigvalsh(hessian).abs().max()), rel=1e-9)


def test_shares_are_counted(sample):
    view, _ = sample
    row = explanation.explain(view, torch.arange(12))
    wrong = sum(int(scores.argmax()) != int(label) for scores, label in zip(view.logits, view.labels, strict=True))
    assert row["misclassified_percent"] == row["misclassified_of_all_percent"] == pytest.approx(100 * wrong / 12)
    counts = [view.labels.tolist().count(label) for label in range(4)]
    assert row["largest_class_percent"] == pytest.approx(100 * max(counts) / 12)
    assert row["smallest_class_percent"] == pytest.approx(100 * min(counts) / 12)
    assert row["gradient_gap"] < 1e-12  # of the whole set to itself


def test_a_record_is_explained_by_its_indices(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    record = selection.run(SelectionParameters(epochs=1, selection_epochs=1))
    row = explanation.explain_record(record)
    assert row["key"] == record.key and row["largest_class_percent"] < 12
    assert row["misclassified_of_all_percent"] == pytest.approx(
        100 - record.metrics["selector_test_accuracy_percent"], abs=8
    )
    metrics = {**record.metrics, "selector_test_accuracy_percent": 12.5}
    assert explanation.explain_record(record.model_copy(update={"metrics": metrics})) is None  # another network chose
    drawn = {"test_accuracy_percent": 12.5}
    assert explanation.explain_record(record.model_copy(update={"metrics": drawn})) == row


def test_uniform_draws_alone_are_not_worth_a_selecting_network():
    """Made up: on the wide network nothing but uniform selection was run, on the narrow one a method of seed 0."""
    looked = {"selector_test_accuracy_percent": 80.0}

    def made(method, width, seed, **metrics):
        parameters = SelectionParameters(dataset="cifar10", method=method, width=width, seed=seed)
        return make_record(parameters, indices=[1], metrics={"test_accuracy_percent": 30.0, **metrics})

    wide, narrow = made("uniform", 64, 0), made("uniform", 16, 0)
    method, later = made("craig", 16, 0, **looked), made("uniform", 16, 1)
    assert explanation.explained([wide, narrow, method, later]) == [narrow, method]
