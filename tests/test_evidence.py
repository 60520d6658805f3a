"""Evidence for selection methods: the same networks, no test image, cached, in the fingerprint of those who need it."""

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import pytest
import torch

from lcmat.config import SelectionParameters
from lcmat.config.registry import EVIDENCE, METHODS
from lcmat.config.signatures import load
from lcmat.data import Splits
from lcmat.experiments import code_of, embedding, evidence, held_out, selecting, selection
from lcmat.experiments.evidence import forgetting, norms
from lcmat.experiments.evidence.forgetting import count_forgetting
from lcmat.experiments.held_out import held_out_rows
from lcmat.experiments.selecting import selecting_network
from lcmat.training import embed
from tests.test_curvature import dense_by_autograd
from tests.test_deepfool import published

QUICK = SelectionParameters(method="margin", selection_epochs=2, epochs=2)


@pytest.fixture(scope="module")
def splits():
    return selection.load_data(QUICK)


def provided(name, splits):
    return load(EVIDENCE[name])(QUICK, splits, "cpu", None).value


def flat(value):
    return value if isinstance(value, torch.Tensor) else torch.cat([part.double().flatten() for part in value])


def other_images(splits):
    """The same data set with other test images; a method that looked at them would be told otherwise."""
    return Splits(splits.train, splits.train.subset(torch.arange(50)))


def needing_validation(monkeypatch):
    """Let the method of QUICK need a validation set."""
    needy = {"margin": METHODS["glister-val"]}
    for module in (evidence, held_out):
        monkeypatch.setattr(module, "METHODS", MappingProxyType(needy))


def test_there_is_a_provider_for_whatever_a_method_needs():
    assert {name for method in METHODS.values() for name in method.evidence} == set(EVIDENCE)


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_finite_and_has_its_form(name, splits):
    value = provided(name, splits)
    assert flat(value).isfinite().all()
    if name != "validation":
        assert (value.dtype, value.shape) == (torch.float64, (len(splits.train),))
        assert (value >= 0).all() and len(value.unique()) > 1


@pytest.mark.parametrize("name", EVIDENCE)
def test_no_test_image_is_looked_at(name, splits):
    assert torch.equal(flat(provided(name, other_images(splits))), flat(provided(name, splits)))


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_computed_once(name, splits, monkeypatch):
    found = flat(provided(name, splits))
    for module in (selecting, forgetting):
        monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    assert torch.equal(flat(provided(name, splits)), found)


def test_evidence_depends_on_the_seed(splits):
    other = QUICK.model_copy(update={"seed": 1})
    for name, target in EVIDENCE.items():
        assert not torch.equal(flat(load(target)(other, splits, "cpu", None).value), flat(provided(name, splits)))


def test_watching_leaves_the_selecting_network_as_it_is_bit_for_bit(splits):
    network, correct = forgetting.watched_training(QUICK, splits, "cpu")
    view = embedding.selector_view(QUICK, splits, "cpu")
    again = embed(network, splits.train)
    assert again.logits.equal(view.logits) and again.features.equal(view.features)
    assert correct.shape == (2, len(splits.train))
    assert correct[-1].equal(view.logits.argmax(dim=1) == splits.train.labels)


def test_forgetting_is_counted_as_defined():
    correct = torch.rand(9, 200, generator=torch.Generator().manual_seed(0)) < 0.3
    expected = []
    for history in correct.T.tolist():
        events = sum(1 for before, after in pairwise(history) if before and not after)
        expected.append(events if True in history else 9)
    assert count_forgetting(correct).tolist() == expected
    assert max(count for count in expected if count != 9) <= 4


def test_norms_are_those_of_autograds_gradients_in_the_last_layer():
    generator = torch.Generator().manual_seed(0)
    features, logits = (torch.randn(12, size, generator=generator, dtype=torch.float64) for size in (5, 3))
    labels = torch.arange(12) % 3
    found = norms.norms(norms.LastLayer(features, logits, labels))
    gradients = dense_by_autograd(features, logits, labels)[0]
    torch.testing.assert_close(found["gradient_norms"], gradients.flatten(1).norm(dim=1))
    errors = gradients[..., -1].norm(dim=1)  # of the bias alone: p - y
    torch.testing.assert_close(found["error_norms"], errors)


def test_norms_are_means_over_networks_of_other_seeds(splits, monkeypatch, tmp_path):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    made, real = [], norms.selecting_network
    monkeypatch.setattr(norms, "selecting_network", lambda *a, **o: made.append(real(*a, **o)) or made[-1])
    found = provided("error_norms", splits)
    probabilities = [embed(network, splits.train).logits.double().softmax(1) for network, *_ in made]
    targets = torch.eye(10, dtype=torch.float64)[splits.train.labels]
    torch.testing.assert_close(found, sum((p - targets).norm(dim=1) for p in probabilities) / 3)
    view = embedding.selector_view(QUICK, splits, "cpu")
    assert all(not (p - view.logits.double().softmax(1)).abs().max() < 1e-3 for p in probabilities)
    assert len(made) == 3 and not probabilities[0].allclose(probabilities[1])


