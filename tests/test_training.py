"""Training: against torch.optim and a plain loop, repeatable, resumable, and clear about bad input."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from lcmat.data.dataset import ImageDataset, content_hash
from lcmat.files.checkpoints import CorruptArtifactError
from lcmat.models import Network, build
from lcmat.training import (
    CheckpointMismatchError,
    DivergedError,
    Recipe,
    accuracy_percent,
    embed,
    learning_rates,
    train,
)
from lcmat.training.adam import Adam
from lcmat.training.sgd import Sgd
from lcmat.training.steps import split_batches

RECIPE = Recipe(epochs=4, batch_size=16, crop_padding=1)


def bars(n=45, split="train", seed=0, num_classes=3):
    """Noisy 8x8 images of three kinds: dark, with a bright upper half, with a bright left half."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    images = torch.randint(0, 100, (n, 1, 8, 8), generator=draws)
    images[labels == 1, :, :4] += 150
    images[labels == 2, :, :, :4] += 150
    images = images.to(torch.uint8)
    names = tuple("abcdefghij"[:num_classes])
    return ImageDataset(
        "bars", split, images, labels, names, (0.4,), (0.3,), content_hash(images, labels), "Made here."
    )


def network(seed=0):
    return build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4, seed=seed)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def run(net=None, data=None, *, recipe=RECIPE, seed=0, **options):
    """Train a fresh network; returns network, result and generator."""
    net, draws, data = net or network(), generator(seed), bars() if data is None else data
    options = {"test": bars(30, "test", seed=1)} | options
    return net, train(net, data, recipe=recipe, generator=draws, **options), draws


def same_outcome(first, second):
    """Weights, curves and the state of the generator agree bit for bit."""
    (net, result, draws), (other, other_result, other_draws) = first, second
    states = zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    return (
        all(torch.equal(a, b) for a, b in states)
        and result.losses == other_result.losses
        and result.accuracies_percent == other_result.accuracies_percent
        and torch.equal(draws.get_state(), other_draws.get_state())
    )


class Killed(Exception):
    """Stands for a kill: it leaves `train` right after a step or an epoch."""


def kill_after(epoch):
    def progress(current, *_):
        if current >= epoch:
            raise Killed

    return progress


# The optimizer and the schedule


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_is_torchs(momentum, nesterov):
    ours, reference = network().double(), network().double()
    sgd = Sgd(ours, momentum=momentum, nesterov=nesterov, weight_decay=0.05)
    optimizer = torch.optim.SGD(reference.parameters(), lr=1.0, momentum=momentum, nesterov=nesterov, weight_decay=0.05)
    for step in range(6):
        batch = torch.rand(5, 1, 8, 8, generator=generator(step), dtype=torch.float64)
        for net in (ours, reference):
            net.zero_grad()
            functional.cross_entropy(net(batch), torch.arange(5) % 3).backward()
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimizer.step()
        sgd.step(0.1 / (step + 1))
    for a, b in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_adam_is_torchs():
    ours, reference = network().double(), network().double()
    adam = Adam(ours, weight_decay=0.05)
    optimizer = torch.optim.Adam(reference.parameters(), lr=1.0, weight_decay=0.05)
    for step in range(6):
        batch = torch.rand(5, 1, 8, 8, generator=generator(step), dtype=torch.float64)
        for net in (ours, reference):
            net.zero_grad()
            functional.cross_entropy(net(batch), torch.arange(5) % 3).backward()
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimizer.step()
        adam.step(0.1 / (step + 1))
    for a, b in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_sgd_leaves_parameters_without_gradient_alone():
    net = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    before = net[1].weight.clone()
    sgd = Sgd(net, momentum=0.9, nesterov=True, weight_decay=0.1)
    net[0](torch.ones(1, 2)).sum().backward()
    sgd.step(0.1)
    assert torch.equal(net[1].weight, before)


def test_cosine_schedule_is_torchs():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    expected = []
    for _ in range(50):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert learning_rates(Recipe(epochs=5), 50) == pytest.approx(expected)
    assert learning_rates(Recipe(epochs=5, schedule="constant", learning_rate=0.3), 3) == [0.3, 0.3, 0.3]


