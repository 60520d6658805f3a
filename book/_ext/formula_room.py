"""Sphinx extension: a formula within a line takes its room before it is drawn, so that the text around it stays."""

import re
from html import unescape

INLINE = re.compile(r'<span class="math notranslate nohighlight">(?=\\\((.*?)\\\)</span>)', re.DOTALL)
MARKUP = re.compile(
    r"\\(?:text|operatorname\*?|math(?:rm|cal|bf|bb)|tilde|hat|bar|overline|left|right|[bB]ig[lr]?|sqrt|limits)(?![a-z])"
    r"|\\[,;! ]"
)
FUNCTION = re.compile(r"\\(max|min|arg|log|exp|Pr|det|dim|sup|inf)(?![a-z])")
RAISED = re.compile(r"[_^](\{[^{}]*\}|\\?[A-Za-z]+\b|.)")
RELATION = re.compile(
    r"[=<>+-]|\\(?:leq?|geq?|neq?|in|to|sim|approx|subset|cup|cap|odot|otimes|times|cdot|mid|gg|ll|pm)(?![a-z])"
)
GLYPH = re.compile(r"\\[a-zA-Z]+|[^\s{}\\_^]")


def room(tex: str) -> float:
    r"""Estimate the width of a drawn formula in em, fitted to 1602 formulas of the book as MathJax draws them.

    >>> room(r"\rho") < room(r"\rho = 0.1") < room(r"\max_k |H_{kk}| \le \lVert H \rVert")
    True
    """
    plain = FUNCTION.sub(r"\1", MARKUP.sub("", tex))
    raised = sum(len(GLYPH.findall(part)) for part in RAISED.findall(plain))
    return round(0.16 + 0.61 * len(GLYPH.findall(plain)) + 0.05 * raised + 0.85 * len(RELATION.findall(plain)), 1)


def keep_room(app, pagename, templatename, context, doctree) -> None:
    """Write the estimate into each formula; the style sheet heeds it until the formula is drawn."""
    context["body"] = INLINE.sub(
        lambda found: f'{found[0][:-1]} style="--room: {room(unescape(found[1]))}em">', context.get("body", "")
    )


def setup(app) -> dict[str, bool]:
    """Register the handler."""
    app.connect("html-page-context", keep_room)
    return {"parallel_read_safe": True}
