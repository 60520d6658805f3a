"""Sphinx extension: a description in the head of each page, sizes of its pictures, no script that it does without."""

import re
from html import escape
from pathlib import Path

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


def with_sizes(body, folder, images) -> str:
    """Give each SVG its width and height, so that the text below stays where it is when the picture arrives.

    Args:
        body: HTML.
        folder: of the sources.
        images: the built file of each source, as Sphinx's builder has it.
    """
    sources = {built: Path(folder) / source for source, built in images.items()}

    def sized(tag):
        source = sources.get(tag[2])
        root = re.search(r"<svg[^>]*>", source.read_text(encoding="utf-8")) if source else None
        sides = re.findall(r'\b(?:width|height)="[\d.]+(?:pt)?"', root[0]) if root else []
        pixels = [round(float(re.search(r"[\d.]+", side)[0]) * 4 / 3) for side in sides]
        size = dict(zip((side.split("=")[0] for side in sides), pixels, strict=True))
        return tag[1] + "".join(f' {name}="{size[name]}"' for name in size) if len(size) == 2 else tag[1]

    return re.sub(r'(<img (?![^>]*\b(?:width|height)=)[^>]*src="[^"]*/([^"/]+\.svg)")', sized, body)


def complete(app, pagename, templatename, context, doctree) -> None:
    """Add the description; leave out the scripts of Thebe, which would run code on somebody's server."""
    context["body"] = with_sizes(context.get("body", ""), app.srcdir, app.builder.images)
    text = description(doctree) if doctree else ""
    text = text or f"{context.get('title') or pagename}: {app.config.project}"
    context["metatags"] = f'{context.get("metatags", "")}\n<meta name="description" content="{escape(text)}" />'
    scripts = context.get("script_files", [])
    scripts[:] = [script for script in scripts if "thebe" not in f"{script.filename}{script.attributes}".lower()]


def without_icon_script(app, failure) -> None:
    """Empty the script that draws the theme's icons a second time: its style sheet has them already, as a font."""
    script = Path(app.outdir) / "_static/scripts/fontawesome.js"
    if failure is None and script.is_file():
        script.write_bytes(b"")


def setup(app) -> dict[str, bool]:
    """Register the handlers."""
    app.connect("html-page-context", complete)
    app.connect("build-finished", without_icon_script)
    return {"parallel_read_safe": True}
