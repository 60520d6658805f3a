"""Records as a table: one row per run, then one row per configuration with the values of its seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from lcmat.config import Experiment, SelectionParameters
from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.config.registry import title_of
from lcmat.experiments import stale_keys
from lcmat.report.schemes import SELECTION, Scheme, method_label

if TYPE_CHECKING:
    from lcmat.records.record import Record

ACCURACY = "test_accuracy_percent"
BEST_ACCURACY = "best_test_accuracy_percent"
RECORDED = ("key", "status", "commit", "dirty", "fingerprint", "device", "wall_seconds", "started")
PROVENANCE = (*RECORDED, "data", "stale")
METRICS = (ACCURACY, BEST_ACCURACY)


def runs_frame(
    records: Iterable[Record], model: type[Experiment] = SelectionParameters, stale: set[str] | None = None
) -> pd.DataFrame:
    """Tabulate the records of one experiment: parameters, metrics and provenance, one row per run.

    Args:
        records: of any experiments.
        model: the parameters of the one that is wanted.
        stale: keys of the records that other code made than today's; None: they are looked for.

    Returns:
        Its parameters, `METRICS` and `PROVENANCE` as columns at least, whatever the records; missing values are None.
        `stale` says whether other code than today's made the record.
    """
    selected = [record for record in records if record.experiment == model.experiment]
    stale = stale_keys(selected) if stale is None else stale
    rows = [{**_row(record), "stale": record.key in stale} for record in selected]
    columns = list(dict.fromkeys([*model.model_fields, *METRICS, *PROVENANCE, *(name for row in rows for name in row)]))
    return pd.DataFrame(rows, columns=columns, dtype=object)


def done_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs of today's code that ended well and report an accuracy."""
    return runs[(runs["status"] == "done") & runs[ACCURACY].notna() & ~runs["stale"].astype(bool)]


def with_default_selector(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs whose selecting network was trained for its data set's default number of epochs."""
    defaults = runs["dataset"].map(lambda name: DATASET_DEFAULTS[name]["selection_epochs"])
    return runs[runs["selection_epochs"] == defaults]


def as_defined(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs of methods by their definition: LCMat-S at any radius, everything else without special options."""
    labels = [method_label(row["method"], {**row, "rho": None}) for row in as_rows(runs)]
    titles = [title_of(name) for name in runs["method"]]
    same = [label == title for label, title in zip(labels, titles, strict=True)]
    return runs[pd.Series(same, index=runs.index, dtype=bool)]


def by_selector_age(runs: pd.DataFrame, dataset: str) -> dict[int, pd.DataFrame]:
    """Sort one data set's runs by the epochs of their selecting network, each group with the baseline beside it.

    Uniform selection does not look at the network: its runs, of the default age, serve every age and are relabelled.

    Returns:
        Epochs -> runs, ascending, at those fractions alone that every age has.
    """
    own = runs[runs["dataset"] == dataset]
    uniform, others = own[own["method"] == "uniform"], own[own["method"] != "uniform"]
    ages = {age: others[others["selection_epochs"] == age] for age in sorted(set(others["selection_epochs"]))}
    common = set.intersection(*(set(rows["fraction"]) for rows in ages.values())) if ages else set()
    joined = {age: pd.concat([uniform.assign(selection_epochs=age), rows]) for age, rows in ages.items()}
    return {age: rows[rows["fraction"].isin(common)] for age, rows in joined.items()}


def as_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List a table's rows as dictionaries keyed by column."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def group_seeds(runs: pd.DataFrame, scheme: Scheme = SELECTION) -> pd.DataFrame:
    """Collect the seeds of each configuration: one row each, sorted, seeds ascending.

    Args:
        runs: as `runs_frame` gives it.
        scheme: of the experiment.

    Returns:
        The parameters but `seed`, then `label`, `seeds` and, for each metric, the list of its values in the order of
        the seeds.
    """
    keys = [*scheme.setting, *scheme.own]
    done = done_runs(runs).sort_values("seed", kind="stable")
    if done.empty:
        return pd.DataFrame(columns=[*keys, "seeds", *METRICS, "label"], dtype=object)
    grouped = done.groupby(keys, dropna=False, sort=False)
    collected = grouped.agg(seeds=("seed", list), **{name: (name, list) for name in METRICS}).reset_index()
    rows = as_rows(collected)
    ranks = [scheme.rank(row) for row in rows]
    order = sorted(range(len(rows)), key=ranks.__getitem__)
    return collected.assign(label=[scheme.label(row) for row in rows]).iloc[order].reset_index(drop=True)


def _row(record: Record) -> dict[str, Any]:
    provenance = {name: getattr(record, name) for name in RECORDED}
    origins = {origin for split in record.data.values() if (origin := _origin(split))}
    return {
        **record.metrics,
        **record.parameters,
        "seed": record.seed,
        **provenance,
        "data": "; ".join(sorted(one for one in origins if not any(o != one and o.startswith(one) for o in origins))),
    }


def _origin(split: Any) -> str:
    return str(split["provenance"] if isinstance(split, dict) else split.provenance)
