"""What the page of the condensation benchmark shows: its records as a table, compared seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd
from great_tables import GT
from scipy import stats

from lcmat.condensation import OBJECTIVES
from lcmat.config import CondensationParameters
from lcmat.config.condensation_defaults import DATASET_SETTINGS, METHOD_DEFAULTS, METHOD_PARAMETERS, SMALL
from lcmat.report.paired import SIGNIFICANCE, Scheme, paired_to, setting_key, testable, with_corrected_p
from lcmat.report.published import read_published
from lcmat.report.runs import ACCURACY, as_rows, done_runs, runs_frame
from lcmat.report.statistics import Interval, mean_interval, welch_difference
from lcmat.report.tables import _network, _range, _table, _tested
from lcmat.report.verdicts import MAX_SEEDS

if TYPE_CHECKING:
    from lcmat.records.record import Record

REAL_TITLES = {"random": "Random", "herding": "Herding", "k-center": "k-Center"}
OWN = ("method", *sorted({name for known in METHOD_PARAMETERS.values() for name in known}))
SETTING = tuple(name for name in CondensationParameters.model_fields if name not in (*OWN, "seed"))
_OPTIONS = ("norm", "distance", "layers", "strength_at")  # named where they are not the method's default
_SIZES = ("outer_iterations", "inner_steps", "real_batch", "network_images", "network_augmentation", "cutmix")


def condensation_frame(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate the records of the condensation benchmark, one row per run."""
    return runs_frame(records, CondensationParameters)


def title_of(row: Mapping[Any, Any]) -> str:
    """The method's name in figures, by which it has its colour; LCMat-C at rho = 0 has another.

    >>> title_of({"method": "lcmat-c", "rho": 0.0}), title_of({"method": "dm", "rho": None})
    ('Gradients alone', 'DM')
    """
    if row["method"] == "lcmat-c" and row["rho"] == 0:
        return "Gradients alone"
    return REAL_TITLES.get(row["method"]) or OBJECTIVES[row["method"]].title


def condensation_label(row: Mapping[Any, Any]) -> str:
    """Name a configuration, with rho and with what is not its method's default, or not learnt from real images.

    >>> condensation_label({"method": "lcmat-c", "rho": 10.0, "norm": "l1", "init": "noise", "train_on": "original"})
    'LCMat-C, ρ = 10, norm l1, from noise'
    """
    if row["method"] not in METHOD_PARAMETERS:  # a baseline that has lost its name in a comparison
        return str(row["method"])
    defaults = METHOD_DEFAULTS.get(row["method"], {})
    differing = [name for name in _OPTIONS if _given(row, name) and row[name] != defaults.get(name)]
    parts = [title_of(row)]
    if _given(row, "rho") and row["rho"] != 0:
        parts.append(f"ρ = {row['rho']:g}")
    parts += [f"{name.replace('_', ' ')} {row[name]}" for name in differing]
    if _given(row, "init") and row["init"] != "real":
        parts.append(f"from {row['init']}")
    if _given(row, "train_on") and row["train_on"] != defaults.get("train_on"):
        parts.append(f"network learns {row['train_on']}")
    return ", ".join(parts + [f"{name.replace('_', ' ')} {_text(row[name])}" for name in _unusual_sizes(row)])


def _unusual_sizes(row: Mapping[Any, Any]) -> list[str]:
    """Which sizes are not those of a run of the data set, whole or small, whichever it is more like."""
    dataset, own = str(row.get("dataset")), METHOD_DEFAULTS.get(row["method"], {})
    whole = DATASET_SETTINGS.get(dataset, {})
    unusual = [
        [
            name
            for name in _SIZES
            if _given(row, name) and name in usual and row[name] not in (usual[name], own.get(name))
        ]
        for usual in (whole, {**whole, **SMALL.get(dataset, {})})
    ]
    return min(unusual, key=len)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


CONDENSATION = Scheme(SETTING, OWN, condensation_label, ("dataset", "ipc", "network"))


def configurations(runs: pd.DataFrame) -> pd.DataFrame:
    """Collect the seeds of each configuration: its setting and own parameters, `label`, `seeds` and `values`.

    In the order of the methods' table, rho ascending.
    """
    keys = [*SETTING, *OWN]
    done = done_runs(runs).sort_values("seed", kind="stable")
    if done.empty:
        return pd.DataFrame(columns=[*keys, "label", "seeds", "values"], dtype=object)
    grouped = done.groupby(keys, dropna=False, sort=False)
    collected = grouped.agg(seeds=("seed", list), values=(ACCURACY, list)).reset_index()
    labels = [condensation_label(row) for row in as_rows(collected)]
    ranks = collected["method"].map(list(METHOD_PARAMETERS).index)
    ordered = collected.assign(label=labels, rank=ranks).sort_values(
        ["dataset", "ipc", "test_network", "rank", "rho", "label"],
        kind="stable",
        ignore_index=True,
        na_position="first",
    )
    return ordered.drop(columns="rank")


