"""Small pieces of HTML and Markdown whose text cannot act as markup: all that comes from a record is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def text(value: object) -> str:
    """Escape a text.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    return html.escape(str(value))


def prose(value: object) -> str:
    """Escape a text for a sentence of Markdown, in which dollars, braces, brackets or an empty line act as well.

    >>> prose("<b> in $x$")
    '&#60;b&#62; in &#36;x&#36;'
    """
    words = " ".join(str(value).split())
    return "".join(each if each.isalnum() or each in " ,.;%()/-" else f"&#{ord(each)};" for each in words)


def element(name: str, content: str, **attributes: object) -> str:
    """An element around content that is HTML already; attributes are escaped, `class_` stands for `class`.

    >>> element("td", text("a < b"), class_="x", data_value=1)
    '<td class="x" data-value="1">a &lt; b</td>'
    """
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return f"<{name}{words}>{content}</{name}>"


def cell(shown: object, value: object = None) -> str:
    """A table cell; `value` is what it sorts by if that is not the text."""
    attributes = {} if value is None else {"data_value": value}
    return element("td", text(shown), **attributes)


def p_value(value: float) -> str:
    """A p-value as tables show it.

    >>> p_value(0.04321), p_value(0.0005)
    ('0.043', '< 0.001')
    """
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def listing(items: Iterable[str]) -> str:
    """A bulleted list of texts."""
    return element("ul", "".join(element("li", text(item)) for item in items))


def details(summary: str, content: str) -> str:
    """A drawer, closed at first."""
    return element("details", element("summary", text(summary)) + content)


def table(name: str, heads: Sequence[str], bodies: Iterable[str], caption: str, *, filters: str = "") -> str:
    """A table that `book/_static/report-tables.js` lets readers sort and filter; without it, it is a plain table.

    Args:
        name: identifier, unique on its page.
        heads: titles of the columns.
        bodies: `tbody` elements; each moves as a whole.
        caption: what the table holds.
        filters: the data attribute, if any, whose values can be chosen.
    """
    head = element("thead", element("tr", "".join(element("th", text(head), scope="col") for head in heads)))
    content = element("caption", text(caption)) + head + "".join(bodies)
    chosen = {"data_filter": filters} if filters else {}
    return element(
        "div", element("table", content, id=name, class_="report-table", **chosen), class_="report-table-frame"
    )


def plain_rows(rows: Iterable[Sequence[object]]) -> list[str]:
    """Bodies of one row each, from texts and numbers; a pair is a text and what it sorts by."""
    return [element("tbody", element("tr", "".join(_plain(value) for value in row))) for row in rows]


def _plain(value: object) -> str:
    return cell(*value) if isinstance(value, tuple) else cell(value)
