"""What a function of this package takes, read from its source text: nothing is imported."""

import ast
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

REQUIRED = object()
"""In the place of a default: the parameter has none."""


@cache
def keywords(target: str) -> Mapping[str, Any]:
    """Keyword-only parameters of a function -> default, or `REQUIRED`.

    Args:
        target: ``"package.module:function"``.

    Raises:
        ModuleNotFoundError: there is no such module.
        LookupError: it does not define that function.
        ValueError: a default is not a literal.

    >>> dict(keywords("lcmat.selection.lcmat_s:lcmat_s"))["rho"]
    0.1
    """
    module, _, name = target.partition(":")
    for node in ast.parse(source_file(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            defaults = {p.arg: REQUIRED if default is None else ast.literal_eval(default) for p, default in pairs}
            return MappingProxyType(defaults)
    raise LookupError(f"{module} defines no function {name}")


def source_file(module: str) -> Path:
    """The source file of a module, found without importing it or its packages.

    Raises:
        ModuleNotFoundError: there is none.
    """
    top, *rest = module.split(".")
    spec = find_spec(top)
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [Path(spec.origin)] if spec and spec.origin and not rest else []
    for path in (Path(folder, *rest) for folder in folders):
        files += [path.with_suffix(".py"), path / "__init__.py"]
    for file in filter(Path.is_file, files):
        return file
    raise ModuleNotFoundError(f"there is no module {module}")


def load(target: str) -> Any:
    """Import the module of a target, ``"package.module:name"``, and return what it names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
