"""The synthetic set and its recipes: beginnings, multi-formation, files, and refused values."""

import numpy as np
import pytest
import torch
from torch import nn

from lcmat.condensation import OBJECTIVES, CondensationRecipe, initial_set, load_set, published, save_set
from lcmat.condensation.synthetic import decode, herding
from lcmat.data.dataset import content_hash
from lcmat.files.checkpoints import CorruptArtifactError
from tests.test_training import bars


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def uneven():
    """Bars with 15 images of class 0, 15 of class 1 and 2 of class 2."""
    data = bars()
    first, second, third = ((data.labels == label).nonzero()[:, 0] for label in range(3))
    return data.subset(torch.cat([first, second, third[:2]]))


# How it begins


def test_noise_is_standard_normal():
    synthetic = initial_set(bars(), 50, "noise", generator=generator())
    assert synthetic.images.shape == (150, 1, 8, 8)
    assert synthetic.labels.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert synthetic.ipc == 50
    assert abs(synthetic.images.mean()) < 0.05
    assert abs(synthetic.images.std() - 1) < 0.05


def test_real_images_are_different_images_of_the_class():
    data = bars()
    synthetic = initial_set(data, 5, "real", generator=generator())
    originals = data.normalized()
    rows = [int((originals == image).flatten(1).all(1).nonzero()[0]) for image in synthetic.images]
    assert data.labels[rows].tolist() == synthetic.labels.tolist()
    assert len(set(rows)) == 15
    assert not torch.equal(synthetic.images, initial_set(data, 5, "real", generator=generator(1)).images)


@pytest.mark.parametrize("init", ["real", "herding"])
def test_a_small_class_is_used_whole_and_again(init):
    data = uneven()
    synthetic = initial_set(data, 5, init, generator=generator())
    last = synthetic.images[10:]
    originals = data.normalized()[data.labels == 2]
    assert torch.equal(last[2:4], last[:2])
    assert torch.equal(last[4], last[0])
    assert {tuple(image.flatten().tolist()) for image in last} == {tuple(i.flatten().tolist()) for i in originals}


def test_a_class_without_images_is_refused():
    data = bars(num_classes=4)
    with pytest.raises(ValueError, match="no image of class 3"):
        initial_set(data, 2, "real", generator=generator())
    assert len(initial_set(data, 2, "noise", generator=generator()).images) == 8


def test_herding_equals_a_brute_force_search():
    features = torch.randn(12, 3, generator=generator(), dtype=torch.float64)
    mean, chosen = features.numpy().mean(0), []
    for _ in range(6):
        free = [i for i in range(12) if i not in chosen]
        chosen.append(min(free, key=lambda i: np.linalg.norm(mean - features.numpy()[[*chosen, i]].mean(0))))
    assert herding(features, 6).tolist() == chosen
    assert (
        herding(features[:2], 5).tolist() == herding(features[:2], 2).tolist() * 2 + herding(features[:2], 1).tolist()
    )


# Multi-formation


