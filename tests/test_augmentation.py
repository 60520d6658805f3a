"""Random crops and flips: against a plain loop over padded images with the same draws."""

import numpy as np
import pytest
import torch

from lcmat.data.augmentation import random_crop_flip
from lcmat.data.augmentation.cutmix import cutmix


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_by_one(images, padding, flip, draws):
    """Pad, cut and mirror each image with numpy."""
    n, _, height, width = images.shape
    shifts = torch.randint(-padding, padding + 1, (2, n, 1), generator=draws)
    mirrored = torch.rand(n, 1, generator=draws) < 0.5
    results = []
    for i, image in enumerate(images.numpy()):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)), mode="reflect")
        top, left = (padding + int(shifts[axis, i]) for axis in (0, 1))
        crop = padded[:, top : top + height, left : left + width]
        results.append(crop[:, :, ::-1] if flip and mirrored[i] else crop)
    return torch.from_numpy(np.stack(results))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(("shape", "padding"), [((40, 3, 32, 32), 4), ((40, 1, 8, 8), 1), ((1, 3, 5, 7), 4)])
@pytest.mark.parametrize("flip", [True, False])
def test_equals_a_loop_over_padded_images(dtype, shape, padding, flip):
    images = torch.randint(256, shape, generator=generator(1)).to(dtype)
    result = random_crop_flip(images, padding=padding, flip=flip, generator=generator())
    assert result.dtype == dtype
    assert torch.equal(result, one_by_one(images, padding, flip, generator()))


def test_without_padding_and_flip_nothing_changes():
    images = torch.rand(6, 3, 8, 8)
    assert torch.equal(random_crop_flip(images, padding=0, flip=False, generator=generator()), images)


def test_channels_last_input_gives_the_same_images():
    images = torch.rand(6, 3, 8, 8)
    strided = images.contiguous(memory_format=torch.channels_last)
    expected = random_crop_flip(images, generator=generator())
    assert torch.equal(random_crop_flip(strided, generator=generator()), expected)


def test_every_shift_and_both_sides_are_equally_likely():
    ramp = torch.arange(64.0).reshape(1, 1, 8, 8).expand(9000, 1, 8, 8)
    result = random_crop_flip(ramp, padding=1, generator=generator())[:, 0, 3:5, 3:5]
    mirrored = result[:, 0, 0] > result[:, 0, 1]
    # The pixel at (3, 3) of an image shifted by (a, b) is number 8 (3 + a) + 3 + b.
    first = torch.where(mirrored, result[:, 0, 1], result[:, 0, 0])
    assert abs(mirrored.double().mean() - 0.5) < 0.02
    counts = torch.tensor([(first == 8 * (3 + a) + 3 + b).sum() for a in (-1, 0, 1) for b in (-1, 0, 1)])
    assert counts.sum() == 9000
    assert ((counts - 1000).abs() < 150).all()  # five standard deviations


def test_draws_come_from_the_generator_alone():
    images = torch.rand(5, 1, 8, 8)
    before = torch.random.get_rng_state()
    shared = generator()
    first, second = (random_crop_flip(images, generator=shared) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, random_crop_flip(images, generator=generator()))
    assert torch.equal(before, torch.random.get_rng_state())


def test_options_do_not_change_how_much_is_drawn():
    states = []
    for padding, flip in ((0, False), (3, True)):
        draws = generator()
        random_crop_flip(torch.rand(5, 1, 8, 8), padding=padding, flip=flip, generator=draws)
        states.append(draws.get_state())
    assert torch.equal(*states)


@pytest.mark.parametrize("padding", [-1, 5, 8])
def test_a_padding_that_cannot_be_reflected_is_refused(padding):
    with pytest.raises(ValueError, match=rf"padding={padding} must be in \[0, 5\)"):
        random_crop_flip(torch.rand(2, 1, 8, 5), padding=padding, generator=generator())


@pytest.mark.parametrize("shape", [(6, 1, 8, 0), (6, 1, 0, 8)])
def test_images_without_pixels_are_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"images must be .* with height at least 1, width at least 1, got \(6, 1, "):
        cutmix(torch.zeros(shape), torch.zeros(6, dtype=torch.int64), generator=torch.Generator())
