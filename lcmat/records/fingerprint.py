"""Which code made a number: hashes of the modules that it uses, wherever they lie and whatever they are called.

Only the source is read, nothing is executed. Of a module everything counts but comments, docstrings, layout,
annotations of functions, messages of errors, and its imports as such: an imported name counts as what it stands for,
which is the name and the text of the module that defines it. So a module that is moved or renamed stays the same, and
one that takes a name from elsewhere does not. Only modules of this package count; the versions of the others are part
of a record.
"""

import ast
import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lcmat.files.paths import PACKAGE

ROOT = PACKAGE.parent
"""Folder of this package; a fingerprint can also be taken of another copy of it."""

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
    used: tuple[tuple[tuple[str, str | None], ...], ...]
    bound: Mapping[str, tuple[tuple[str, str | None], ...]]
    constants: Mapping[str, str]


class Sources:
    """A copy of the package as it is now.

    Args:
        outside: patterns of dotted names of modules that do not count; of these, only the values of constants do.
        root: folder of the package; None: where this module is.
    """

    def __init__(self, outside: Collection[str] = (), root: Path | None = None) -> None:
        """Nothing is read yet."""
        self._outside, self._root = tuple(outside), root or ROOT
        self._modules: dict[str, Module] = {}

    def fingerprint(self, *names: str) -> str:
        """SHA-256 of the named modules and all that they use, in hexadecimal digits.

        Raises:
            ModuleNotFoundError: one of them is not in this package.
        """
        roots = ",".join(sorted(map(self._content, names)))
        return _hash(roots, *sorted(map(self.linked, self.closure(*names))))

    def closure(self, *names: str) -> set[str]:
        """The named modules and all that they use, directly or not, without those outside."""
        found, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found and not self._is_outside(name):
                found.add(name)
                homes = (
                    home for targets in self.module(name).used for target in targets for home in self._homes(target)
                )
                waiting.extend(home for home in homes if self._file(home))
        return found

    def linked(self, name: str) -> str:
        """SHA-256 of a module's text, and of the texts of the modules whose names it uses."""
        used = (" or ".join(sorted(map(self._identity, targets))) for targets in self.module(name).used)
        return _hash(self.module(name).text, *used)

    def entry(self, module: str, registry: str, key: str) -> ast.expr | None:
        """The expression that stands for a key in a mapping that a module writes out; None where it has no such key.

        Raises:
            LookupError: the module has no such mapping.
        """
        tree = ast.parse(self._read(module)[1])
        for node in (node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == registry:
                written = next(part for part in ast.walk(node) if isinstance(part, ast.Dict))
                pairs = zip(written.keys, written.values, strict=True)
                return next((value for known, value in pairs if getattr(known, "value", None) == key), None)
        raise LookupError(f"{module} has no registry {registry}")

    def module(self, name: str) -> Module:
        """What counts of one module.

        Raises:
            ModuleNotFoundError: it is not in this package.
        """
        if name not in self._modules:
            path, source = self._read(name)
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            self._modules[name] = normalized(source, package)
        return self._modules[name]

    def _read(self, name: str) -> tuple[Path, str]:
        path = self._file(name)
        if path is None:
            raise ModuleNotFoundError(f"{name} is no module of {PACKAGE.name}; looked in {self._root}")
        return path, path.read_text(encoding="utf-8")

    def _content(self, name: str) -> str:
        """SHA-256 of a module's text and of the names that it imports, wherever these come from."""
        used = (self._home(target)[1] for targets in self.module(name).used for target in targets)
        return _hash(self.module(name).text, *map(str, used))

    def _identity(self, target: tuple[str, str | None]) -> str:
        module, name = self._home(target)
        if self._file(module) is None:
            return f"{module}.{name}"
        if self._is_outside(module):
            return f"{name} = {self.module(module).constants.get(str(name), '...')}"
        return f"{name} of {_hash(*sorted(self._content(home) for home in self._homes(target) if self._file(home)))}"

    def _homes(self, target: tuple[str, str | None]) -> Iterator[str]:
        """The module that defines a name; of a whole module also those whose names it imports."""
        module, name = self._home(target)
        yield module
        if name is None and self._file(module) and not self._is_outside(module):
            for onward in self.module(module).bound.values():
                yield from (self._home(each)[0] for each in onward)

    def _home(self, target: tuple[str, str | None]) -> tuple[str, str | None]:
        """The module that defines a name, where another one only imports it, too."""
        module, name = target
        if name is None or self._file(module) is None:
            return target
        if self._file(f"{module}.{name}"):
            return f"{module}.{name}", None
        onward = self.module(module).bound.get(name, ())
        return self._home(onward[0]) if len(onward) == 1 else target

    def _is_outside(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._outside)

    def _file(self, name: str) -> Path | None:
        """The source file of a module of this package, None for anything else."""
        return _source_file(name, self._root)


@cache
def _source_file(name: str, root: Path) -> Path | None:
    top, *rest = name.split(".")
    if top != PACKAGE.name:
        return None
    path = root.joinpath(top, *rest)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@cache  # the same source text, read for every run of a sweep, is parsed once
def normalized(source: str, package: str = "") -> Module:
    r"""What counts of a source text; a run that fails leaves no number, so that messages of errors do not.

    Args:
        source: the text.
        package: dotted name of the package that relative imports start from.

    >>> normalized("from math import pi\n\ndef f(x: int):\n    'Twice x.'\n    return  2*x  # easy").text
    'def f(x):\n    return 2 * x'
    """
    tree = ast.parse(source)
    bound: dict[str, set[tuple[str, str | None]]] = {}
    for node in ast.walk(tree):
        for name, target in _bindings(node, package):
            bound.setdefault(name, set()).add(target)
    stripped = _Stripped(bound)
    text = ast.unparse(stripped.visit(tree))
    targets = {name: tuple(sorted(found, key=str)) for name, found in bound.items()}
    return Module(text, tuple(targets[name] for name in stripped.used), targets, _constants(ast.parse(source)))


def _bindings(node: ast.AST, package: str) -> Iterator[tuple[str, tuple[str, str | None]]]:
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


def _hash(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
    return body
