"""The map of chosen images: a plane through the features, and each step's picks on it."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from lcmat.config import SelectionParameters
from lcmat.experiments import selection
from lcmat.measurements import feature_map
from lcmat.measurements.feature_map import principal_plane
from lcmat.report.feature_map import draw_map, draw_picks, picks_by_step
from lcmat.report.ledger import DEFINED, step_words
from tests.synthetic_records import make_record

ROWS = [{"row": 10 * i, "x": float(i), "y": float(-i), "wrong": int(i >= 3)} for i in range(5)]


def test_the_plane_is_that_of_principal_components():
    features = torch.randn(60, 7, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 8)
    places, share = principal_plane(features)
    reference = PCA(n_components=2).fit(features.double())
    expected = reference.transform(features.double())
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), [0, 1]])
    np.testing.assert_allclose(places, expected, atol=1e-9)
    assert abs(share - reference.explained_variance_ratio_.sum()) < 1e-12


def test_only_the_network_that_chose_draws_the_map(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    record = selection.run(SelectionParameters(epochs=1, selection_epochs=1))
    monkeypatch.setattr(feature_map.records, "load_all", lambda experiment: ([record], []))
    about, rows = feature_map.measure_dataset("digits")
    assert about["keys"] == [record.key] and len(rows) > 100
    metrics = {**record.metrics, "selector_test_accuracy_percent": 12.5}
    other = record.model_copy(update={"metrics": metrics})
    monkeypatch.setattr(feature_map.records, "load_all", lambda experiment: ([other], []))
    with pytest.raises(ValueError, match=f"another network than is here chose {record.key} of digits"):
        feature_map.measure_dataset("digits")


def test_picks_are_the_chosen_images_of_the_class_in_the_order_of_the_ledger():
    uniform = make_record(60.0, method="uniform").model_copy(update={"indices": [0, 7, 40]})
    defined = make_record(50.0, method="lcmat-s", rho=0.1).model_copy(update={"indices": [30, 40, 99]})
    other = make_record(40.0, method="herding").model_copy(update={"indices": [0]})
    content = {"rows": ROWS, "keys": [uniform.key, defined.key, "0" * 16]}
    first, second = picks_by_step(content, [uniform, other, defined])
    assert (first.words, first.wrong, first.accuracy) == (step_words()[DEFINED], 2, 50.0)
    assert first.places.tolist() == [[3.0, -3.0], [4.0, -4.0]]
    assert (second.words, second.title, second.wrong) == ("Uniform", "Uniform", 1)
    assert second.places.tolist() == [[0.0, 0.0], [4.0, -4.0]]


def test_the_map_shows_every_image_of_the_class_and_the_picks_above():
    ax = Figure().gca()
    picks = picks_by_step({"rows": ROWS, "keys": []}, [])
    assert picks == []
    draw_map(ax, {"rows": ROWS})
    record = make_record(60.0, method="uniform").model_copy(update={"indices": [20]})
    draw_picks(ax, picks_by_step({"rows": ROWS, "keys": [record.key]}, [record])[0])
    right, wrong, chosen = (collection.get_offsets().tolist() for collection in ax.collections)
    assert (len(right), len(wrong), chosen) == (3, 2, [[2.0, -2.0]])
