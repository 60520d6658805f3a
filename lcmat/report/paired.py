"""Differences paired by seed and corrected for their number; `lcmat.report.sentences` states them in words.

Two ways to choose what is compared: every configuration with one baseline (`paired_to_baseline`, `paired_to`), which
Holm's correction takes setting by setting, or named pairs of configurations (`label_differences`), which it takes
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from lcmat.report.runs import ACCURACY, as_rows, done_runs
from lcmat.report.schemes import SELECTION, Scheme
from lcmat.report.statistics import FEWEST_SEEDS, PairedDifference, holm, paired_difference

Pair = tuple[str, str]
"""Labels, as `lcmat.report.method_label` gives them: the one whose value counts, and the one it is compared with."""

SIGNIFICANCE = 0.05
PAIR_COLUMNS = ("dataset", "network", "width", "fraction", "better", "worse", "first", "second", "interval", "p_value")
_BASELINE = "the baseline"


def paired_to_baseline(
    runs: pd.DataFrame, baseline: str = "uniform", metric: str = ACCURACY, scheme: Scheme = SELECTION
) -> pd.DataFrame:
    """Difference of each configuration to the baseline of the same setting, over the seeds that both have.

    A seed is one value, the mean of its runs should the baseline have several, so that values are independent.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        baseline: registry name of the method compared with.
        metric: column of the values, percent.
        scheme: of the experiment.

    Returns:
        One row per configuration with at least one common seed: the setting, `label`, `method`, `rho`, the paired
        `interval`, `p_value` and `adjusted_p`, the latter over all rows with the same baseline: one setting, hence one
        data set and fraction.
    """
    done = done_runs(runs).assign(setting=lambda table: setting_key(table, scheme.setting))
    bases = dict(list(done[done["method"] == baseline].groupby("setting")))
    others = done[done["method"] != baseline]
    rows = []
    for _, group in others.groupby(setting_key(others, [*scheme.setting, *scheme.own]), sort=False):
        base = bases.get(group["setting"].iloc[0], done.iloc[:0])
        values = _on_common_seeds(group, base, metric)
        if values[0]:
            rows.append(_to_baseline(group.iloc[0], paired_difference(*values), scheme))
    table = pd.DataFrame(rows, columns=[*scheme.setting, "method", "rho", "label", "interval", "p_value"])
    adjusted = with_corrected_p(table, setting_key(table, scheme.setting))
    return adjusted.sort_values([*scheme.order], kind="stable", ignore_index=True)


def paired_to(
    runs: pd.DataFrame, baseline: pd.Series, metric: str = ACCURACY, scheme: Scheme = SELECTION
) -> pd.DataFrame:
    """Difference of each configuration to the one that a mask marks, otherwise as `paired_to_baseline`.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        baseline: whether a run belongs to the baseline, one truth value for each row of `runs`.
        metric: column of the values, percent.
        scheme: of the experiment.
    """
    marked = runs.assign(method=runs["method"].mask(baseline, _BASELINE))
    return paired_to_baseline(marked, _BASELINE, metric, scheme)


def label_differences(
    runs: pd.DataFrame,
    pairs: Sequence[Pair],
    *,
    pooled: Sequence[str] = (),
    alike: Mapping[str, bool] = MappingProxyType({}),
    metric: str = ACCURACY,
) -> pd.DataFrame:
    """Difference of one configuration to another in each setting that has both, over the seeds that both have.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        pairs: the first one's value minus the second one's.
        pooled: parameters over whose common values a seed's difference is averaged, so that seeds stay independent.
        alike: parameters that both runs of a pair share and that make no setting of their own: of their values those
            with most common seeds count, among equals the first in ascending order, or in descending where it says so.
        metric: column of the values, percent.

    Returns:
        A row for each pair and setting with a common seed: the columns `PAIR_COLUMNS`, where `first` and `second` are
        the mean values, and `adjusted_p` over all rows.
    """
    done = done_runs(runs)
    done = done.assign(label=[SELECTION.label(row) for row in as_rows(done)])
    done = done.sort_values([*alike], ascending=[not down for down in alike.values()]) if alike else done
    settings = [name for name in SELECTION.setting if name not in {*pooled, *alike}]
    rows = []
    for _, group in done.groupby(settings, dropna=False) if len(done) else ():
        parts = [part for _, part in group.groupby([*alike], dropna=False, sort=False)] if alike else [group]
        by_label = [dict(list(part.groupby("label"))) for part in parts]
        for better, worse in pairs:
            both = [labels for labels in by_label if better in labels and worse in labels]
            found = [_on_common_seeds(labels[better], labels[worse], metric, pooled) for labels in both]
            values = max(found, key=lambda each: len(each[0]), default=([], []))
            rows += [_of_pair(group.iloc[0], better, worse, *values)] if values[0] else []
    return with_corrected_p(pd.DataFrame(rows, columns=[*PAIR_COLUMNS]))


def with_holm(rows: Iterable[tuple[str, str, str, PairedDifference]]) -> pd.DataFrame:
    """Tabulate (data set, better, worse, difference) as `label_differences` does, corrected together."""
    table = [
        {"dataset": dataset, "better": better, "worse": worse, "interval": each.interval, "p_value": each.p_value}
        for dataset, better, worse, each in rows
    ]
    return with_corrected_p(pd.DataFrame(table, columns=[*PAIR_COLUMNS]))


def testable(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that have `FEWEST_SEEDS` pairs or more: fewer test nothing."""
    return differences[differences["interval"].map(lambda interval: interval.n >= FEWEST_SEEDS).astype(bool)]


