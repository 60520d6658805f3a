"""Records of class-incremental learning as tables: a row per run, a row per stage, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lcmat.config import Experiment
from lcmat.config.registry import title_of
from lcmat.experiments import stale_keys
from lcmat.records.record import Record, load_all
from lcmat.report.markup import prose
from lcmat.report.runs import ACCURACY
from lcmat.report.statistics import holm, paired_difference
from lcmat.sweep.profiles import PROFILES

OWN = "own_classes_accuracy_percent"
STAGE_COLUMNS = ("dataset", "method", "title", "seed", "stage", "classes_seen", "accuracy", "own_accuracy")


def replay_title(method: str) -> str:
    """Name what fills a memory as the paper spells it.

    >>> replay_title("lcmat-s"), replay_title("lcmat-c")
    ('LCMat-S', 'LCMat-C')
    """
    return title_of(method)


def study_records(profile: str) -> tuple[list[Record], tuple[Experiment, ...]]:
    """Records of a profile's study of class-incremental learning that today's code has made, and all its runs."""
    (study,) = (study for study in PROFILES[profile].studies if study.name == "continual-learning")
    planned = {run.key for run in study.runs}
    found = [record for record in load_all(experiment="continual")[0] if record.key in planned]
    stale = stale_keys(found)
    return [record for record in found if record.key not in stale], study.runs


def replay_runs(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate the runs that ended well: parameters, metrics, how each lost accuracy, and whether it is stale.

    Returns:
        A row per run. `own_transfer_points` is the backward transfer among the classes of each stage, `rivals_points`
        the rest of `backward_transfer_points`: what later classes took away by being confused with earlier ones.
    """
    done = [record for record in records if record.experiment == "continual" and record.status == "done"]
    stale = stale_keys(done)
    rows = []
    for record in done:
        own = _transfer(record, OWN)
        rows.append(
            {
                **record.metrics,
                **record.parameters,
                "title": replay_title(record.parameters["method"]),
                "own_transfer_points": own,
                "rivals_points": _transfer(record, "accuracy_percent") - own,
                "key": record.key,
                "stale": record.key in stale,
                "provenance": prose(record.data["train"].provenance),
            }
        )
    return pd.DataFrame(rows)


def replay_stages(records: Iterable[Record]) -> pd.DataFrame:
    """Tabulate accuracy over the classes seen, in percent, a row for each run and stage; columns `STAGE_COLUMNS`."""
    rows = []
    for record in records:
        if record.experiment == "continual" and record.status == "done":
            values = record.parameters
            run = (values["dataset"], values["method"], replay_title(values["method"]), record.seed)
            series = (record.series[name] for name in ("classes_seen", ACCURACY, OWN))
            rows += [(*run, stage, *point) for stage, point in enumerate(zip(*series, strict=True), start=1)]
    return pd.DataFrame(rows, columns=list(STAGE_COLUMNS))


def replay_differences(runs: pd.DataFrame, metric: str = ACCURACY, baseline: str = "uniform") -> pd.DataFrame:
    """Difference of each method to a baseline, paired by seed within a data set, corrected by Holm.

    Args:
        runs: as `replay_runs` gives it, of one setting per data set.
        metric: column of the values.
        baseline: registry name.

    Returns:
        A row for each data set and method: `dataset`, `title`, `interval`, `p_value`, `adjusted_p`.
    """
    rows = []
    for dataset, own in runs.groupby("dataset", sort=False):
        values = own.pivot(index="seed", columns="method", values=metric)
        for method in (name for name in own["method"].unique() if name != baseline):
            pairs = values[[method, baseline]].dropna()
            result = paired_difference(list(pairs[method]), list(pairs[baseline]))
            rows.append((dataset, replay_title(method), result.interval, result.p_value))
    table = pd.DataFrame(rows, columns=["dataset", "title", "interval", "p_value"])
    adjusted = table.groupby("dataset")["p_value"].transform(lambda p: pd.Series(holm(list(p)), p.index))
    return table.assign(adjusted_p=adjusted.astype(float))


def _transfer(record: Record, name: str) -> float:
    """Backward transfer of one of the two accuracies; 0 with a single stage."""
    stages = len(record.series["classes_seen"])
    last = record.series[f"{name}_after_stage_{stages}"]
    first = [record.series[f"{name}_after_stage_{stage}"][-1] for stage in range(1, stages)]
    return sum(end - start for end, start in zip(last, first, strict=False)) / max(len(first), 1)
