"""Sphinx extension: the report for machines, `report.json` and `badge.json`, written beside the pages at each build."""

from pathlib import Path


def write_files(app, exception) -> None:
    """Write both files at the root of the site; a failed build or another output than HTML gets none."""
    if exception is None and app.builder.format == "html":
        from lcmat.report.accounts import read_accounts  # slow to import
        from lcmat.report.export import write_report

        write_report(read_accounts(), Path(app.outdir))


def setup(app) -> dict[str, bool]:
    """Register the handler."""
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True}