@pytest.mark.parametrize("n", range(1, 14))
@pytest.mark.parametrize("batch_size", [1, 2, 4, 20])
def test_batches_are_all_samples_in_order_and_never_one_left_over(n, batch_size):
    batches = split_batches(torch.arange(n), batch_size)
    assert torch.cat(batches).tolist() == list(range(n))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    if n > 1 and batch_size > 1:
        assert 1 < len(batches[-1]) <= batch_size + 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs=0 must be at least 1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": math.nan}, "learning_rate=nan must be positive"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"momentum": 0.0}, "nesterov=True must be False without momentum"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0"),
        ({"schedule": "step"}, "'cosine' or 'constant'"),
        ({"crop_padding": -1}, "crop_padding=-1"),
        ({"precision": "float16"}, "'float32' or 'bfloat16'"),
    ],
)
def test_recipe_refuses_values_out_of_range(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"epochs": 1} | values)


# What training computes


@pytest.mark.parametrize("weighted", ["", "of all", "of the batch"])
def test_equals_a_plain_loop(weighted):
    """The same shuffles, on normalised float images, with torch's optimizer and scheduler."""
    data = bars()
    weights = torch.rand(len(data), generator=generator(5)) if weighted else None
    recipe = Recipe(epochs=3, batch_size=16, crop_padding=0, flip=False)
    net, result, _ = run(recipe=recipe, weights=weights, weights_per_batch=weighted == "of the batch")

    reference, draws = network(), generator()
    optimizer = torch.optim.SGD(reference.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=9)
    factors = torch.ones(len(data)) if weights is None else weights / weights.mean()
    images, losses = data.normalized(), []
    for _ in range(3):
        order = torch.randperm(len(data), generator=draws)
        torch.randint(2**62, (), generator=draws)  # the seed of dropout
        total = 0.0
        for start in range(0, len(data), 16):
            batch = order[start : start + 16]
            each = functional.cross_entropy(reference(images[batch]), data.labels[batch], reduction="none")
            optimizer.zero_grad()
            total_weight = float(factors[batch].sum()) if weighted == "of the batch" else len(batch)
            (factors[batch] @ each / total_weight).backward()
            optimizer.step()
            scheduler.step()
            total += float(factors[batch] @ each.detach()) / total_weight * len(batch)
        losses.append(total / len(data))
    assert result.losses == pytest.approx(losses, rel=1e-5)
    for a, b in zip(net.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_learns_to_tell_bars_apart(precision):
    _, result, _ = run(recipe=Recipe(epochs=25, batch_size=16, crop_padding=1, flip=False, precision=precision))
    assert result.last_accuracy_percent >= 95
    assert result.losses[-1] < 0.2 < result.losses[0]


def test_precision_is_visible_in_the_numbers():
    assert (
        run()[1].losses != run(recipe=Recipe(epochs=4, batch_size=16, crop_padding=1, precision="bfloat16"))[1].losses
    )


def test_weights_enter_relative_to_their_mean():
    weights = torch.rand(45, generator=generator(3), dtype=torch.float64)
    scaled = run(weights=4 * weights)  # times 4 is exact
    assert same_outcome(run(weights=weights), scaled)
    assert not same_outcome(run(), scaled)


def test_samples_of_weight_zero_do_not_matter():
    data, weights = bars(), torch.ones(45)
    weights[:20] = 0
    relabelled = data.labels.clone()
    relabelled[:20] = 0
    other = ImageDataset(
        "bars", "train", data.images, relabelled, data.class_names, (0.4,), (0.3,), "another", "Made here."
    )
    assert same_outcome(run(data=data, weights=weights), run(data=other, weights=weights))


def test_compiled_training_agrees_with_eager(monkeypatch):
    """With the compiler's front end alone: the machine code is torch's affair and takes a minute to make."""
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *args, **options: compiler(*args, backend="eager", **options))
    data = bars(40)  # full batches and a smaller one
    eager = run(data=data)
    compiled = run(data=data, recipe=Recipe(epochs=4, batch_size=16, crop_padding=1, compile=True))
    assert compiled[1].losses == pytest.approx(eager[1].losses, rel=1e-5)
    assert compiled[1].last_accuracy_percent == pytest.approx(eager[1].last_accuracy_percent, abs=4)


