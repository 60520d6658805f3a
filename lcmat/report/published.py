"""The paper's numbers, each set against the runs of the same protocol and given a verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lcmat.config import SelectionParameters
from lcmat.paths import project_folder
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, PARAMETERS, as_rows, done_runs
from lcmat.selection import METHODS
from lcmat.statistics import ACCURACY_MARGIN_PERCENT, VERDICTS, mean_interval, verdict

NETWORKS: Mapping[str, str] = {
    "resnet18": "resnet18",
    "vgg16": "vgg16",
    "wrn16_8": "wrn16-8",
    "inception_v3": "torchvision:inception_v3",
}
"""The paper's networks, by our names. A run of another network, or of another width, is another protocol."""

DATASETS: Mapping[str, str] = {"cifar10": "cifar10", "cifar100": "cifar100", "tinyimagenet": "tiny-imagenet-32"}

PAPER_EPOCHS = {"epochs": 200, "selection_epochs": 10}
"""Coreset training and selection network (section 4.1)."""

NOT_PROTOCOL = frozenset({"seed", "evaluate_every", "precision", "compile"})
"""Parameters in which a run may differ from the paper's and still measure the same thing; pages show them."""


def read_published(path: Path | None = None) -> pd.DataFrame:
    """Read the published numbers; `cell` numbers the rows, so that each can be accounted for.

    Args:
        path: the table; by default `book/published.csv` of the project.
    """
    path = path or project_folder() / "book" / "published.csv"
    table = pd.read_csv(path, dtype={"table": str, "budget": str})
    return table.rename_axis("cell").reset_index()


def paper_parameters(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say which parameters a run must have to measure the same thing as a published cell.

    Where the paper tunes rho without saying by which rule, our default stands, fixed beforehand.

    Returns:
        The parameters, or None if no experiment of ours measures this kind of cell.
    """
    fraction, rho = _fraction_and_rho(row)
    method = "uniform" if row["method"] == "Full" else _registry_name(row["method"])
    same_network = row["reduction_network"] == row["test_network"]
    if fraction is None or method is None or not same_network or row["metric"] != ACCURACY:
        return None
    dataset, network = DATASETS.get(row["dataset"]), NETWORKS.get(row["test_network"])
    if dataset is None or network is None:
        return None
    stated = {"dataset": dataset, "method": method, "fraction": fraction, "network": network, "rho": rho}
    parameters = SelectionParameters.model_validate({**stated, **PAPER_EPOCHS})
    return {name: value for name, value in parameters.canonical().items() if name not in NOT_PROTOCOL}


def compare(published: pd.DataFrame, runs: pd.DataFrame, *, margin: float = ACCURACY_MARGIN_PERCENT) -> pd.DataFrame:
    """Set each published cell against the runs of its protocol; every row of `published` comes back exactly once.

    Args:
        published: as `read_published` gives it.
        runs: as `lcmat.report.runs_frame` gives it.
        margin: largest difference that still counts as the same, in the unit of the metric.

    Returns:
        `published` with `values` (one per seed, last epoch), `best` (their mean at the best epoch), `n`, `ours`, `low`,
        `high` (t interval), `difference`, `verdict`, `seeds_to_settle` and `keys` of the records used.
    """
    done = done_runs(runs)
    outcomes = [_outcome(row, done, margin) for row in as_rows(published)]
    return pd.concat([published, pd.DataFrame(outcomes, index=published.index)], axis=1)


def verdict_counts(comparison: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts for each table of the paper; a column for each verdict, rows in the paper's order, and a total."""
    counts = pd.crosstab(comparison["table"], comparison["verdict"]).reindex(columns=list(VERDICTS), fill_value=0)
    counts = counts.reindex(index=list(dict.fromkeys(comparison["table"]))).assign(all=lambda table: table.sum(axis=1))
    return pd.concat([counts, counts.sum().to_frame("all").T]).rename_axis("table").reset_index()


def _outcome(row: Mapping[str, Any], done: pd.DataFrame, margin: float) -> dict[str, Any]:
    matched = _matching(done, paper_parameters(row))
    values = [float(value) for value in matched[ACCURACY]]
    std, seeds = (None if pd.isna(row[name]) else row[name] for name in ("std", "seeds"))
    result = verdict(values, row["mean"], std, seeds, margin=margin)
    interval = mean_interval(values) if values else None
    return {
        "values": values,
        "best": float(matched[BEST_ACCURACY].astype(float).mean()) if values else math.nan,
        "n": len(values),
        "ours": interval.mean if interval else math.nan,
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "difference": result.difference.mean if result.difference else math.nan,
        "verdict": result.name,
        "seeds_to_settle": result.seeds_to_settle,
        "keys": list(matched["key"]),
    }


def _matching(done: pd.DataFrame, wanted: dict[str, Any] | None) -> pd.DataFrame:
    """Runs with exactly the wanted parameters, one per seed, those in float32 first."""
    if wanted is None or done.empty:
        return done.iloc[:0]
    same = pd.Series(True, index=done.index)
    for name in set(PARAMETERS) - NOT_PROTOCOL:
        same &= done[name] == wanted[name] if name in wanted else done[name].isna()
    ordered = done[same].sort_values(["precision", "seed"], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates("seed").sort_values("seed", kind="stable")


def _fraction_and_rho(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if row["budget_kind"] == "fraction":
        return float(row["budget"]), None
    stated = re.match(r"fraction ([0-9.]+);", str(row["note"]))  # the sweep over rho names its fraction in the note
    if row["budget_kind"] == "rho" and stated:
        return float(stated[1]), float(row["budget"])
    return None, None


def _registry_name(title: str) -> str | None:
    return next((name for name, method in METHODS.items() if method.title == title), None)
