"""The chosen images: ranks against a loop, the picture against its pixels, the stored rows against the data."""

import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image

from lcmat import data
from lcmat.data import DATASETS
from lcmat.data.dataset import ImageDataset
from lcmat.experiments.seeds import derived_seed
from lcmat.files.paths import data_folder, project_folder
from lcmat.measurements import kinds, selected_images
from lcmat.measurements.contact_sheet import GAP, NAMES_WIDTH, TEXT_GREY, TITLE_HEIGHT, contact_sheet
from lcmat.measurements.selected_images import CANDIDATES, distance_ranks, picture, rows_of, typicality
from lcmat.selection import Coreset, select
from lcmat.sweep.profiles import PROFILES

STORED = kinds.stored("selected-images")
stored = pytest.mark.parametrize(("dataset", "content"), STORED.items(), ids=STORED)


def toy(channels=1):
    images = torch.arange(6 * channels * 4).remainder(256).to(torch.uint8).reshape(6, channels, 2, 2) * 7
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    spread = (0.5,) * channels
    return ImageDataset("toy", "train", images, labels, ("a", "b"), spread, spread, "0", "Made here.")


def test_ranks_are_the_share_of_the_class_that_is_nearer_to_its_mean():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (40,), generator=generator)
    found = distance_ranks(points, labels)
    for i in range(40):
        own = points[labels == labels[i]].numpy()
        distances = np.linalg.norm(own - own.mean(axis=0), axis=1)
        mine = np.linalg.norm(points[i].numpy() - own.mean(axis=0))
        assert float(found[i]) == pytest.approx((distances < mine - 1e-12).sum() / (len(own) - 1), abs=1e-12)


def test_equal_samples_share_their_rank_and_a_lonely_one_has_rank_zero():
    points = torch.tensor([[0.0], [0.0], [3.0], [9.0]], dtype=torch.float64)
    assert distance_ranks(points, torch.tensor([0, 0, 0, 1])).tolist() == [0.0, 0.0, 1.0, 0.0]


def test_probability_and_correctness_are_those_of_the_logits():
    train = toy()
    logits = torch.tensor([[1.0, 0.0]] * 6)
    usual = typicality(train, torch.zeros(6, 2), logits)
    confident = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(usual.probability.numpy(), [confident, 1 - confident] * 3, rtol=1e-12)
    assert usual.correct.tolist() == [1.0, 0.0] * 3


def test_rows_follow_the_coreset():
    train = toy()
    usual = typicality(train, train.images.flatten(1).float(), torch.zeros(6, 2))
    coreset = Coreset(torch.tensor([4, 1]), torch.tensor([3.0, 2.0]), torch.zeros(2))
    rows = rows_of("ours", coreset, train.labels, usual)
    assert [(row["row"], row["label"], row["weight"]) for row in rows] == [(4, 0, 3.0), (1, 1, 2.0)]
    assert rows[0]["pixel_rank"] == float(usual.pixel_rank[4])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_shows_the_chosen_pixels_at_their_places(channels):
    train = toy(channels)
    nothing = torch.zeros(4)
    coresets = {
        "one": Coreset(torch.tensor([0, 4, 1, 5]), nothing, nothing),
        "other": Coreset(torch.tensor([2, 0, 3, 1]), nothing, nothing),
    }
    shown = np.asarray(Image.open(io.BytesIO(picture(train, coresets))).convert("RGBA"))
    assert shown.shape == (TITLE_HEIGHT + 6, NAMES_WIDTH + 6 + GAP + 6, 4)
    assert shown[TITLE_HEIGHT + 2, NAMES_WIDTH, 3] == 0 == shown[-2, NAMES_WIDTH + 7, 3]  # between the images
    words = shown[:TITLE_HEIGHT][shown[:TITLE_HEIGHT, :, 3] > 0]
    assert len(words) and (words[:, :3] == TEXT_GREY).all()
    for block, coreset in enumerate(coresets.values()):
        for place, row in enumerate(coreset.indices.tolist()):
            top, left = TITLE_HEIGHT + 3 * (place // 2), NAMES_WIDTH + (6 + GAP) * block + 3 * (place % 2)
            expected = train.images[row].expand(3, 2, 2).permute(1, 2, 0).numpy().astype(int)
            found = shown[top : top + 2, left : left + 2].astype(int)
            assert np.abs(found[..., :3] - expected).max() <= 8  # the palette
            assert (found[..., 3] == 255).all()


def test_blocks_that_do_not_fit_their_names_are_refused():
    images = np.zeros((2, 3, 4, 4, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="3 rows"):
        contact_sheet({"a": images}, ["x", "y", "z"])
    with pytest.raises(ValueError, match="one size"):
        contact_sheet({"a": images, "b": images[:, :, 1:]}, ["x", "y"])


def test_the_selecting_network_is_that_of_the_profile():
    run = PROFILES["cpu"].studies[0].runs[0].canonical()
    assert {name: run[name] for name in selected_images.SELECTOR} == dict(selected_images.SELECTOR)
    for dataset in STORED:
        ours = {selected_images.parameters_of(dataset, item).canonical()["method"] for item in CANDIDATES}
        assert ours == {item.method for item in CANDIDATES}


@stored
def test_stored_rows_are_as_many_of_each_class_as_the_fraction_asks_for(dataset, content):
    for candidate in CANDIDATES:
        rows = [row for row in content["rows"] if row["candidate"] == candidate.title]
        counts = np.bincount([row["label"] for row in rows])
        assert counts.tolist() == [round(content["fraction"] * size) for size in content["class_sizes"]]
        assert len({row["row"] for row in rows}) == len(rows)
        weights = np.bincount([row["label"] for row in rows], [row["weight"] for row in rows])
        np.testing.assert_allclose(weights, content["class_sizes"], rtol=1e-4)


@stored
def test_the_stored_picture_is_the_one_that_belongs_to_the_rows(dataset, content):
    png = (project_folder() / "book/figures" / selected_images.picture_name(dataset)).read_bytes()
    assert hashlib.sha256(png).hexdigest() == content["picture_sha256"]
    assert len(png) < 150_000


@pytest.mark.slow
@stored
def test_stored_labels_are_those_of_the_data_where_they_are_at_hand(dataset, content):
    if not (data_folder() / DATASETS[dataset].parquet["train"].name).is_file():
        pytest.skip(f"{dataset} is not in {data_folder()}")
    train = data.load(dataset).train
    assert train.content_hash == content["content_hash"]
    assert content["selector_test_accuracy_percent"] > 60 and content["mistakes"] < 0.4  # a network was trained
    rows = content["rows"]
    assert train.labels[[row["row"] for row in rows]].tolist() == [row["label"] for row in rows]
    pixels = distance_ranks(train.images.flatten(1).double(), train.labels)
    np.testing.assert_allclose(pixels[[row["row"] for row in rows]], [row["pixel_rank"] for row in rows], atol=1e-4)
    uniform = [row["row"] for row in rows if row["candidate"] == "Uniform"]
    drawn = select(
        "uniform",
        torch.zeros(len(train), 1),
        torch.zeros(len(train), 10),
        train.labels,
        fraction=content["fraction"],
        seed=derived_seed(selected_images.SEED, "selection"),
    )
    assert uniform == drawn.indices.tolist()
