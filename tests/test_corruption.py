import pytest
import torch

from lcmat import data
from lcmat.config import SelectionParameters
from lcmat.data.corruption import long_tailed, with_label_noise
from lcmat.experiments import selection


@pytest.fixture(scope="module")
def train():
    return data.load("digits").train


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_exactly_the_share_of_labels_is_wrong_and_the_images_stay(train, share):
    noisy = with_label_noise(train, share, seeded())
    changed = noisy.labels != train.labels
    assert changed.sum() == round(share * len(train))
    assert torch.equal(noisy.images, train.images)
    assert noisy.labels.min() >= 0 and noisy.labels.max() < train.num_classes
    assert noisy.content_hash != train.content_hash
    assert f"{changed.sum()} of {len(train)} images" in noisy.provenance


def test_wrong_labels_are_uniform_over_the_other_classes(train):
    noisy = with_label_noise(train, 0.9, seeded())
    wrong = noisy.labels != train.labels
    shifts = torch.bincount((noisy.labels - train.labels)[wrong] % 10, minlength=10)
    expected = wrong.sum() / 9
    assert shifts[0] == 0
    assert ((shifts[1:] - expected) ** 2 / expected).sum() < 27.9  # chi-squared, 8 degrees of freedom, p = 0.0005


def test_noise_depends_on_the_generator_alone(train):
    torch.manual_seed(1)
    first = with_label_noise(train, 0.2, seeded())
    torch.manual_seed(2)
    assert torch.equal(first.labels, with_label_noise(train, 0.2, seeded()).labels)
    assert not torch.equal(first.labels, with_label_noise(train, 0.2, seeded(1)).labels)


def test_class_sizes_fall_exponentially(train):
    tailed = long_tailed(train, 10.0, seeded())
    before, after = (torch.bincount(part.labels) for part in (train, tailed))
    assert after.tolist() == [round(int(n) * 10 ** (-k / 9)) for k, n in enumerate(before)]
    assert "Long-tailed" in tailed.provenance


def test_a_long_tail_keeps_one_image_of_each_class_in_the_old_order(train):
    tailed = long_tailed(train, 1e9, seeded())
    assert torch.bincount(tailed.labels).min() == 1
    rows = [int((train.images == image).flatten(1).all(dim=1).nonzero()[0]) for image in tailed.images[:50]]
    assert rows == sorted(rows)


def test_a_run_states_how_many_chosen_labels_are_wrong():
    parameters = SelectionParameters(method="uniform", label_noise=0.3, selection_epochs=1, epochs=1)
    splits = selection.load_data(parameters)
    record = selection.run(parameters)
    clean = selection.load_data(SelectionParameters()).train
    chosen = selection.choose(parameters, selection.selector_view(parameters, splits, "cpu"), splits).coreset.indices
    wrong = sum(int(splits.train.labels[i]) != int(clean.labels[i]) for i in chosen)
    assert record.metrics["wrong_labels_percent"] == pytest.approx(100 * wrong / len(chosen))
    assert "replaced by wrong ones" in record.data["train"].provenance
    assert "wrong ones" not in record.data["test"].provenance


def test_a_run_names_the_chosen_images_as_the_whole_data_set_counts_them(train):
    parameters = SelectionParameters(method="uniform", imbalance=5.0, selection_epochs=1, epochs=1)
    splits = selection.load_data(parameters)
    record = selection.run(parameters)
    chosen = selection.choose(parameters, selection.selector_view(parameters, splits, "cpu"), splits).coreset.indices
    assert torch.equal(train.images[record.indices], splits.train.images[chosen])
    assert record.indices != chosen.tolist()