@pytest.mark.parametrize(("size", "factor"), [((8, 8), 2), ((9, 9), 3), ((7, 5), 2), ((8, 8), 3), ((8, 8), 1)])
def test_decoding_enlarges_each_part_of_each_image(size, factor):
    images = torch.randn(4, 3, *size, generator=generator(), dtype=torch.float64)
    part = [-(-side // factor) for side in size]
    padded = torch.zeros(4, 3, part[0] * factor, part[1] * factor, dtype=torch.float64)
    padded[:, :, : size[0], : size[1]] = images
    enlarge, expected = nn.Upsample(size=size, mode="bilinear"), []
    for row in range(factor):
        for column in range(factor):
            for image in padded:
                cut = image[:, row * part[0] : (row + 1) * part[0], column * part[1] : (column + 1) * part[1]]
                expected.append(enlarge(cut[None])[0])
    torch.testing.assert_close(decode(images, factor), torch.stack(expected), rtol=1e-12, atol=1e-12)


def test_decoding_is_differentiable():
    images = torch.randn(1, 1, 5, 4, generator=generator(), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: decode(x, 2), images)


def test_a_set_of_factor_two_decodes_to_its_four_times_as_many_images():
    data = bars()
    synthetic = initial_set(data, 2, "real", generator=generator(), factor=2)
    images, labels = synthetic.decoded()
    assert synthetic.images.shape == (6, 1, 8, 8)
    assert images.shape == (24, 1, 8, 8)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2] * 4
    brightness = [images[labels == label].mean(0)[0] for label in range(3)]
    assert brightness[1][:4].mean() > brightness[1][4:].mean() + 1  # the bright upper half survives
    assert brightness[2][:, :4].mean() > brightness[2][:, 4:].mean() + 1


# Files


def test_a_stored_set_is_the_same_set(tmp_path):
    synthetic = initial_set(bars(), 2, "real", generator=generator(), factor=2)
    save_set(tmp_path / "set.safetensors", synthetic)
    loaded = load_set(tmp_path / "set.safetensors")
    assert torch.equal(loaded.images, synthetic.images)
    assert torch.equal(loaded.labels, synthetic.labels)
    assert (loaded.class_names, loaded.mean, loaded.std, loaded.factor) == (("a", "b", "c"), (0.4,), (0.3,), 2)
    assert loaded.content_hash == synthetic.content_hash


def test_a_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "set.safetensors"
    save_set(path, initial_set(bars(), 1, "noise", generator=generator()))
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptArtifactError):
        load_set(path)


def test_pixels_are_those_of_the_data():
    data = bars()
    synthetic = initial_set(data, 15, "herding", generator=generator())
    assert content_hash(synthetic.pixels().sort(0).values, data.labels) == content_hash(
        torch.cat([data.images[data.labels == label] for label in range(3)]).sort(0).values, data.labels
    )


# Recipes


def test_the_defaults_are_those_of_lcmat_c():
    assert published("lcmat-c", 10) == CondensationRecipe()
    assert published("lcmat-c", 50).image_learning_rate == pytest.approx(0.025)
    controls = {name: published(name, 10) for name in OBJECTIVES if name.endswith("-control")}
    assert len(controls) == 3
    for name, recipe in controls.items():
        assert recipe == CondensationRecipe(objective=name)


@pytest.mark.parametrize(("ipc", "outer", "inner"), [(1, 1, 1), (10, 10, 50), (20, 20, 25), (50, 50, 10)])
def test_loops_of_dc_are_those_of_its_code(ipc, outer, inner):
    for name in ("dc", "dsa"):
        recipe = published(name, ipc)
        assert (recipe.inner_steps, recipe.network_epochs, recipe.train_on) == (outer, inner, "synthetic")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ipc": 0}, "ipc=0 must be at least 1"),
        ({"outer_iterations": -1}, "outer_iterations=-1"),
        ({"rho": float("nan")}, "rho=nan"),
        ({"image_learning_rate": 0.0}, "image_learning_rate=0.0 must be positive"),
        ({"image_momentum": 1.0}, "image_momentum=1.0"),
        ({"norm": "l3"}, "norm must be 'l2' or 'l1' or 'squared', got 'l3'"),
        ({"distance": "mse"}, "distance='mse' must be one of layerwise, squared, cosine"),
        ({"objective": "lcmat"}, "no objective 'lcmat'; did you mean 'lcmat-c'"),
        ({"augmentation": "colour"}, "no operation 'colour'"),
        ({"compile": True, "classes_per_pass": 2}, "set classes_per_pass=1"),
        ({"ipc": 1}, "set ipc=2 or more, or rho=0"),
        ({"synthetic_batch": 1}, "set synthetic_batch=2 or more, or rho=0"),
    ],
)
def test_recipes_refuse_what_no_run_can_use(values, message):
    with pytest.raises(ValueError, match=message):
        CondensationRecipe(**values)


def test_one_image_per_class_is_possible_without_variance():
    assert CondensationRecipe(ipc=1, rho=0.0).ipc == 1
    assert CondensationRecipe(ipc=1, factor=2).ipc == 1
    assert published("dc", 1).inner_steps == 1
    assert published("second-moment-control", 1).rho > 0
