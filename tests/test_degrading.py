"""What the system refuses: a cache costs a warning, records are missed before the work, and pipes end no command."""

import errno
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from lcmat.cli import main as cli
from lcmat.config import SelectionParameters, parse
from lcmat.experiments import condensation, continual, selection
from lcmat.files import paths
from lcmat.files.paths import atomic_write_all, check_writable, read_file
from lcmat.numerics import compiling
from lcmat.records import record as records
from lcmat.sweep import sweep
from lcmat.sweep.states import statuses
from tests.test_merging import current
from tests.test_records import make_record

TINY = {"selection_epochs": 1, "epochs": 1}
RUN = SelectionParameters(**TINY)
RUNS = [SelectionParameters(seed=seed) for seed in range(4)]


def full(*_):
    raise OSError(errno.ENOSPC, "no space left on device")


@pytest.fixture
def one_warning():
    """Whatever is done in the test warns once of the cache."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = [str(each.message) for each in caught if "cannot be used" in str(each.message)]
    assert len(said) == 1 and "set LCMAT_CACHE to a folder" in said[0]


def no_folder(tmp_path):
    """A place where no folder can be made, whoever asks."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "cache"


EXPERIMENTS = [
    (selection, {"experiment": "selection", **TINY}),
    (selection, {"experiment": "selection", "rho_choice": "held-out", **TINY}),
    (condensation, {"experiment": "condensation", "outer_iterations": 1, "inner_steps": 1, "evaluation_epochs": 1}),
    (condensation, {"experiment": "condensation", "method": "herding", "selection_epochs": 1, "evaluation_epochs": 1}),
    (continual, {"experiment": "continual", "method": "lcmat-s", "num_stages": 2, **TINY}),
    (continual, {"experiment": "continual", "method": "dm", "num_stages": 2, "outer_iterations": 1, "epochs": 1}),
]


@pytest.mark.parametrize(("experiment", "values"), EXPERIMENTS)
def test_a_run_without_a_cache_gives_the_same_numbers(experiment, values, one_warning, tmp_path, monkeypatch):
    name, given = values["experiment"], {k: v for k, v in values.items() if k != "experiment"}
    run = parse(name, given)
    expected = experiment.run(run)
    records.path_of(run).unlink()
    monkeypatch.setenv("LCMAT_CACHE", str(no_folder(tmp_path)))
    assert records.agree(experiment.run(run), expected)


def test_a_run_with_a_full_cache_gives_the_same_numbers(one_warning, tmp_path, monkeypatch):
    expected = selection.run(RUN)
    records.path_of(RUN).unlink()
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    write = paths._write_durably
    monkeypatch.setattr(
        paths, "_write_durably", lambda path, content: full() if "cache" in path.parts else write(path, content)
    )
    assert records.agree(selection.run(RUN), expected)


