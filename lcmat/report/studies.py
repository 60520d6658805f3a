"""What the pages of single studies show: which runs belong to one, and what to count among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lcmat.config.registry import METHODS
from lcmat.report.runs import ACCURACY, done_runs
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


def describe_runs(runs: pd.DataFrame) -> str:
    """Say in Markdown how many runs a page shows, how many of them diverged, and whether today's code made them.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
    """
    diverged, stale = int((runs["status"] != "done").sum()), int(runs["stale"].sum())
    made = (
        f"**{stale} were made by other code than the present**: the table at the end says which, and to renew one, "
        "delete its record and repeat its `lcmat run`."
        if stale
        else "all were made by the present code."
    )
    return f"{len(runs)} runs are recorded; {diverged} of them diverged; {made}"


def unrecorded(runs: pd.DataFrame, name: str, profile: str) -> str:
    """Say how many runs of a profile's study are not on record, and which command makes them.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
        name: of the study.
        profile: that has it.
    """
    (study,) = (study for study in PROFILES[profile].studies if study.name == name)
    known = set(runs["key"])
    missing = sum(run.key not in known for run in study.runs)
    if not missing:
        return f"All {len(study.runs)} runs of the profile `{profile}` are recorded."
    return (
        f"{missing} of {len(study.runs)} runs of the profile `{profile}` are not recorded yet; "
        f"`lcmat sweep --profile {profile} --study {name}` runs them."
    )


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
    done = done_runs(runs)
    known = done.reindex(columns=[*dict.fromkeys((*done.columns, metric))]).dropna(subset=[metric])
    return known.assign(value=known[metric].astype(float)).pivot_table(
        index="method", columns=list(columns), values="value", aggfunc="mean", sort=False
    )
