"""The figures of the condensation benchmark's page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lcmat.report import figures
from lcmat.report.condensation import title_of
from lcmat.report.runs import as_rows
from lcmat.report.statistics import mean_interval


def draw_gains(differences: pd.DataFrame, *, columns: int = 2) -> Figure:
    """Draw differences to a baseline: a panel for each setting, a row for each configuration, the best on top.

    Args:
        differences: as `lcmat.report.paired_to` gives it with the scheme `CONDENSATION`, not empty.
        columns: most panels side by side.
    """
    groups = [group for _, group in differences.groupby(["dataset", "ipc", "network"], sort=False)]
    columns = min(columns, len(groups))
    lines, rows = -(-len(groups) // columns), max(map(len, groups))
    size = (figures.WIDE_INCHES if columns > 1 else figures.NARROW_INCHES * 1.4, lines * (0.19 * rows + 0.75))
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(groups) :]:
        ax.set_axis_off()
    for ax, group in zip(axes.flat, groups, strict=False):
        _panel(ax, group)
    figure.supxlabel("difference (percentage points)", fontsize=9)
    return figure


def draw_strengths(ax: Axes, collected: pd.DataFrame, random: Sequence[float]) -> Axes:
    """Draw the accuracy of LCMat-C against rho, 0 among them, with the interval of random images as a band.

    Args:
        ax: where to draw.
        collected: rows of `configurations` that differ in rho alone.
        random: accuracies of random images.
    """
    rows = collected.sort_values("rho")
    band = mean_interval(random)
    if math.isfinite(band.half_width):
        ax.axhspan(
            band.low, band.high, color=figures.PAPER_GREY, alpha=0.4, linewidth=0, label=f"Random (n = {band.n})"
        )
    figures.plot_accuracy(ax, list(rows["rho"]), list(rows["values"]), method="LCMat-C")
    smallest = min(value for value in rows["rho"] if value > 0)
    ax.set_xscale("symlog", linthresh=smallest)
    ax.set_xticks(list(rows["rho"]), [f"{value:g}" for value in rows["rho"]])
    ax.set(xlabel="ρ", ylabel="test accuracy (%)", title=str(rows["dataset"].iloc[0]))
    ax.legend(loc="best")
    return ax


def _panel(ax: Axes, group: pd.DataFrame) -> None:
    ordered = group.assign(mean=[interval.mean for interval in group["interval"]]).sort_values(
        "mean", ascending=False, kind="stable"
    )
    rows, intervals = as_rows(ordered), list(ordered["interval"])
    figures.plot_intervals(ax, [row["label"] for row in rows], intervals, method=[title_of(row) for row in rows])
    ax.tick_params(axis="y", labelsize=6)
    counts = "–".join(str(n) for n in sorted({interval.n for interval in intervals}))
    ax.set_title(f"{rows[0]['dataset']}, {rows[0]['ipc']} per class (n = {counts})", fontsize=8)
