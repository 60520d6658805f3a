"""Sphinx extension: a description in the head of each page, and no script that the book does not use."""

from html import escape

from docutils import nodes

LONGEST = 160  # characters, which search engines show


def description(doctree) -> str:
    """The first paragraph of a page outside its boxes, cut at a word; if there is one, a sentence without formulas."""
    paragraphs = [node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section)]
    if not paragraphs:
        return ""
    paragraphs.sort(key=lambda node: node.next_node(nodes.math) is not None or node.astext().endswith(":"))
    words = " ".join(paragraphs[0].astext().split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rpartition(" ")[0] + "…"


def complete(app, pagename, templatename, context, doctree) -> None:
    """Add the description; leave out the scripts of Thebe, which would run code on somebody's server."""
    text = description(doctree) if doctree else ""
    text = text or f"{context.get('title') or pagename}: {app.config.project}"
    context["metatags"] = f'{context.get("metatags", "")}\n<meta name="description" content="{escape(text)}" />'
    scripts = context.get("script_files", [])
    scripts[:] = [script for script in scripts if "thebe" not in f"{script.filename}{script.attributes}".lower()]


def setup(app) -> dict[str, bool]:
    """Register the handler."""
    app.connect("html-page-context", complete)
    return {"parallel_read_safe": True}
