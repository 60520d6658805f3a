import os

import pytest

from lcmat.cli.main import main
from lcmat.files import extras, paths


@pytest.mark.parametrize(
    ("variable", "function"),
    [
        ("LCMAT_CACHE", paths.cache_folder),
        ("LCMAT_DATA", paths.data_folder),
        ("LCMAT_RECORDS", paths.records_folder),
        ("LCMAT_RUNS", paths.runs_folder),
    ],
)
def test_each_folder_follows_its_environment_variable(variable, function, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert function() == tmp_path / "elsewhere"
    monkeypatch.setenv(variable, "")
    assert function().is_absolute()
    assert function() != tmp_path / "elsewhere"


def test_relative_folders_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LCMAT_RECORDS", "here")
    assert paths.records_folder() == tmp_path / "here"


@pytest.mark.parametrize("variable", paths._VARIABLES)
def test_a_relative_folder_stays_where_it_was_first_asked_for(variable, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "a/../here")
    paths.pin_folders()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = paths.folders()
    assert os.path.normpath(told[variable]) == str(tmp_path / "here") and os.environ[variable] == told[variable]
    assert all(os.path.isabs(folder) for folder in told.values())


def test_records_lie_in_the_repository_or_else_in_the_working_directory(monkeypatch, tmp_path):
    for variable in ("LCMAT_RECORDS", "LCMAT_RUNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "site-packages" / "lcmat")
    monkeypatch.chdir(tmp_path)
    assert (paths.records_folder(), paths.runs_folder()) == (tmp_path / "lcmat-records", tmp_path / "lcmat-runs")
    with pytest.raises(paths.NoRepositoryError, match=f"{tmp_path} is no checkout of it: git clone"):
        paths.repository_folder()
    (tmp_path / "_toc.yml").touch()
    assert paths.repository_folder() == tmp_path
    assert (paths.records_folder(), paths.runs_folder()) == (tmp_path / "book/records", tmp_path / "_build/runs")


def test_another_checkout_than_the_one_whose_code_runs_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "_toc.yml").touch()
    assert paths.other_checkout() is None
    (tmp_path / "lcmat").mkdir()
    (tmp_path / "lcmat/__init__.py").touch()
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path / "book")
    assert main(["datasets"]) == 0
    assert f"not that of the checkout here: make install in {tmp_path}" in capsys.readouterr().err
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "lcmat")
    assert paths.other_checkout() is None


def test_the_published_numbers_are_said_to_be_in_the_repository(monkeypatch, tmp_path):
    from lcmat.report import read_published

    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "lcmat")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(paths.NoRepositoryError, match="published numbers"):
        read_published()


def test_a_missing_extra_is_named_with_its_first_absent_module():
    with pytest.raises(extras.MissingExtraError, match=r"'snakes' and 'ladders'.*'lcmat\[run\]'") as caught:
        extras.require("run", "json", "snakes", "ladders")
    assert caught.value.name == "snakes"
    assert isinstance(caught.value, ImportError)


def test_data_live_in_the_cache_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("LCMAT_DATA", raising=False)
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    assert paths.data_folder() == tmp_path / "data"


def test_atomic_write_replaces_the_whole_file(tmp_path):
    target = tmp_path / "record.json"
    target.write_bytes(b"a much longer old content")
    paths.atomic_write(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_keeps_the_old_file_and_leaves_nothing_behind(step, monkeypatch, tmp_path):
    target = tmp_path / "record.json"
    target.write_bytes(b"old")

    def disk_full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, step, disk_full)
    with pytest.raises(OSError, match="no space"):
        paths.atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
