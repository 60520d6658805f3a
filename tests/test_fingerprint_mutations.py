"""Whether fingerprints see a change of any module that computes, and of nothing that only carries words.

Which modules compute is decided here without the tables of `lcmat.experiments`: all of the package but the rooms below.
Which fingerprints a module must change is decided by watching runs: whatever they execute made their numbers.
"""

import ast
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import pytest
import torch
import torchvision.models.inception  # noqa: F401  # now, for it takes long while it is watched

import lcmat
from lcmat.config import EXPERIMENTS, CondensationParameters, ContinualParameters, SelectionParameters
from lcmat.config.registry import METHODS, MODELS
from lcmat.data import Splits, load
from lcmat.experiments import Code, code_of, condensation, continual, embedding, selection
from lcmat.models import build
from lcmat.selection import select

PACKAGE = Path(lcmat.__file__).parent
NEEDY = {name for name, method in METHODS.items() if method.evidence}
# What a record states by value (parameters, images) or what only writes, reads, plans and shows.
WORDS_AND_FILES = (
    *("lcmat", "lcmat.book*", "lcmat.cli*", "lcmat.config*", "lcmat.files*", "lcmat.records*", "lcmat.report*"),
    *("lcmat.sweep*", "lcmat.experiments", "lcmat.experiments.session"),
    *("lcmat.data.canonical", "lcmat.data.digits", "lcmat.data.errors", "lcmat.data.parquet", "lcmat.data.source"),
)
MEASUREMENTS = {
    "curvature_gap": ("lcmat-s",),
    "loss_surface": ("lcmat-s", "uniform"),
    "gradient_variance": (),
    "condensation_tuning": (),
    "condensation_evaluation": (),
    "selected_images": ("lcmat-s", "craig"),
}
DIGITS = {"width": 4, "selection_epochs": 1}
IMAGES = {"ipc": 2, "network": "digits-net", "width": 4, "evaluation_epochs": 1}
STEPS = {"outer_iterations": 1, "inner_steps": 2}


def computes(module: str) -> bool:
    return not any(fnmatchcase(module, pattern) for pattern in WORDS_AND_FILES)


def watched(act) -> set[str]:
    """The modules of the package that define a function which is called meanwhile."""
    seen = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_name != "<module>":
            seen.add(frame.f_globals.get("__name__", ""))

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return {name for name in seen if name.startswith("lcmat.") and computes(name)}


def runs():
    for method in ("lcmat-s", *NEEDY):
        yield SelectionParameters(method=method, epochs=1, fraction=0.1, **DIGITS)
    yield SelectionParameters(method="uniform", label_noise=0.1, imbalance=2.0, epochs=1, fraction=0.1, **DIGITS)
    yield CondensationParameters(method="lcmat-c", **IMAGES, **STEPS)
    yield CondensationParameters(method="k-center", selection_epochs=1, **IMAGES)
    yield ContinualParameters(method="lcmat-s", ipc=2, epochs=1, num_stages=2, **DIGITS)
    yield ContinualParameters(method="dm", ipc=2, width=4, epochs=1, num_stages=2, **STEPS)


