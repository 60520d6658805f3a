"""What lengthens a run, against counts of what the networks really see and against arithmetic by hand."""

import pytest
import torch
from torch import nn

from lcmat.condensation import condense, published
from lcmat.config import CondensationParameters, ContinualParameters, SelectionParameters
from lcmat.data import load
from lcmat.experiments import continual
from lcmat.experiments.evidence.norms import NUM_NETWORKS
from lcmat.sweep.costs import by_kind, estimate
from lcmat.sweep.work import passes, work_of
from tests.test_records import make_record

SHORT = {"network": "digits-net", "width": 2, "outer_iterations": 2, "inner_steps": 3, "real_batch": 7}
LEARNT = {"outer_iterations": 4, "inner_steps": 10, "real_batch": 32, "network_images": 200}


@pytest.fixture
def seen():
    """Numbers of images, one for each time that a last layer is applied."""
    counts = []
    hook = nn.modules.module.register_module_forward_pre_hook(
        lambda module, inputs: counts.append(len(inputs[0])) if isinstance(module, nn.Linear) else None
    )
    yield counts
    hook.remove()


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("lcmat-c", {"network_images": 50}),
        ("lcmat-c", {"train_on": "nothing"}),
        ("lcmat-c", {"real_batch": 1000, "synthetic_batch": 2}),
        ("dc", {"network_epochs": 4}),
        ("dm", {"inner_steps": 1}),
    ],
)
def test_passes_are_what_the_networks_see(seen, method, changes):
    images = load("digits").train
    equal = images.subset(torch.cat([(images.labels == label).nonzero()[:20, 0] for label in range(10)]))
    recipe = published(method, 3, **{**SHORT, **changes})
    condense(equal, recipe, generator=torch.Generator().manual_seed(0))
    once, twice = passes(recipe, 10, 200)
    assert once + twice == sum(seen)
    assert twice == recipe.num_steps * 10 * min(3, recipe.synthetic_batch or 3)


def seconds(run, of, **stages):
    """What a run is expected to take when a run with the parameters `of` took these seconds."""
    cost = estimate(run, by_kind([make_record(of, experiment=of.experiment, seconds=stages)]))
    return cost and cost.seconds


@pytest.mark.parametrize(
    ("changes", "condensation", "evaluation"),
    [
        ({}, 1, 1),
        ({"outer_iterations": 8}, 2, 1),
        ({"inner_steps": 5}, (20 * 620 + 16 * 200) / (40 * 620 + 36 * 200), 1),  # none after a network's last step
        ({"real_batch": 64}, (40 * 940 + 36 * 200) / (40 * 620 + 36 * 200), 1),
        ({"train_on": "nothing"}, 40 * 620 / (40 * 620 + 36 * 200), 1),
        ({"network_images": 400}, (40 * 620 + 36 * 400) / (40 * 620 + 36 * 200), 1),
        ({"ipc": 20}, (40 * 920 + 36 * 200) / (40 * 620 + 36 * 200), (100 * 200 + 120) / (100 * 100 + 120)),
        ({"evaluation_epochs": 200}, 1, (200 * 100 + 120) / (100 * 100 + 120)),
        ({"evaluations": 3}, 1, 3),
        ({"outer_iterations": 0}, 0, 1),
    ],
)
def test_condensation_and_evaluation_grow_with_what_they_do(changes, condensation, evaluation):
    """Ten classes: 32 real images each and 10 synthetic ones that count three times make 620 a step."""
    measured = CondensationParameters(**LEARNT, evaluation_epochs=100)
    run = CondensationParameters(**{**measured.canonical(), "seed": 5, **changes})
    expected = 90 * condensation + 10 * evaluation
    assert seconds(run, measured, condensation=90.0, evaluation=10.0) == pytest.approx(expected)


def test_choosing_real_images_grows_with_the_epochs_of_the_network_that_looks_at_them():
    one, ten = (CondensationParameters(method="herding", selection_epochs=epochs) for epochs in (1, 10))
    growth = (10 * 1437 + 479 + 120) / (1437 + 479 + 120)
    assert seconds(ten, one, condensation=2.0, evaluation=1.0) == pytest.approx(2 * growth + 1)
    random = CondensationParameters(method="random")
    assert "condensation" not in work_of(random)


def test_replay_grows_with_the_memory(seen):
    """The learner sees 1 + 2 + ... + stages times the images of a stage in every epoch."""
    run = ContinualParameters(method="lcmat-c", width=2, ipc=2, epochs=3, outer_iterations=0)
    continual.run(run)
    tested = sum(count for count in seen if count > 20)  # the memory's largest batch has 20 images
    trained = sum(seen) - tested
    assert trained == 3 * 2 * (2 + 4 + 6 + 8 + 10)
    assert work_of(run) == {"memory": (0, 0), "training": (trained, pytest.approx(tested, rel=0.01))}


def test_the_memory_grows_with_the_steps_of_condensation_or_the_epochs_of_the_selecting_network():
    short = ContinualParameters(method="lcmat-c", outer_iterations=2)
    long = ContinualParameters(method="lcmat-c", outer_iterations=6)
    assert seconds(long, short, memory=5.0, training=1.0) == pytest.approx(16)
    one, ten = (ContinualParameters(method="herding", selection_epochs=epochs) for epochs in (1, 10))
    assert seconds(ten, one, memory=4.0, training=1.0) == pytest.approx(4 * (10 + 1 / 3) / (1 + 1 / 3) + 1)


def test_networks_are_trained_for_methods_that_look_at_some():
    """The digits have 1437 images to train on and 360 to test on; five epochs."""
    stages = {m: work_of(SelectionParameters(method=m)) for m in ("uniform", "craig", "el2n", "forgetting")}
    assert {m for m in stages if "selector" not in stages[m]} == {"uniform"}
    assert stages["craig"]["selector"] == (5 * 1437, 1437 + 360)
    assert stages["el2n"]["evidence"] == (NUM_NETWORKS * 5 * 1437, NUM_NETWORKS * 1437)
    assert "evidence" in stages["forgetting"] and "evidence" not in stages["craig"]


def test_equal_steps_and_the_choice_of_a_radius_are_counted():
    """A tenth of the digits is two batches of 128: 30 epochs. Four radii are tried, as many images each."""
    run = SelectionParameters(fraction=0.1, training_steps=60, rho_choice="held-out")
    assert work_of(run)["training"] == pytest.approx((30 * 143.7, 360))
    assert work_of(run)["radii"] == pytest.approx((4 * 30 * 143.7, 0))


def test_nothing_is_said_of_another_tested_network():
    plain = CondensationParameters()
    crossed = CondensationParameters(test_network="convnet", test_width=8)
    assert seconds(crossed, plain, condensation=2.0, evaluation=1.0) is None
