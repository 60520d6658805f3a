"""Differences between configurations that are named by their labels, paired by seed and corrected together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from lcmat.report.paired import SETTING
from lcmat.report.runs import ACCURACY, as_rows, done_runs, method_label
from lcmat.statistics import PairedDifference, holm, paired_difference

Pair = tuple[str, str]

COLUMNS = ("dataset", "network", "fraction", "better", "worse", "first", "second", "interval", "p_value")


def label_differences(
    runs: pd.DataFrame, pairs: Sequence[Pair], *, pooled: Sequence[str] = (), metric: str = ACCURACY
) -> pd.DataFrame:
    """Difference of one configuration to another in each setting that has both, over the seeds that both have.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        pairs: labels as `lcmat.report.method_label` gives them; the first one's value minus the second one's.
        pooled: parameters over whose common values a seed's difference is averaged, so that seeds stay independent.
        metric: column of the values, percent.

    Returns:
        A row for each pair and setting with a common seed: the columns `COLUMNS`, where `first` and `second` are the
        mean values, and `adjusted_p` by `with_holm`.
    """
    done = done_runs(runs)
    done = done.assign(label=[method_label(row["method"], row) for row in as_rows(done)])
    settings = [name for name in SETTING if name not in pooled]
    rows = []
    for _, group in done.groupby(settings, dropna=False) if len(done) else ():
        by_label = dict(list(group.groupby("label")))
        for better, worse in pairs:
            if better in by_label and worse in by_label:
                rows += _difference(by_label[better], by_label[worse], pooled, metric)
    return _corrected(pd.DataFrame(rows, columns=[*COLUMNS]))


def with_holm(rows: Iterable[tuple[str, str, str, PairedDifference]]) -> pd.DataFrame:
    """Tabulate (data set, better, worse, difference) and correct for all that have two pairs or more.

    One pair tests nothing, so it has p = 1 and costs the others nothing.
    """
    table = [
        {"dataset": dataset, "better": better, "worse": worse, "interval": each.interval, "p_value": each.p_value}
        for dataset, better, worse, each in rows
    ]
    return _corrected(pd.DataFrame(table, columns=[*COLUMNS]))


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    tested = table["interval"].map(lambda interval: interval.n > 1).astype(bool)
    adjusted = pd.Series(holm(list(table.loc[tested, "p_value"])), table.index[tested], dtype=float)
    return table.assign(adjusted_p=adjusted.reindex(table.index, fill_value=1.0))


def _difference(first: pd.DataFrame, second: pd.DataFrame, pooled: Sequence[str], metric: str) -> list[dict]:
    keys = ["seed", *pooled]
    columns = [*keys, metric]
    texts = [frame[columns].astype({name: str for name in keys}) for frame in (first, second)]
    common = texts[0].merge(texts[1], on=keys, suffixes=("_a", "_b"))
    if common.empty:
        return []
    values = common.astype({f"{metric}_{side}": float for side in "ab"}).groupby("seed").mean(numeric_only=True)
    a, b = (list(values[f"{metric}_{side}"]) for side in "ab")
    result = paired_difference(a, b)
    example = first.iloc[0]
    return [
        {
            **{name: example[name] for name in ("dataset", "network", "fraction")},
            "better": example["label"],
            "worse": second["label"].iloc[0],
            "first": sum(a) / len(a),
            "second": sum(b) / len(b),
            "interval": result.interval,
            "p_value": result.p_value,
        }
    ]