def test_without_a_home_the_cache_is_no_folder_of_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("LCMAT_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: "~/.cache/lcmat")
    assert paths.cache_folder().is_absolute() and tmp_path not in paths.cache_folder().parents
    monkeypatch.setenv("LCMAT_RECORDS", "~nobody-of-this-name/records")
    with pytest.raises(ValueError, match="LCMAT_RECORDS=~nobody-of-this-name/records: there is no such home"):
        paths.records_folder()


def doubled(x):
    return 2 * x


class TestCompiling:
    """The package cannot be written, nor can the user's folders: numba's word is a RuntimeError."""

    @pytest.fixture(autouse=True)
    def read_only(self, monkeypatch):
        real = compiling.FunctionCache.__init__

        def refusing(cache, function):
            if not compiling.numba.config.CACHE_DIR:
                raise RuntimeError("cannot cache function 'doubled': no locator available")
            real(cache, function)

        monkeypatch.setattr(compiling.FunctionCache, "__init__", refusing)

    def test_the_cache_folder_stands_in(self, monkeypatch, tmp_path):
        monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
        assert compiling.njit(cache=True)(doubled)(3) == 6
        assert list((tmp_path / "numba").rglob("*.nbi"))
        assert not compiling.numba.config.CACHE_DIR

    def test_without_any_folder_it_compiles(self, monkeypatch, one_warning):
        monkeypatch.setattr(compiling.FunctionCache, "__init__", lambda *_: full())
        for _ in range(2):
            assert compiling.njit(cache=True)(doubled)(np.float64(1.5)) == 3.0

    def test_a_disk_that_fills_up_costs_a_warning(self, monkeypatch, tmp_path, one_warning):
        monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
        function = compiling.njit(cache=True)(doubled)
        for name in ("save", "load"):
            monkeypatch.setattr(function._cache._cache_file, name, full)
        assert function(3) == 6


READ_ONLY = """
import lcmat, torch
names = lcmat.select("lcmat-s", torch.eye(8), torch.eye(8), torch.arange(8) % 2, fraction=0.5, seed=0)
print(sorted(names.indices.tolist()))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may write nothing")
def test_a_read_only_installation_of_a_user_without_home(tmp_path):
    tmp_path.chmod(0o755)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", READ_ONLY]
    environment = {
        **os.environ,
        "PYTHONPATH": str(paths.PACKAGE.parent),
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("LCMAT_CACHE")
    done = subprocess.run(words, cwd="/", env=environment, capture_output=True, encoding="utf-8")
    if "Permission denied" in done.stderr and "python" in done.stderr:
        pytest.skip("another user cannot read this installation")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be used") <= 1


def test_nothing_is_trained_that_could_not_be_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "run", None)  # calling it would fail otherwise
    for variable in ("LCMAT_RECORDS", "LCMAT_RUNS"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(no_folder(tmp_path)))
            for words in (["run", "selection"], ["sweep", "--profile", "smoke", "--in-process"]):
                assert cli.main([*words, *(["--no-notebook"] if words[0] == "run" else [])]) == 1
            with pytest.raises(OSError, match="file"):
                sweep([RUN])
        (tmp_path / "file").unlink()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"nothing can be written to .*no space left.*LCMAT_RECORDS"):
        check_writable(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


@pytest.mark.parametrize("broken", range(1, 9))
def test_a_merge_on_a_full_disk_brings_in_nothing(tmp_path, monkeypatch, broken):
    """Writing or renaming fails at any moment; then there is room."""
    for run in RUNS:
        records.write(current(run), tmp_path / "elsewhere")
    calls, acts = [], {name: getattr(os, name) for name in ("fsync", "replace")}

    def failing(name):
        def act(*arguments):
            calls.append(name)
            return full() if len(calls) == broken else acts[name](*arguments)

        return act

    for name in acts:
        monkeypatch.setattr(os, name, failing(name))
    assert cli.main(["merge", str(tmp_path / "elsewhere")]) == 1
    assert [path for path in records.records_folder().rglob("*") if path.is_file()] == []
    assert cli.main(["merge", str(tmp_path / "elsewhere")]) == 0
    assert all(records.is_done(run) for run in RUNS)


def test_files_that_are_replaced_stay_as_they_were_after_a_failure(tmp_path, monkeypatch):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"1")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        atomic_write_all({old: b"2", new: b"2"})
    assert [path.name for path in tmp_path.iterdir()] == ["old"] and old.read_bytes() == b"1"


def pipe(path):
    os.mkfifo(path)


ENDLESS = {
    "pipe": pipe,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "kernel messages": lambda path: path.symlink_to("/proc/kmsg"),
    "folder": lambda path: path.mkdir(),
    "loop": lambda path: path.symlink_to(path),
    "nowhere": lambda path: path.symlink_to(path.with_name("absent")),
    "huge": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**33),
    "deep": lambda path: path.write_text("[" * 10**6, encoding="utf-8"),
    "other coding": lambda path: path.write_bytes("{é".encode("utf-16")),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_never_ends_is_no_record(tmp_path, kind, capsys):
    for folder in (tmp_path / "elsewhere", None):
        path = records.path_of(RUNS[0], folder)
        records.write(make_record(RUNS[1]), folder)
        ENDLESS[kind](path)
        found, problems = records.load_all(folder)
        assert [record.seed for record in found] == [1] and [problem.path for problem in problems] == [path]
    assert cli.main(["merge", str(tmp_path / "elsewhere"), "--stale"]) == 1
    assert str(records.path_of(RUNS[0], tmp_path / "elsewhere")) in capsys.readouterr().err
    assert statuses(RUNS[:1])[0].state in ("failed", "missing")
    if kind in ("pipe", "endless device", "deep"):
        assert cli.main(["run", "selection", "--no-notebook", "-p", "seed=0"]) == 1


def test_links_to_records_are_read(tmp_path):
    path = records.write(make_record(RUNS[0]), tmp_path)
    content = path.read_bytes()
    path.unlink()
    (tmp_path / "moved").write_bytes(content)
    path.symlink_to(tmp_path / "moved")
    assert records.read(path).seed == 0 and read_file(path) == content
    with pytest.raises(OSError, match="more than 9 bytes"):
        read_file(path, largest=9)


def test_damaged_values_of_any_type_are_record_errors(tmp_path):
    """Signed, so that only what it says can be wrong."""
    path = records.write(make_record(RUNS[0]), tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in content:
        for value in (None, [], {}, "x", -1, 1e400, True, [[]], {"": {}}, "\ud800"):
            changed = {**content, name: value}
            changed.pop("content_sha256")
            changed["content_sha256"] = records._sha256(changed)
            path.write_text(json.dumps(changed), encoding="utf-8")
            found, problems = records.load_all(tmp_path)
            assert len(found) + len(problems) == 1
