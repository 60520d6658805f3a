"""Differentiable Siamese augmentation: against loops over single images with numpy and scipy, and exact identities."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from lcmat.data.augmentation import (
    DSA_STRATEGY,
    Ratios,
    Transformation,
    apply_transformation,
    draw_transformation,
    random_crop_flip,
)
from lcmat.data.augmentation.cutmix import Mixed, cutmix, mixed_cross_entropy

OPERATIONS = DSA_STRATEGY.split("_")
SHAPES = [(6, 3, 32, 32), (6, 1, 8, 8), (1, 1, 5, 7), (4, 3, 9, 6)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(shape, seed=1):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def transformation(operation, num, seed=0):
    return draw_transformation(operation, generator=generator(seed), num=num)


# One image, numbers from [0, 1), numpy and scipy: DSA's definitions.


def color_one(image, u):
    image = image + (u[0] - 0.5) * 1.0
    grey = image.mean(0, keepdims=True)
    image = (image - grey) * (u[1] * 2.0) + grey
    return (image - image.mean()) * (u[2] + 0.5) + image.mean()


def crop_one(image, u):
    _, height, width = image.shape
    reach = [int(size * 0.125 + 0.5) for size in (height, width)]
    top, left = (math.floor(u[3 + axis] * (2 * reach[axis] + 1)) for axis in (0, 1))
    padded = np.pad(image, ((0, 0), (reach[0],) * 2, (reach[1],) * 2))
    return padded[:, top : top + height, left : left + width]


def cutout_one(image, u):
    """The removed positions are clamped to the image one by one, as in DSA's code."""
    image = image.copy()
    places = []
    for axis, size in enumerate(image.shape[1:]):
        length = int(size * 0.5 + 0.5)
        centre = math.floor(u[5 + axis] * (size + (1 - length % 2)))
        places.append({min(max(k + centre - length // 2, 0), size - 1) for k in range(length)})
    for row in places[0]:
        for column in places[1]:
            image[:, row, column] = 0
    return image


def flip_one(image, u):
    return image[:, :, ::-1] if u[7] < 0.5 else image


def sample(image, matrix):
    """Bilinear samples at matrix @ (x, y), where both run from -1 to 1 over the image; zero outside."""
    _, height, width = image.shape
    y, x = np.meshgrid((2 * np.arange(height) + 1) / height - 1, (2 * np.arange(width) + 1) / width - 1, indexing="ij")
    x, y = (matrix[row][0] * x + matrix[row][1] * y for row in (0, 1))
    places = [((y + 1) * height - 1) / 2, ((x + 1) * width - 1) / 2]
    return np.stack([ndimage.map_coordinates(c, places, order=1, mode="grid-constant") for c in image])


def scale_one(image, u):
    return sample(image, [[u[8] * (1.2 - 1 / 1.2) + 1 / 1.2, 0], [0, u[9] * (1.2 - 1 / 1.2) + 1 / 1.2]])


def rotate_one(image, u):
    angle = (u[8] - 0.5) * 2 * 15 / 180 * math.pi
    return sample(image, [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


ONE = {
    "color": color_one,
    "crop": crop_one,
    "cutout": cutout_one,
    "flip": flip_one,
    "scale": scale_one,
    "rotate": rotate_one,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_each_operation_equals_a_loop_over_images(operation, shape, shared, seed):
    images = random_images(shape)
    drawn = transformation(operation, 1 if shared else shape[0], seed)
    rows = drawn.uniforms.expand(shape[0], -1).tolist()
    expected = [ONE[operation](image, u) for image, u in zip(images.numpy(), rows, strict=True)]
    result = apply_transformation(drawn, images)
    assert result.dtype == images.dtype
    torch.testing.assert_close(result, torch.from_numpy(np.stack(expected)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("extreme", [0.0, 1 - 2**-53])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_extreme_draws_equal_the_loop_too(operation, extreme):
    images = random_images((2, 3, 8, 7))
    drawn = Transformation((operation,), torch.full((1, 10), extreme, dtype=torch.float64))
    expected = np.stack([ONE[operation](image, [extreme] * 10) for image in images.numpy()])
    torch.testing.assert_close(apply_transformation(drawn, images), torch.from_numpy(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_are_those_of_finite_differences(operation, shared):
    images = random_images((2, 3, 6, 5)).requires_grad_()
    drawn = transformation(operation, 1 if shared else 2, seed=4)
    assert torch.autograd.gradcheck(lambda x: apply_transformation(drawn, x), images)


@pytest.mark.parametrize("combine", ["one", "idc", "all"])
@pytest.mark.parametrize("seed", range(4))
def test_one_draw_is_replayed_on_batches_of_any_size(combine, seed):
    real, synthetic = random_images((7, 3, 8, 8)), random_images((1, 3, 8, 8), seed=2)
    drawn = draw_transformation(DSA_STRATEGY, generator=generator(seed), combine=combine)
    together = apply_transformation(drawn, torch.cat([real, synthetic]))
    apart = [apply_transformation(drawn, part) for part in (real, synthetic)]
    torch.testing.assert_close(together, torch.cat(apart), rtol=1e-13, atol=1e-13)
    assert apply_transformation(drawn, random_images((2, 1, 28, 28))).shape == (2, 1, 28, 28)


def test_shifts_are_those_of_an_image_in_zeros():
    """Where no border is near, cropping is the exact shift that `random_crop_flip` makes, too."""
    images = torch.zeros(1, 1, 16, 16)
    images[0, 0, 6:10, 6:10] = torch.arange(16.0).reshape(4, 4)
    seen, shifts = set(), set()
    for seed in range(300):
        ours = apply_transformation(transformation("crop", 1, seed), images)
        other = random_crop_flip(images, padding=2, flip=False, generator=generator(seed))
        seen.add(tuple(ours.nonzero()[0].tolist()))
        shifts.add(tuple(other.nonzero()[0].tolist()))
    assert seen == shifts
    assert len(seen) == 25


def test_identities():
    images = random_images((3, 3, 8, 8))
    still = torch.full((1, 10), 0.5, dtype=torch.float64)  # no shift, factor 1, no angle, no added constant
    for operation in ("color", "crop", "rotate", "flip"):
        torch.testing.assert_close(apply_transformation(Transformation((operation,), still), images), images)
    mirror = Transformation(("flip",), torch.zeros(1, 10, dtype=torch.float64))
    assert torch.equal(apply_transformation(mirror, images), images.flip(3))
    assert torch.equal(apply_transformation(mirror, apply_transformation(mirror, images)), images)
    assert torch.equal(apply_transformation(transformation("none", 1), images), images)
    right_angle = Transformation(("rotate",), torch.ones(1, 10, dtype=torch.float64))
    turned = apply_transformation(right_angle, images, ratios=Ratios(rotate=90.0))
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)))


def test_one_operation_is_drawn_and_each_as_often():
    draws = generator()
    chosen = [draw_transformation(DSA_STRATEGY, generator=draws).operations for _ in range(3000)]
    counts = [chosen.count((operation,)) for operation in OPERATIONS]
    assert sum(counts) == 3000
    assert all(abs(count - 500) < 100 for count in counts)  # five standard deviations


def test_combinations_have_the_order_of_their_papers():
    for seed in range(20):
        first, second, moving, last = draw_transformation(
            DSA_STRATEGY, generator=generator(seed), combine="idc"
        ).operations
        assert (first, second, last) == ("flip", "color", "cutout")
        assert moving in ("crop", "scale", "rotate")
    assert draw_transformation("scale_flip", generator=generator(), combine="all").operations == ("scale", "flip")


def test_draws_come_from_the_generator_alone_and_do_not_depend_on_the_strategy():
    before = torch.random.get_rng_state()
    states = []
    for strategy in ("none", "crop", DSA_STRATEGY):
        draws = generator()
        draw_transformation(strategy, generator=draws)
        states.append(draws.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
    assert torch.equal(before, torch.random.get_rng_state())


def test_single_precision_makes_the_same_decisions():
    images = random_images((5, 3, 32, 32))
    for seed in range(10):
        drawn = draw_transformation(DSA_STRATEGY, generator=generator(seed), num=5, combine="all")
        single = apply_transformation(drawn, images.float())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), apply_transformation(drawn, images), rtol=1e-4, atol=1e-4)


def test_an_unknown_operation_and_a_wrong_number_are_refused():
    with pytest.raises(ValueError, match=r"no operation 'colour'.*did you mean 'color'"):
        draw_transformation("crop_colour", generator=generator())
    with pytest.raises(ValueError, match="one of 3 images, but there are 2"):
        apply_transformation(transformation("crop", 3), random_images((2, 1, 8, 8)))


# CutMix


@pytest.mark.parametrize("shape", [(5, 3, 32, 32), (4, 1, 8, 8), (3, 2, 5, 7), (1, 1, 4, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_cutmix_equals_a_loop_over_pixels(shape, seed):
    images, labels = random_images(shape), torch.arange(shape[0])
    mixed = cutmix(images, labels, probability=1.0, generator=generator(seed))

    draws = generator(seed)
    _, u, *centre = torch.rand(4, generator=draws, dtype=torch.float64).tolist()
    partners = torch.randperm(shape[0], generator=draws)
    inside = []
    for size, c in zip(shape[2:], centre, strict=True):
        half, middle = int(size * math.sqrt(1 - u)) // 2, int(size * c)
        inside.append([middle - half <= position < middle + half for position in range(size)])
    expected = images.clone()
    for i in range(shape[0]):
        for row in range(shape[2]):
            for column in range(shape[3]):
                if inside[0][row] and inside[1][column]:
                    expected[i, :, row, column] = images[partners[i], :, row, column]
    assert torch.equal(mixed.images, expected)
    assert torch.equal(mixed.partners, partners)
    assert mixed.share == pytest.approx(1 - sum(inside[0]) * sum(inside[1]) / (shape[2] * shape[3]))


def test_cutmix_loss_is_the_cross_entropy_with_soft_labels():
    logits = random_images((4, 3))
    mixed = Mixed(random_images((4, 1, 2, 2)), torch.tensor([0, 1, 2, 0]), torch.tensor([2, 1, 0, 1]), 0.3)
    soft = 0.3 * functional.one_hot(mixed.labels, 3).double() + 0.7 * functional.one_hot(mixed.partners, 3)
    torch.testing.assert_close(mixed_cross_entropy(logits, mixed), functional.cross_entropy(logits, soft))


def test_cutmix_happens_as_often_as_asked_and_draws_the_same():
    images, labels, draws = random_images((2, 1, 8, 8)), torch.tensor([0, 1]), generator()
    shares = [cutmix(images, labels, generator=draws).share for _ in range(1000)]
    assert abs(sum(share == 1 for share in shares) - 515) < 80  # a few rectangles are empty
    states = []
    for probability in (0.0, 1.0):
        draws = generator()
        cutmix(images, labels, probability=probability, generator=draws)
        states.append(draws.get_state())
    assert torch.equal(*states)
    assert torch.equal(images, random_images((2, 1, 8, 8)))
