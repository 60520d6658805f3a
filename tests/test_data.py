"""Data sets: what is loaded is what the files hold, and every damage is an error that names file and remedy.

Most tests read small Parquet files made here; those marked `real_files` read the real ones, if LCMAT_DATA has them.
"""

import hashlib
import io
import json
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from lcmat.config.datasets import DatasetSpec, ParquetFile, TorchvisionFiles
from lcmat.data import DATASETS, DataError, ImageDataset, canonical, load
from lcmat.data.dataset import channel_statistics, content_hash
from lcmat.data.loading import load_spec
from lcmat.files import paths

COUNTS = {"train": (3, 2), "test": (1, 2)}
SHAPE = (3, 4, 4)


def pixels_of(split, channels=3):
    """Images (n, height, width, channels) and labels of the synthetic set."""
    rng = np.random.default_rng(len(split))
    labels = rng.permutation(np.repeat([0, 1], COUNTS[split]))
    return rng.integers(0, 256, (len(labels), 4, 4, channels), dtype=np.uint8), labels


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(path, encoded, labels, metadata=None, label_column="label", index=None):
    """Write a file in the layout of the real ones; returns what the catalogue says of it."""
    images = [{"bytes": content, "path": None} for content in encoded]
    columns = {"image": images, label_column: pyarrow.array(labels, pyarrow.int64())}
    table = pyarrow.table(columns | ({} if index is None else {"index": pyarrow.array(index, pyarrow.int32())}))
    parquet.write_table(table.replace_schema_metadata(metadata or {"class_names": json.dumps(["cat", "dog"])}), path)
    return ParquetFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def spec(folder):
    files = {}
    for split in COUNTS:
        images, labels = pixels_of(split)
        files[split] = write_parquet(folder / f"toy-{split}.parquet", [png(image) for image in images], labels)
    return DatasetSpec("toy", "Toy", 3, 4, COUNTS, parquet=files, parquet_provenance="A synthetic toy")


@pytest.fixture
def read(spec, folder, cache):
    """Load the synthetic set, or the one that the changed spec describes."""

    def read_spec(changed=None, **options):
        return load_spec(changed or spec, **{"folder": folder, "cache": cache, "download": False, **options})

    return read_spec


def rewritten(spec, folder, encoded, labels, **options):
    """The spec whose train file is replaced by another one, of known hash."""
    file = write_parquet(folder / "toy-train.parquet", encoded, labels, **options)
    return replace(spec, parquet={**spec.parquet, "train": file})


# What is loaded


def test_splits_hold_the_pixels_and_labels_of_the_files_in_their_order(read):
    for split, dataset in read()._asdict().items():
        images, labels = pixels_of(split)
        assert dataset.split == split and dataset.name == "toy"
        assert torch.equal(dataset.images, torch.from_numpy(images).permute(0, 3, 1, 2))
        assert dataset.labels.tolist() == labels.tolist()
        assert dataset.class_names == ("cat", "dog") and dataset.num_classes == 2


