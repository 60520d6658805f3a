"""Sphinx extension: a table of the executed notebooks, made while the pages are built and so never stale."""

from pathlib import Path

from docutils.nodes import Element, Node
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from lcmat.report import executions


class ExecutionStatistics(SphinxDirective):
    """One row for each executed notebook, and their sum."""

    def run(self) -> list[Node]:
        """Write a Markdown table and let the page's own parser read it."""
        self.env.note_reread()
        book = Path(self.env.srcdir) / "book"
        rows = executions(book)
        lines = ["| Page | Executed (UTC) | Seconds | Outcome |", "| --- | --- | ---: | --- |"]
        for row in rows:
            outcome = "failed" if row.failed else "complete"
            lines.append(f"| {{doc}}`/book/{row.page}` | {row.started[:16]} | {row.seconds:.1f} | {outcome} |")
        lines.append(f"| all {len(rows)} | | {sum(row.seconds for row in rows):.1f} | |")
        container = Element()
        self.state.nested_parse(StringList(lines, source="execution statistics"), self.content_offset, container)
        return container.children


def setup(app) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("execution-statistics", ExecutionStatistics)
    return {"parallel_read_safe": True}
