import ast
from pathlib import Path

import pytest

from lcmat.experiments import WORDS_AND_FILES
from lcmat.files.paths import PACKAGE
from lcmat.records.fingerprint import Sources
from lcmat.records.source_text import normalized, parsed

FILES = sorted(PACKAGE.rglob("*.py"))

SOURCES = {
    "lcmat/__init__.py": "",
    "lcmat/top.py": "import torch\nfrom lcmat.middle import value\n\ndef answer(): return value + later()\n",
    "lcmat/middle.py": "def later():\n    from lcmat.pack import leaf\n    return leaf.x\nvalue = 1\n",
    "lcmat/pack/__init__.py": "from .deep import thing\n",
    "lcmat/pack/leaf.py": "from lcmat import top\nfrom .. import other\nx = other.x, top\n",
    "lcmat/pack/deep.py": "thing = 1\n",
    "lcmat/other.py": "x = 1\n",
    "lcmat/unused.py": "x = 1\n",
    "lcmat/through.py": "from lcmat.pack import thing as it\nfrom typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    from lcmat.unused import x\ny: int = it\n",
    "lcmat/whole.py": "from lcmat import pack\nz = pack.thing\n",
    "lcmat/registry.py": "THINGS: dict = wrapped({'one': Thing('lcmat.other:x'), 'two': 'lcmat.top:answer'})\n",
}


@pytest.fixture
def package(tmp_path):
    """A package on disk, of which fingerprints are then taken."""
    return written(tmp_path, SOURCES)


def written(folder: Path, sources) -> Path:
    for name, source in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


def fingerprint(name, root, *outside):
    return Sources(outside, root).fingerprint(name)


def closure(name, root, *outside):
    return {each.removeprefix("lcmat.") for each in Sources(outside, root).closure(name)}


def test_imports_are_followed_through_packages_functions_and_cycles(package):
    assert closure("lcmat.top", package) == {"middle", "other", "pack.leaf", "top"}
    assert closure("lcmat.through", package) == {"through", "pack.deep"}  # whose package only hands the name on
    assert closure("lcmat.whole", package) == {"whole", "pack", "pack.deep"}


def test_modules_outside_take_their_imports_along(package):
    for pattern in ("lcmat.pack.leaf", "lcmat.pack*"):
        assert closure("lcmat.top", package, pattern) == {"middle", "top"}


@pytest.mark.parametrize("changed", ["lcmat/top.py", "lcmat/middle.py", "lcmat/pack/leaf.py", "lcmat/other.py"])
def test_each_module_involved_counts(package, changed):
    before = fingerprint("lcmat.top", package)
    (package / changed).write_text(SOURCES[changed] + "\nmore = 1\n")
    assert fingerprint("lcmat.top", package) != before


def test_other_modules_do_not_count(package):
    before = fingerprint("lcmat.top", package)
    for name in ("lcmat/unused.py", "lcmat/pack/deep.py", "lcmat/__init__.py"):
        (package / name).write_text("changed = 1\n")
    assert fingerprint("lcmat.top", package) == before


def test_moves_other_names_of_imports_and_their_order_do_not_count(package, tmp_path):
    before = {name: fingerprint(f"lcmat.{name}", package) for name in ("top", "through")}
    sources = {
        **SOURCES,
        "lcmat/renamed/middle.py": SOURCES["lcmat/middle.py"],
        "lcmat/top.py": "from lcmat.renamed.middle import value as v\nimport torch\n\n"
        "def answer(): return v + later()\n",
        "lcmat/through.py": "from lcmat.pack.deep import thing\ny: int = thing\n",
    }
    root = written(tmp_path / "moved", sources)
    assert {name: fingerprint(f"lcmat.{name}", root) for name in before} == before


def test_a_name_taken_from_elsewhere_counts(package):
    before = fingerprint("lcmat.top", package)
    same = SOURCES["lcmat/top.py"].replace("lcmat.middle", "lcmat.elsewhere")
    written(package, {"lcmat/top.py": same, "lcmat/elsewhere.py": SOURCES["lcmat/middle.py"] + "w = 1\n"})
    assert fingerprint("lcmat.top", package) != before
    other = SOURCES["lcmat/top.py"].replace("import value", "import later as value")
    written(package, {"lcmat/top.py": other})
    assert fingerprint("lcmat.top", package) != before


