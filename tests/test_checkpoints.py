"""Checkpoints: what is read is what was written, or an error that names the file."""

import os
import random

import pytest
import safetensors.torch
import torch

from lcmat.files import checkpoints
from lcmat.files.checkpoints import CorruptArtifactError

TENSORS = {
    "weights": torch.linspace(0, 1, 6).reshape(2, 3),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(3, dtype=torch.int64),
    "mask": torch.tensor([True, False]),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "transposed": torch.arange(6).reshape(2, 3).T,
}
METADATA = {"epoch": 3, "note": '{"sha256": "', "nested": {"sha256": "x", "list": [0.1, None, True]}}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.safetensors"
    checkpoints.save(file, TENSORS, METADATA)
    return file


def test_round_trip_keeps_values_dtypes_shapes_and_metadata(path):
    tensors, metadata = checkpoints.load(path)
    assert metadata == METADATA
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(tensors[name], tensor, rtol=0, atol=0)


def test_file_is_plain_safetensors_to_other_tools(path):
    assert torch.equal(safetensors.torch.load_file(path)["weights"], TENSORS["weights"])


def test_loaded_tensors_may_be_modified(path):
    tensors, _ = checkpoints.load(path)
    tensors["weights"].zero_()
    assert checkpoints.load(path)[0]["weights"].sum() > 0


def test_a_flipped_byte_is_noticed(path):
    content = path.read_bytes()
    rng = random.Random(0)
    for position in (*range(100), *rng.sample(range(100, len(content)), 300)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(CorruptArtifactError, match=r"a\.safetensors.*Delete this file"):
            checkpoints.load(path)


def test_a_truncation_and_an_appended_byte_are_noticed(path):
    content = path.read_bytes()
    for damaged in [content[:length] for length in range(0, len(content), 5)] + [content[:-1], content + b"\0"]:
        path.write_bytes(damaged)
        with pytest.raises(CorruptArtifactError):
            checkpoints.load(path)


def test_foreign_safetensors_file_is_refused(path):
    safetensors.torch.save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CorruptArtifactError, match="not written by lcmat"):
        checkpoints.load(path)


def test_missing_file_is_not_called_corrupt(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoints.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("metadata", [{"loss": float("nan")}, {"object": object()}])
def test_metadata_that_json_cannot_express_is_refused_and_the_old_file_kept(path, metadata):
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError)):
        checkpoints.save(path, TENSORS, metadata)
    assert path.read_bytes() == before


def test_failed_write_keeps_the_old_file_and_leaves_no_other(path, monkeypatch):
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(path, {"x": torch.zeros(1)}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_same_content_gives_the_same_bytes(path, tmp_path):
    for _ in range(5):
        checkpoints.save(tmp_path / "b.safetensors", TENSORS, METADATA)
        assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