def _on_common_seeds(
    first: pd.DataFrame, second: pd.DataFrame, metric: str, pooled: Sequence[str] = ()
) -> tuple[list[float], list[float]]:
    """Values of both for each seed that both have: means over those values of the pooled parameters that both have."""
    keys = ["seed", *pooled]
    texts = (frame[[*keys, metric]].astype({**dict.fromkeys(keys, str), metric: float}) for frame in (first, second))
    common = next(texts).merge(next(texts), on=keys, suffixes=("_first", "_second"))
    means = common.groupby("seed")[[f"{metric}_first", f"{metric}_second"]].mean()
    return list(means.iloc[:, 0]), list(means.iloc[:, 1])


def _to_baseline(example: pd.Series, result: PairedDifference, scheme: Scheme) -> dict[str, Any]:
    setting = {name: example[name] for name in (*scheme.setting, "method", "rho")}
    label = scheme.label(example.to_dict())
    return {**setting, "label": label, "interval": result.interval, "p_value": result.p_value}


def _of_pair(example: pd.Series, better: str, worse: str, a: list[float], b: list[float]) -> dict[str, Any]:
    result = paired_difference(a, b)
    return {
        **{name: example[name] for name in ("dataset", "network", "width", "fraction")},
        "better": better,
        "worse": worse,
        "first": sum(a) / len(a),
        "second": sum(b) / len(b),
        "interval": result.interval,
        "p_value": result.p_value,
    }


def with_corrected_p(table: pd.DataFrame, families: pd.Series | None = None) -> pd.DataFrame:
    """Add `adjusted_p` by Holm, over each family or all; rows of too few pairs have 1 and cost the rest nothing."""
    tested = testable(table)
    keys = pd.Series("", tested.index) if families is None else families[tested.index]
    adjusted = tested.groupby(keys)["p_value"].transform(lambda p: pd.Series(holm(list(p)), p.index))
    return table.assign(adjusted_p=adjusted.astype(float).reindex(table.index, fill_value=1.0))


def setting_key(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """One text per row, by which rows of equal values (missing ones included) are equal."""
    texts = table[list(columns)].map(str)  # astype(str) would leave missing values as they are
    return texts.agg(" ".join, axis=1) if len(table) else pd.Series(dtype=str)
