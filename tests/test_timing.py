"""Networks are timed by a few steps: against trainings that are really done, and where torch cannot."""

import time

import pytest
import torch

from lcmat.config import CondensationParameters, ContinualParameters, SelectionParameters
from lcmat.data import load
from lcmat.models import build
from lcmat.sweep import timing
from lcmat.sweep.costs import estimate
from lcmat.sweep.timing import Kind, Pace, kinds_of, pace_of, timed
from lcmat.sweep.work import work_of
from lcmat.training import Recipe, train

RESNET = Kind("resnet18", 64, (3, 32, 32), 128, "bfloat16")


def agrees(within, attempts=3):
    """Whether a training takes what was expected of it, at one attempt at least: the machine has other things to do."""
    return any(1 / within < ratio() < within for _ in range(attempts))


def ratio():
    """Seconds of the processor, by seconds expected: a ResNet of width 16 learns the digits for an epoch."""
    run = SelectionParameters(network="resnet18", width=16, fraction=1.0, epochs=1)
    digits = load(run.dataset)
    network = build(run.network, num_classes=10, in_channels=1, image_size=8, width=run.width)
    pace_of.cache_clear()
    expected = estimate(run, {}, "this machine").own
    started = time.process_time()
    generator = torch.Generator().manual_seed(0)
    train(network, digits.train, recipe=Recipe(epochs=1), generator=generator, test=digits.test)
    return (time.process_time() - started) / expected


def test_a_training_takes_what_a_few_steps_let_expect():
    assert agrees(within=1.5)


def test_timing_leaves_random_state_and_threads_alone():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    pace = timed(Kind("digits-net", 4, (1, 8, 8), 32))
    assert 0 < pace.seen < pace.trained
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


def test_where_torch_cannot_train_the_table_stands_in(monkeypatch):
    def fail(kind):
        raise error

    monkeypatch.setattr(timing, "timed", fail)
    error = RuntimeError("no compiler")
    assert pace_of.__wrapped__(RESNET) == Pace(1 / 105, 1 / 390)
    assert pace_of.__wrapped__(RESNET._replace(width=8)) is None
    assert pace_of.__wrapped__(RESNET._replace(network="torchvision:vgg11", width=None)) is None
    error = ValueError("too small")
    assert pace_of.__wrapped__(RESNET) is None


def test_a_network_is_timed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(timing, "timed", lambda kind: calls.append(kind) or Pace(1.0, 1.0))
    pace_of.cache_clear()
    run = SelectionParameters(method="el2n", fraction=1.0)
    estimate(run, {}, "this machine")
    estimate(run, {}, "this machine")
    assert calls == [kinds_of(run)["selector"]]
    pace_of.cache_clear()


def test_kinds_are_those_of_the_stages():
    run = SelectionParameters(
        dataset="cifar10", fraction=0.001, learner="vgg16", learner_width=8, precision="bfloat16", method="el2n"
    )
    kinds = kinds_of(run)
    assert kinds["selector"] == kinds["evidence"] == RESNET
    assert kinds["training"] == Kind("vgg16", 8, (3, 32, 32), 50, "bfloat16")
    crossed = CondensationParameters(test_network="convnet", test_width=8, real_batch=20)
    assert kinds_of(crossed)["evaluation"][:2] == ("convnet", 8)
    assert kinds_of(crossed)["condensation"] == Kind("digits-net", 16, (1, 8, 8), 20)
    for each in (run, crossed, ContinualParameters(), ContinualParameters(method="craig")):
        assert work_of(each).keys() <= kinds_of(each).keys()


@pytest.mark.parametrize("network", ["vgg16", "nothing"])
def test_a_network_that_cannot_take_the_images_has_no_pace(network):
    assert pace_of.__wrapped__(Kind(network, 4, (1, 8, 8), 16)) is None
