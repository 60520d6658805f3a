"""MyST Markdown as plain Markdown, which GitHub, Jupyter and Colab read alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from lcmat.book.references import References, options_of
from lcmat.files.extras import require

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

CONTAINERS = {"card-carousel", "container", "div", "grid", "grid-item", "margin", "tab-set"}
"""Directives that only arrange what is in them."""

SILENT = {
    "bibliography",
    "contents",
    "eval-rst",
    "execution-statistics",
    "include",
    "index",
    "tableofcontents",
    "toctree",
}
"""Directives that only a build of the whole book can carry out."""

CODE = {"code", "code-block", "code-cell", "sourcecode"}

_FOR_THE_SITE = re.compile(r"^[-*] \*\*Launch or download:\*\*.*(?:\n  .*)*\n?", re.MULTILINE)
_DIRECTIVE = re.compile(r"\{([\w:.-]+)\}\s*(.*)", re.DOTALL)
_TARGETED = re.compile(r"(.*?)\s*<([^<>]+)>", re.DOTALL)
_ATTRIBUTES = re.compile(r"^\{[#.][^{}\n]*\}\n|(?<=[)\]`])\{[#.][^{}\n]*\}", re.MULTILINE)
# A role, a literal (which stays), a link: whatever begins first is read first.
_INLINE = re.compile(
    r"\{(?P<role>[\w:.-]+)\}(?P<ticks>`+)(?P<text>.+?)(?P=ticks)"
    r"|(?P<literal>(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"
    r"|(?<!!)\[(?P<words>[^\[\]]*)\]\((?P<link>[^()\s]+)\)",
    re.DOTALL,
)
# In an f-string the braces of a role are doubled.
_IN_CODE = re.compile(r"(?P<open>\{\{?)(?P<role>doc|eq|ref|numref|term|cite:[pt])\}\}?`(?P<text>[^`\n]+)`")


def plain(text: str, references: References) -> str:
    """Rewrite a text without directives and roles; what is no MyST stays as it is.

    Args:
        text: MyST Markdown.
        references: what the labels, pages and keys in it stand for, as seen from its page.
    """
    lines, done, parts = text.split("\n"), 0, []
    for token in _parser().parse(text):
        rewritten = _block(token, references)
        if rewritten is not None and token.map and token.map[0] >= done:
            start, end = token.map
            parts += [_running("\n".join(lines[done:start]), references)] if start > done else []
            parts += [_prefixed(rewritten, _margin(lines[start]))] if rewritten or not token.level else []
            done = end
    parts += [_running("\n".join(lines[done:]), references)] if done < len(lines) else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def plain_code(source: str, references: References) -> str:
    """Rewrite the roles in the texts that a cell displays; a target that is computed stays as a literal."""

    def rewritten(match: re.Match[str]) -> str:
        if "{" in match["text"]:
            return f"`{match['text']}`"
        return _role(match["role"], match["text"], references)

    return _IN_CODE.sub(rewritten, source)


def displayed(body: str, number: str = "") -> str:
    r"""A formula between double dollars, its lines aligned as Sphinx does it.

    >>> print(displayed("a = b", "3"))
    $$
    a = b
    \tag{3}
    $$
    """
    formula = "\n".join(line for line in body.strip().splitlines() if line.strip())
    if r"\\" in formula and not re.match(r"\\begin\{(align|gather|equation|multline)", formula):
        formula = f"\\begin{{aligned}}\n{formula}\n\\end{{aligned}}"
    return "\n".join(["$$", formula, *([f"\\tag{{{number}}}"] if number else []), "$$"])


def quoted(title: str, body: str) -> str:
    r"""A box as a quotation.

    >>> quoted("Note", "One.\n\nTwo.")
    '> **Note**\n>\n> One.\n>\n> Two.'
    """
    return _prefixed("\n\n".join(filter(None, (f"**{title}**", body.strip()))), "> ")


def folded(title: str, body: str) -> str:
    """A box that opens at a click."""
    return f"<details>\n<summary>{title}</summary>\n\n{body.strip()}\n\n</details>"


@cache
def _parser() -> MarkdownIt:
    require("run", "markdown_it", "mdit_py_plugins")
    from markdown_it import MarkdownIt
    from mdit_py_plugins.colon_fence import colon_fence_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.myst_blocks import myst_block_plugin

    parser = MarkdownIt("commonmark").enable("table").use(colon_fence_plugin).use(myst_block_plugin)
    return parser.use(dollarmath_plugin, allow_labels=True, double_inline=True)


def _block(token: Token, references: References) -> str | None:
    """A block that is not running text; None for all others."""
    if token.type in ("fence", "colon_fence"):
        named = _DIRECTIVE.match(token.info.strip())
        if named:
            return _directive(named[1], named[2].strip(), token.content, references)
        return f"{token.markup}{token.info}\n{token.content}{token.markup}"
    if token.type in ("math_block", "math_block_label"):
        return displayed(token.content, references.number(token.info))
    return "" if token.type in ("myst_target", "myst_line_comment", "myst_block_break") else None


def _directive(name: str, argument: str, content: str, references: References) -> str:
    options, body = options_of(content)
    if name in SILENT:
        return ""
    if name == "math":
        return displayed(f"{argument}\n{body}", references.number(options.get("label", "")))
    if name in CODE:
        return f"```{argument}\n{body.rstrip()}\n```"
    if name in ("figure", "image"):
        return _picture(argument, options, body, references)
    inside = plain(body, references)
    if name in CONTAINERS:
        return inside
    if name == "glossary":
        return re.sub(r"^(\S.*)\n((?:[ :].*\n?)+)", r"- **\1**\n\2", inside, flags=re.MULTILINE).replace("\n: ", "\n  ")
    title = plain(argument, references) or name.rpartition(":")[2].replace("-", " ").capitalize()
    if "link" in options:
        title = references.link(title, options["link"]) or f"[{title}]({options['link']})"
    is_folded = name in ("dropdown", "solution") or "dropdown" in options.get("class", "")
    return (folded if is_folded else quoted)(title, inside)


def _picture(path: str, options: dict[str, str], caption: str, references: References) -> str:
    """A figure with its number and caption; without the book's files its alternative text has to do."""
    alt = options.get("alt", "picture")
    picture = f"![{alt}]({path})" if path.startswith("https:") else f"*{alt}*"
    number = references.number(options.get("name", ""))
    return "\n\n".join(filter(None, (picture, f"{number} {plain(caption, references).strip()}".strip())))


