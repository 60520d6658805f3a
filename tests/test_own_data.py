"""Data of one's own, from folders, tensors and data sets, against the pixels that were written."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import TensorDataset

from lcmat.condensation import CondensationRecipe, condense
from lcmat.data import DataError, ImageDataset
from lcmat.data.dataset import channel_statistics

COUNTS = {"bird": 9, "cat": 14, "dog": 5}


def pixels_of(kind, number, size=(16, 16)):
    """RGB (height, width, 3): noise around a colour of the class."""
    rng = np.random.default_rng([list(COUNTS).index(kind), number])
    shade = np.eye(3)[list(COUNTS).index(kind)] * 160
    return (shade + rng.integers(0, 80, (*size, 3))).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    for kind, count in COUNTS.items():
        (tmp_path / "animals" / kind).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(pixels_of(kind, number)).save(tmp_path / "animals" / kind / f"{number:02}.png")
    return tmp_path / "animals"


def test_the_ten_lines_of_the_readme_train_a_torchvision_resnet_on_a_coreset(folder, monkeypatch):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "torchvision" in block]
    assert len([line for line in code.splitlines() if line]) == 10
    folder.rename(folder.with_name("pictures"))
    monkeypatch.chdir(folder.parent)
    names = {}
    exec(code.replace("epochs=10", "epochs=2"), names)

    small = names["coreset"].subset(names["pictures"])
    assert torch.bincount(small.labels).tolist() == [4, 6, 2]  # round(0.4 * 9), round(0.4 * 14), round(0.4 * 5)
    assert torch.equal(small.images, names["pictures"].images[names["coreset"].indices])
    assert int(names["learner"].bn1.num_batches_tracked) == 4, "two epochs of 12 images, eight at a time"


def test_a_folder_gives_the_pixels_that_were_written_class_by_class(folder):
    data = ImageDataset.from_folder(folder)
    expected = np.stack([pixels_of(kind, number) for kind, count in COUNTS.items() for number in range(count)])
    assert np.array_equal(data.images.permute(0, 2, 3, 1).numpy(), expected)
    assert data.labels.tolist() == [0] * 9 + [1] * 14 + [2] * 5
    assert (data.class_names, data.name, data.split) == (("bird", "cat", "dog"), "animals", "train")
    assert str(folder.parent) not in data.provenance, "a record must not tell where the folder lies"
    np.testing.assert_allclose(data.mean, expected.reshape(-1, 3).mean(0) / 255, rtol=1e-12)
    np.testing.assert_allclose(data.std, expected.reshape(-1, 3).std(0) / 255, rtol=1e-12)


def test_a_folder_equals_torchvisions_image_folder(folder):
    torchvisions = torchvision.datasets.ImageFolder(folder)
    ours, theirs = ImageDataset.from_folder(folder), ImageDataset.from_torch(torchvisions)
    assert ours.content_hash == theirs.content_hash and ours.class_names == theirs.class_names
    as_floats = torchvision.datasets.ImageFolder(folder, transform=torchvision.transforms.ToTensor())
    assert ImageDataset.from_torch(as_floats).content_hash == ours.content_hash


def test_all_kinds_of_images_and_labels_become_the_same_data_set():
    bytes_ = torch.randint(0, 256, (6, 3, 5, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    last = bytes_.permute(0, 2, 3, 1).numpy()
    pictures = [(Image.fromarray(image), int(label)) for image, label in zip(last, labels, strict=True)]
    forms = [
        (bytes_, labels),
        (bytes_ / 255, labels.to(torch.int32)),
        (bytes_.double() / 255, labels.tolist()),
        (last, labels.numpy()),
        (TensorDataset(bytes_, labels),),
        (TensorDataset(bytes_.half() / 255, labels),),
        (pictures,),
    ]
    for form in forms:
        data = ImageDataset.from_torch(*form)
        assert torch.equal(data.images, bytes_) and torch.equal(data.labels, labels)
    gray = ImageDataset.from_torch(bytes_[:, 0], labels, class_names="abc", name="mine", split="test", provenance="P.")
    assert torch.equal(gray.images, bytes_[:, :1])
    assert (gray.class_names, gray.name, gray.split, gray.provenance) == (("a", "b", "c"), "mine", "test", "P.")


def test_a_test_set_takes_classes_mean_and_standard_deviation_of_its_training_set(folder, tmp_path):
    train = ImageDataset.from_folder(folder)
    (tmp_path / "test" / "dog").mkdir(parents=True)
    Image.fromarray(pixels_of("dog", 99)).save(tmp_path / "test" / "dog" / "x.PNG")
    test = ImageDataset.from_folder(tmp_path / "test", like=train, split="test")
    assert test.labels.tolist() == [2] and test.num_classes == 3
    assert (test.mean, test.std) == (train.mean, train.std) != channel_statistics(test.images)
    with pytest.raises(ValueError, match=r"\(1, 16, 16\), but those of like= are \(3, 16, 16\)"):
        ImageDataset.from_folder(tmp_path / "test", mode="L", like=train)
    (tmp_path / "test" / "wolf").mkdir()
    with pytest.raises(DataError, match=r"sub-folders dog, wolf.*of bird, cat, dog"):
        ImageDataset.from_folder(tmp_path / "test", like=train)


def test_a_channel_of_one_value_becomes_zero():
    data = ImageDataset.from_torch(torch.full((2, 1, 2, 2), 7, dtype=torch.uint8), [0, 1])
    assert torch.allclose(data.normalized(), torch.zeros(2, 1, 2, 2), atol=1e-7)


def test_pictures_of_different_sizes_are_refused_or_scaled(folder):
    Image.fromarray(pixels_of("cat", 0, size=(20, 10))).save(folder / "cat" / "other.jpg")
    with pytest.raises(DataError, match=r"other\.jpg is 10 x 20 pixels.*00\.png is 16 x 16.*image_size="):
        ImageDataset.from_folder(folder)
    assert ImageDataset.from_folder(folder, image_size=12, mode="L").images.shape == (29, 1, 12, 12)


def test_a_folder_that_is_not_as_it_must_be_is_named(folder, tmp_path):
    with pytest.raises(DataError, match=r"nowhere is no folder"):
        ImageDataset.from_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"cat has the sub-folders \(none\)"):
        ImageDataset.from_folder(folder / "cat")
    (folder / "emu").mkdir()
    with pytest.raises(DataError, match=r"emu has no image"):
        ImageDataset.from_folder(folder)
    (folder / "emu" / "broken.png").write_bytes((folder / "cat" / "00.png").read_bytes()[:100])
    with pytest.raises(DataError, match=r"broken\.png cannot be read"):
        ImageDataset.from_folder(folder)
    Image.fromarray(np.full((16, 16), 40_000, dtype=np.uint16)).save(folder / "emu" / "broken.png")
    with pytest.raises(DataError, match=r"broken\.png has more than 8 bits"):
        ImageDataset.from_folder(folder)


IMAGES = torch.zeros(2, 1, 3, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((IMAGES - 1, [0, 1]), "must lie in 0..1: give them before they are normalised"),
        ((IMAGES * torch.nan, [0, 1]), "must lie in 0..1"),
        ((IMAGES.long(), [0, 1]), "must be uint8 or floats in 0..1, not torch.int64"),
        ((IMAGES[0, 0], [0, 1, 2]), "must be (n, channels, height, width), not (3, 3)"),
        ((IMAGES, [0]), "2 images and 1 labels"),
        ((IMAGES[:0], torch.zeros(0, dtype=torch.int64)), "0 images and 0 labels"),
        ((IMAGES, [0, -1]), "labels -1..0 for the 1 classes 0"),
        ((IMAGES, [0.0, 1.0]), "labels must be whole numbers (n,)"),
        ((IMAGES, [[1, 0], [0, 1]]), "labels must be whole numbers (n,), one for each image, not torch.int64 (2, 2)"),
        ((IMAGES, ["cat", "dog"]), "labels must be whole numbers"),
        (([IMAGES[0], IMAGES[1]], [0, 1]), "must be a tensor or an array, not list"),
        ((IMAGES,), "item 0 is no pair (image, label); of images alone give labels="),
        ((iter([]),), "give a map-style data set"),
        (([],), "the data set is empty"),
        (([(IMAGES[0], 0), (torch.zeros(1, 2, 3), 0)],), "image 1 is (1, 2, 3), image 0 is (1, 3, 3)"),
        (([(IMAGES[0], 0), (IMAGES[1] + 2, 0)],), "own, item 1: images as floats must lie in 0..1"),
    ],
)
def test_what_is_no_data_set_is_refused_and_named(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ImageDataset.from_torch(*given)
    with pytest.raises(ValueError, match=r"labels 0..1 for the 1 classes a: number the classes from 0"):
        ImageDataset.from_torch(IMAGES, [0, 1], class_names=["a"])


def test_own_images_can_be_condensed(folder):
    data = ImageDataset.from_folder(folder)
    recipe = CondensationRecipe(ipc=2, width=4, outer_iterations=1, inner_steps=1, real_batch=4, network_images=8)
    result = condense(data, recipe, generator=torch.Generator().manual_seed(0))
    assert result.synthetic.class_names == data.class_names and result.synthetic.images.shape == (6, 3, 16, 16)
    with pytest.raises(ValueError, match=r"16 x 15 pixels: the networks take square ones"):
        condense(
            ImageDataset.from_torch(data.images[..., :15], data.labels),
            recipe,
            generator=torch.Generator().manual_seed(0),
        )
