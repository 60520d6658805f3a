"""What the pages of single studies show: which runs belong to one, and what to count among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from lcmat.config.registry import METHODS
from lcmat.report.runs import ACCURACY, done_runs
from lcmat.report.schemes import method_label
from lcmat.sweep.profiles import PROFILES


def study_runs(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Keep the runs that belong to the study of this name in any profile.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        name: see `lcmat.sweep.profiles.Study`.

    Raises:
        ValueError: no profile has such a study.
    """
    studies = [study for profile in PROFILES.values() for study in profile.studies if study.name == name]
    if not studies:
        raise ValueError(f"no profile has a study {name!r}")
    keys = {run.key for study in studies for run in study.runs}
    return runs[runs["key"].isin(keys)]


def unrecorded(runs: pd.DataFrame, name: str, profile: str) -> str:
    """Say which configurations of a profile's study have fewer seeds on record than the profile asks for.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        name: of a study of selection.
        profile: that has it.
    """
    study = next(study for study in PROFILES[profile].studies if study.name == name)
    missing = [run.canonical() for run in study.runs if run.key not in set(runs["key"])]
    if not missing:
        return f"All {len(study.runs)} runs that the profile `{profile}` asks for are recorded."
    labels = Counter(f"{method_label(run['method'], run)} at {100 * run['fraction']:g} %" for run in missing)
    parts = "; ".join(f"{label} ({count} runs)" for label, count in labels.items())
    return f"Of {len(study.runs)} runs that the profile `{profile}` asks for, {len(missing)} are not recorded: {parts}."


def wins(runs: pd.DataFrame, configuration: Sequence[str]) -> pd.DataFrame:
    """Count in how many configurations and seeds the row's method is more accurate than the column's (paper Figure 3).

    Args:
        runs: as `lcmat.report.runs_frame` gives it, one run for each method, configuration and seed.
        configuration: columns that tell configurations apart.

    Returns:
        A square table of counts, methods by the paper's names in the registry's order; equal accuracies count for none.

    Raises:
        ValueError: a method has two runs of one configuration and seed.
    """
    done = done_runs(runs)
    table = done.assign(value=done[ACCURACY].astype(float)).pivot(
        index=[*configuration, "seed"], columns="method", values="value"
    )
    names = [name for name in METHODS if name in table.columns]
    counts = {b: {a: int((table[a] > table[b]).sum()) for a in names} for b in names}
    titles = {name: METHODS[name].title for name in names}
    return pd.DataFrame(counts, index=names, columns=names, dtype=int).rename(index=titles, columns=titles)


def means_by(runs: pd.DataFrame, metric: str, *columns: str) -> pd.DataFrame:
    """Mean of a metric over seeds, a row for each method and a column for each value of the other columns."""
    known = done_runs(runs).dropna(subset=[metric])
    return known.assign(value=known[metric].astype(float)).pivot_table(
        index="method", columns=list(columns), values="value", aggfunc="mean", sort=False
    )
