"""What choosing costs beside the training of the network that a method looks at: ours and the paper's."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from lcmat.config.registry import METHODS
from lcmat.report import figures
from lcmat.report.ledger import DEFINED
from lcmat.report.page_answers import SMOKE
from lcmat.report.published import read_published
from lcmat.report.runs import as_rows
from lcmat.report.schemes import network_text
from lcmat.report.sentences import in_words, kept_first, questions

TITLES = {method.title: method.title for method in METHODS.values()} | {DEFINED: METHODS["lcmat-s"].title}
"""Label of each method as it is defined -> its title."""


def with_ratio(costs: pd.DataFrame) -> pd.DataFrame:
    """Add to `lcmat.report.cost.stage_seconds` what precedes the training, and its ratio to the selecting network's."""
    total = costs[["selector", "evidence", "selection"]].sum(axis=1)
    return costs.assign(total=total, ratio=total / costs["selector"])


def speaking_costs(costs: pd.DataFrame) -> pd.DataFrame:
    """Keep the methods as defined that look at a network, on the device that most runs of a data set met."""
    rows = kept_first(costs[costs["method"].isin([*TITLES]) & costs["selector"].notna()])
    runs = rows.groupby(["dataset", "device"])["n"].transform("sum")
    return rows[runs == runs.groupby(rows["dataset"]).transform("max")].sort_values("fraction", kind="stable")


def wall_clock_answer(costs: pd.DataFrame) -> str:
    """Say what LCMat-S costs beside its selecting network, which method costs most, and what the paper prints.

    Args:
        costs: as `speaking_costs` gives them.
    """
    parts = [_of_dataset(str(dataset), rows) for dataset, rows in costs.groupby("dataset", sort=False)]
    theirs = ", ".join(f"{ratio:.1f} times (at {100 * budget:g} %)" for budget, ratio in published_ratios().items())
    paper = f"Pre-training and choice together take with LCMat-S, beside the cheapest method, {theirs} as long."
    answers = {
        "What does choosing cost, beside training the network that it looks at?": " ".join(parts),
        "And in the paper?": paper if parts else "",
    }
    return questions(answers, SMOKE)


def published_ratios() -> Mapping[float, float]:
    """The paper's seconds of pre-training and LCMat-S over those of pre-training and the cheapest method, by budget."""
    published = read_published()
    rows = published[(published["table"] == "D.2") & (published["method"] != "Uniform")]
    own = rows[rows["method"] == "LCMat-S"].set_index("budget")["mean"]
    cheapest = rows.groupby("budget")["mean"].min()
    return {float(str(budget)): float(own[budget] / cheapest[budget]) for budget in sorted(own.index, key=float)}


def draw_ratios(ax: Axes, costs: pd.DataFrame) -> Axes:
    """Draw the ratio of each method, the dearest on top, with a line where the selecting network costs everything."""
    ordered = costs.sort_values("ratio", kind="stable")
    colors = [figures.method_style(TITLES[label]).color for label in ordered["method"]]
    ax.barh(list(ordered["method"]), list(ordered["ratio"]), color=colors, height=0.7)
    ax.axvline(1, color=figures.BLACK, linewidth=0.8)
    ax.tick_params(axis="y", labelsize=6)
    ax.set(xlabel="seconds before the training / selecting network's")
    return ax


def _of_dataset(dataset: str, rows: pd.DataFrame) -> str:
    dearest = max(as_rows(rows), key=lambda row: float(row["ratio"]))
    own = as_rows(rows[rows["method"] == DEFINED])
    times = " and ".join(f"{row['ratio']:.2f} times that at {100 * row['fraction']:g} %" for row in own)
    return (
        f"On {in_words(dataset)}, training the selecting network ({network_text(as_rows(rows)[0])}) takes "
        f"{rows['selector'].median():.3g} s; "
        f"with the choice by LCMat-S it is {times or 'not known'}. The most expensive method is {dearest['method']}, "
        f"{dearest['ratio']:.2f} times that at {100 * dearest['fraction']:g} % (medians over {dearest['n']} seeds)."
    )