def test_both_splits_carry_the_mean_and_std_of_the_train_pixels(read):
    pixels = pixels_of("train")[0] / 255
    for dataset in read():
        np.testing.assert_allclose(dataset.mean, pixels.mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(dataset.std, pixels.std((0, 1, 2)), rtol=1e-12)


def test_grey_images_get_one_channel(spec, folder, cache):
    files = {}
    for split in COUNTS:
        images, labels = pixels_of(split, channels=1)
        files[split] = write_parquet(folder / f"grey-{split}.parquet", [png(image) for image in images], labels)
    train, _ = load_spec(replace(spec, channels=1, parquet=files), folder=folder, cache=cache, download=False)
    assert torch.equal(train.images[:, 0], torch.from_numpy(pixels_of("train", channels=1)[0][..., 0]))


def test_rows_are_put_into_the_order_that_the_index_states(read, spec, folder):
    images, labels = pixels_of("train")
    order = [3, 0, 4, 1, 2]  # row of the file -> row of the release
    changed = rewritten(spec, folder, [png(images[row]) for row in order], labels[order], index=order)
    train = read(changed).train
    assert torch.equal(train.images, torch.from_numpy(images).permute(0, 3, 1, 2))
    assert train.labels.tolist() == labels.tolist()


def test_provenance_tells_copy_and_hash(read, spec):
    assert read().test.provenance == f"A synthetic toy; Parquet SHA-256 {spec.parquet['test'].sha256[:8]}."


def test_first_of_the_words_names_a_class(read, spec, folder):
    images, labels = pixels_of("train")
    metadata = {"class_names": '["n01", "n02"]', "words": '["tench, Tinca tinca", "goldfish"]'}
    changed = rewritten(spec, folder, [png(image) for image in images], labels, metadata=metadata)
    assert read(changed).train.class_names == ("tench", "goldfish")


# The decoded cache


def test_second_load_is_identical_and_decodes_nothing(read, monkeypatch):
    first = read()
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    for before, after in zip(first, read(), strict=True):
        assert torch.equal(before.images, after.images) and torch.equal(before.labels, after.labels)
        names = ("name", "split", "class_names", "mean", "std", "content_hash", "provenance")
        assert [getattr(before, name) for name in names] == [getattr(after, name) for name in names]


def test_replaced_source_is_noticed_although_the_cache_is_full(read, folder):
    read()
    path = folder / "toy-train.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"toy-train\.parquet.*SHA-256"):
        read()


def test_known_other_version_of_the_source_is_decoded_anew(read, spec, folder):
    before = read().train
    images, labels = pixels_of("train")
    after = read(rewritten(spec, folder, [png(255 - image) for image in images], labels)).train
    assert torch.equal(after.images, 255 - before.images)
    assert after.content_hash != before.content_hash


def test_damaged_cache_entry_is_made_again_with_a_warning(read, cache):
    before = read().train
    entry = next(cache.glob("toy-train-*"))
    entry.write_bytes(entry.read_bytes()[:-1] + b"\xff")
    with pytest.warns(RuntimeWarning, match="toy-train.*made again"):
        assert read().train.content_hash == before.content_hash
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read()


def test_cache_entry_of_the_other_split_is_not_believed(read, cache):
    before = read()
    train, test = next(cache.glob("toy-train-*")), next(cache.glob("toy-test-*"))
    test.write_bytes(train.read_bytes())
    with pytest.warns(RuntimeWarning, match="toy-test.*holds toy-train.*made again"):
        assert read().test.content_hash == before.test.content_hash


def test_unwritable_cache_costs_one_warning_and_no_data(read, tmp_path):
    blocker = tmp_path / "a file"
    blocker.write_text("not a folder")
    with pytest.warns(RuntimeWarning) as caught:
        splits = [read(cache=blocker / "decoded") for _ in range(2)]
    assert len(caught) == 1
    assert "a file" in str(caught[0].message) and "LCMAT_CACHE" in str(caught[0].message)
    assert splits[0].train.content_hash == splits[1].train.content_hash
    assert blocker.read_text() == "not a folder"


def _hashes(arguments):
    spec, folder, cache = arguments
    return [dataset.content_hash for dataset in load_spec(spec, folder=folder, cache=cache, download=False)]


def test_processes_that_decode_at_once_do_not_disturb_each_other(spec, folder, cache):
    import multiprocessing

    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as pool:
        results = list(pool.map(_hashes, [(spec, folder, cache)] * 9))
    assert results == [_hashes((spec, folder, cache))] * 9
    assert sorted(path.name.split("-")[1] for path in cache.iterdir()) == ["test", "train"]


# Damage: each message names the file and the remedy


def test_truncated_file(read, folder):
    path = folder / "toy-test.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"toy-test\.parquet \(100 bytes\).*truncated.*again"):
        read()


def test_swapped_files(read, folder):
    train, test = folder / "toy-train.parquet", folder / "toy-test.parquet"
    content = train.read_bytes()
    train.write_bytes(test.read_bytes())
    test.write_bytes(content)
    with pytest.raises(DataError, match=r"toy-train\.parquet .*it is toy-test\.parquet under another name"):
        read()


def test_file_that_is_not_parquet(read, spec, folder):
    (folder / "toy-train.parquet").write_bytes(b"not parquet")
    known = ParquetFile("toy-train.parquet", hashlib.sha256(b"not parquet").hexdigest())
    with pytest.raises(DataError, match=r"toy-train\.parquet is not a Parquet file.*Replace it"):
        read(replace(spec, parquet={**spec.parquet, "train": known}))


def test_file_that_cannot_be_read(read, folder):
    (folder / "toy-train.parquet").unlink()
    (folder / "toy-train.parquet").mkdir()
    with pytest.raises(DataError, match=r"toy-train\.parquet cannot be read.*LCMAT_DATA"):
        read()


def test_one_split_of_a_copy_is_not_completed_from_elsewhere(read, folder):
    (folder / "toy-test.parquet").unlink()
    with pytest.raises(DataError, match=r"toy-test\.parquet is missing, though toy-train\.parquet is there.*away"):
        read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_column": "target"}, r"no column 'label', only image, target\. Replace it"),
        ({"metadata": {"source": "nobody"}}, r"no class names.*Replace it"),
        ({"metadata": {"class_names": '["cat"]'}}, r"1 class names, expected 2\. Replace it"),
        ({"labels": [0, 0, 0, 0, 0]}, r"5 images of class 0 \(cat\), expected 3\. Replace it"),
        ({"labels": [0, 0, 0, 1, 2]}, r"labels outside 0 \.\.\. 1\. Replace it"),
        ({"encoded": {4: b"garbage"}}, r"row 4: not an image.*Replace it"),
        ({"encoded": {2: png(np.zeros((5, 4, 3), np.uint8))}}, r"row 2: an image of shape \(3, 5, 4\), expected"),
        ({"encoded": {0: png(np.zeros((4, 4), np.uint8))}}, r"row 0: an image of shape \(1, 4, 4\), expected"),
    ],
)
def test_wrong_content(read, spec, folder, change, message):
    images, labels = pixels_of("train")
    encoded = {**{row: png(image) for row, image in enumerate(images)}, **change.pop("encoded", {})}
    changed = rewritten(spec, folder, list(encoded.values()), change.pop("labels", labels), **change)
    with pytest.raises(DataError, match=rf"toy-train\.parquet.*{message}"):
        read(changed)


