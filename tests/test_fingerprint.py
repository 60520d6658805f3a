from pathlib import Path

import pytest

from lcmat.records.fingerprint import fingerprint, normalized, texts

SOURCES = {
    "lcmat/__init__.py": "",
    "lcmat/top.py": "import torch\nfrom lcmat.middle import value\n\ndef answer(): return value\n",
    "lcmat/middle.py": "def later():\n    from lcmat.pack import leaf\n    return leaf\nvalue = 1\n",
    "lcmat/pack/__init__.py": "from .deep import thing\n",
    "lcmat/pack/leaf.py": "from lcmat import top\nfrom .. import other\n",
    "lcmat/pack/deep.py": "thing = 1\n",
    "lcmat/other.py": "x = 1\n",
    "lcmat/unused.py": "x = 1\n",
}


REGISTRY = """
from lcmat.a import one
from lcmat.b import two as second
from lcmat.other import x
THINGS: dict = MappingProxyType({"one": (one, x), "two": (second, x)})
def build(name): return THINGS[name]
"""


@pytest.fixture
def package(tmp_path):
    """A package on disk, of which fingerprints are then taken."""
    return written(tmp_path, SOURCES)


def written(folder: Path, sources) -> Path:
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


def test_imports_are_followed_through_packages_functions_and_cycles(package):
    assert [*texts("lcmat.top", root=package)] == ["lcmat.middle", "lcmat.other", "lcmat.pack.leaf", "lcmat.top"]
    assert [*texts("lcmat.pack", root=package)] == ["lcmat.pack", "lcmat.pack.deep"]


def test_left_out_modules_take_their_imports_along(package):
    for pattern in ("lcmat.pack.leaf", "lcmat.pack*"):
        assert [*texts("lcmat.top", without=[pattern], root=package)] == ["lcmat.middle", "lcmat.top"]


@pytest.mark.parametrize("changed", ["lcmat/top.py", "lcmat/middle.py", "lcmat/pack/leaf.py", "lcmat/other.py"])
def test_each_module_involved_counts(package, changed):
    before = fingerprint("lcmat.top", root=package)
    (package / changed).write_text(SOURCES[changed] + "\nmore = 1\n")
    assert fingerprint("lcmat.top", root=package) != before


def test_other_modules_do_not_count(package):
    before = fingerprint("lcmat.top", root=package)
    for name in ("lcmat/unused.py", "lcmat/pack/deep.py", "lcmat/__init__.py"):
        (package / name).write_text("changed = 1\n")
    assert fingerprint("lcmat.top", root=package) == before


def with_registry(folder, registry=REGISTRY, **modules):
    sources = {f"lcmat/{name}.py": f"{text}" for name, text in ({"a": "one = 1", "b": "two = 2"} | modules).items()}
    root = written(folder, {**SOURCES, **sources, "lcmat/registry.py": registry})
    return fingerprint("lcmat.registry", entries={"lcmat.registry.THINGS": ["one", "unknown"]}, root=root)


def test_of_a_registry_the_entries_in_use_count(tmp_path):
    first = with_registry(tmp_path / "0")
    assert with_registry(tmp_path / "1", b="two = 3") == first
    assert with_registry(tmp_path / "2", REGISTRY.replace('"two": (second, x)', '"three": (second, 3)')) == first
    assert with_registry(tmp_path / "3", a="one = 2") != first
    assert with_registry(tmp_path / "4", REGISTRY.replace('"one": (one, x)', '"one": (second, x)')) != first
    assert with_registry(tmp_path / "5", REGISTRY.replace("lcmat.a import one", "lcmat.b import two as one")) != first
    assert with_registry(tmp_path / "6", REGISTRY.replace("THINGS[name]", "THINGS['one']")) != first
    assert list(texts("lcmat.registry", entries={"lcmat.registry.THINGS": []}, root=tmp_path / "0")) == [
        "lcmat.registry"
    ]


def test_a_registry_that_is_not_there_is_named(package):
    with pytest.raises(LookupError, match=r"lcmat\.top has no registry THINGS"):
        fingerprint("lcmat.top", entries={"lcmat.top.THINGS": ["one"]}, root=package)


def test_prose_does_not_count(package):
    before = fingerprint("lcmat.top", root=package)
    (package / "lcmat/top.py").write_text(
        '"""Now with words."""\nimport torch\nfrom lcmat.middle import (\n    value,  # why\n)\n\n\n'
        'def answer() -> int:\n    """It."""\n    return value\n'
    )
    assert fingerprint("lcmat.top", root=package) == before


def test_unknown_module_is_named(package):
    with pytest.raises(ModuleNotFoundError, match=r"lcmat\.topp is no module of lcmat"):
        fingerprint("lcmat.topp", root=package)
    with pytest.raises(ModuleNotFoundError, match="torch"):
        fingerprint("torch", root=package)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("raise ValueError('a')", "raise ValueError(f'b{1}')"),
        ("class A:\n    '''Doc.'''", "class A:\n    pass"),
        ("async def f(x: int) -> int:\n    '''Doc.'''\n    return x", "async def f(x): return x"),
    ],
)
def test_same_result_same_normal_form(one, other):
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("raise ValueError('a')", "raise TypeError('a')"),
        ("class A:\n    x: int = 1", "class A:\n    x: float = 1"),
        ("x = 'text'", "x = 'other text'"),
        ("def f(x=1): pass", "def f(x=2): pass"),
        ("x = 1.0", "x = 1"),
    ],
)
def test_what_can_change_a_result_stays(one, other):
    assert normalized(one) != normalized(other)
