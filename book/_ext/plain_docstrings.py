"""Sphinx extension: read the formulas of our docstrings as they stand.

Docstrings are written to be read in a terminal, with ``|x|`` for a norm and ``*args`` for arguments. In
reStructuredText a pair of bars asks for a substitution and a star opens emphasis, so both are escaped in plain text.
"""

import re

LITERAL_OR_DOCTEST = re.compile(r"(``.+?``|`[^`]+`|^ *>>>[^\n]*\n?(?: *\S[^\n]*\n?)*)", re.MULTILINE | re.DOTALL)
PLURAL = re.compile(r"(?<!`)(`[^`\s]+`)(s\b)")
RETURNS = re.compile(r"^( *(?:Returns|Yields):\n +)", re.MULTILINE)
INLINE_TYPED = ("attribute", "data", "property")
MARKUP = re.compile(r"([|*])")


def escape(text: str) -> str:
    r"""Escape bars and stars outside literals, roles and doctests (which last until the next blank line).

    A plural after a name in backquotes is set apart from them, as the markup demands.

    >>> print(escape("norm |x|, as ``|x|``"))
    norm \|x\|, as ``|x|``
    """
    parts = LITERAL_OR_DOCTEST.split(text)
    escaped = "".join(part if LITERAL_OR_DOCTEST.fullmatch(part) else MARKUP.sub(r"\\\1", part) for part in parts)
    return PLURAL.sub(r"\1\\ \2", escaped)


def without_types(text: str) -> str:
    r"""Mark the text below "Returns:" as a description: before a colon napoleon would expect a type.

    >>> without_types("Returns:\n    The sum: a number.").splitlines()[1]
    '    : The sum: a number.'
    """
    return RETURNS.sub(r"\1: ", text)


def process(app, what, name, obj, options, lines: list[str]) -> None:
    """Rewrite one docstring in place, as Sphinx asks."""
    lines[:] = without_types(escape("\n".join(lines))).split("\n")
    if what in INLINE_TYPED:
        lines[0] = f": {lines[0]}"  # here, too, napoleon takes what stands before a colon for a type


def setup(app) -> dict[str, bool]:
    """Register before napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True}
