"""The wheel, away from the repository and among no more than it requires: what `pip install lcmat` gives a user."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_packaging import PROJECT, ROOT, code_blocks, read

BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
IMPORTS = f"""
import importlib
for room in {sorted({path.parent.name for path in ROOT.glob("lcmat/*/__init__.py")} - {"book", "report"})}:
    importlib.import_module(f"lcmat.{{room}}")
for room in ("book", "report"):
    try:
        importlib.import_module(f"lcmat.{{room}}")
    except ImportError as error:
        assert "pip install 'lcmat[run]'" in str(error)
    else:
        raise AssertionError(room)
"""
COMMANDS = """
import contextlib, io, json, sys
from lcmat.cli.main import main
outcomes = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        outcomes.append((main(command.split()), errors.getvalue()))
print(json.dumps(outcomes))
"""
REMEDIES = {
    "run selection": "git clone",
    "chapters": "git clone",
    "notebooks": "git clone",
    "compare": "git clone",
    "adopt": "git clone",
    "sweep --profile smoke": "git clone",
    "sweep --profile smoke --no-notebook": "pip install 'lcmat[run]'",
}
USER = """import lcmat
from lcmat import data

digits = data.load("digits").train
reveal_type(lcmat.select("uniform", digits.images, digits.images, digits.labels, fraction=0.1))
reveal_type(lcmat.select_images)
reveal_type(data.ImageDataset.from_folder("pictures"))
lcmat.selekt
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, because setuptools leaves its products where it builds."""
    tree, output = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "lcmat", tree / "lcmat", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    subprocess.run([sys.executable, "-c", BUILD, str(output)], cwd=tree, check=True, capture_output=True)
    (built,) = output.iterdir()
    return built


def required(requirements):
    """The installed distributions that these requirements need, directly or not."""
    found, waiting = {}, list(requirements)
    while waiting:
        requirement = waiting.pop()
        asked = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if asked not in found:
            found[asked] = distribution(requirement.name)
            lines = map(Requirement, found[asked].requires or [])
            extras = requirement.extras or {""}
            waiting += [r for r in lines if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return {name: found[name, extras] for name, extras in found}


def core_requirements(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = re.findall(r"^Requires-Dist: (.+)$", archive.read(metadata).decode(), flags=re.MULTILINE)
    return [line for line in map(Requirement, lines) if not line.marker or line.marker.evaluate({"extra": ""})]


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment with the wheel and links to the packages it requires, those of no extra."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for package in required(core_requirements(wheel)).values():
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(package.locate_file(top))
    python = folder / "bin" / "python"
    install = ["uv", "pip", "install", "--python", str(python), "--no-deps", "--offline", str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    return python


@pytest.fixture
def act(python, tmp_path):
    """Run the interpreter in an empty folder, isolated from the variables and the packages of the tests."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("LCMAT_")}
    environment = {**outside, "LCMAT_CACHE": os.environ["LCMAT_CACHE"]}

    def run(*arguments):
        command = [python, "-I", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = (path for path in (ROOT / "lcmat").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert names == {path.relative_to(ROOT).as_posix() for path in package}
    assert {"lcmat/py.typed", "lcmat/sweep/sweep.smk"} <= names


def test_the_core_requires_a_dozen_packages(wheel):
    assert len(core_requirements(wheel)) <= 12


def test_the_example_of_the_readme_runs_without_any_extra(act, python):
    example, _ = code_blocks(read("README.md"), "python")
    done = act("-c", f"{IMPORTS}\n{example}\nprint(len(small), lcmat.__version__, lcmat.__file__)")
    assert done.returncode == 0, done.stderr
    chosen, version, file = done.stdout.split()
    assert (int(chosen), version) == (70, PROJECT["version"])
    assert Path(file).is_relative_to(python.parent.parent)


def test_a_run_leaves_its_record_in_the_working_directory(act, tmp_path):
    words = ("-p", "method=uniform", "-p", "selection_epochs=1", "-p", "epochs=2")
    done = act("-m", "lcmat.cli", "run", "selection", "--no-notebook", *words)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "lcmat-records").rglob("*.json")
    assert str(record) in done.stdout
    assert json.loads(record.read_text())["environment"]["lcmat"] == PROJECT["version"]
    assert act("-m", "lcmat.cli", "status").stdout.split() == ["selection", "digits", "done", "1"]


def test_what_is_missing_here_is_named_in_a_line(act, tmp_path):
    outcomes = json.loads(act("-c", COMMANDS, json.dumps(list(REMEDIES))).stdout)
    for (words, remedy), (status, message) in zip(REMEDIES.items(), outcomes, strict=True):
        assert status == 1, words
        assert message.startswith("lcmat: ") and message.count("\n") == 1 and remedy in message, words
    assert list(tmp_path.iterdir()) == []


def test_what_only_lists_does_not_wait_for_torch(act):
    listing = json.dumps(["status", "datasets", "parameters", "methods"])
    done = act("-X", "importtime", "-c", COMMANDS, listing)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "lcmat.cli" in imported
    assert imported & {"torch", "numba", "scipy", "sklearn"} == set()


def test_a_type_checker_sees_the_types(python, tmp_path):
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "mypy.ini").write_text("[mypy-numpy.*,torch.*]\nfollow_imports = skip\n")  # seconds instead of a minute
    command = [sys.executable, "-m", "mypy", "--python-executable", str(python), "user.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    revealed = re.findall(r'Revealed type is "(.+)"', done.stdout)
    assert revealed[0] == "lcmat.selection.coreset.Coreset"
    assert revealed[1].endswith("-> lcmat.selection.coreset.Coreset")
    assert revealed[2] == "lcmat.data.dataset.ImageDataset"
    assert re.findall(r"error: (.+?)  ", done.stdout) == ['Module has no attribute "selekt"; maybe "select"?']
