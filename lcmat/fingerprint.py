"""Which code made a number: a hash of the modules involved, blind to comments, docstrings and layout.

Imports are followed by reading the source (nothing is executed), wherever they stand in a module. Only modules of this
package count; the versions of the others are part of a record anyway.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

_PACKAGE = __name__.partition(".")[0]
_ROOT = Path(__file__).resolve().parent.parent


def fingerprint(*modules: str, without: Collection[str] = ()) -> str:
    """16 hexadecimal digits of the SHA-256 over the named modules and all they import from this package.

    Args:
        modules: dotted names, for instance `"lcmat.training"`.
        without: dotted names that are left out, together with what only they import.

    Raises:
        ModuleNotFoundError: a named module is not in this package.

    >>> fingerprint("lcmat.paths") == fingerprint("lcmat.paths", "lcmat.paths")
    True
    """
    digest = hashlib.sha256()
    for name in dependencies(*modules, without=without):
        digest.update(f"{name}\n{normalized(_source(name))}\n".encode())
    return digest.hexdigest()[:16]


def dependencies(*modules: str, without: Collection[str] = ()) -> list[str]:
    """The named modules and, transitively, the modules of this package that they import; sorted.

    A module stands for itself alone: its packages' `__init__` count only where they are imported from.

    >>> dependencies("lcmat.checkpoints")
    ['lcmat.checkpoints', 'lcmat.paths']
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in without:
            continue
        found.add(name)
        waiting.extend(_imports(name, _source(name)))
    return sorted(found)


@cache  # the same source text, read for every run of a sweep, is parsed once
def normalized(source: str) -> str:
    r"""Source text without what cannot change a result.

    That is comments, layout, docstrings, annotations of functions, and the messages of raised errors: a run that fails
    leaves no number.

    >>> normalized("def f(x: int):\n    'Twice x.'\n    return  2*x  # easy")
    'def f(x):\n    return 2 * x'
    """
    return ast.unparse(_Stripped().visit(ast.parse(source)))


class _Stripped(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
    return body


@cache
def _file(name: str) -> Path | None:
    """The source file of a module of this package, None for anything else."""
    if name.partition(".")[0] != _PACKAGE:
        return None
    path = _ROOT.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _source(name: str) -> str:
    path = _file(name)
    if path is None:
        raise ModuleNotFoundError(f"{name} is no module of {_PACKAGE}; looked in {_ROOT / _PACKAGE}")
    return path.read_text(encoding="utf-8")


@cache
def _imports(name: str, source: str) -> list[str]:
    """Modules of this package that the source imports; of `from a import b` it is `a.b` where that is a module."""
    return list(_imported(name, ast.parse(source)))


def _imported(name: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _file(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, node)
            members = [f"{base}.{alias.name}" for alias in node.names]
            yield from (member for member in members if _file(member))
            if _file(base) and not all(_file(member) for member in members):
                yield base


def _absolute(name: str, node: ast.ImportFrom) -> str:
    """The module named by a `from` clause, relative ones resolved against the importing module."""
    if not node.level:
        return node.module or ""
    path = _file(name)
    package = name.split(".") if path and path.name == "__init__.py" else name.split(".")[:-1]
    parents = package[: len(package) - (node.level - 1)]
    return ".".join([*parents, node.module] if node.module else parents)
