"""The measurement behind the evaluation of condensed digits: what is trained and measured, and the scatter."""

import numpy as np
import pytest

from lcmat.measurements import condensation_evaluation as evaluation


def test_rows_name_their_network_and_draws_repeat(monkeypatch):
    monkeypatch.setattr(evaluation, "DRAWS", 2)
    monkeypatch.setattr(evaluation, "SIZES", (3,))
    settings = {**evaluation.OTHER, "test_width": 2, "evaluation_epochs": 1}
    rows = evaluation.rows_of(settings, 0.1, held_out_images=50)
    assert [row["draw"] for row in rows] == [0, 0, 1, 1]
    assert {(row["network"], row["width"], row["epochs"], row["rate"], row["ipc"]) for row in rows} == {
        ("convnet", 2, 1, 0.1, 3)
    }
    assert all(row["accuracy_percent"] * 50 / 100 == pytest.approx(round(row["accuracy_percent"] / 2)) for row in rows)
    assert evaluation.rows_of(settings, 0.1, held_out_images=50) == rows


def test_scatter_is_that_within_a_draw():
    values = np.array([[90.0, 94.0], [70.0, 71.0], [50.0, 50.0]])
    rows = [{"draw": d, "accuracy_percent": float(x)} for d, pair in enumerate(values) for x in pair]
    found = evaluation.scatter(rows)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["deviation"] == pytest.approx(np.sqrt(values.var(axis=1, ddof=1).mean()))