def _running(text: str, references: References) -> str:
    def rewritten(match: re.Match[str]) -> str:
        if match["literal"]:
            return match["literal"]
        if match["role"]:
            return _role(match["role"], match["text"], references)
        return references.link(match["words"], match["link"]) or match[0]

    return _INLINE.sub(rewritten, _ATTRIBUTES.sub("", _FOR_THE_SITE.sub("", text)))


def _role(name: str, text: str, references: References) -> str:
    """A role as text, link or literal; an unknown one leaves its text."""
    targeted = _TARGETED.fullmatch(text)
    words, target = (targeted[1], targeted[2]) if targeted else ("", text)
    known: dict[str, Callable[[], str]] = {
        "doc": lambda: references.page(target, words),
        "eq": lambda: references.label(target, ""),
        "math": lambda: f"${text}$",
        "sub": lambda: f"<sub>{text}</sub>",
        "sup": lambda: f"<sup>{text}</sup>",
    }
    if name.startswith("cite"):
        return references.citation(target, in_brackets=name.endswith(":p"))
    if name.endswith("ref"):
        return references.label(target, words)
    if name in known:
        return known[name]()
    is_code = name.rpartition(":")[2] in ("attr", "class", "code", "data", "file", "func", "meth", "mod", "obj")
    shown = words or target.removeprefix("~")
    return f"`{shown}`" if is_code else shown


def _margin(line: str) -> str:
    """What stands before a block: the signs of quotations, the indentation of lists."""
    return re.match(r"[\s>]*", line)[0]  # type: ignore[index] # it may be empty, so it always matches


def _prefixed(text: str, prefix: str) -> str:
    return "\n".join((prefix + line).rstrip() for line in text.split("\n"))
