"""The benchmarks' figures: from grouped records or differences to axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lcmat.report import figures
from lcmat.report.runs import ACCURACY, as_rows, group_seeds
from lcmat.report.schemes import SELECTION, Scheme, data_text, method_label, missing, network_text
from lcmat.report.statistics import mean_interval

ROW_INCHES = 0.17
MARGIN_ROWS = 4  # room for a panel's title and ticks


def plot_setting(ax: Axes, setting: pd.DataFrame) -> Axes:
    """Draw every method of one setting (rows of `lcmat.report.group_seeds`) against the fraction kept."""
    for method, rows in setting.groupby("method"):
        figures.plot_accuracy(ax, list(rows["fraction"]), list(rows[ACCURACY]), method=method_label(str(method)))
    figures.label_fractions(ax, list(setting["fraction"].unique()))
    ax.set(
        title=data_text(setting["dataset"].iloc[0]), xlabel="fraction of the training set", ylabel="test accuracy (%)"
    )
    ax.legend(loc="best", fontsize=7)
    return ax


def plot_selector_age(ax: Axes, ages: Mapping[int, pd.DataFrame], *, rho: float) -> Axes:
    """Draw LCMat-S against the age of the selecting network, as `lcmat.report.by_selector_age` sorts the runs.

    Args:
        ax: where to draw.
        ages: epochs -> runs of one data set; the smallest fraction they share is drawn.
        rho: the radius that is drawn.
    """
    grouped = {age: group_seeds(rows) for age, rows in ages.items()}
    first = next(iter(grouped.values()))
    fraction = first["fraction"].min()
    draw_band(ax, first[(first["method"] == "uniform") & (first["fraction"] == fraction)][ACCURACY].iloc[0], "Uniform")
    chosen = [rows[(rows["rho"] == rho) & (rows["fraction"] == fraction)] for rows in grouped.values()]
    figures.plot_accuracy(ax, list(grouped), [rows[ACCURACY].iloc[0] for rows in chosen], method="LCMat-S")
    ax.set_xticks(list(grouped), [str(age) for age in grouped])
    ax.xaxis.set_minor_formatter(NullFormatter())
    title = f"{data_text(first['dataset'].iloc[0])}, {100 * fraction:g} % of the images"
    ax.set(title=title, xlabel="epochs of the selecting network", ylabel="test accuracy (%)")
    ax.legend(loc="best")
    return ax


def draw_strengths(ax: Axes, grouped: pd.DataFrame, random: Sequence[float]) -> Axes:
    """Draw the accuracy of LCMat-C against rho, 0 among them, with the interval of random images as a band.

    Args:
        ax: where to draw.
        grouped: rows of `lcmat.report.group_seeds` that differ in rho alone.
        random: accuracies of random images.
    """
    rows = grouped.sort_values("rho")
    draw_band(ax, random, "Random")
    figures.plot_accuracy(ax, list(rows["rho"]), list(rows[ACCURACY]), method="LCMat-C")
    ax.set_xscale("symlog", linthresh=min(value for value in rows["rho"] if value > 0))
    ax.set_xticks(list(rows["rho"]), [f"{value:g}" for value in rows["rho"]])
    ax.set(xlabel="ρ", ylabel="test accuracy (%)", title=data_text(rows["dataset"].iloc[0]))
    ax.legend(loc="best")
    return ax


def draw_band(ax: Axes, values: Sequence[float], title: str) -> Axes:
    """Draw the t interval of a baseline's accuracies as a grey band; a single seed has none."""
    band = mean_interval(values)
    if math.isfinite(band.half_width):
        label = f"{title} (n = {band.n})"
        ax.axhspan(band.low, band.high, color=figures.PAPER_GREY, alpha=0.4, linewidth=0, label=label)
    return ax


def draw_differences(
    differences: pd.DataFrame, panels: Sequence[str], *, scheme: Scheme = SELECTION, columns: int = 2
) -> Figure:
    """Draw differences to a baseline: a panel for each value of some columns, a row for each configuration.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it, not empty.
        panels: columns whose values make a panel and its title; the best configuration is on top.
        scheme: of the experiment.
        columns: panels side by side.
    """
    lines = _lines(differences, panels, columns)
    rows = [max(map(len, line)) + MARGIN_ROWS for line in lines]
    columns = max(map(len, lines))
    size = (figures.WIDE_INCHES if columns > 1 else figures.NARROW_INCHES * 1.4, ROW_INCHES * sum(rows))
    figure, axes = plt.subplots(len(lines), columns, figsize=size, squeeze=False, height_ratios=rows)
    for line, places in zip(lines, axes, strict=True):
        for ax in places[len(line) :]:
            ax.set_axis_off()
        for ax, group in zip(places, line, strict=False):
            _panel(ax, group, panels, scheme)
    figure.supxlabel("difference (percentage points)", fontsize=9)
    return figure


def _lines(differences: pd.DataFrame, panels: Sequence[str], columns: int) -> list[list[pd.DataFrame]]:
    """The panels of each line; each value of the first column, such as a data set, begins a new one."""
    lines = []
    for _, part in differences.groupby(panels[0], dropna=False, sort=True):
        groups = [group for _, group in part.groupby(list(panels), dropna=False, sort=True)]
        lines += [groups[start : start + columns] for start in range(0, len(groups), columns)]
    return lines


def _panel(ax: Axes, group: pd.DataFrame, panels: Sequence[str], scheme: Scheme) -> None:
    ordered = group.assign(mean=[interval.mean for interval in group["interval"]]).sort_values(
        "mean", ascending=False, kind="stable"
    )
    rows = as_rows(ordered)
    titles = [scheme.title(row) for row in rows]
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
    if missing(value):
        return ""
    words = {
        "dataset": lambda: data_text(str(value)),
        "network": lambda: network_text({"network": value}),
        "ipc": lambda: f"{value} per class",
        "fraction": lambda: f"{100 * value:g} %",
        "label_noise": lambda: f"{100 * value:g} % wrong labels",
        "imbalance": lambda: f"imbalance {value:g}",
    }
    return words.get(name, lambda: f"{name.replace('_', ' ')} {value}")()