@pytest.mark.parametrize("index", [[0, 1, 2, 3, 3], [1, 2, 3, 4, 5]])
def test_index_that_is_no_order(read, spec, folder, index):
    images, labels = pixels_of("train")
    changed = rewritten(spec, folder, [png(image) for image in images], labels, index=index)
    with pytest.raises(DataError, match=r"toy-train\.parquet.*'index' does not number the rows 0 \.\.\. 4"):
        read(changed)


def test_missing_class(read, spec, folder):
    images, _ = pixels_of("train")
    changed = rewritten(spec, folder, [png(image) for image in images[:3]], [0, 0, 0])
    with pytest.raises(DataError, match=r"toy-train\.parquet: 0 images of class 1 \(dog\), expected 2"):
        read(changed)


# The canonical releases


class FakeTorchvision:
    """Stands for the classes of torchvision.datasets: the three layouts in which they hold pixels."""

    def __init__(self, layout):
        self.layout = layout
        self.calls = []

    def __call__(self, name, split, folder, download):
        self.calls.append((name, split, folder, download))
        images, labels = pixels_of(split, channels=1 if self.layout == "grey" else 3)
        if self.layout == "grey":
            grey = torch.from_numpy(images[..., 0])
            return SimpleNamespace(data=grey, targets=torch.from_numpy(labels), classes=["a", "b"])
        if self.layout == "channels last":
            return SimpleNamespace(data=images, targets=labels.tolist(), classes=["a", "b"])
        return SimpleNamespace(data=images.transpose(0, 3, 1, 2), labels=labels)


def without_parquet(spec, **changes):
    files = TorchvisionFiles("Toy", {"train": "toy.tar.gz", "test": "toy.tar.gz"})
    return replace(spec, parquet={}, torchvision=files, **changes)


@pytest.mark.parametrize("layout", ["grey", "channels last", "channels first"])
def test_torchvision_layouts_become_channels_first(read, spec, folder, monkeypatch, layout):
    fake = FakeTorchvision(layout)
    monkeypatch.setattr(canonical, "_torchvision", fake)
    channels = 1 if layout == "grey" else 3
    names = ("a", "b") if layout == "channels first" else None
    release = without_parquet(spec, channels=channels, class_names=names)
    for _ in range(2):
        train, test = read(release, download=True)
    images, labels = pixels_of("train", channels)
    assert torch.equal(train.images, torch.from_numpy(images).permute(0, 3, 1, 2))
    assert train.labels.tolist() == labels.tolist() and train.class_names == ("a", "b")
    assert test.provenance == "Toy, canonical release."
    assert fake.calls == [("Toy", split, folder, True) for split in ("train", "test")]  # the second load: none


