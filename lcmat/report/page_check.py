"""Whether a page shows what the paper prints and what the records say: the files read again by other means."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Collection

from IPython.display import HTML

from lcmat.files.paths import records_folder, repository_folder
from lcmat.report.runs import ACCURACY


def check_page(page: HTML, table: str) -> str:
    """Check that each number of a table of the paper has one row on its page, and that there are no others.

    Args:
        page: what `lcmat.report.accounts.Accounts.show` gives.
        table: named as in published.csv.

    Returns:
        A sentence for the page.

    Raises:
        ValueError: a number is missing or repeated, or shown other than printed.
    """
    with open(repository_folder() / "book" / "published.csv", newline="", encoding="utf-8") as file:
        printed = {cell: line for cell, line in enumerate(csv.DictReader(file)) if line["table"] == table}
    rows = page.data.split('<tbody id="')[1:]
    shown = {row.partition('"')[0]: row for row in rows}
    if len(rows) != len(printed) or set(shown) != {f"cell-{cell}" for cell in printed}:
        raise ValueError(f"the page has {len(rows)} rows for the {len(printed)} numbers of {table!r}, or other ones")
    for cell, line in printed.items():
        row = shown[f"cell-{cell}"]
        if f">{float(line['mean']):g}" not in row or f">{line['method']}</th>" not in row:
            raise ValueError(f"row {cell} of {table!r} does not show {line['method']} with {line['mean']}")
    return f"All {len(printed)} printed numbers are on the page, each once."


def plain_means(experiment: str, keys: Collection[str]) -> list[float]:
    """The mean accuracy of each configuration over its seeds, ascending, computed from the JSON of the records alone.

    Args:
        experiment: whose records.
        keys: of the records that count, which are also the names of their files; no other file is opened.
    """
    values: dict[str, list[float]] = defaultdict(list)
    named = (path for path in records_folder().glob(f"{experiment}/*/*.json") if path.stem in keys)
    for content in (json.loads(path.read_text(encoding="utf-8")) for path in named):
        if content["status"] == "done":
            configuration = json.dumps({**content["parameters"], "seed": None}, sort_keys=True)
            values[configuration].append(content["metrics"][ACCURACY])
    return sorted(sum(each) / len(each) for each in values.values())
