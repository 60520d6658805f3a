"""Our official configurations against what the authors' program itself picked, where its output lies beside the data.

The features, logits and picks were printed by that program on a ResNet-18 after two epochs. Where it picks otherwise,
ties that its float32 distances break are the reason: each limit leaves room for those alone.
"""

import json

import numpy as np
import pytest
import torch

from lcmat import select
from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.files import paths

FOLDER = paths.data_folder().parent / "official"
pytestmark = pytest.mark.skipif(not (FOLDER / "picks.json").is_file(), reason="no output of the authors' program here")
SUM = {"loss_reduction": None}


@pytest.fixture(scope="module")
def trained():
    with np.load(FOLDER / "trained.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope="module")
def picks():
    return json.loads((FOLDER / "picks.json").read_text())


def chosen(trained, mode, method, fraction, **options):
    """Class -> our rows in the canonical order and their weights."""
    official = {name: value for name, value in OFFICIAL[method].items() if name in METHODS[method].options}
    labels, options = trained["labels"].long(), official | options
    coreset = select(
        method, trained[f"features_{mode}"], trained[f"logits_{mode}"], labels, fraction=fraction, **options
    )
    found = {label: ([], []) for label in labels.unique().tolist()}
    for index, weight in zip(coreset.indices.tolist(), coreset.weights.tolist(), strict=True):
        rows, weights = found[int(labels[index])]
        rows.append(int(trained["rows"][index]))
        weights.append(weight)
    return found


def shared(picks, found):
    """How many of the picks are ours too, and how many there are."""
    theirs = {int(label): set(entry["picks"]) for label, entry in picks.items()}
    assert theirs.keys() == found.keys()
    return sum(len(theirs[label] & set(found[label][0])) for label in theirs), sum(map(len, theirs.values()))


@pytest.mark.parametrize(
    ("arm", "mode", "method", "fraction", "options", "differing"),
    [
        *((f"lcmat-s eps={eps} f=0.01", "batch", "lcmat-s", 0.01, {"rho": 2 * eps}, 0) for eps in (0.01, 0.05, 0.25)),
        *((f"lcmat-s eps={eps} f=0.1", "batch", "lcmat-s", 0.1, {"rho": 2 * eps}, 2) for eps in (0.01, 0.05, 0.25)),
        *((f"lcmat-s eps={eps} f=0.3", "batch", "lcmat-s", 0.3, {"rho": 2 * eps}, 5) for eps in (0.01, 0.05, 0.25)),
        ("adacore f=0.1", "batch", "adacore", 0.1, {}, 0),
        ("craig f=0.1", "eval", "craig", 0.1, {}, 0),
        ("gradmatch f=0.1", "eval", "gradmatch", 0.1, {}, 1),
        ("glister f=0.1", "eval", "glister", 0.1, {}, 0),
        ("fl-cosine f=0.1", "eval", "facility-location", 0.1, {}, 0),
        ("graphcut f=0.1", "eval", "graph-cut", 0.1, {}, 0),
    ],
)
def test_the_official_configuration_picks_what_the_program_picked(
    trained, picks, arm, mode, method, fraction, options, differing
):
    count, total = shared(picks["trained"][arm], chosen(trained, mode, method, fraction, **options))
    assert total in (6, 59, 174) and count >= total - differing


@pytest.mark.parametrize("eps", [0.01, 0.05, 0.25])
def test_the_definition_picks_what_the_mended_program_picked(trained, picks, eps):
    count, total = shared(
        picks["mended"][f"lcmat-s eps={eps} f=0.1 sum"], chosen(trained, "eval", "lcmat-s", 0.1, rho=2 * eps, **SUM)
    )
    assert total == 59 and count >= total - 2


def test_definition_and_program_choose_different_images(trained, picks):
    official = picks["trained"]["lcmat-s eps=0.01 f=0.1"]
    count, total = shared(official, chosen(trained, "eval", "lcmat-s", 0.1, rho=0.02, **SUM))
    assert count < total / 3


@pytest.mark.parametrize("method", ["craig", "gradmatch"])
def test_weights_are_the_programs(trained, picks, method):
    """GradMatch's regression aims at a class's sum here and at its mean there: the factor is the size of the class."""
    found = chosen(trained, "eval", method, 0.1, official_weights=True)
    sizes = trained["labels"].long().bincount().tolist()
    ratios = [
        mine / theirs / (sizes[int(label)] if method == "gradmatch" else 1)
        for label, entry in picks["trained"][f"{method} f=0.1"].items()
        for row, theirs in zip(entry["picks"], entry["weights"], strict=True)
        for ours, mine in zip(*found[int(label)], strict=True)
        if ours == row
    ]
    assert len(ratios) >= 58
    assert ratios == pytest.approx([1.0] * len(ratios), rel=1e-4)
