"""Computations that are gone on with, and what identifies their results."""

import warnings

import pytest
import torch

from lcmat.files import checkpoints
from lcmat.records import caching
from lcmat.records.caching import identity_on, resumable


def attempts(checkpoint, run):
    """A computation that needs a checkpoint of its own or none, and the list of its beginnings."""
    begun = []

    def attempt():
        begun.append("checkpoint" if checkpoint.exists() else "start")
        return checkpoints.load_run(checkpoint, run)[1]["step"] if checkpoint.exists() else 0

    return attempt, begun


def test_a_good_checkpoint_is_gone_on_with(tmp_path):
    file = tmp_path / "state.safetensors"
    checkpoints.save(file, {}, {"run": {"seed": 1}, "step": 7})
    attempt, begun = attempts(file, {"seed": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resumable(attempt, file, "step") == 7
    assert begun == ["checkpoint"] and file.exists()


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"half"), lambda file: None])
def test_a_bad_checkpoint_is_removed(tmp_path, damage):
    file = tmp_path / "state.safetensors"
    checkpoints.save(file, {}, {"run": {"seed": 2}, "step": 7})
    damage(file)
    attempt, begun = attempts(file, {"seed": 1})
    with pytest.warns(UserWarning, match=r"state\.safetensors.*Starting again from the first step"):
        assert resumable(attempt, file, "step") == 0
    assert begun == ["checkpoint", "start"] and not file.exists()


def test_what_differs_from_the_run_of_a_checkpoint_is_named(tmp_path):
    checkpoints.save(tmp_path / "state", {}, {"run": {"seed": 2, "data": "a"}})
    with pytest.raises(checkpoints.CheckpointMismatchError, match=r"other seed, recipe\).*delete the file"):
        checkpoints.load_run(tmp_path / "state", {"seed": 1, "data": "a", "recipe": {}})


def test_identities_state_what_computes():
    found = identity_on("cuda:1", {"seed": 3})
    assert found["device"] == "cuda" and found["seed"] == 3 and found["threads"] == torch.get_num_threads()
    assert torch.__version__ in found["versions"]


@pytest.mark.parametrize("changed", ["processor", "threads", "device"])
def test_another_computer_does_not_go_on_with_a_run(monkeypatch, changed):
    before = caching.unfinished("key", "0" * 16)
    assert caching.unfinished("key", "0" * 16) == before
    if changed == "processor":
        monkeypatch.setattr(caching, "describe", lambda device: "Another")
    elif changed == "device":
        monkeypatch.setenv("LCMAT_DEVICE", "meta")
    else:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert caching.unfinished("key", "0" * 16) != before