def test_parquet_files_win_over_torchvision(read, spec, monkeypatch):
    monkeypatch.setattr(canonical, "_torchvision", lambda *_: pytest.fail("asked torchvision"))
    files = TorchvisionFiles("Toy", {"train": "toy.tar.gz", "test": "toy.tar.gz"})
    assert len(read(replace(spec, torchvision=files), download=True).train) == 5


@pytest.fixture
def release(spec, monkeypatch):
    """A release of known content, and the fake that delivers it."""
    fake = FakeTorchvision("channels last")
    monkeypatch.setattr(canonical, "_torchvision", fake)
    content = {}
    for split in COUNTS:
        images, labels = pixels_of(split)
        shape = repr((len(images), *SHAPE)).encode()
        pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        content[split] = hashlib.sha256(shape + pixels.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    return without_parquet(spec, content=content), fake


def altered(fake, change):
    """What `fake` delivers, the pixels changed."""

    def deliver(*arguments):
        found = fake(*arguments)
        found.data = change(found.data)
        return found

    return deliver


def test_release_of_known_content_is_accepted(read, release):
    assert read(release[0], download=True).train.content_hash == release[0].content["train"]


@pytest.mark.parametrize("change", [np.zeros_like, lambda pixels: pixels[[0, 1, 2, 4, 3][: len(pixels)]]])
def test_release_of_other_content_is_refused(read, release, monkeypatch, change):
    spec, fake = release
    monkeypatch.setattr(canonical, "_torchvision", altered(fake, change))
    with pytest.raises(DataError, match=r"toy\.tar\.gz: pixels or labels are not those of Toy.*Take the file away"):
        read(spec, download=True)


def test_rows_of_which_nothing_is_proven_may_differ_and_no_others(read, release, monkeypatch):
    spec, fake = release

    def blacken(pixels):
        return np.where(np.arange(len(pixels))[:, None, None, None] == 1, 0, pixels).astype(np.uint8)

    train = np.ascontiguousarray(blacken(pixels_of("train")[0]).transpose(0, 3, 1, 2))
    known = hashlib.sha256(repr(train.shape).encode() + train.tobytes())
    known.update(pixels_of("train")[1].astype("<i8").tobytes())
    spec = replace(spec, content={"train": known.hexdigest()}, unproven={"train": (1,)})
    assert read(spec, download=True).train.content_hash != known.hexdigest()
    monkeypatch.setattr(canonical, "_torchvision", altered(fake, lambda pixels: np.roll(pixels, 1, axis=0)))
    with pytest.raises(DataError, match="not those of Toy"):
        read(replace(spec, parquet={}, name="toy2"), download=True)


def test_wrong_counts_in_a_release_are_refused(read, spec, monkeypatch):
    monkeypatch.setattr(canonical, "_torchvision", FakeTorchvision("channels last"))
    with pytest.raises(DataError, match=r"toy\.tar\.gz: 3 images of class 0 \(a\), expected 9"):
        read(without_parquet(spec, counts={**COUNTS, "train": (9, 2)}), download=True)


def test_wrong_shape_in_a_release_is_refused(read, spec, monkeypatch):
    monkeypatch.setattr(canonical, "_torchvision", FakeTorchvision("channels last"))
    with pytest.raises(DataError, match=r"toy\.tar\.gz: images of shape \(3, 4, 4\), expected \(3, 8, 8\)\. Take"):
        read(without_parquet(spec, image_size=8), download=True)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "mnist"])
def test_no_network_names_the_files_the_folder_and_the_remedies(name, tmp_path, monkeypatch):
    import urllib.error
    import urllib.request

    def offline(*_, **__):
        raise urllib.error.URLError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(DataError) as caught:
        load(name, folder=tmp_path / "data", cache=tmp_path)
    message, spec = str(caught.value), DATASETS[name]
    wanted = [text for file in spec.parquet.values() for text in (file.name, file.sha256)]
    wanted += [
        spec.torchvision.files["train"],
        str(tmp_path / "data"),
        "no network in this test",
        "network access",
        "LCMAT_DATA",
    ]
    assert [text for text in wanted if text not in message] == []


