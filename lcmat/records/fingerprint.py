"""Which code made a number: hashes of the modules that it uses, wherever they lie and whatever they are called.

Only the source is read, nothing is executed. Of a module everything counts but comments, docstrings, layout,
annotations of functions, messages of errors, and its imports as such: an imported name counts as what it stands for,
which is the name and the text of the module that defines it. So a module that is moved or renamed stays the same, and
one that takes a name from elsewhere does not. Only modules of this package count; the versions of the others are part
of a record.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from lcmat.files.paths import PACKAGE
from lcmat.records.source_text import Module, Target, normalized, parsed

ROOT = PACKAGE.parent
"""Folder of this package; a fingerprint can also be taken of another copy of it.

:meta hide-value:
"""


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
        tree = parsed(self._read(module)[1])
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

    def _identity(self, target: Target) -> str:
        module, name = self._home(target)
        if self._file(module) is None:
            return f"{module}.{name}"
        if self._is_outside(module):
            return f"{name} = {self.module(module).constants.get(str(name), '...')}"
        return f"{name} of {_hash(*sorted(self._content(home) for home in self._homes(target) if self._file(home)))}"

    def _homes(self, target: Target) -> Iterator[str]:
        """The module that defines a name; of a whole module also those, not outside, whose names it imports."""
        module, name = self._home(target)
        yield module
        if name is None and self._file(module) and not self._is_outside(module):
            onward = (self._home(each)[0] for targets in self.module(module).bound.values() for each in targets)
            yield from (home for home in onward if not self._is_outside(home))

    def _home(self, target: Target) -> Target:
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


def _hash(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
