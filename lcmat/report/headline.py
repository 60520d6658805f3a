"""Picture and words of the landing page, made from the records by each build: `python -m lcmat.report.headline`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lcmat.config.registry import METHODS
from lcmat.experiments import stale_keys
from lcmat.files.paths import atomic_write, project_folder
from lcmat.records import record as records
from lcmat.report import figures
from lcmat.report.answer import answer, headline_setting
from lcmat.report.plots import plot_setting
from lcmat.report.runs import ACCURACY, as_defined, as_rows, group_seeds, runs_frame, with_default_selector
from lcmat.report.sentences import kept_first
from lcmat.report.studies import study_runs

DRAWN = ("uniform", "lcmat-s", "craig", "herding")


def headline_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Choose the runs of the selection study that the picture shows: methods as defined, kept data sets first."""
    runs = as_defined(with_default_selector(study_runs(runs, "selection")))
    runs = runs[runs["method"].isin(DRAWN)]
    defaults: pd.Series[bool] = runs["rho"].isna() | (runs["rho"] == METHODS["lcmat-s"].options["rho"])
    return kept_first(runs[defaults])


def draw_headline(runs: pd.DataFrame) -> Figure:
    """Draw accuracy against the fraction, a panel for each setting with several; without any, the words "not run"."""
    grouped = group_seeds(runs).groupby(["dataset", "network", "width", "epochs"], dropna=False)
    settings = [rows for _, rows in grouped if rows["fraction"].nunique() > 1]
    figure = Figure(figsize=(figures.NARROW_INCHES * max(len(settings), 1.4), 2.9), layout="constrained")
    axes = figure.subplots(1, max(len(settings), 1), squeeze=False)[0]
    for ax, setting in zip(axes, settings, strict=False):
        plot_setting(ax, setting)
    if not settings:
        axes[0].text(0.5, 0.5, "not run", ha="center", va="center")
        axes[0].set_axis_off()
    return figure


def describe_runs(runs: pd.DataFrame) -> str:
    """Name what the picture was made from: a hash of the records' keys and accuracies.

    >>> describe_runs(pd.DataFrame(columns=["key", ACCURACY]))
    'from 0 records, e3b0c44298fc1c14'
    """
    content = "".join(sorted(f"{row['key']} {row[ACCURACY]};" for row in as_rows(runs[["key", ACCURACY]])))
    return f"from {len(runs)} records, {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def write_headline(path: Path | None = None) -> Path:
    """Draw the picture from the project's records into `book/figures/headline.svg`."""
    path = path or project_folder() / "book" / "figures" / "headline.svg"
    runs = headline_runs(runs_frame(records.load_all(experiment="selection")[0]))
    with figures.style():
        figures.save_svg(draw_headline(runs), path, description=describe_runs(runs))
    return path


def write_answer(path: Path | None = None) -> Path:
    """Write the answer of the project's records into `book/figures/answer.txt`."""
    path = path or project_folder() / "book" / "figures" / "answer.txt"
    found = records.load_all(experiment="selection")[0]
    atomic_write(path, f"{answer(headline_setting(found, stale_keys(found)))}\n".encode())
    return path


if __name__ == "__main__":
    print(write_headline(), write_answer())