def test_nothing_is_downloaded_unless_allowed(tmp_path, monkeypatch):
    import urllib.request

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("asked the network"))
    with pytest.raises(DataError, match=r"cifar-100-python\.tar\.gz.*downloading was not allowed"):
        load("cifar100", folder=str(tmp_path), cache=str(tmp_path), download=False)


def test_unwritable_data_folder_is_named(tmp_path):
    (tmp_path / "a file").write_text("")
    with pytest.raises(DataError, match=r"a file/data.*writable.*LCMAT_DATA"):
        load("svhn", folder=tmp_path / "a file" / "data", cache=tmp_path)


def test_what_cannot_be_downloaded_says_which_files_to_put_where(tmp_path):
    with pytest.raises(DataError, match=r"tiny-imagenet32-train\.parquet.*cannot be downloaded.*put .*LCMAT_DATA"):
        load("tiny-imagenet-32", folder=tmp_path, cache=tmp_path)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"no data set 'cifar'; did you mean 'cifar10'\? Known: digits, mnist"):
        load("cifar")


# The object


@pytest.fixture
def toy():
    images = torch.arange(5 * 3 * 4 * 4, dtype=torch.int64).reshape(5, *SHAPE).to(torch.uint8)
    labels = torch.tensor([0, 1, 1, 0, 1])
    mean, std = channel_statistics(images)
    digest = content_hash(images, labels)
    return ImageDataset("toy", "train", images, labels, ("a", "b"), mean, std, digest, "Made here.")


def test_normalized_follows_its_formula_per_channel(toy):
    for channel, (mean, std) in enumerate(zip(toy.mean, toy.std, strict=True)):
        expected = (toy.images[:, channel].double() / 255 - mean) / std
        torch.testing.assert_close(toy.normalized()[:, channel].double(), expected, rtol=1e-5, atol=1e-6)
    assert toy.normalized().dtype == torch.float32
    assert toy.normalized().mean().abs() < 1e-6


@pytest.mark.parametrize("indices", [[3, 0, 3], torch.tensor([4, 1]), [], slice(1, 3)])
def test_normalized_rows_equal_rows_of_all(toy, indices):
    assert torch.equal(toy.normalized(indices), toy.normalized()[indices])


def test_works_as_a_torch_dataset_and_leaves_its_bytes_alone(toy):
    before = toy.images.clone()
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(toy, [4, 2]), batch_size=2)
    images, labels = next(iter(loader))
    assert torch.equal(images, toy.normalized([4, 2])) and labels.tolist() == [1, 1]
    assert len(list(toy)) == len(toy) == 5
    assert torch.equal(toy.images, before)


def test_subset_keeps_metadata_and_hashes_its_own_content(toy):
    subset = toy.subset([4, 0])
    assert subset.labels.tolist() == [1, 0] and torch.equal(subset.images, toy.images[[4, 0]])
    assert (subset.mean, subset.num_classes, subset.provenance) == (toy.mean, 2, "Made here.")
    assert subset.content_hash == content_hash(toy.images[[4, 0]], toy.labels[[4, 0]])
    assert toy.subset(range(5)).content_hash == toy.content_hash
    assert len(toy.subset([])) == 0


def test_content_hash_depends_on_pixels_labels_and_shape_only(toy):
    images, labels = toy.images, toy.labels
    others = [
        content_hash(images, 1 - labels),
        content_hash(images ^ (torch.arange(4) == 0).to(torch.uint8), labels),
        content_hash(images.reshape(5, 3, 2, 8), labels),
        content_hash(images.flip(0), labels.flip(0)),
    ]
    assert len({toy.content_hash, *others}) == 5
    strided = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert content_hash(strided, labels) == toy.content_hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(5, 3, 4, 4)}, r"uint8 \(n, channels"),
        ({"images": torch.zeros(5, 4, 4, dtype=torch.uint8)}, r"uint8 \(n, channels"),
        ({"labels": torch.zeros(4, dtype=torch.int64)}, r"int64 \(5,\)"),
        ({"labels": torch.zeros(5)}, r"int64 \(5,\)"),
        ({"mean": (0.5,)}, "mean and std"),
        ({"std": (0.5, 0.0, 0.5)}, "mean and std"),
    ],
)
def test_other_tensors_are_refused(toy, change, message):
    with pytest.raises(ValueError, match=message):
        replace(toy, **change)


# The registry and the package


