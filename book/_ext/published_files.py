"""Sphinx extension: what lies beside the pages at each build.

The report for machines, `report.json` and `badge.json`; the coresets and condensed sets to take away, `coresets/*.json`
and `condensed/*`; the page for addresses that lead nowhere, `404.html`; and the notebooks behind the download buttons,
in plain Markdown.
"""

from pathlib import Path
from string import Template
from urllib.parse import urlsplit

# It stands alone, because a browser shows it at an address of any depth.
MISSING = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="description" content="This address leads to no page of the book." />
<title>No such page: $title</title>
<link rel="icon" href="data:," />
<style>
:root { color-scheme: light dark; }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem; }
a { color: light-dark(#0072b2, #56b4e9); }
</style>
</head>
<body>
<main>
<h1>There is no such page</h1>
<p>This address leads nowhere. The page may have got another name.</p>
<p><a href="$root">To the start of the book</a>, or <a href="${root}search.html">search it</a>.</p>
</main>
</body>
</html>
""")


def write_files(app, exception) -> None:
    """Write them into the site; a failed build or another output than HTML gets none."""
    if exception is None and app.builder.format == "html":
        from lcmat.book.publishing import publish_executed
        from lcmat.report.accounts import read_accounts  # slow to import
        from lcmat.report.condensed_sets import write_sets
        from lcmat.report.coresets import write_coresets
        from lcmat.report.export import write_report

        site, accounts = Path(app.outdir), read_accounts()
        write_report(accounts, site)
        write_coresets(accounts.records, site)
        write_sets(accounts.records, site)
        root = urlsplit(app.config.html_baseurl).path or "/"
        (site / "404.html").write_text(MISSING.substitute(title=app.config.project, root=root), encoding="utf-8")
        publish_executed(site / "_sources")


def setup(app) -> dict[str, bool]:
    """Register the handler."""
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True}