# A function of its arguments


def dropout_network():
    features = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5))
    return Network(features, nn.Linear(16, 3))


def test_twice_the_same_seed_gives_the_same_bits_whatever_the_global_state():
    initial = dropout_network().state_dict()
    outcomes = []
    for global_seed in (1, 2):
        net = dropout_network()
        net.load_state_dict(initial)
        torch.manual_seed(global_seed)
        before = torch.random.get_rng_state()
        outcomes.append(run(net))
        assert torch.equal(before, torch.random.get_rng_state())
    assert same_outcome(*outcomes)


def test_gradients_from_before_do_not_matter():
    net = network()
    net(torch.rand(4, 1, 8, 8)).sum().backward()
    assert same_outcome(run(net), run())


def test_another_seed_gives_another_run():
    assert not same_outcome(run(seed=0), run(seed=1))


def test_measuring_does_not_change_training():
    (measured, *_), (blind, result, _) = run(), run(test=None)
    assert all(torch.equal(a, b) for a, b in zip(measured.parameters(), blind.parameters(), strict=True))
    assert result.accuracies_percent == ()


# What it reports


def test_measures_every_few_epochs_and_always_the_last():
    calls = []
    recipe = Recipe(epochs=5, batch_size=16, crop_padding=1)
    net, result, _ = run(recipe=recipe, evaluate_every=2, progress=lambda *call: calls.append(call))
    assert result.evaluated_epochs == (2, 4, 5)
    assert len(result.losses) == 5
    accuracies = [None, result.accuracies_percent[0], None, *result.accuracies_percent[1:]]
    assert calls == [(e + 1, 5, result.losses[e], accuracies[e]) for e in range(5)]
    assert result.last_accuracy_percent == accuracy_percent(net, bars(30, "test", seed=1))


def test_best_epoch_is_the_first_of_the_best(monkeypatch):
    accuracies = iter([20.0, 80.0, 80.0, 50.0])
    monkeypatch.setattr("lcmat.training.steps.Trainer.accuracy_percent", lambda *_: next(accuracies))
    _, result, _ = run()
    assert (result.best_accuracy_percent, result.best_epoch, result.last_accuracy_percent) == (80.0, 2, 50.0)


def test_accuracy_by_counting():
    data, net = bars(31), network().eval()
    hits = sum(int(net(image[None]).argmax()) == label for image, label in (data[i] for i in range(31)))
    assert accuracy_percent(net, data, batch_size=7) == 100 * hits / 31


def test_embedding_is_the_input_and_output_of_the_last_layer():
    net, data = dropout_network(), bars(20)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    features, logits = embed(net, data, batch_size=6)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert features.dtype == logits.dtype == torch.float32
    net.eval()
    torch.testing.assert_close(features, net.features(data.normalized()).detach())
    torch.testing.assert_close(logits, net(data.normalized()).detach())


# Interruption


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("moment", [1 / 3, 1, 2 + 2 / 3])  # three steps an epoch
def test_resumed_is_uninterrupted_bit_for_bit(tmp_path, moment, optimizer):
    file, recipe = tmp_path / "run.safetensors", replace(RECIPE, optimizer=optimizer, learning_rate=0.01)
    options = {"checkpoint": file, "checkpoint_seconds": 0, "progress_seconds": 0, "recipe": recipe}
    with pytest.raises(Killed):
        run(dropout_network_of_seed(0), progress=kill_after(moment), **options)
    seen = []
    torch.manual_seed(7)  # another process has another global state
    resumed = run(dropout_network_of_seed(0), progress=lambda e, *_: seen.append(round(3 * e)), **options)
    missing = range(round(3 * moment) + 1, 13) if moment % 1 else range(round(3 * moment), 13)
    assert sorted(set(seen)) == list(missing)  # no step is repeated; the end of an epoch is told once more
    assert same_outcome(resumed, run(dropout_network_of_seed(0), recipe=recipe))


