"""Which code made a number: a hash of the modules involved, blind to comments, docstrings and layout.

Imports are followed by reading the source (nothing is executed), wherever they stand in a module. Only modules of this
package count; the versions of the others are part of a record anyway. Of a registry, a mapping that names everything of
its kind, only those entries count that a run uses, and what these import.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from lcmat.files.paths import PACKAGE

_PACKAGE = __name__.partition(".")[0]
ROOT = PACKAGE.parent
"""Folder of this package; a fingerprint can also be taken of another copy of it."""

Entries = Mapping[str, Collection[str]]


def fingerprint(
    *modules: str, without: Collection[str] = (), entries: Entries | None = None, root: Path | None = None
) -> str:
    """16 hexadecimal digits of the SHA-256 over the named modules and all they import from this package.

    Args:
        modules: dotted names, for instance `"lcmat.training"`.
        without: patterns of dotted names that are left out, together with what only they import.
        entries: registry, such as `"lcmat.models.MODELS"` -> its entries that count; of any other all do.
        root: folder of the package; None: where this module is.

    Raises:
        ModuleNotFoundError: a named module is not in this package.
        LookupError: a module has no such registry.

    >>> fingerprint("lcmat.files.paths") == fingerprint("lcmat.files.paths", "lcmat.files.paths")
    True
    """
    digest = hashlib.sha256()
    for name, text in texts(*modules, without=without, entries=entries, root=root).items():
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()[:16]


def texts(
    *modules: str, without: Collection[str] = (), entries: Entries | None = None, root: Path | None = None
) -> dict[str, str]:
    """The named modules and, transitively, the modules that they import, sorted -> what of their source counts.

    A module stands for itself alone: its packages' `__init__` count only where they are imported from. Args and Raises
    as for `fingerprint`.

    >>> list(texts("lcmat.files.checkpoints"))
    ['lcmat.files.checkpoints', 'lcmat.files.paths']
    """
    root, found = root or ROOT, dict[str, str]()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or _matches(name, tuple(without)):
            continue
        found[name] = _counting(name, _source(name, root), entries or {})
        waiting.extend(_imports(name, found[name], root))
    return dict(sorted(found.items()))


@cache
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _counting(name: str, source: str, entries: Entries) -> str:
    """The normalised source of a module, its registries cut down to the entries that count."""
    split = {tuple(registry.rsplit(".", 1)): tuple(sorted(kept)) for registry, kept in entries.items()}
    own = tuple((registry, kept) for (module, registry), kept in split.items() if module == name)
    return _cut_down(name, normalized(source), own) if own else normalized(source)


@cache
def _cut_down(name: str, source: str, registries: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    tree = ast.parse(source)
    removed: set[str] = set()
    for registry, kept in registries:
        removed |= _keep(_mapping(name, tree, registry), kept)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) not in removed - used]
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names]
    return ast.unparse(tree)


def _mapping(name: str, tree: ast.Module, registry: str) -> ast.Dict:
    """The literal that a registry of a module is made from."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == registry for target in targets):
            return next(part for part in ast.walk(node) if isinstance(part, ast.Dict))
    raise LookupError(f"{name} has no registry {registry}: name it in lcmat.experiments as it is called now")


def _keep(mapping: ast.Dict, kept: Collection[str]) -> set[str]:
    """Remove the other entries; return the names that they use."""
    items = list(zip(mapping.keys, mapping.values, strict=True))
    stay = [(key, value) for key, value in items if isinstance(key, ast.Constant) and key.value in kept]
    mapping.keys, mapping.values = [key for key, _ in stay], [value for _, value in stay]
    gone = [value for key, value in items if (key, value) not in stay]
    return {node.id for value in gone for node in ast.walk(value) if isinstance(node, ast.Name)}


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
def _file(name: str, root: Path) -> Path | None:
    """The source file of a module of this package, None for anything else."""
    if name.partition(".")[0] != _PACKAGE:
        return None
    path = root.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _source(name: str, root: Path) -> str:
    path = _file(name, root)
    if path is None:
        raise ModuleNotFoundError(f"{name} is no module of {_PACKAGE}; looked in {root / _PACKAGE}")
    return path.read_text(encoding="utf-8")


@cache
def _imports(name: str, source: str, root: Path) -> list[str]:
    """Modules of this package that the source imports; of `from a import b` it is `a.b` where that is a module."""
    return list(_imported(name, ast.parse(source), root))


def _imported(name: str, tree: ast.AST, root: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _file(alias.name, root))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, node, root)
            members = [f"{base}.{alias.name}" for alias in node.names]
            yield from (member for member in members if _file(member, root))
            if _file(base, root) and not all(_file(member, root) for member in members):
                yield base


def _absolute(name: str, node: ast.ImportFrom, root: Path) -> str:
    """The module named by a `from` clause, relative ones resolved against the importing module."""
    if not node.level:
        return node.module or ""
    path = _file(name, root)
    package = name.split(".") if path and path.name == "__init__.py" else name.split(".")[:-1]
    parents = package[: len(package) - (node.level - 1)]
    return ".".join([*parents, node.module] if node.module else parents)
