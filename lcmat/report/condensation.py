"""What only the pages of the condensation benchmark show: names of its configurations, the paper's cells, an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isnan, nan
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.condensation import OBJECTIVES
from lcmat.config import CondensationParameters
from lcmat.config.condensation_defaults import DATASET_SETTINGS, METHOD_DEFAULTS, METHOD_PARAMETERS, SMALL
from lcmat.report.paired import paired_to, setting_key, with_corrected_p
from lcmat.report.published import read_published
from lcmat.report.runs import ACCURACY, as_rows, runs_frame
from lcmat.report.schemes import Row, Scheme, data_text, missing, network_text

if TYPE_CHECKING:
    from lcmat.records.record import Record

REAL_TITLES = {"random": "Random", "herding": "Herding", "k-center": "k-Center"}
_OPTIONS = ("norm", "distance", "layers", "strength_at")  # named where they are not the method's default
_SIZES = ("outer_iterations", "inner_steps", "real_batch", "network_images", "network_augmentation", "cutmix")


def condensation_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate the records of the condensation benchmark, one row per run."""
    return runs_frame(records, CondensationParameters)


def main_differences(main: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Compare the runs of the main benchmark, paired by seed.

    Args:
        main: runs of the study "condensation", as `condensation_frame` gives them.

    Returns:
        Differences of all methods to random images, of LCMat-C to real images chosen by herding, of the methods that
        learn to gradients alone, and of LCMat-C to the mean control, which pulls as hard without curvature.
    """
    ours, alone = main["method"] == "lcmat-c", main["rho"] == 0
    learnt = main[(ours & alone) | ~main["method"].isin(list(REAL_TITLES))]
    herding, control = (main[(ours & ~alone) | (main["method"] == name)] for name in ("herding", "mean-control"))
    return (
        paired_to(main, main["method"] == "random", scheme=CONDENSATION),
        paired_to(herding, herding["method"] == "herding", scheme=CONDENSATION),
        paired_to(learnt, (ours & alone)[learnt.index], scheme=CONDENSATION),
        paired_to(control, control["method"] == "mean-control", scheme=CONDENSATION),
    )


def title_of(row: Row) -> str:
    """The method's name in figures, by which it has its colour; LCMat-C at rho = 0 has another.

    >>> title_of({"method": "lcmat-c", "rho": 0.0}), title_of({"method": "dm", "rho": None})
    ('Gradients alone', 'DM')
    """
    if row["method"] == "lcmat-c" and row["rho"] == 0:
        return "Gradients alone"
    return REAL_TITLES.get(row["method"]) or OBJECTIVES[row["method"]].title


def condensation_label(row: Row) -> str:
    """Name a configuration, with rho and with what is not its method's default, or not learnt from real images.

    >>> condensation_label({"method": "lcmat-c", "rho": 10.0, "norm": "l1", "init": "noise", "train_on": "original"})
    'LCMat-C, ρ = 10, norm l1, from noise'
    """
    if row["method"] not in METHOD_PARAMETERS:  # a baseline that has lost its name in a comparison
        return str(row["method"])
    defaults = METHOD_DEFAULTS.get(row["method"], {})
    stated = {name: value for name, value in row.items() if not missing(value)}
    parts = [title_of(row)]
    if stated.get("rho"):
        parts.append(f"ρ = {row['rho']:g}")
    differing = [name for name in _OPTIONS if name in stated and stated[name] != defaults.get(name)]
    parts += [f"{name.replace('_', ' ')} {stated[name]}" for name in differing]
    if stated.get("init", "real") != "real":
        parts.append(f"from {row['init']}")
    if "train_on" in stated and stated["train_on"] != defaults.get("train_on"):
        parts.append(f"network learns {row['train_on']}")
    return ", ".join(parts + [f"{name.replace('_', ' ')} {_text(row[name])}" for name in _unusual_sizes(stated)])


def _unusual_sizes(stated: Mapping[Any, Any]) -> list[str]:
    """Which sizes are not those of a run of the data set, whole or small, whichever it is more like."""
    dataset, own = str(stated.get("dataset")), METHOD_DEFAULTS.get(stated["method"], {})
    whole = DATASET_SETTINGS.get(dataset, {})
    unusual = [
        [
            name
            for name in _SIZES
            if name in stated and name in usual and stated[name] not in (usual[name], own.get(name))
        ]
        for usual in (whole, {**whole, **SMALL.get(dataset, {})})
    ]
    return min(unusual, key=len)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _setting(row: Row) -> str:
    tested = {"network": row.get("test_network"), "width": row.get("test_width")}
    other = "" if missing(tested["network"]) else f", tested on {network_text(tested)}"
    return f"{data_text(row['dataset'])}, {row['ipc']} images per class, {network_text(row)}{other}"


def _rate(row: Row) -> str:
    rate = row.get("image_learning_rate")
    return "" if missing(rate) else f"{rate:g}"


def _rank(row: Row) -> tuple[Any, ...]:
    """In the order of the methods' table, rho ascending; without another network or a strength first."""
    tested, rho = ("" if missing(row[name]) else row[name] for name in ("test_network", "rho"))
    place = list(METHOD_PARAMETERS).index(row["method"])
    return (row["dataset"], row["ipc"], tested, place, -1.0 if rho == "" else rho, condensation_label(row))


CONDENSATION = Scheme(
    model=CondensationParameters,
    own=("method", *sorted({name for known in METHOD_PARAMETERS.values() for name in known})),
    title=title_of,
    label=condensation_label,
    describe=_setting,
    columns={"Rate": _rate},
    order=("dataset", "ipc", "network"),
    rank=_rank,
)


def published_cells(table: str = "4") -> dict[tuple[str, str, int], str]:
    """The paper's accuracies of one table on its own network: (data set, method, images per class) -> text."""
    published = read_published()
    own = published[(published["table"] == table) & (published["budget_kind"] == "ipc")]
    rows = as_rows(own[own["reduction_network"] == own["test_network"]])
    return {(row["dataset"], row["method"], int(row["budget"])): f"{row['mean']:g} ± {row['std']:g}" for row in rows}


def with_published(grouped: pd.DataFrame) -> pd.DataFrame:
    """Add the paper's cell, as text, to each configuration that `lcmat.report.group_seeds` gives; empty for others."""
    cells = published_cells()
    keys = ((row["dataset"], title_of(row), row["ipc"]) for row in as_rows(grouped))
    return grouped.assign(paper=[cells.get(key, "") for key in keys])


def with_recovery(grouped: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Add, as text, how many points are missing to such networks that learn from all images; empty where none did.

    Other benchmarks call it the hard-label recovery (Li et al. 2025).

    Args:
        grouped: as `lcmat.report.group_seeds` gives it.
        whole: likewise, of runs on all images.
    """
    tested = ("dataset", "network", "width", "test_network", "test_width")
    best = {_of(row, tested): fmean(row[ACCURACY]) for row in as_rows(whole)}
    short = [best.get(_of(row, tested), nan) - fmean(row[ACCURACY]) for row in as_rows(grouped)]
    return grouped.assign(recovery=["" if isnan(points) else f"{points:.2f}" for points in short])


def _of(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(None if missing(row[name]) else row[name] for name in names)


def order_differences(runs: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Difference of each method to its predecessor in an order, as `lcmat.report.paired_to` gives it.

    Args:
        runs: as `condensation_frame` gives it.
        order: titles as `title_of` gives them, the one expected lowest first.

    Returns:
        A row for each step and setting that has both; `adjusted_p` over the steps of a setting.
    """
    titles = pd.Series([title_of(row) for row in as_rows(runs)], runs.index, dtype=object)
    parts = []
    for lower, higher in pairwise(order):
        pair = runs[titles.isin((lower, higher))]
        step = paired_to(pair, titles[pair.index] == lower, scheme=CONDENSATION)
        parts.append(step.assign(label=f"{higher} − {lower}"))
    steps = pd.concat(parts, ignore_index=True)
    corrected = with_corrected_p(steps, setting_key(steps, CONDENSATION.setting))
    return corrected.sort_values(["dataset", "ipc"], kind="stable", ignore_index=True)