def means_table(collected: pd.DataFrame, name: str, published: Mapping[tuple[str, str, int], str] | None = None) -> GT:
    """Show `configurations` as in Table 4: mean and t interval of the last epoch, the paper's cell beside it.

    Args:
        collected: not empty.
        name: identifier of the table, unique on its page.
        published: (data set, the paper's name of the method, images per class) -> its number as text.
    """
    rows = []
    for row in as_rows(collected):
        interval = mean_interval(row["values"])
        shown = {
            "group": setting_text(row),
            "Method": row["label"],
            "Rate": "" if not _given(row, "image_learning_rate") else f"{row['image_learning_rate']:g}",
            "n": interval.n,
            "Accuracy": f"{interval.mean:.2f}",
            "95 % interval": _range(interval),
        }
        if published is not None:
            shown["Paper (width 128)"] = published.get((row["dataset"], title_of(row), row["ipc"]), "")
        rows.append(shown)
    return _table(pd.DataFrame(rows), name, groupname_col="group")


def published_cells(table: str = "4") -> dict[tuple[str, str, int], str]:
    """The paper's accuracies of one table on its own network: (data set, method, images per class) -> text."""
    published = read_published()
    own = published[(published["table"] == table) & (published["budget_kind"] == "ipc")]
    rows = as_rows(own[own["reduction_network"] == own["test_network"]])
    return {(row["dataset"], row["method"], int(row["budget"])): f"{row['mean']:g} ± {row['std']:g}" for row in rows}


def gains_table(differences: pd.DataFrame, name: str) -> GT:
    """Show differences of `lcmat.report.paired_to` with the scheme `CONDENSATION`, and the seeds that would suffice."""
    family = setting_key(differences, SETTING)
    sizes = family.map(family[testable(differences).index].value_counts()).fillna(0).astype(int)
    rows = [
        {
            "group": setting_text(row),
            "Method": row["label"],
            **_tested(row),
            "Seeds that suffice": _seeds_text(row["interval"], row["adjusted_p"] < SIGNIFICANCE, size),
        }
        for row, size in zip(as_rows(differences), sizes, strict=True)
    ]
    return _table(pd.DataFrame(rows), name, groupname_col="group")


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
    return with_corrected_p(steps, setting_key(steps, SETTING)).sort_values(
        ["dataset", "ipc"], kind="stable", ignore_index=True
    )


def seeds_to_tell(interval: Interval, comparisons: int = 1) -> int | None:
    """Smallest number of seeds at which the interval would exclude zero if mean and spread stayed as they are.

    Args:
        interval: of the mean difference, 95 %.
        comparisons: that are corrected together. The interval is taken at the level that Holm's correction asks of the
            first of them, so that the number suffices however the others come out.

    Returns:
        The number, the present one at least; None if `MAX_SEEDS` would not do, or if one seed tells no spread.

    >>> seeds_to_tell(mean_interval([0.0, 1.0, 2.0]))  # 1 > t(n - 1) / sqrt(n) from n = 7 on
    7
    """
    if not math.isfinite(interval.half_width):
        return None
    std = interval.half_width * math.sqrt(interval.n) / float(stats.t.ppf(0.975, interval.n - 1))
    numbers, level = range(interval.n, MAX_SEEDS + 1), 1 - SIGNIFICANCE / comparisons
    return next((n for n in numbers if welch_difference(interval.mean, std, n, 0.0, 0.0, 1, level).excludes_zero), None)


def setting_text(row: Mapping[Any, Any]) -> str:
    """Data set, images per class and networks in words."""
    tested = f", tested on {row['test_network']}, width {row['test_width']:g}" if _given(row, "test_network") else ""
    return f"{row['dataset']}, {row['ipc']} images per class, {_network(dict(row))}{tested}"


def _seeds_text(interval: Interval, shown: bool, comparisons: int) -> str:
    if interval.n < 2:
        return ""
    needed = interval.n if shown else seeds_to_tell(interval, comparisons)
    return f"more than {MAX_SEEDS}" if needed is None else str(needed)


def _given(row: Mapping[Any, Any], name: str) -> bool:
    return row.get(name) is not None and not pd.isna(row[name])
