"""The benchmarks' figures: from grouped records to an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from lcmat import figures
from lcmat.report.runs import ACCURACY, group_seeds, method_label
from lcmat.statistics import mean_interval


def plot_setting(ax: Axes, setting: pd.DataFrame) -> Axes:
    """Draw every method of one setting (rows of `lcmat.report.group_seeds`) against the fraction kept."""
    for method, rows in setting.groupby("method"):
        figures.plot_accuracy(ax, list(rows["fraction"]), list(rows[ACCURACY]), method=method_label(str(method)))
    figures.label_fractions(ax, list(setting["fraction"].unique()))
    ax.set(title=setting["dataset"].iloc[0], xlabel="fraction of the training set", ylabel="test accuracy (%)")
    ax.legend(loc="lower right")
    return ax


def plot_selector_age(ax: Axes, ages: Mapping[int, pd.DataFrame], radii: Sequence[float]) -> Axes:
    """Draw accuracy against the age of the selecting network, as `lcmat.report.by_selector_age` sorts the runs.

    Args:
        ax: where to draw.
        ages: epochs -> runs of one data set; the smallest fraction they share is drawn.
        radii: the values of rho, one line each; the first one dashed.
    """
    grouped = {age: group_seeds(rows) for age, rows in ages.items()}
    first = next(iter(grouped.values()))
    fraction = first["fraction"].min()
    uniform = first[(first["method"] == "uniform") & (first["fraction"] == fraction)][ACCURACY].iloc[0]
    band = mean_interval(uniform)
    ax.axhspan(band.low, band.high, color=figures.PAPER_GREY, alpha=0.4, label=f"Uniform (n = {band.n})", linewidth=0)
    for rho, linestyle in zip(radii, ("--", "-", ":"), strict=False):
        chosen = [rows[(rows["rho"] == rho) & (rows["fraction"] == fraction)] for rows in grouped.values()]
        values = [rows[ACCURACY].iloc[0] for rows in chosen]
        label = f"{method_label('lcmat-s', rho)} (n = {len(values[0])})"
        figures.plot_accuracy(ax, list(grouped), values, method="LCMat-S", label=label, linestyle=linestyle)
    ax.set_xticks(list(grouped), [str(age) for age in grouped])
    ax.xaxis.set_minor_formatter(NullFormatter())
    title = f"{first['dataset'].iloc[0]}, {100 * fraction:g} % of the images"
    ax.set(title=title, xlabel="epochs of the selecting network", ylabel="test accuracy (%)")
    ax.legend(loc="best")
    return ax
