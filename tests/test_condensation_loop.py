"""The loop of condensation: against a plain loop class by class with torch's optimizers, repeatable and resumable."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from lcmat.condensation import (
    OBJECTIVES,
    CondensationRecipe,
    EvaluationRecipe,
    condense,
    initial_set,
    load_set,
    published,
    train_on_set,
)
from lcmat.condensation.batches import draw_batches
from lcmat.condensation.step import equal_strength, image_step, matching_gradient
from lcmat.condensation.synthetic import decode
from lcmat.data.augmentation import DSA_STRATEGY, apply_transformation, draw_transformation
from lcmat.data.augmentation.cutmix import cutmix
from lcmat.files import checkpoints
from lcmat.files.checkpoints import CorruptArtifactError
from lcmat.models import build
from lcmat.training import CheckpointMismatchError, DivergedError, accuracy_percent
from tests.test_condensation_matching import terms_by_loops
from tests.test_condensation_synthetic import uneven
from tests.test_training import bars

SMALL = {"network": "digits-net", "width": 4, "real_batch": 6, "network_batch": 8}
SHORT = {**SMALL, "outer_iterations": 2, "inner_steps": 3, "network_images": 20, "image_learning_rate": 0.01}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def recipe(**changes):
    return CondensationRecipe(**{**SHORT, "ipc": 2, "augmentation": "color_crop_cutout_scale", **changes})


def run(settings, *, data=None, seed=0, **options):
    return condense(bars() if data is None else data, settings, generator=generator(seed), **options)


def same(first, second):
    return torch.equal(first.synthetic.images, second.synthetic.images) and torch.equal(first.losses, second.losses)


class Killed(Exception):
    """Stands for a kill: it leaves `condense` right after a step."""


def kill_after(step):
    def progress(current, *_):
        if current == step:
            raise Killed

    return progress


# One step, class by class


def draws_by_hand(rows, settings, draws):
    """Real rows, synthetic positions and transformation of each class, in the order that is documented."""
    drawn = []
    for own in rows:
        real = own[torch.randperm(len(own), generator=draws)[: settings.real_batch]]
        positions = torch.randperm(settings.ipc * settings.factor**2, generator=draws)[: settings.synthetic_batch]
        transformation = draw_transformation(settings.augmentation, combine=settings.combine, generator=draws)
        drawn.append((real, positions, transformation))
    return drawn


def rows_of(data):
    return [(data.labels == label).nonzero()[:, 0] for label in range(3)]


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize(("classes_per_pass", "factor"), [(1, 1), (2, 2), (10, 1)])
def test_a_step_equals_one_class_after_the_other(name, classes_per_pass, factor):
    """Draw, transform, differentiate sample by sample and compare, for each class alone; 2 images in the last class."""
    data, net = uneven(), build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4).double().eval()
    settings = recipe(objective=name, classes_per_pass=classes_per_pass, factor=factor, rho=50.0, synthetic_batch=3)
    images = initial_set(data, 2, "noise", generator=generator(3)).images.double().requires_grad_()
    ours = matching_gradient(net, images, data, draw_batches(rows_of(data), settings, generator()), settings)

    drawn = draws_by_hand(rows_of(data), settings, generator())
    pooled = OBJECTIVES[name].pooled
    smallest = min(len(real) for real, _, _ in drawn) if pooled else None
    sides = ([], [])
    for label, (rows, positions, transformation) in enumerate(drawn):
        decoded = decode(images[2 * label : 2 * label + 2], factor)
        sides[0].append(apply_transformation(transformation, data.normalized(rows[:smallest]).double()))
        sides[1].append(apply_transformation(transformation, decoded[positions]))
    labels = torch.arange(3)[:, None]
    if pooled:
        terms = [terms_by_loops(name, net, *sides, labels)]
    else:
        terms = [
            terms_by_loops(name, net, [real], [synthetic], labels[label : label + 1])
            for label, (real, synthetic) in enumerate(zip(*sides, strict=True))
        ]
    distance, penalty = (sum(part.sum() for part in parts) for parts in zip(*terms, strict=True))
    (gradient,) = torch.autograd.grad(distance + 25.0 * penalty, images)
    torch.testing.assert_close(ours.gradient, gradient, rtol=1e-9, atol=1e-11)
    assert ours.distance == pytest.approx(distance.item(), rel=1e-9)
    assert ours.penalty == pytest.approx(penalty.item(), rel=1e-9)


@pytest.mark.parametrize("train_on", ["original", "synthetic", "nothing"])
def test_the_whole_run_equals_a_plain_loop(train_on):
    """Two networks, three steps each, with torch.optim.SGD for images and network, in DC's layout."""
    data = bars()
    settings = recipe(
        objective="lcmat-c",
        rho=20.0,
        pixel_units=False,
        train_on=train_on,
        network_epochs=2,
        network_images=20 if train_on == "original" else None,
        network_augmentation="crop",
        network_batch=4,
    )
    result = run(settings)

    draws = generator()
    images = initial_set(data, 2, "noise", generator=draws).images.requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    optimizer = torch.optim.SGD([images], 0.01, momentum=0.5)
    for _ in range(2):
        seed = int(torch.randint(2**31, (), generator=draws))
        net = build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4, seed=seed)
        network_optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
        for inner in range(3):
            drawn = draws_by_hand(rows_of(data), settings, draws)
            optimizer.zero_grad()
            for label, (rows, positions, transformation) in enumerate(drawn):
                own = images[2 * label : 2 * label + 2][positions]
                pair = [[apply_transformation(transformation, part)] for part in (data.normalized(rows), own)]
                distance, penalty = terms_by_loops("lcmat-c", net, *pair, torch.tensor([[label]]))
                (distance.sum() + 10 * penalty.sum()).backward()
            optimizer.step()
            if inner == 2 or train_on == "nothing":
                continue
            source = (data.normalized(), data.labels) if train_on == "original" else (images.detach(), labels)
            orders = [torch.randperm(len(source[0]), generator=draws)[: settings.network_images] for _ in range(2)]
            torch.randint(2**62, (), generator=draws)  # the seed of dropout
            for order in orders:
                for batch in order.split(4):
                    crop = draw_transformation("crop", num=len(batch), combine="idc", generator=draws)
                    inputs = apply_transformation(crop, source[0][batch])
                    mixed = cutmix(inputs, source[1][batch], probability=0.5, generator=draws)
                    shares = torch.tensor([mixed.share, 1 - mixed.share])
                    soft = sum(
                        share * functional.one_hot(y, 3)
                        for share, y in zip(shares, (mixed.labels, mixed.partners), strict=True)
                    )
                    network_optimizer.zero_grad()
                    functional.cross_entropy(net(mixed.images), soft).backward()
                    network_optimizer.step()
    torch.testing.assert_close(result.synthetic.images, images.detach(), rtol=1e-4, atol=1e-5)
    assert (result.synthetic.images - initial_set(data, 2, "noise", generator=generator()).images).abs().max() > 0.01


