"""Inputs as people have them: what is meant is taken, what cannot be meant is refused or warned of by name."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Subset, SubsetRandomSampler, TensorDataset

from lcmat import METHODS, select, select_images
from lcmat.condensation import CondensationRecipe, EvaluationRecipe, condense, train_on_set
from lcmat.condensation.synthetic import initial_set
from lcmat.curvature import LastLayer, per_sample_gradients
from lcmat.data import ImageDataset, load
from lcmat.data.corruption import long_tailed
from lcmat.numerics import blocks
from lcmat.selection.budgets import class_budgets
from lcmat.training import Recipe, train
from tests.test_curvature import random_samples
from tests.test_selection import choose


@pytest.fixture
def samples():
    return random_samples(n=30, c=3)


@pytest.fixture
def images():
    return torch.randn(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels():
    return torch.arange(12) % 3


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))


# Labels: nothing is converted before it is checked.


@pytest.mark.parametrize(
    "wrong",
    [
        torch.full((30,), 1.9999998),
        torch.ones(30),
        torch.ones(30, dtype=torch.bool),
        torch.ones(30, dtype=torch.complex64),
        np.full(30, 2**63, dtype=np.uint64),
        ["cat"] * 30,
        [None] * 30,
        torch.ones(30, 1, dtype=torch.int64),
        torch.full((30,), 3),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(samples, wrong):
    with pytest.raises(ValueError, match="labels"):
        select("uniform", *samples[:2], wrong, size=3)


@pytest.mark.parametrize("wrong", [2.9999998, 1.0, True, "1", torch.tensor([1, 2])])
def test_labels_of_images_are_not_cut_down(network, images, wrong):
    pairs = [(image, wrong) for image in images]
    with pytest.raises(ValueError, match="label"):
        select_images(network, pairs, size=3)
    with pytest.raises(ValueError, match="labels"):
        ImageDataset.from_torch([(torch.zeros(1, 4, 4), wrong)])


def test_labels_of_other_samples_are_not_cut_down(samples):
    others = LastLayer(*samples[:2], samples[2] + 0.25)
    with pytest.raises(ValueError, match=r"validation\.labels must be whole numbers"):
        select("glister-val", *samples, size=3, validation=others)


def test_a_single_logit_is_refused(samples, images, labels):
    one = samples[1][:, :1]
    with pytest.raises(ValueError, match="give the columns 0 and z"):
        select("uniform", samples[0], one, torch.zeros_like(samples[2]), size=3)
    with pytest.raises(ValueError, match="c at least 2"):
        per_sample_gradients(samples[0], one, torch.zeros_like(samples[2]))
    regressor = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    with pytest.raises(ValueError, match="give the columns 0 and z"):
        select_images(regressor, TensorDataset(images, labels * 0), size=3)
    data = ImageDataset.from_torch(torch.rand(12, 1, 4, 4), labels * 0)
    with pytest.raises(ValueError, match="one logit"):
        train(regressor, data, recipe=Recipe(epochs=1, crop_padding=0), generator=torch.Generator())


# Rare classes: none is lost without a word.


def rare():
    counts = torch.tensor([600, 360, 216, 130, 78, 47, 28, 17, 10, 6])
    features, logits, _ = random_samples(n=int(counts.sum()), c=10)
    return features, logits, torch.arange(10).repeat_interleave(counts)


@pytest.mark.parametrize("method", ["uniform", "lcmat-s", "craig", "gradmatch", "herding"])
@pytest.mark.parametrize("size", [10, 20, 37])
def test_every_class_is_in_the_coreset_and_weighed(method, size):
    features, logits, labels = rare()
    coreset = choose(method, features, logits, labels, size=size)
    assert len(coreset) == size
    assert labels[coreset.indices].unique().tolist() == list(range(10))
    assert coreset.weights.sum().item() == pytest.approx(len(labels))


def test_budgets_differ_from_the_shares_only_for_empty_classes():
    labels = rare()[2]
    counts = labels.bincount()
    for size in range(10, 1000, 7):
        budgets = torch.tensor(list(class_budgets(labels, size=size).values()))
        shares = size * counts / counts.sum()
        assert budgets.sum() == size and (budgets >= 1).all() and (budgets <= counts).all()
        missing = int((shares < 1).sum())  # as many are taken from the others at most
        assert (budgets - shares).clamp(max=0).sum() >= -missing - 10


def test_classes_that_cannot_be_in_it_are_named():
    with pytest.warns(UserWarning, match=r"without a sample.*at least 10.*balanced=False"):
        assert len(select("uniform", *rare(), size=4)) == 4


def test_the_remedy_for_a_fraction_works():
    with pytest.raises(ValueError, match=r"class 8 rounds to 0 samples: use a fraction above 0\.083") as refused:
        select("uniform", *rare(), fraction=0.05)
    assert "size" not in str(refused.value)
    assert len(select("uniform", *rare(), fraction=0.084)) > 0


def test_a_budget_is_refused_before_the_network_looks():
    tail = long_tailed(load("digits").train, 100.0, torch.Generator())

    class Never(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, images):
            raise AssertionError("the network was asked")

    for wrong in ({"fraction": 0.01}, {"size": 10**6}, {}, {"size": 20, "roh": 1}, {"size": 20, "method": "grand"}):
        with pytest.raises(
            ValueError, match=r"rounds to 0|size must lie|either fraction or size|'rho'|needs gradient_norms"
        ):
            select_images(Never(), tail, **wrong)


# Images and logits that are valid tensors and surely not what was meant.


@pytest.mark.parametrize("factor", [255, -1000])
def test_pixels_that_are_not_scaled_are_named_with_their_range(network, images, labels, factor):
    unscaled = images.abs().clamp(max=1) * factor
    with pytest.warns(UserWarning, match=rf"range from .*{abs(factor):g}"):
        select_images(network, TensorDataset(unscaled, labels), size=3)
    with pytest.warns(UserWarning, match="range from 0 to"):
        select_images(network, TensorDataset((images * 50).byte() % 200, labels), size=3)


def test_a_warning_points_at_the_line_that_called(network, images, labels):
    logits = torch.full((4, 2), 0.5)
    calls = (
        lambda: select("uniform", *rare(), size=4),
        lambda: select_images(network, TensorDataset(images.abs() * 255, labels), size=3),
        lambda: select("uniform", torch.randn(4, 3), logits, torch.tensor([0, 1, 0, 1]), size=2),
        lambda: ImageDataset.from_torch(torch.eye(4).byte().reshape(4, 1, 2, 2), [0, 1, 0, 1]),
    )
    for call in calls:
        with pytest.warns(UserWarning) as caught:
            call()
        assert [(each.filename, each.lineno) for each in caught] == [(__file__, call.__code__.co_firstlineno)]


def test_usual_pixels_pass_without_a_word(network, images, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for usual in (images, images.sigmoid(), images * 5):
            select_images(network, TensorDataset(usual, labels), size=3)


def test_probabilities_in_the_place_of_logits_are_named(samples):
    with pytest.warns(UserWarning, match=r"logits lie in 0 \.\. 1 .* probabilities"):
        select("lcmat-s", samples[0], samples[1].softmax(dim=1), samples[2], size=3)


def test_bytes_of_scaled_images_are_named():
    with pytest.warns(UserWarning, match="range from 0 to 1 of 255"):
        ImageDataset.from_torch(torch.eye(4).byte().reshape(4, 1, 2, 2), [0, 1, 0, 1])


def test_images_that_are_not_square_are_refused_before_anything_is_trained(network, labels):
    wide = ImageDataset.from_torch(torch.rand(12, 1, 8, 12), labels)
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="8 x 12 pixels"):
        condense(wide, CondensationRecipe(network="digits-net"), generator=generator)
    with pytest.raises(ValueError, match="8 x 12 pixels"):
        train_on_set(
            initial_set(wide, 2, "real", generator=generator), EvaluationRecipe("digits-net"), generator=generator
        )
    with pytest.raises(ValueError, match=r"cannot take images of the shape \(12, 1, 8, 12\)"):
        select_images(network, wide, size=3)
    with pytest.raises(ValueError, match=r"cannot take images of the shape \(1, 1, 8, 12\)"):
        train(network, wide, recipe=Recipe(epochs=1), generator=generator)


# Forms in which data and outputs come.


class Listed:
    """A data set whose items have a form of their own."""

    def __init__(self, images, labels, form):
        self.images, self.labels, self.form = images, labels, form

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.form(self.images[index], int(self.labels[index]), index)


FORMS = {
    "pair": lambda image, label, index: (image, label),
    "list": lambda image, label, index: [image, label],
    "triple": lambda image, label, index: (image, label, index),
    "dictionary": lambda image, label, index: {"image": image, "label": label},
    "of another library": lambda image, label, index: {"pixel_values": image, "labels": label, "id": index},
    "numpy": lambda image, label, index: (image.numpy(), np.int64(label)),
    "label tensor": lambda image, label, index: (image, torch.tensor([label])),
}


@pytest.mark.parametrize("form", FORMS)
def test_items_in_the_usual_forms_are_taken(network, images, labels, form):
    expected = select_images(network, TensorDataset(images, labels), size=6)
    dataset = Listed(images, labels, FORMS[form])
    for given in (dataset, DataLoader(dataset, batch_size=5, shuffle=True)):
        chosen = select_images(network, given, size=6)
        assert chosen.indices.tolist() == expected.indices.tolist()
        assert len(chosen.subset(given)) == 6


@pytest.mark.parametrize("batches", [False, True])
def test_a_loader_that_leaves_images_out_is_refused(network, images, labels, batches):
    """The split of many tutorials: a sampler over the training rows of a larger set."""
    sampler, dataset = SubsetRandomSampler(range(4)), TensorDataset(images, labels)
    chosen = {"batch_sampler": [[0, 1], [2, 3]]} if batches else {"sampler": sampler}
    with pytest.raises(ValueError, match=r"may leave images out.*give torch\.utils\.data\.Subset"):
        select_images(network, DataLoader(dataset, **chosen), size=2)
    assert set(select_images(network, Subset(dataset, range(4)), size=2, balanced=False).indices.tolist()) <= set(
        range(4)
    )


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda i, y: (i, y), "TensorDataset"),
        (lambda i, y: i, "TensorDataset"),
        (lambda i, y: iter(zip(i, y, strict=True)), "map-style"),
        (lambda i, y: {"image": i, "label": y}, "map-style"),
        (lambda i, y: [{"image": i[0], "class": 1}], "got image, class"),
        (lambda i, y: [(i[0], 0), (i[0, 0], 0)], "of one shape"),
        (lambda i, y: [("a.png", 0)], "must be a tensor or an array"),
        (lambda i, y: [(i[0], [0, 1])], "one class number"),
        (lambda i, y: 3, "map-style"),
    ],
)
def test_other_items_are_refused_with_a_remedy(network, images, labels, dataset, message):
    with pytest.raises(ValueError, match=message):
        select_images(network, dataset(images, labels), size=1)


@pytest.mark.parametrize("wrap", [lambda z: SimpleNamespace(logits=z), lambda z: {"loss": 0, "logits": z}])
def test_outputs_with_logits_are_taken(network, images, labels, wrap):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, images):
            return wrap(self.inner(images))

    data = TensorDataset(images, labels)
    expected = select_images(network, data, size=6).indices
    assert select_images(Wrapped(), data, size=6).indices.tolist() == expected.tolist()


def test_numbers_of_other_libraries_are_taken(samples, tmp_path):
    pandas = pytest.importorskip("pandas")
    features, logits, labels = samples
    expected = select("lcmat-s", *samples, size=6).indices.tolist()
    frame = pandas.DataFrame({"label": [*labels.tolist(), 9, 9]}, index=range(100, 132))
    column = frame[frame.label != 9].label  # whose index does not begin at 0
    mapped = np.memmap(tmp_path / "features", np.float64, "w+", shape=tuple(features.shape))
    mapped[:] = features
    stored = np.memmap(tmp_path / "features", np.float64, "r", shape=tuple(features.shape))
    for given in (
        (features.numpy(), logits.tolist(), column),
        (stored, list(logits), labels.numpy().astype(">i2")),
        (pandas.DataFrame(features.numpy()), logits.numpy()[:, ::-1][:, ::-1], labels.numpy().astype(np.uint32)),
        (features.clone().requires_grad_(), logits, tuple(labels.tolist())),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert select("lcmat-s", *given, size=6).indices.tolist() == expected


def test_evidence_may_be_an_array(samples):
    scores = torch.rand(30, generator=torch.Generator().manual_seed(1))
    expected = select("el2n", *samples, size=6, error_norms=scores).indices.tolist()
    assert select("el2n", *samples, size=6, error_norms=scores.numpy()).indices.tolist() == expected
    assert select("el2n", *samples, size=6, error_norms=scores.tolist()).indices.tolist() == expected


# Memory.


class Largest(TorchDispatchMode):
    """The largest tensor of 64-bit floats that is made."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize("method", ["uniform", "herding", "entropy", "lcmat-s"])
def test_no_more_than_a_class_is_in_float64(method):
    features, logits, labels = (torch.randn(400, 200).half(), torch.randn(400, 8).half(), torch.arange(400) % 8)
    with Largest() as largest:
        select(method, features, logits, labels, size=16)
    assert largest.numel <= 50 * 201


def test_what_memory_cannot_hold_is_refused_with_a_reason(samples, monkeypatch):
    monkeypatch.setattr(blocks.os, "sysconf", lambda name: 8)
    with pytest.raises(
        ValueError, match=r"AdaCore's gradients of \d+ samples of a class .* GB of memory, this machine has"
    ):
        select("adacore", *samples, size=3)
    with pytest.raises(ValueError, match=r"pursuit of budget 1 among \d+ columns .* GB"):
        select("gradmatch", *samples, size=3)
    assert len(select("uniform", *samples, size=3)) == 3


def test_every_method_takes_half_precision(samples):
    for method in METHODS:
        assert len(choose(method, samples[0].half(), samples[1].half(), samples[2], size=3)) == 3
