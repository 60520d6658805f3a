"""What counts of a module's source text when a number depends on it."""

import ast
import contextlib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from threading import Lock
from typing import NamedTuple

Target = tuple[str, str | None]
"""A module and a name in it; None for the module itself."""

_PARSING = Lock()  # Python before 3.11.8 and 3.12.2 may fail when two threads build trees at once (gh-106905)
_PLACE = "__imported_{}__"


class Module(NamedTuple):
    """What counts of a module.

    Attributes:
        text: normalised, with numbers in the place of imported names.
        used: what these numbers stand for, each as (module, name); the name is None for the module itself. Several, if
            a name is imported from different places in different functions.
        bound: name -> what an import anywhere in the module binds to it.
        constants: name -> literal that the module assigns to it.
    """

    text: str
    used: tuple[tuple[Target, ...], ...]
    bound: Mapping[str, tuple[Target, ...]]
    constants: Mapping[str, str]


def parsed(source: str) -> ast.Module:
    """The syntax tree of a source text; threads may ask for several at once."""
    with _PARSING:
        return ast.parse(source)


@cache  # the same source text, read for every run of a sweep, is parsed once
def normalized(source: str, package: str = "") -> Module:
    r"""What counts of a source text; a run that fails leaves no number, so that messages of errors do not.

    Args:
        source: the text.
        package: dotted name of the package that relative imports start from.

    >>> normalized("from math import pi\n\ndef f(x: int):\n    'Twice x.'\n    return  2*x  # easy").text
    'def f(x):\n    return 2 * x'
    """
    tree = parsed(source)
    bound: dict[str, set[Target]] = {}
    for node in ast.walk(tree):
        for name, target in _bindings(node, package):
            bound.setdefault(name, set()).add(target)
    stripped = _Stripped(bound)
    text = ast.unparse(stripped.visit(tree))
    targets = {name: tuple(sorted(found, key=str)) for name, found in bound.items()}
    return Module(text, tuple(targets[name] for name in stripped.used), targets, _constants(parsed(source)))


def _bindings(node: ast.AST, package: str) -> Iterator[tuple[str, Target]]:
    """Names that an import statement binds, and what to."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], (alias.name, None)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            yield alias.asname or alias.name, (module, alias.name)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Numbers, texts and collections of them that a module gives a name."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            with contextlib.suppress(ValueError):  # what is computed is no literal
                value = repr(ast.literal_eval(node.value))
                names = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {name.id: value for name in names if isinstance(name, ast.Name)}
    return found


class _Stripped(ast.NodeTransformer):
    """Leaves out what does not count, and numbers the imported names by their first use."""

    def __init__(self, imported: Collection[str]) -> None:
        self._imported = imported
        self.used: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in self._imported:
            node.id = self.used.setdefault(node.id, _PLACE.format(len(self.used)))
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        super().generic_visit(node)
        if getattr(node, "body", True) == []:  # it had nothing but imports
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
    return body
