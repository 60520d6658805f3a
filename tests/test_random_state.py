"""No function of the package moves a global random state: torch's, NumPy's or Python's."""

import random
from contextlib import contextmanager
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from lcmat import select, select_images, training
from lcmat.condensation import CondensationRecipe, EvaluationRecipe, condense, initial_set, train_on_set
from lcmat.curvature import LastLayer
from lcmat.data import ImageDataset, load
from lcmat.experiments.batch_statistics import embed_with_batch_statistics
from lcmat.models import MODELS, build
from lcmat.selection import METHODS
from tests.test_curvature import random_samples


def states():
    """All three, in a form that can be compared."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), (name, keys.tolist(), *rest), random.getstate()


@contextmanager
def unmoved():
    before = states()
    yield
    for ours, own in zip(("torch", "numpy", "random"), zip(before, states(), strict=True), strict=True):
        assert own[0] == own[1], f"the random state of {ours} was moved"


def images(n=24, size=8):
    pixels = torch.randint(0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return ImageDataset.from_torch(pixels, torch.arange(n) % 2)


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), lambda: np.random.rand(), random.random])
def test_a_draw_is_noticed(draw):
    with pytest.raises(AssertionError, match="was moved"), unmoved():
        draw()


@pytest.mark.parametrize("method", METHODS)
def test_select(method):
    samples = random_samples(n=40, seed=0)
    evidence = {name: torch.arange(40.0) for name in METHODS[method].evidence}
    if "validation" in evidence:
        evidence["validation"] = LastLayer(*(part[:9] for part in samples))
    with unmoved():
        select(method, *samples, size=5, balanced=False, **evidence)


@pytest.mark.parametrize("name", [*MODELS, "torchvision:resnet18", "torchvision:googlenet", "torchvision:vit_b_16"])
def test_build(name):
    size = {"digits-net": 8, "torchvision:vit_b_16": 224}.get(name, 32)
    width = None if ":" in name else 32 if name == "inception-v3" else 4
    with unmoved():
        build(name, num_classes=3, image_size=size, width=width)


def test_training_and_what_is_made_of_the_network(tmp_path):
    data = images()
    body = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5)]
    network = nn.Sequential(*body, nn.Linear(144, 2))
    with unmoved():
        training.train(
            network,
            data,
            recipe=training.Recipe(epochs=2, batch_size=8),
            generator=torch.Generator().manual_seed(0),
            test=data,
            checkpoint=tmp_path / "run",
        )
        training.embed(network, data)
        embed_with_batch_statistics(network, data)
        training.accuracy_percent(network, data)
        select_images(network, data, size=4)
        select_images(network, TensorDataset(data.normalized(), data.labels), size=4).subset(data)


@pytest.mark.parametrize("init", ["noise", "real", "herding"])
def test_condensation(init, tmp_path):
    data = images()
    recipe = CondensationRecipe(
        ipc=2, width=4, init=init, outer_iterations=2, inner_steps=2, real_batch=6, network_images=8
    )
    with unmoved():
        initial_set(data, 2, init, generator=torch.Generator().manual_seed(0))
        result = condense(data, recipe, generator=torch.Generator().manual_seed(0), checkpoint=tmp_path / "run")
        evaluation = EvaluationRecipe(width=4, epochs=2)
        train_on_set(result.synthetic, evaluation, generator=torch.Generator().manual_seed(0))


def test_data_sets(tmp_path):
    for kind in "ab":
        (tmp_path / kind).mkdir()
        Image.new("RGB", (4, 4), (10, 20, 30 + ord(kind))).save(tmp_path / kind / "0.png")
    import_module("sklearn.datasets")  # which moves the state of `random` itself, once
    with unmoved():
        load("digits")
        data = ImageDataset.from_folder(tmp_path, image_size=3)
        data.subset([0]).normalized()
        ImageDataset.from_torch(data.images, data.labels)