@pytest.mark.parametrize("control", [name for name in OBJECTIVES if name.endswith("-control")])
def test_controls_of_equal_strength_pull_as_hard(control):
    """Norms of the penalties' gradients in the images, sample by sample."""
    data, net = bars(), build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4).double().eval()
    settings = recipe(augmentation="none", rho=30.0)
    images = initial_set(data, 2, "real", generator=generator(3)).images.double().requires_grad_()
    strength = {"lcmat-c": 30.0, control: equal_strength(net, images, data, settings, control, seed=5)}

    drawn = draws_by_hand(rows_of(data), settings, generator(5))
    real = [data.normalized(rows).double() for rows, _, _ in drawn]
    synthetic = [images[2 * label : 2 * label + 2] for label in range(3)]
    norms = {}
    for name, rho in strength.items():
        _, penalty = terms_by_loops(name, net, real, synthetic, torch.arange(3)[:, None])
        norms[name] = torch.autograd.grad(rho / 2 * penalty.sum(), images)[0].norm().item()
    assert norms[control] == pytest.approx(norms["lcmat-c"], rel=1e-8)
    with pytest.raises(ValueError, match=r"'dc' at rho=30\.0 has no penalty"):
        equal_strength(net, images, data, settings, "dc")


def test_pixel_units_are_sgd_on_pixels_that_stay_pixels():
    data = replace(bars(), mean=(0.4,), std=(0.25,))
    settings = recipe(pixel_units=True, image_learning_rate=0.05)
    pixels = torch.rand(6, 1, 8, 8, generator=generator(), dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.SGD([pixels], 0.05, momentum=0.5)
    images, velocity = ((pixels - 0.4) / 0.25).detach(), torch.zeros(6, 1, 8, 8, dtype=torch.float64)
    clipped = 0
    for step in range(5):
        weights = torch.randn(6, 1, 8, 8, generator=generator(step), dtype=torch.float64)
        optimizer.zero_grad()
        (weights * (pixels - 0.4) / 0.25).sum().backward()
        optimizer.step()
        clipped += int(((pixels < 0) | (pixels > 1)).sum())
        pixels.data.clamp_(0, 1)
        images, velocity = image_step(images, velocity, weights, settings, data)  # of the loss (weights * images).sum()
        torch.testing.assert_close(images * 0.25 + 0.4, pixels.detach(), rtol=1e-12, atol=1e-12)
    assert clipped > 0


# What a run is a function of


def test_a_run_is_repeatable_and_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    first = run(recipe())
    assert same(first, run(recipe()))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not same(first, run(recipe(), seed=1))
    assert first.losses.isfinite().all()
    assert first.losses.shape == (6, 2)
    pixels = first.synthetic.images * 0.3 + 0.4
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", ["lcmat-c", "dm", "pooled-variance-control"])
def test_classes_together_are_classes_apart_up_to_rounding(name):
    apart, together = (run(recipe(objective=name, classes_per_pass=k), data=uneven()) for k in (1, 3))
    torch.testing.assert_close(apart.synthetic.images, together.synthetic.images, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_images_are_learnt(precision):
    """The distance falls, with rho large the penalty too, and the images teach what random pixels cannot."""
    fast = {"classes_per_pass": 3, "precision": precision, "augmentation": "none", "image_learning_rate": 0.02}
    settings = recipe(outer_iterations=8, inner_steps=5, rho=30.0, ipc=3, **fast)
    result = run(settings)
    first, last = result.losses[::5][:2].mean(0), result.losses[::5][-2:].mean(0)  # at fresh networks
    assert (last < 0.9 * first).all()
    evaluation = EvaluationRecipe("digits-net", 4, epochs=60, learning_rate=0.05, augmentation="none", cutmix=0.0)
    net = train_on_set(result.synthetic, evaluation, generator=generator())
    assert accuracy_percent(net, bars(60, "test", seed=9)) >= 90


def test_compiling_changes_rounding_alone(monkeypatch):
    """With the compiler's front end alone: the machine code is torch's affair and takes a minute to make."""
    compiler, calls = torch.compile, []

    def front_end(module, **options):
        calls.append(module)
        return compiler(module, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", front_end)
    plain, compiled = (run(recipe(compile=compile), data=uneven()) for compile in (False, True))
    assert len(calls) == 1
    torch.testing.assert_close(plain.synthetic.images, compiled.synthetic.images, rtol=1e-3, atol=1e-4)


def test_zero_iterations_return_the_initial_images(tmp_path):
    start = initial_set(bars(), 2, "real", generator=generator())
    result = run(recipe(outer_iterations=0, init="real"), checkpoint=tmp_path / "run.safetensors")
    assert torch.equal(result.synthetic.images, start.images)
    assert result.losses.shape == (0, 2)
    given = run(recipe(outer_iterations=0), initial=start)
    assert torch.equal(given.synthetic.images, start.images)


def test_the_given_set_and_data_are_left_as_they_are():
    start = initial_set(bars(), 2, "real", generator=generator())
    before = start.images.clone()
    run(recipe(), initial=start)
    assert torch.equal(start.images, before)


@pytest.mark.parametrize(
    "settings",
    [
        published("dsa", 2, **SMALL, outer_iterations=2),
        published("dc", 1, **SMALL, outer_iterations=2),
        published("dm", 2, **SMALL, outer_iterations=2),
        published("idc-i", 2, **SMALL, outer_iterations=1, inner_steps=2, factor=2),
    ],
    ids=["dsa", "dc", "dm", "idc"],
)
def test_published_settings_run(settings):
    result = run(settings)
    assert result.losses.isfinite().all()
    assert result.synthetic.images.isfinite().all()


# Interruptions


@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["lcmat-c", "dsa"])
def test_an_interrupted_run_ends_bit_for_bit_the_same(tmp_path, step, name):
    settings = recipe() if name == "lcmat-c" else published("dsa", 2, **SHORT, network_epochs=3)
    whole, path = run(settings), tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        run(settings, checkpoint=path, checkpoint_seconds=0, progress=kill_after(step))
    steps = []
    rest = run(settings, checkpoint=path, progress=lambda current, *_: steps.append(current))
    assert steps == list(range(step, 7))  # the kill came before the file of its own step
    assert same(whole, rest)


def test_a_finished_run_returns_at_once_and_its_file_is_a_set(tmp_path):
    path = tmp_path / "run.safetensors"
    first = run(recipe(), checkpoint=path)
    again = run(recipe(), checkpoint=path, progress=kill_after(1))
    assert same(first, again)
    assert again.wall_seconds == first.wall_seconds
    assert load_set(path).content_hash == first.synthetic.content_hash


def test_another_runs_checkpoint_and_a_damaged_one_are_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    run(recipe(), checkpoint=path)
    with pytest.raises(CheckpointMismatchError, match=r"other recipe\)"):
        run(recipe(rho=1.0), checkpoint=path)
    with pytest.raises(CheckpointMismatchError, match="other initial images, initial generator"):
        run(recipe(), checkpoint=path, seed=1)
    with pytest.raises(CheckpointMismatchError, match="other data"):
        run(recipe(), data=uneven(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptArtifactError):
        run(recipe(), checkpoint=path)


PROGRAM = """
import sys, time, torch
from pathlib import Path
from tests.test_condensation_loop import generator, recipe
from tests.test_training import bars
from lcmat.condensation import condense, save_set

def progress(step, *_):
    print(step, flush=True)
    time.sleep(float(sys.argv[3]))

torch.set_num_threads(1)
settings = recipe(outer_iterations=4, inner_steps=3)
result = condense(bars(), settings, generator=generator(), checkpoint=Path(sys.argv[1]), checkpoint_seconds=0,
                  progress=progress)
save_set(Path(sys.argv[2]), result.synthetic)
"""


def test_a_killed_process_goes_on_to_the_same_images(tmp_path):
    """SIGKILL somewhere after the fourth step; the same command then ends with what one process computes."""
    checkpoint, output = tmp_path / "run.safetensors", tmp_path / "set.safetensors"
    command = [sys.executable, "-c", PROGRAM, str(checkpoint), str(output)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.Popen([*command, "0.2"], stdout=subprocess.PIPE, text=True, env=environment)
    while first.stdout.readline().strip() != "4":
        assert first.poll() is None
    time.sleep(0.25)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert not output.exists()
    assert 0 < load_steps(checkpoint) < 12
    second = subprocess.run([*command, "0"], capture_output=True, text=True, env=environment, check=True)
    assert len(second.stdout.split()) < 12
    whole = run(recipe(outer_iterations=4, inner_steps=3))
    assert torch.equal(load_set(output).images, whole.synthetic.images)


def load_steps(path):
    return checkpoints.load(path)[1]["progress"]["step"]


@pytest.mark.filterwarnings("error")
def test_divergence_is_an_error_that_keeps_the_last_good_images(tmp_path):
    path = tmp_path / "run.safetensors"
    settings = recipe(
        objective="dc", distance="squared", pixel_units=False, image_learning_rate=1e30, augmentation="none"
    )
    draws, states = generator(), {}
    with pytest.raises(DivergedError, match=r"lower image_learning_rate=1e\+30"):
        condense(
            bars(),
            settings,
            generator=draws,
            checkpoint=path,
            progress=lambda step, *_: states.update({step: draws.get_state()}),
        )
    # The file holds the state before the failing step, the generator's too.
    assert torch.equal(checkpoints.load(path)[0]["generator"], states[load_steps(path)])
    assert load_set(path).images.isfinite().all()
    assert load_steps(path) >= 1


# Refusals


def test_too_few_images_of_a_class_are_named():
    data = bars()
    lonely = data.subset(torch.cat([(data.labels != 2).nonzero()[:, 0], (data.labels == 2).nonzero()[:1, 0]]))
    with pytest.raises(ValueError, match=r"class 2 has 1 images.*needs 2 of each class"):
        run(recipe(), data=lonely)
    for name in ("lcmat-c", "pooled-variance-control"):
        without = run(recipe(objective=name, rho=0.0, ipc=1), data=lonely)
        assert same(without, run(recipe(objective="dc", rho=5.0, ipc=1), data=lonely))
    with pytest.raises(ValueError, match="class 3 has 0 images"):
        run(recipe(rho=0.0), data=bars(num_classes=4))


def test_a_set_that_does_not_fit_is_refused():
    start = initial_set(bars(), 3, "noise", generator=generator())
    with pytest.raises(ValueError, match=r"images \(9, 1, 8, 8\) of factor 1, the recipe asks for \(6, 1, 8, 8\)"):
        run(recipe(), initial=start)


# Evaluation


def test_training_on_a_set_equals_a_plain_loop():
    synthetic = initial_set(bars(), 3, "real", generator=generator(2))
    settings = EvaluationRecipe("digits-net", 4, epochs=6, batch_size=4, augmentation=DSA_STRATEGY, combine="one")
    ours = train_on_set(synthetic, settings, generator=generator())

    draws = generator()
    seed = int(torch.randint(2**31, (), generator=draws))
    net = build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4, seed=seed)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 5], gamma=0.2)
    orders = [torch.randperm(9, generator=draws) for _ in range(6)]
    torch.randint(2**62, (), generator=draws)  # the seed of dropout
    for order in orders:
        for batch in (order[:4], order[4:]):  # the ninth image is not left alone
            drawn = draw_transformation(DSA_STRATEGY, num=len(batch), combine="one", generator=draws)
            inputs = apply_transformation(drawn, synthetic.images[batch])
            mixed = cutmix(inputs, synthetic.labels[batch], probability=0.5, generator=draws)
            logits = net(mixed.images)
            loss = mixed.share * functional.cross_entropy(logits, mixed.labels)
            loss = loss + (1 - mixed.share) * functional.cross_entropy(logits, mixed.partners)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
    for a, b in zip(ours.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
