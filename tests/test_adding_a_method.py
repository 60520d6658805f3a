"""A new method is one file and one line of the registry: commands, runs, contract tests and figures know it then."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINE = '        "first": Method("First ones", "lcmat.selection.first:first", "this test"),\n'
FUNCTION = """
import torch

from lcmat.selection.coreset import equally_weighted


def first(layer, budget, generator, *, rho: float = 0.1):
    gains = torch.arange(len(layer.labels), 0, -1, dtype=torch.float64) * rho
    return equally_weighted(torch.arange(budget), len(layer.labels), gains[:budget])
"""
FIGURE = """
from lcmat.config.registry import METHODS
from lcmat.report.figures import method_style
looks = {name: method_style(method.title) for name, method in METHODS.items()}
print(sum(look == looks["first"] for look in looks.values()))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The project with a method more."""
    folder = tmp_path_factory.mktemp("project")
    for part in ("lcmat", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "lcmat/selection/first.py").write_text(FUNCTION)
    registry = folder / "lcmat/config/registry.py"
    head, brace, tail = registry.read_text().partition('        "uniform": Method(')
    registry.write_text(head + LINE + brace + tail)
    return folder


def python(folder, *arguments):
    """Output of Python in the copied project."""
    own = {"PYTHONPATH": str(folder), "LCMAT_CACHE": str(folder / "cache"), "LCMAT_RECORDS": str(folder / "records")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_and_run(copied):
    assert "First ones" in python(copied, "-m", "lcmat.cli", "methods")
    words = ("-p", "method=first", "-p", "rho=0.5", "-p", "epochs=1", "-p", "selection_epochs=1")
    python(copied, "-m", "lcmat.cli", "run", "selection", "--no-notebook", *words)
    (file,) = (copied / "records/selection/digits").glob("*.json")
    record = json.loads(file.read_bytes())
    assert record["parameters"]["method"] == "first" and record["parameters"]["rho"] == 0.5


def test_the_contract_covers_it(copied):
    said = python(copied, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_selection.py", "-k", "first")
    assert " passed" in said and "failed" not in said


def test_a_figure_has_a_style_for_it_alone(copied):
    assert python(copied, "-c", FIGURE).strip() == "1"
