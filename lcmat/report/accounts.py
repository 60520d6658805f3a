"""All that the pages of the reproducibility report show, read once per page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from IPython.display import HTML, Markdown

from lcmat.experiments import stale_keys
from lcmat.records import record as record_files
from lcmat.report.cells import Context, cells_table, published_text
from lcmat.report.published import STATES, compare, read_published, sharing_cells
from lcmat.report.reduced import reduced_groups
from lcmat.report.runs import as_rows, runs_frame
from lcmat.report.tables import problems_notice
from lcmat.report.verdicts import VERDICTS

if TYPE_CHECKING:
    from lcmat.records.record import Problem, Record


@dataclass(frozen=True)
class Accounts:
    """The records, those that could not be read, the published numbers set against them, and keys of stale records."""

    records: list[Record]
    problems: list[Problem]
    comparison: pd.DataFrame
    stale: set[str]

    @cached_property
    def current(self) -> pd.DataFrame:
        """The runs of the selection benchmark by today's code, as `lcmat.report.runs_frame` tabulates them."""
        return runs_frame([record for record in self.records if record.key not in self.stale], stale=self.stale)

    @cached_property
    def context(self) -> Context:
        """What the tables of cells show besides the comparison."""
        return Context(reduced_groups(self.records, self.stale), self.stale, self._sharing())

    def _sharing(self) -> dict[int, str]:
        """The cells that share their runs with another, in a sentence each."""
        rows = as_rows(self.comparison)
        names = {row["cell"]: f"{title(row['table'])} ({published_text(row)})" for row in rows}
        return {
            cell: f"The same runs measure {', '.join(names[other] for other in others)}: two verdicts from one result."
            for cell, others in sharing_cells(self.comparison).items()
        }

    def of(self, table: str) -> pd.DataFrame:
        """The cells of one table or figure of the paper.

        Raises:
            ValueError: the paper has none of this name with numbers.
        """
        rows = self.comparison[self.comparison["table"] == table]
        if rows.empty:
            raise ValueError(f"no published number is of {table!r}; there are {', '.join(self.tables)}")
        return rows

    @property
    def tables(self) -> list[str]:
        """The tables and figures with numbers, in the paper's order."""
        return list(dict.fromkeys(self.comparison["table"]))

    def show(self, table: str) -> HTML:
        """The table of one table's cells, below a warning if a record could not be read."""
        name = "cells-" + table.lower().replace(" ", "-").replace(".", "-")
        caption = f"The numbers of {title(table)}, and ours. Headings sort; each row has a drawer."
        warning = problems_notice(self.problems).data if self.problems else ""
        return HTML(warning + cells_table(self.of(table), self.context, name, caption))


def read_accounts(folder: Path | None = None) -> Accounts:
    """Read all records below a folder, by default the project's, and compare them with the published numbers."""
    records, problems = record_files.load_all(folder)
    stale = stale_keys(records)
    return Accounts(records, problems, compare(read_published(), records, stale), stale)


def title(table: str) -> str:
    """A table's name in a sentence.

    >>> title("1"), title("D.2"), title("figure 3")
    ('Table 1', 'Appendix D.2', 'Figure 3')
    """
    if table.startswith("figure"):
        return table.capitalize()
    return f"Table {table}" if table.isdigit() else f"Appendix {table}"


def count_judged(comparison: pd.DataFrame) -> str:
    """Say how many of the published numbers are judged, and what of the others, in Markdown; the counts add up."""
    counts = comparison["verdict"].value_counts()
    parts = {state: f"{counts[state]} {state}" for state in STATES if state in counts}
    judged = [parts.pop(verdict) for verdict in VERDICTS if verdict in parts]
    count = sum(counts.get(verdict, 0) for verdict in VERDICTS)
    verb = "is" if count < 2 else "are"
    lead = f"{count or 'None'} of the {len(comparison)} published numbers {verb} judged"
    others = ", ".join(parts.values())
    if not judged:
        return f"**{lead}: {others}.**"
    single = int(((comparison["verdict"] == "inconclusive") & (comparison["n"] == 1)).sum())
    words = [
        f"**{lead}: {', '.join(judged)}.**",
        f"One seed decides nothing, and {single} of the inconclusive have no more." if single else "",
        f"The others: {others}." if others else "",
    ]
    return " ".join(filter(None, words))


def describe(comparison: pd.DataFrame) -> Markdown:
    """Count the states of cells, and say why some are not judged."""
    reasons = {check.reason for check in comparison["check"] if check.reason}
    why = "".join(f"\n- {reason}" for reason in sorted(reasons))
    note = f"\n\nWhere runs are not judged, or none checks a number:\n{why}" if why else ""
    return Markdown(count_judged(comparison) + note)