def parts():
    """Code, and a call that executes some of it: views, networks, methods."""
    experiments = {"selection": selection, "condensation": condensation, "continual": continual}
    train, test = load("digits")
    small = Splits(train.subset(torch.arange(200)), test.subset(torch.arange(50)))
    with pytest.MonkeyPatch.context() as patch:
        for experiment in experiments.values():
            patch.setattr(experiment, "load", lambda name: small)
        first = SelectionParameters(**DIGITS)
        yield (
            Code("lcmat.experiments.embedding", networks=("digits-net",)),
            partial(embedding.selector_view, first, small, "cpu"),
        )
        for run in runs():
            yield code_of(run), partial(experiments[run.experiment].run, run)
    for network in MODELS:
        code = Code("lcmat.experiments.embedding", networks=(network,))
        yield code, partial(build, network, num_classes=3, width=8)  # which tries it out, too
    samples = (torch.rand(30, 5), torch.rand(30, 3), torch.arange(30) % 3)
    for method in METHODS.keys() - NEEDY:
        yield code_of(SelectionParameters(method=method)), partial(select, method, *samples, size=9)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Code -> the modules of it that were executed."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("LCMAT_CACHE", "LCMAT_RECORDS"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("watched")))
        found: dict[Code, set[str]] = {}
        for code, act in parts():
            found.setdefault(code, set()).update(watched(act))
    return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, and its modules with their files."""
    root = tmp_path_factory.mktemp("copied")
    shutil.copytree(PACKAGE, root / "lcmat", ignore=shutil.ignore_patterns("__pycache__"))
    files = (root / "lcmat").rglob("*.py")
    names = {file: ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for file in files}
    return root, {name: file for file, name in names.items() if computes(name)}


@pytest.mark.slow
def test_each_constant_counts_where_it_is_executed(executed, copied):
    root, files = copied
    before = {code: code.fingerprint(root) for code in {*executed, *measurements()}}
    loaded, reached = imported(), set()
    for name in loaded.union(*executed.values()):
        file, source = files[name], files[name].read_text()
        file.write_text(changed(source))
        users = {code for code, modules in executed.items() if name in modules}
        missed = {code for code in users if code.fingerprint(root) == before[code]}
        assert not missed, f"a constant of {name} changed, unseen by {missed}"
        if users or any(code.fingerprint(root) != old for code, old in before.items()):
            reached.add(name)
        file.write_text(source)
    assert {name for name in loaded if "def " in files[name].read_text()} <= reached


def test_words_do_not_count(executed, copied):
    root, files = copied
    before = {code: code.fingerprint(root) for code in executed}
    for file in files.values():
        file.write_text(reworded(file.read_text()))
    assert {code: code.fingerprint(root) for code in executed} == before


def measurements():
    return [Code(f"lcmat.measurements.{name}", methods, ("convnet",)) for name, methods in MEASUREMENTS.items()]


def imported() -> set[str]:
    """What Python imports for the experiments and measurements."""
    names = [f"experiments.{name}" for name in EXPERIMENTS] + [f"measurements.{name}" for name in MEASUREMENTS]
    code = f"import sys, {', '.join(f'lcmat.{name}' for name in names)}; print(*sys.modules)"
    here = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=here).stdout
    return {name for name in output.split() if name.startswith("lcmat.") and computes(name)}


def changed(source: str) -> str:
    """The source with its first number changed, in a function if there is one there; without a number the first text
    of a function (a registry's line is only its entry's), without a text with a number more.
    """
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for kind, parts in ((int | float, (*functions, tree)), (str, functions)):
        for node in (node for part in parts for node in meant(part)):
            if isinstance(node, ast.Constant) and isinstance(node.value, kind):
                node.value = not node.value if isinstance(node.value, bool) else node.value + type(node.value)(1)
                return ast.unparse(tree)
    return f"{source}\nADDED = 1\n"


def meant(node: ast.AST):
    """All nodes but those of docstrings, annotations and errors."""
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return
    yield node
    for field, value in ast.iter_fields(node):
        parts = value if isinstance(value, list) else [value]
        if field in ("annotation", "returns"):
            continue
        if field == "body" and parts and isinstance(getattr(parts[0], "value", None), ast.Constant):
            parts = parts[1:]
        for part in parts:
            if isinstance(part, ast.AST):
                yield from meant(part)


def reworded(source: str) -> str:
    """Other comments, layout, docstrings and messages of errors."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
            node.body.insert(0, ast.Expr(ast.Constant("Other words.")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc.args = [ast.Constant("another message")]
    return "# Other words.\n" + ast.unparse(ast.fix_missing_locations(tree)).replace("\n", "\n\n")