def test_boundary_distances_are_deepfools_of_the_selecting_network(splits):
    found = provided("boundary_distances", splits)
    network = selecting_network(QUICK, splits, "cpu").network
    network.double().eval()
    images = splits.train.normalized(slice(0, 12)).double()
    expected = [published(network, image) for image in images]
    torch.testing.assert_close(found[:12], torch.tensor(expected, dtype=torch.float64), rtol=1e-3, atol=1e-5)


def test_a_tenth_of_each_class_is_held_out(splits):
    labels = splits.train.labels
    rows = held_out_rows(labels, 0)
    assert len(rows.unique()) == len(rows)
    assert labels[rows].bincount().tolist() == [round(0.1 * count) for count in labels.bincount().tolist()]
    assert not rows.equal(held_out_rows(labels, 1)) and rows.equal(held_out_rows(labels, 0))
    assert held_out_rows(torch.tensor([0, 0, 1]), 0).tolist() in ([0], [1])  # one of two, none of one


def test_the_selecting_network_does_not_learn_from_images_held_out(splits, monkeypatch):
    needing_validation(monkeypatch)
    rows = held_out_rows(splits.train.labels, QUICK.seed)
    rest = selecting.remaining_rows(splits.train, rows)
    train = replace(splits.train, images=splits.train.images.clone())
    train.images[rows] = 0
    blank = Splits(train.subset(torch.arange(len(train))), splits.test)  # with the hash of these images
    seen, unseen = (selection.selector_view(QUICK, data, "cpu") for data in (splits, blank))
    assert torch.equal(seen.logits[rest], unseen.logits[rest])
    assert not torch.equal(seen.logits[rows], unseen.logits[rows])
    plain = embedding.selector_view(QUICK, splits, "cpu")
    assert not torch.equal(plain.logits, seen.logits)


def test_validation_is_the_view_of_the_images_held_out(splits, monkeypatch):
    needing_validation(monkeypatch)
    (found,) = evidence.gather(QUICK, splits, "cpu").values()
    rows = held_out_rows(splits.train.labels, QUICK.seed)
    view = selection.selector_view(QUICK, splits, "cpu")
    assert found.logits.equal(view.logits[rows]) and found.labels.equal(splits.train.labels[rows])


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.3])
def test_images_held_out_are_not_selected_and_budgets_stay(splits, monkeypatch, fraction):
    parameters = QUICK.model_copy(update={"fraction": fraction})
    view = embedding.selector_view(QUICK, splits, "cpu")
    usual = selection.choose(parameters, view, splits).coreset
    needing_validation(monkeypatch)
    chosen = selection.choose(parameters, selection.selector_view(parameters, splits, "cpu"), splits).coreset
    held_out = set(held_out_rows(splits.train.labels, QUICK.seed).tolist())
    assert not held_out & set(chosen.indices.tolist())
    assert len(set(chosen.indices.tolist())) == len(usual)
    counts, expected = (splits.train.labels[part.indices].bincount(minlength=10) for part in (chosen, usual))
    assert (counts - expected).abs().max() <= 1
    assert chosen.weights.sum().item() == pytest.approx(len(splits.train) - len(held_out))


def test_a_fraction_too_large_beside_the_images_held_out_is_named(splits, monkeypatch):
    needing_validation(monkeypatch)
    everything = QUICK.model_copy(update={"fraction": 0.95})
    with pytest.raises(ValueError, match=r"fraction 0\.95 of 1437 images .* are held out for validation"):
        selection.choose(everything, embedding.selector_view(QUICK, splits, "cpu"), splits)


def test_methods_without_evidence_gather_nothing(splits):
    found = evidence.gather(QUICK, splits, "cpu")
    assert found == {} and found.seconds == 0
    assert held_out.held_out(QUICK, splits) is None


@pytest.mark.parametrize("method", METHODS)
def test_the_code_of_evidence_counts_for_the_methods_that_need_it_alone(method):
    room = "lcmat.experiments.evidence"
    own = {name for name in code_of(SelectionParameters(method=method)).modules() if name.startswith(room)}
    needed = {EVIDENCE[name].partition(":")[0] for name in METHODS[method].evidence}
    assert own == {room, f"{room}.networks"} | needed


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.evidence])
def test_a_run_states_what_its_evidence_took(method):
    run = SelectionParameters(method=method, selection_epochs=1, epochs=1)
    record = selection.run(run)
    assert record.seconds["evidence"] == selection.gather(run, selection.load_data(run), "cpu").seconds >= 0
    assert "evidence" not in selection.run(SelectionParameters(method="uniform", selection_epochs=1, epochs=1)).seconds
