"""Stored measurements: what is read is what was written, up to the digits kept; what is missing is named."""

import json
import math

import pytest

from lcmat.records import measurements

ROWS = [{"name": "a", "x": 1 / 3, "held": True}, {"name": "b", "x": 12345.678, "held": False}]


@pytest.fixture(autouse=True)
def project(monkeypatch, tmp_path):
    monkeypatch.setattr(measurements, "project_folder", lambda: tmp_path)
    return tmp_path


def test_rows_and_provenance_survive_the_file(project):
    path = measurements.write("loss-surface", "toy", {"seconds": 2.0, "levels": [[math.pi]]}, ROWS, digits=4)
    assert path == project / "book/measurements/loss-surface/toy.json"
    content = measurements.read("loss-surface", "toy")
    assert content["seconds"] == 2.0 and content["levels"] == [[3.142]]
    assert content["rows"] == [{"name": "a", "x": 0.3333, "held": True}, {"name": "b", "x": 12350.0, "held": False}]
    assert json.loads(path.read_text())["columns"]["name"] == ["a", "b"]


def test_content_without_rows_is_read_as_it_is():
    measurements.write("loss-surface", "toy", {"planes": [{"loss": [1.0, 2.0]}], "count": 2})
    assert measurements.read("loss-surface", "toy") == {"planes": [{"loss": [1.0, 2.0]}], "count": 2}


def test_not_a_number_is_refused_and_nothing_is_written(project):
    with pytest.raises(ValueError, match="not JSON compliant"):
        measurements.write("loss-surface", "toy", {}, [{"x": math.nan}])
    assert not list(project.rglob("*.json"))


def test_a_measurement_that_is_missing_is_named_with_its_command():
    with pytest.raises(FileNotFoundError, match=r"python -m lcmat\.measurements\.curvature_gap cifar10"):
        measurements.read("curvature-gap", "cifar10")


def test_other_code_is_called_stale():
    assert "stale" in measurements.made_by({"fingerprint": "a"}, "b")
