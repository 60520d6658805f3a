"""How well chosen images stand for their class: against plain loops."""

import numpy as np
import pytest
import torch

from lcmat.config import SelectionParameters
from lcmat.experiments import selection
from lcmat.experiments.embedding import selector_view
from lcmat.measurements import coverage


def test_distances_are_those_of_loops():
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(30, 4, generator=draws, dtype=torch.float64)
    labels, chosen = torch.arange(30) % 3, torch.tensor([0, 3, 1, 5, 8, 11])
    nearest, spread, means = [], [], []
    for label in range(3):
        own = [features[i].numpy() for i in range(30) if labels[i] == label]
        kept = [features[i].numpy() for i in chosen.tolist() if labels[i] == label]
        centre = np.mean(own, axis=0)
        nearest += [min(np.linalg.norm(x - y) for y in kept) for x in own]
        spread += [np.linalg.norm(x - centre) for x in own]
        means.append(np.linalg.norm(np.mean(kept, axis=0) - centre))
    row = coverage.cover(features, labels, chosen)
    assert row["nearest_distance"] == pytest.approx(np.mean(nearest) / np.mean(spread))
    assert row["mean_distance"] == pytest.approx(np.mean(means) / np.mean(spread))
    whole = coverage.cover(features, labels, torch.arange(30))
    assert max(whole.values()) == pytest.approx(0, abs=1e-12)
    scaled = coverage.cover(7 * features + 5, labels, chosen)
    assert scaled == pytest.approx(row)


def test_the_network_is_judged_in_the_mode_in_which_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    found = {}
    for mode in (None, "batch"):
        parameters = SelectionParameters(network="resnet18", width=4, epochs=1, selection_epochs=2, batch_norm=mode)
        found[mode] = coverage.cover_record(selection.run(parameters))
        splits = selection.load_data(parameters)
        logits = selector_view(parameters, splits, "cpu").logits
        right = sum(int(one.argmax()) == int(label) for one, label in zip(logits, splits.train.labels, strict=True))
        assert found[mode]["labelled_rightly_percent"] == pytest.approx(100 * right / len(logits))
        sure = [float(one.double().softmax(dim=0).max()) for one in logits]
        assert found[mode]["largest_probability_percent"] == pytest.approx(100 * np.mean(sure))
    assert found[None]["labelled_rightly_percent"] != found["batch"]["labelled_rightly_percent"]


def test_records_of_one_width_and_fraction_are_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    runs = [
        selection.run(SelectionParameters(epochs=1, selection_epochs=1, width=width, fraction=fraction))
        for width, fraction in ((4, 0.05), (4, 0.1), (8, 0.05))
    ]
    content, rows = coverage.measure_dataset("digits", width=4, fraction=0.05)
    assert [row["key"] for row in rows] == [runs[0].key]
    assert (content["width"], content["fraction"]) == (4, 0.05)
