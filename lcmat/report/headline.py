"""Picture and words of the landing page, made from the records by each build: `python -m lcmat.report.headline`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lcmat.experiments import stale_keys
from lcmat.files.paths import atomic_write, project_folder
from lcmat.records import record as records
from lcmat.report import figures
from lcmat.report.answer import headline_answer, headline_setting, published_gain
from lcmat.report.condensation import condensation_frame, main_differences
from lcmat.report.ledger import draw_ledger
from lcmat.report.page_answers import learnt_answer
from lcmat.report.studies import study_runs


def draw_headline(rows: pd.DataFrame) -> Figure:
    """Draw the setting that speaks for the book; without one, the words "not run".

    Args:
        rows: as `lcmat.report.answer.headline_setting` gives them.
    """
    figure = Figure(figsize=(figures.WIDE_INCHES, 0.32 * max(len(rows), 3) + 1.1), layout="constrained")
    ax = figure.subplots()
    if len(rows):
        draw_ledger(ax, rows, published_gain(*rows.iloc[0][["dataset", "fraction"]]))
    else:
        ax.text(0.5, 0.5, "not run", ha="center", va="center")
        ax.set_axis_off()
    return figure


def write_headline(folder: Path | None = None) -> tuple[Path, Path, Path]:
    """Write `headline.svg`, `answer.txt` and `learnt.txt` from the records, by default into `book/figures`."""
    folder = folder or project_folder() / "book" / "figures"
    found = records.load_all(experiment="selection")[0]
    stale = stale_keys(found)
    rows = headline_setting(found, stale)
    with figures.style():
        figures.save_svg(draw_headline(rows), folder / "headline.svg")
    atomic_write(folder / "answer.txt", f"{headline_answer(found, stale)}\n".encode())
    runs = condensation_frame(records.load_all(experiment="condensation")[0])
    to_random, to_herding, _, to_control = main_differences(
        study_runs(runs[~runs["stale"].astype(bool)], "condensation")
    )
    atomic_write(folder / "learnt.txt", f"{learnt_answer(to_random, to_herding, to_control)}\n".encode())
    return folder / "headline.svg", folder / "answer.txt", folder / "learnt.txt"


if __name__ == "__main__":
    print(*write_headline())