def test_modules_outside_do_not_count_through_a_module_that_is_taken_whole(package):
    before = fingerprint("lcmat.whole", package, "lcmat.pack.deep"), fingerprint("lcmat.whole", package)
    (package / "lcmat/pack/deep.py").write_text("thing = 1\nmore = 1\n")
    assert fingerprint("lcmat.whole", package, "lcmat.pack.deep") == before[0]
    assert fingerprint("lcmat.whole", package) != before[1]


def test_no_module_that_computes_takes_words_of_others_through_a_module_that_it_takes_whole():
    """There their values would not count."""
    sources, taken = Sources(WORDS_AND_FILES), 0
    names = (".".join(path.with_suffix("").parts) for path in (Path("lcmat") / p.relative_to(PACKAGE) for p in FILES))
    for name in (name.removesuffix(".__init__") for name in names):
        if sources._is_outside(name) or name.split(".")[1:2] in (["report"], ["cli"], ["book"], ["speed"]):
            continue
        reached = {ast.unparse(node) for node in ast.walk(parsed(sources._read(name)[1]))}
        for module, part in (sources._home(target) for targets in sources.module(name).used for target in targets):
            if part is None and sources._file(module) and not sources._is_outside(module):
                taken += 1
                bound = sources.module(module).bound.items()
                words = {
                    f"{module.rpartition('.')[2]}.{word}"
                    for word, onward in bound
                    if any(sources._is_outside(each[0]) for each in onward)
                }
                assert not words & reached, (name, module)
    assert taken > 10


def test_of_modules_outside_constants_count_alone(package):
    sources = "from lcmat.pack.deep import thing, work\ny = work(thing)\n"
    written(package, {"lcmat/top.py": sources, "lcmat/pack/deep.py": "thing = 1\ndef work(x): return x\n"})
    before = fingerprint("lcmat.top", package, "lcmat.pack*")
    written(package, {"lcmat/pack/deep.py": "thing = 1\ndef work(x): return 2 * x\n"})
    assert fingerprint("lcmat.top", package, "lcmat.pack*") == before
    written(package, {"lcmat/pack/deep.py": "thing = 2\ndef work(x): return x\n"})
    assert fingerprint("lcmat.top", package, "lcmat.pack*") != before


def test_lines_of_a_registry_are_read(package):
    sources = Sources(root=package)
    found = {key: sources.entry("lcmat.registry", "THINGS", key) for key in ("one", "two", "three")}
    assert {key: line and ast.unparse(line) for key, line in found.items()} == {
        "one": "Thing('lcmat.other:x')",
        "two": "'lcmat.top:answer'",
        "three": None,
    }
    with pytest.raises(LookupError, match=r"lcmat\.top has no registry THINGS"):
        sources.entry("lcmat.top", "THINGS", "one")


def test_prose_does_not_count(package):
    before = fingerprint("lcmat.top", package)
    (package / "lcmat/top.py").write_text(
        '"""Now with words."""\nimport torch\nfrom lcmat.middle import (\n    value,  # why\n)\n\n\n'
        'def answer() -> int:\n    """It."""\n    return value + later()\n'
    )
    assert fingerprint("lcmat.top", package) == before


def test_unknown_module_is_named(package):
    with pytest.raises(ModuleNotFoundError, match=r"lcmat\.topp is no module of lcmat"):
        fingerprint("lcmat.topp", package)
    with pytest.raises(ModuleNotFoundError, match="torch"):
        fingerprint("torch", package)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("raise ValueError('a')", "raise ValueError(f'b{1}')"),
        ("class A:\n    '''Doc.'''", "class A:\n    pass"),
        ("async def f(x: int) -> int:\n    '''Doc.'''\n    return x", "async def f(x): return x"),
    ],
)
def test_same_result_same_normal_form(one, other):
    assert normalized(one).text == normalized(other).text


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
    assert normalized(one).text != normalized(other).text
