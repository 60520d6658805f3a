"""Stored measurements: what is read is what was written, up to the digits kept; what is missing is named."""

import json
import math

import pytest
import torch

from lcmat.cli.main import main
from lcmat.files.paths import project_folder
from lcmat.measurements import kinds
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
    with pytest.raises(FileNotFoundError, match=r"lcmat measure curvature-gap cifar10"):
        measurements.read("curvature-gap", "cifar10")


def test_other_code_is_called_stale():
    assert "stale" in kinds.made_by("explanation", {"fingerprint": "of other code"})
    assert kinds.made_by("explanation", {"fingerprint": kinds.fingerprint_of("explanation")}) == "the present code"


def test_each_kind_has_its_function_and_what_is_stored_of_it():
    folders = {path.name for path in (project_folder() / "book/measurements").iterdir()}
    assert {name for name, kind in kinds.KINDS.items() if kind.datasets} == folders
    for name, kind in kinds.KINDS.items():
        assert all(default is not None for default in kinds.options_of(name).values())
        files = {path.stem for path in (project_folder() / "book/measurements" / name).glob("*.json")}
        assert files == set(kind.datasets)


def test_the_command_lists_measures_and_refuses(project, capsys):
    assert main(["measure"]) == 0 and "curvature-gap" in capsys.readouterr().out
    assert main(["measure", "gradient-variance"]) == 0 and "(0, 1)" in capsys.readouterr().out
    small = {"width": "2", "epochs": "1", "images": "160", "measured": "150", "seeds": "3"}
    words = [word for name, value in small.items() for word in ("-p", f"{name}={value}")]
    assert main(["measure", "gradient-variance", "digits", *words]) == 0
    content = measurements.read("gradient-variance", "digits")
    assert content["seeds"] == [3] and {row["seed"] for row in content["rows"]} == {3}
    assert content["torch"] == torch.__version__ and content["wall_seconds"] >= 0
    for words, message in (
        (["curvature-gaps"], "did you mean 'curvature-gap'"),
        (["gradient-variance", "digits", "-p", "width=wide"], "width=wide"),
        (["gradient-variance", "digits", "-p", "wide=1"], "did you mean 'width'"),
        (["condensation-evaluation", "cifar10"], "digits alone"),
    ):
        assert main(["measure", *words]) == 2 and message in capsys.readouterr().err
