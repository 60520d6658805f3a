"""The page of the interface: every line names what it opens, and nothing public of its module is missing."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "book/reference/api.md").read_text(encoding="utf-8")
LINES = re.findall(r"\.\. dropdown:: (.+)\n\n   \.\. automodule:: (\S+)\n((?:      :.+\n)+)", PAGE)


def public_names(module):
    """What `automodule` shows: the names that a module exports, else the documented ones that it defines."""
    exported = getattr(module, "__all__", None)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = [name for name in exported or own if not name.startswith("_")]
    values = {name: getattr(module, name) for name in names}
    return [name for name, value in values.items() if inspect.isroutine(value) or inspect.isclass(value)]


def test_every_module_has_a_line_of_its_own():
    modules = [module for _, module, _ in LINES]
    assert len(modules) == len(set(modules)) == PAGE.count("automodule::") > 60


@pytest.mark.parametrize(("title", "name", "options"), LINES, ids=[name for _, name, _ in LINES])
def test_a_line_names_what_it_opens(title, name, options):
    listed = dict(re.findall(r":([\w-]+): ?(.*)", options))
    chosen, left_out = (
        [part.strip() for part in listed.get(key, "").split(",")] for key in ("members", "exclude-members")
    )
    expected = (
        chosen if listed["members"] else [each for each in public_names(import_module(name)) if each not in left_out]
    )
    assert sorted(re.findall(r"``(\w+)``", title)) == sorted(expected)
    assert title.endswith(f"({name.split('.', 2)[2]})") if name.count(".") > 1 else title.endswith("`")
