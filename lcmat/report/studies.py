"""What the pages of single studies show: which runs belong to one, and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lcmat.config.defaults import METHOD_TITLES
from lcmat.report import figures
from lcmat.report.runs import ACCURACY, as_rows, done_runs, method_label
from lcmat.sweep.profiles import PROFILES

ROW_INCHES = 0.17
MARGIN_ROWS = 4  # room for a panel's title and ticks


def study_runs(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Keep the runs that belong to the study of this name in any profile.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        name: see `lcmat.sweep.profiles.Study`.

    Raises:
        ValueError: no profile has such a study.
    """
    studies = [study for profile in PROFILES.values() for study in profile.studies if study.name == name]
    if not studies:
        raise ValueError(f"no profile has a study {name!r}")
    keys = {run.key for study in studies for run in study.runs}
    return runs[runs["key"].isin(keys)]


def unrecorded(runs: pd.DataFrame, name: str, profile: str) -> str:
    """Say which configurations of a profile's study have fewer seeds on record than the profile asks for.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        name: of a study of selection.
        profile: that has it.
    """
    study = next(study for study in PROFILES[profile].studies if study.name == name)
    missing = [run.canonical() for run in study.runs if run.key not in set(runs["key"])]
    if not missing:
        return f"All {len(study.runs)} runs that the profile `{profile}` asks for are recorded."
    labels = Counter(f"{method_label(run['method'], run)} at {100 * run['fraction']:g} %" for run in missing)
    parts = "; ".join(f"{label} ({count} runs)" for label, count in labels.items())
    return f"Of {len(study.runs)} runs that the profile `{profile}` asks for, {len(missing)} are not recorded: {parts}."


def draw_differences(differences: pd.DataFrame, panels: Sequence[str], *, columns: int = 2) -> Figure:
    """Draw differences to a baseline: a panel for each value of some columns, a row for each configuration.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it, not empty.
        panels: columns whose values make a panel and its title; the best configuration is on top.
        columns: panels side by side.
    """
    lines = _lines(differences, panels, columns)
    rows = [max(map(len, line)) + MARGIN_ROWS for line in lines]
    size = (figures.WIDE_INCHES, ROW_INCHES * sum(rows))
    figure, axes = plt.subplots(len(lines), columns, figsize=size, squeeze=False, height_ratios=rows)
    for line, places in zip(lines, axes, strict=True):
        for ax in places[len(line) :]:
            ax.set_axis_off()
        for ax, group in zip(places, line, strict=False):
            _panel(ax, group, panels)
    figure.supxlabel("difference (percentage points)", fontsize=9)
    return figure


def _lines(differences: pd.DataFrame, panels: Sequence[str], columns: int) -> list[list[pd.DataFrame]]:
    """The panels of each line; each value of the first column, such as a data set, begins a new one."""
    lines = []
    for _, part in differences.groupby(panels[0], dropna=False, sort=True):
        groups = [group for _, group in part.groupby(list(panels), dropna=False, sort=True)]
        lines += [groups[start : start + columns] for start in range(0, len(groups), columns)]
    return lines


def wins(runs: pd.DataFrame, configuration: Sequence[str]) -> pd.DataFrame:
    """Count in how many configurations and seeds the row's method is more accurate than the column's (paper Figure 3).

    Args:
        runs: as `lcmat.report.runs_frame` gives it, one run for each method, configuration and seed.
        configuration: columns that tell configurations apart.

    Returns:
        A square table of counts, methods by the paper's names in the registry's order; equal accuracies count for none.

    Raises:
        ValueError: a method has two runs of one configuration and seed.
    """
    done = done_runs(runs)
    table = done.assign(value=done[ACCURACY].astype(float)).pivot(
        index=[*configuration, "seed"], columns="method", values="value"
    )
    names = [name for name in METHOD_TITLES if name in table.columns]
    counts = {b: {a: int((table[a] > table[b]).sum()) for a in names} for b in names}
    titles = {name: METHOD_TITLES[name] for name in names}
    return pd.DataFrame(counts, index=names, columns=names, dtype=int).rename(index=titles, columns=titles)


def means_by(runs: pd.DataFrame, metric: str, *columns: str) -> pd.DataFrame:
    """Mean of a metric over seeds, a row for each method and a column for each value of the other columns."""
    known = done_runs(runs).dropna(subset=[metric])
    return known.assign(value=known[metric].astype(float)).pivot_table(
        index="method", columns=list(columns), values="value", aggfunc="mean", sort=False
    )


def _panel(ax: Any, group: pd.DataFrame, panels: Sequence[str]) -> None:
    ordered = group.assign(mean=[interval.mean for interval in group["interval"]]).sort_values(
        "mean", ascending=False, kind="stable"
    )
    rows = as_rows(ordered)
    titles = [METHOD_TITLES[row["method"]] for row in rows]
    figures.plot_intervals(ax, [row["label"] for row in rows], list(ordered["interval"]), method=titles)
    ax.tick_params(axis="y", labelsize=6)
    counts = sorted({interval.n for interval in ordered["interval"]})
    first = rows[0]
    words = [_panel_word(name, first[name]) for name in panels]
    ax.set_title(f"{', '.join(filter(None, words))} (n = {'–'.join(map(str, dict.fromkeys(counts)))})", fontsize=8)


def _panel_word(name: str, value: Any) -> str:
    """A panel's value in words, empty where it is the default.

    >>> _panel_word("fraction", 0.05), _panel_word("learner", None), _panel_word("imbalance", 10.0)
    ('5 %', '', 'imbalance 10')
    """
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    words = {
        "dataset": lambda: str(value),
        "network": lambda: str(value),
        "fraction": lambda: f"{100 * value:g} %",
        "label_noise": lambda: f"{100 * value:g} % wrong labels",
        "imbalance": lambda: f"imbalance {value:g}",
    }
    return words.get(name, lambda: f"{name.replace('_', ' ')} {value}")()
