"""Show a chapter's reader the package's own source, so that no chapter holds a copy that could differ from it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from IPython.display import Markdown


def source_lines(function: Callable[..., Any]) -> list[str]:
    """Read a function's source without its docstring, which the text around it replaces.

    >>> source_lines(source_lines)[1].strip()
    'lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()'
    """
    lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
    definition = ast.parse("\n".join(lines)).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return lines


def show_source(*functions: Callable[..., Any]) -> Markdown:
    """Display the source of functions one below another, highlighted by whatever shows the notebook."""
    blocks = ("\n".join(source_lines(function)) for function in functions)
    return Markdown("```python\n" + "\n\n\n".join(blocks) + "\n```")
