"""The benchmarks' figures: from grouped records to an axis."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from lcmat.report import figures
from lcmat.report.runs import ACCURACY, group_seeds, method_label
from lcmat.report.statistics import mean_interval


def plot_setting(ax: Axes, setting: pd.DataFrame) -> Axes:
    """Draw every method of one setting (rows of `lcmat.report.group_seeds`) against the fraction kept."""
    for method, rows in setting.groupby("method"):
        figures.plot_accuracy(ax, list(rows["fraction"]), list(rows[ACCURACY]), method=method_label(str(method)))
    figures.label_fractions(ax, list(setting["fraction"].unique()))
    ax.set(title=setting["dataset"].iloc[0], xlabel="fraction of the training set", ylabel="test accuracy (%)")
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
    band = mean_interval(first[(first["method"] == "uniform") & (first["fraction"] == fraction)][ACCURACY].iloc[0])
    ax.axhspan(band.low, band.high, color=figures.PAPER_GREY, alpha=0.4, label=f"Uniform (n = {band.n})", linewidth=0)
    chosen = [rows[(rows["rho"] == rho) & (rows["fraction"] == fraction)] for rows in grouped.values()]
    figures.plot_accuracy(ax, list(grouped), [rows[ACCURACY].iloc[0] for rows in chosen], method="LCMat-S")
    ax.set_xticks(list(grouped), [str(age) for age in grouped])
    ax.xaxis.set_minor_formatter(NullFormatter())
    title = f"{first['dataset'].iloc[0]}, {100 * fraction:g} % of the images"
    ax.set(title=title, xlabel="epochs of the selecting network", ylabel="test accuracy (%)")
    ax.legend(loc="best")
    return ax