def test_registry_is_consistent():
    for name, spec in DATASETS.items():
        assert spec.name == name
        assert {len(counts) for counts in spec.counts.values()} == {spec.num_classes}
        assert spec.class_names is None or len(spec.class_names) == spec.num_classes
        assert bool(spec.parquet) == bool(spec.parquet_provenance)
        assert name == "digits" or spec.parquet or spec.torchvision
    sizes = {name: [sum(spec.counts[split]) for split in ("train", "test")] for name, spec in DATASETS.items()}
    published = {"mnist": [60000, 10000], "cifar100": [50000, 10000], "svhn": [73257, 26032], "cifar10": [50000, 10000]}
    assert {name: sizes[name] for name in published} == published


def test_torchvision_has_the_classes_and_files_that_the_registry_names():
    from torchvision import datasets

    for spec in DATASETS.values():
        if spec.torchvision:
            source = getattr(datasets, spec.torchvision.dataset)
            known = [getattr(source, "filename", None), *np.ravel(list(getattr(source, "split_list", {}).values()))]
            known += [name for name, _ in getattr(source, "resources", [])]
            assert set(spec.torchvision.files.values()) <= set(known)


def test_digits_are_those_of_scikit_learn(tmp_path):
    from sklearn.datasets import load_digits

    train, test = load("digits", cache=tmp_path)
    pixels, labels = load_digits(return_X_y=True)
    images = torch.cat([train.images, test.images]).flatten(1)
    restored, classes = (images.double() * 16 / 255).round(), torch.cat([train.labels, test.labels])
    found = sorted(zip(restored.tolist(), classes.tolist(), strict=True))
    assert found == sorted(zip(pixels.tolist(), labels.tolist(), strict=True))
    assert images.max() == 255
    assert "stratified 80/20" in train.provenance


# The real files: skipped where they are not


def real(*names, slow=()):
    def has_files(name):
        return all((paths.data_folder() / file.name).is_file() for file in DATASETS[name].parquet.values())

    def marks(name):
        missing = pytest.mark.skipif(not has_files(name), reason=f"LCMAT_DATA has no {name}")
        return [missing, pytest.mark.slow] if name in slow else [missing]

    return [pytest.param(name, marks=marks(name)) for name in names]


@pytest.mark.parametrize("name", real("mnist", "cifar10", "cifar100", slow=("cifar10", "cifar100")))
def test_real_files_have_the_published_statistics(name):
    mean, std = {
        "mnist": ((0.1307,), (0.3081,)),
        "cifar10": ((0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784)),
        "cifar100": ((0.50707516, 0.48654887, 0.44091784), (0.26733429, 0.25643846, 0.27615047)),
    }[name]
    train, _ = load(name)
    digits = 5e-5 if name == "mnist" else 5e-9
    assert train.mean == pytest.approx(mean, abs=digits) and train.std == pytest.approx(std, abs=digits)


@pytest.mark.parametrize("name", real("mnist"))
def test_mnist_is_the_canonical_release(name):
    """The idx files that it rebuilds have the MD5 of the published ones."""
    train, test = load(name)
    known = ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624")
    known += ("2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637")
    found = []
    for split in (train, test):
        sizes = np.array([len(split), 28, 28], ">i4").tobytes()
        found.append(hashlib.md5(b"\0\0\x08\x03" + sizes + split.images.numpy().tobytes()).hexdigest())
        found.append(
            hashlib.md5(b"\0\0\x08\x01" + sizes[:4] + split.labels.to(torch.uint8).numpy().tobytes()).hexdigest()
        )
    assert found == list(known)


@pytest.mark.slow
@pytest.mark.parametrize("name", real("cifar10"))
def test_cifar10_is_what_torchvision_reads(name, tmp_path):
    """From the pickles that a script beside the files restores, whose MD5 torchvision checks."""
    from torchvision.datasets import CIFAR10

    script = paths.data_folder() / "restore-canonical.py"
    subprocess.run([sys.executable, script, script.parent, tmp_path], check=True)
    for split, ours in load(name)._asdict().items():
        theirs = CIFAR10(tmp_path, train=split == "train", download=False)
        assert np.array_equal(ours.images.permute(0, 2, 3, 1).numpy(), theirs.data)
        assert ours.labels.tolist() == theirs.targets and ours.class_names == tuple(theirs.classes)
