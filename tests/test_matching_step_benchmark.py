"""The benchmark of a condensation step compares two ways to one gradient."""

import pytest
import torch

from lcmat import data
from lcmat.condensation import initial_set, published
from lcmat.condensation.batches import draw_batches
from lcmat.condensation.preparation import checked_rows, new_network
from lcmat.condensation.step import matching_gradient
from lcmat.speed.matching_step import WAYS, measure
from lcmat.speed.sequential import sequential_gradient
from lcmat.training.evaluation import evaluation_mode


@pytest.fixture(scope="module")
def digits():
    return data.load("digits").train


def tiny(**changes):
    return published("lcmat-c", 3, network="digits-net", width=4, real_batch=6, augmentation="color_crop", **changes)


@pytest.mark.parametrize("rho", [0.0, 50.0])
def test_the_sequential_formulation_gives_the_same_gradient(digits, rho):
    recipe = tiny(rho=rho)
    network = new_network(digits, recipe, seed=0).double()
    images = initial_set(digits, 3, "real", generator=torch.Generator().manual_seed(0)).images.double()
    batches = draw_batches(checked_rows(digits, recipe), recipe, torch.Generator().manual_seed(1))
    with evaluation_mode(network):
        expected = sequential_gradient(network, images, digits, batches, recipe)
        found = matching_gradient(network, images, digits, batches, recipe).gradient
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert expected.norm() > 0


def test_the_curvature_term_matters(digits):
    recipe = tiny(rho=50.0)
    network = new_network(digits, recipe, seed=0)
    images = initial_set(digits, 3, "real", generator=torch.Generator().manual_seed(0)).images
    batches = draw_batches(checked_rows(digits, recipe), recipe, torch.Generator().manual_seed(1))
    with evaluation_mode(network):
        with_it, without = (
            sequential_gradient(network, images, digits, batches, each) for each in (recipe, tiny(rho=0.0))
        )
    assert (with_it - without).norm() > 1e-3 * with_it.norm()


@pytest.mark.slow
def test_every_way_is_measured_on_the_same_draws(digits, monkeypatch):
    ways = {"float32": WAYS["float32"], "bfloat16": WAYS["bfloat16"], "rho = 0": {"rho": 0.0}}
    monkeypatch.setattr("lcmat.speed.matching_step.WAYS", ways)
    result = measure(digits, tiny(rho=50.0), repeats=2)
    entries = {entry["way"]: entry for entry in result["ways"]}
    assert list(entries) == ["sequential", *ways]
    assert entries["sequential"]["cosine"] == pytest.approx(1.0)
    assert entries["float32"]["cosine"] == pytest.approx(1.0, abs=1e-6)
    assert entries["rho = 0"]["cosine"] is None
    assert all(entry["first"] > 0 and len(entry["all"]) == 2 for entry in entries.values())
    assert result["gigaflops_of_the_step"] > 0
    assert set(result["gigaflops_per_second"]) == {"float32", "bfloat16"}
