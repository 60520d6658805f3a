import pytest

from lcmat import fingerprint as module
from lcmat.fingerprint import dependencies, fingerprint, normalized

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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package on disk, in which fingerprints are then taken."""
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    for name, source in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    module._file.cache_clear()
    yield tmp_path
    module._file.cache_clear()


def test_imports_are_followed_through_packages_functions_and_cycles(package):
    assert dependencies("lcmat.top") == ["lcmat.middle", "lcmat.other", "lcmat.pack.leaf", "lcmat.top"]
    assert dependencies("lcmat.pack") == ["lcmat.pack", "lcmat.pack.deep"]


def test_left_out_modules_take_their_imports_along(package):
    assert dependencies("lcmat.top", without=["lcmat.pack.leaf"]) == ["lcmat.middle", "lcmat.top"]


@pytest.mark.parametrize("changed", ["lcmat/top.py", "lcmat/middle.py", "lcmat/pack/leaf.py", "lcmat/other.py"])
def test_each_module_involved_counts(package, changed):
    before = fingerprint("lcmat.top")
    (package / changed).write_text(SOURCES[changed] + "\nmore = 1\n")
    assert fingerprint("lcmat.top") != before


def test_other_modules_do_not_count(package):
    before = fingerprint("lcmat.top")
    for name in ("lcmat/unused.py", "lcmat/pack/deep.py", "lcmat/__init__.py"):
        (package / name).write_text("changed = 1\n")
    assert fingerprint("lcmat.top") == before


def test_prose_does_not_count(package):
    before = fingerprint("lcmat.top")
    (package / "lcmat/top.py").write_text(
        '"""Now with words."""\nimport torch\nfrom lcmat.middle import (\n    value,  # why\n)\n\n\n'
        'def answer() -> int:\n    """It."""\n    return value\n'
    )
    assert fingerprint("lcmat.top") == before


def test_unknown_module_is_named(package):
    with pytest.raises(ModuleNotFoundError, match=r"lcmat\.topp is no module of lcmat"):
        fingerprint("lcmat.topp")
    with pytest.raises(ModuleNotFoundError, match="torch"):
        fingerprint("torch")


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