def dropout_network_of_seed(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return dropout_network()


def test_a_finished_run_returns_at_once_with_its_weights(tmp_path):
    file = tmp_path / "run.safetensors"
    finished = run(checkpoint=file)
    again = run(checkpoint=file, progress=kill_after(1))
    assert same_outcome(finished, again)
    assert again[1] == finished[1]  # also the time it took


def test_the_interval_decides_what_is_written(tmp_path):
    file = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        run(checkpoint=file, checkpoint_seconds=3600, progress=kill_after(4))
    assert not file.exists()


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"recipe": Recipe(epochs=4, batch_size=15, crop_padding=1)}, "other recipe"),
        ({"data": bars(seed=9)}, "other training data"),
        ({"test": None}, "other test data"),
        ({"weights": torch.ones(45)}, "other weights"),
        ({"seed": 1}, "other initial generator"),
        ({"net": network(seed=1)}, "other initial network"),
        ({"evaluate_every": 2}, "other evaluate_every"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, options, culprit):
    file = tmp_path / "run.safetensors"
    run(checkpoint=file)
    content = file.read_bytes()
    with pytest.raises(CheckpointMismatchError, match=rf"run\.safetensors.*\({culprit}\).*delete the file"):
        run(checkpoint=file, **options)
    assert file.read_bytes() == content


def test_a_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "run.safetensors"
    run(checkpoint=file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptArtifactError, match=r"run\.safetensors"):
        run(checkpoint=file)


# Bad and odd input


def test_divergence_names_epoch_and_remedy(tmp_path):
    file = tmp_path / "run.safetensors"
    recipe = Recipe(epochs=4, batch_size=16, crop_padding=1, learning_rate=1e30)
    for _ in range(2):  # the second time from the checkpoint
        with pytest.raises(DivergedError, match=r"loss is (nan|inf) in epoch 1: lower the recipe's learning_rate=1e\+"):
            run(recipe=recipe, checkpoint=file, checkpoint_seconds=0)
        assert file.exists()


def test_fewer_samples_than_a_batch():
    _, result, _ = run(data=bars(5), recipe=Recipe(epochs=3, crop_padding=1))
    assert len(result.losses) == 3


@pytest.mark.parametrize("n", [17, 33])
def test_batch_normalisation_never_sees_a_left_over_sample_alone(n):
    _, result, _ = run(dropout_network(), bars(n))
    assert all(math.isfinite(loss) for loss in result.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": bars(0)}, r"bars \(train\) has no images"),
        ({"test": bars(0, "test")}, r"bars \(test\) has no images"),
        (
            {"net": build("digits-net", num_classes=2, in_channels=1, image_size=8)},
            r"labels 0\.\.2, the network has logits 0\.\.1: build it with num_classes=3",
        ),
        ({"weights": torch.ones(44)}, r"shape \(44,\), but there are 45"),
        ({"weights": torch.full((45,), -1.0)}, "none negative"),
        ({"weights": torch.zeros(45)}, "not all zero"),
        ({"weights": torch.full((45,), math.inf)}, "finite"),
        ({"evaluate_every": 0}, "evaluate_every=0"),
        ({"recipe": Recipe(epochs=1, crop_padding=8)}, "padding=8"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)


@pytest.mark.parametrize("measure", [accuracy_percent, embed])
def test_nothing_to_evaluate(measure):
    with pytest.raises(ValueError, match=r"bars \(train\) has no images"):
        measure(network(), bars(0))


def test_without_a_test_set_no_accuracy_is_told():
    result = run(test=None)[1]
    for name in ("last_accuracy_percent", "best_accuracy_percent", "best_epoch"):
        with pytest.raises(ValueError, match="give train\\(\\) a test set"):
            getattr(result, name)
