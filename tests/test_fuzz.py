"""Whatever the public functions are given: a result, or an error that names what is wrong with which argument."""

import inspect
import re
from pathlib import Path

import pytest

from lcmat.config.arguments import FORMS
from tests.fuzzing import Fuzzer, modules

API = Path(__file__).parents[1] / "book" / "reference" / "api.md"
WORDS = ("experiments", "measurements", "config", "records", "report", "book")
"""Rooms of the page that do not compute; their arguments are parameters and files, and checked there."""

ALREADY = {"checkpoints", "extras", "paths"}
"""Modules of files, whose functions are called by the package itself."""


def test_every_function_of_the_interface_says_what_it_takes():
    modules()
    named = set(re.findall(r"automodule:: (lcmat\.\w+\.?[\w.]*)", API.read_text(encoding="utf-8")))
    assert len(named) > 30
    checked = {(function.__module__, function.__name__) for function in FORMS}
    for module in modules():
        name = module.__name__
        if name in named and name.rpartition(".")[2] not in ALREADY and name.split(".")[1] not in WORDS:
            offered = getattr(module, "__all__", vars(module))  # a package offers what it names
            functions = [f for f in map(vars(module).get, offered) if inspect.isfunction(f)]
            own = [f for f in functions if f.__module__.startswith(name) and f.__name__[0] != "_"]
            public = {(f.__module__, f.__name__) for f in own}
            assert public - checked <= UNCHECKED, name


UNCHECKED = {
    *(("lcmat.condensation.synthetic", each) for each in ("description", "from_description", "with_images")),
    *(("lcmat.condensation.matching", each) for each in ("class_moments", "moment_gap")),
    *(("lcmat.models.last_layer", each) for each in ("evaluation_mode", "joined", "logits_of")),
    ("lcmat.selection.selector", "checked_options"),
    ("lcmat.curvature.last_layer", "check_dimensions"),
}
"""Parts of others, which the page does not show."""


def fuzz(calls, seed, folder, monkeypatch):
    """Make so many calls; what went wrong, and how many of them came to a result."""
    monkeypatch.chdir(folder)
    fuzzer = Fuzzer(seed, folder)
    problems = []
    while sum(fuzzer.made.values()) < calls:
        problems += [problem for problem in [fuzzer.call()] if problem]
    assert not problems, "\n".join(problems[:20])
    return fuzzer


def test_a_sample_of_strange_calls_is_explained(tmp_path, monkeypatch):
    fuzzer = fuzz(2000, 0, tmp_path, monkeypatch)
    assert len(fuzzer.made) > 100  # functions
    assert fuzzer.results > 400  # what is right is not refused


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_hundred_thousand_strange_calls_are_explained(seed, tmp_path, monkeypatch):
    fuzz(10_000, seed, tmp_path, monkeypatch)
