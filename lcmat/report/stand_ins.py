"""The cheap stand-ins for the spectral norm of a Hessian difference, set against it over many subsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lcmat.report import figures

STAND_INS = {
    "largest_diagonal": "largest diagonal entry",
    "top_k_max": "largest of K",
    "top_k_sum": "sum over K (the method)",
    "frobenius": "Frobenius norm",
    "gershgorin": "Gershgorin",
}
"""Column of `lcmat.measurements.curvature_gap.subset_row` -> words."""


def by_subset(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row for each subset, with the spectral norm and the kind of the subset in words.

    Args:
        rows: of `lcmat.measurements.curvature_gap`; of those that share a subset the first is taken.

    >>> ends = {"largest_eigenvalue": 1.0, "smallest_eigenvalue": -3.0}
    >>> table = by_subset([{"subset": 0, "origin": "random", "size": 5, **ends}] * 2)
    >>> list(table["norm"]), list(table["kind"])
    ([3.0], ['random, |S| = 5'])
    """
    table = pd.DataFrame(rows).drop_duplicates("subset").reset_index(drop=True)
    weighted = table["origin"].str.contains("weighted").map({True: "cluster sizes", False: "equal weights"})
    random = "random, |S| = " + table["size"].astype(str)
    return table.assign(
        norm=table[["largest_eigenvalue", "smallest_eigenvalue"]].abs().max(axis=1),
        kind=random.where(table["origin"] == "random", "LCMat-S, " + weighted),
    )


def draw_sizes(ax: Axes, table: pd.DataFrame, jitter: np.random.Generator) -> Axes:
    """Draw each stand-in divided by the spectral norm, a dot for each subset, a row for each stand-in.

    Args:
        ax: of a figure in the book's style.
        table: a row for each subset: the columns of `STAND_INS`, and "norm".
        jitter: moves the dots up and down, so that they can be told apart.
    """
    for row, column in enumerate(STAND_INS):
        heights = row + jitter.uniform(-0.25, 0.25, len(table))
        ax.scatter(table[column] / table["norm"], heights, s=4, color=figures.BLUE, alpha=0.35, linewidths=0)
    ax.axvline(1, color=figures.BLACK, linewidth=0.8)
    ax.set(xscale="log", xlabel="divided by the spectral norm", ylim=(len(STAND_INS) - 0.5, -0.5))
    ax.set_yticks(range(len(STAND_INS)), list(STAND_INS.values()))
    return ax


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of each stand-in with the spectral norm.

    Args:
        table: as `by_subset` gives it.

    Returns:
        A row for each stand-in: over random subsets of one size (mean over the sizes), and over all subsets.
    """
    columns = list(STAND_INS)
    random = table[table["origin"] == "random"]
    sizes = [part[columns].corrwith(part["norm"], method="spearman") for _, part in random.groupby("size")]
    whole = table[columns].corrwith(table["norm"], method="spearman")
    return pd.DataFrame({"random, one size": pd.concat(sizes, axis=1).mean(axis=1), "all subsets": whole})


def beside_norm(table: pd.DataFrame) -> pd.DataFrame:
    """Each stand-in divided by the spectral norm, median and range over the subsets of a kind.

    Args:
        table: as `by_subset` gives it.

    Returns:
        A row for each kind, in the order of the table, with the number of its subsets and of those whose sum over K
        exceeds the norm.
    """
    groups = {str(kind): part for kind, part in table.groupby("kind", sort=False)}
    return pd.DataFrame(
        {
            "kind": kind,
            "n": len(part),
            **{words: middle(part[column] / part["norm"]) for column, words in STAND_INS.items()},
            "sum exceeds norm": int((part["top_k_sum"] > part["norm"]).sum()),
        }
        for kind, part in groups.items()
    )


def middle(values: pd.Series) -> str:
    """Median and range.

    >>> middle(pd.Series([1.0, 2.0, 4.5]))
    '2 (1 to 4.5)'
    """
    return f"{values.median():.3g} ({values.min():.3g} to {values.max():.3g})"
