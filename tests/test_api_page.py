"""The page of the interface: every line names what it opens, and nothing public of its module is missing."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "book/reference/api.md").read_text(encoding="utf-8")
MODULE = re.compile(r"automodule:: (\S+)\n((?:      :.+\n)+)")
LINES = [part.partition("\n\n") for part in PAGE.split(".. dropdown:: ")[1:]]


def public_names(module):
    """What `automodule` shows: the names that a module exports, else the documented ones that it defines."""
    exported = getattr(module, "__all__", None)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = [name for name in exported or own if not name.startswith("_")]
    values = {name: getattr(module, name) for name in names}
    return [name for name, value in values.items() if inspect.isroutine(value) or inspect.isclass(value)]


def shown_names(name, options):
    listed = dict(re.findall(r":([\w-]+): ?(.*)", options))
    chosen, left_out = (re.findall(r"\w+", listed.get(key, "")) for key in ("members", "exclude-members"))
    return chosen or [each for each in public_names(import_module(name)) if each not in left_out]


def test_every_module_has_one_place():
    modules = [name for name, _ in MODULE.findall(PAGE)]
    assert len(modules) == len(set(modules)) == PAGE.count("automodule::") > 60


@pytest.mark.parametrize(
    ("title", "content"), [(title, content) for title, _, content in LINES if "automodule" in content]
)
def test_a_line_names_what_it_opens(title, content):
    expected = [each for name, options in MODULE.findall(content) for each in shown_names(name, options)]
    assert sorted(re.findall(r"``(\w+)``", title)) == sorted(expected)
