"""The answers with which the pages on bounds, curvature and speed open, each from the page's own rows."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lcmat.report.measured import listed

SMALL, LARGE = 0.05, 0.5
"""Radii at which the tightness of the certified bound is told."""

Tables = Mapping[str, pd.DataFrame]
"""Title of a data set -> rows."""


def exceeded(table: pd.DataFrame, bound: str) -> int:
    """In how many rows a perturbation was found whose gap exceeds a bound."""
    return int((table["attained"] > table[bound] * (1 + 1e-9)).sum())


def gap_answer(tables: Tables) -> str:
    """Say how often a certified bound and the printed one are exceeded, and how tight the certified one is.

    Args:
        tables: rows of `lcmat.measurements.curvature_gap.measure`, one for each subset and radius.
    """
    trials = sum(map(len, tables.values()))
    beaten = sum(exceeded(table, "upper") for table in tables.values())
    printed = listed(f"{exceeded(table, 'printed')} of {len(table)} on {name}" for name, table in tables.items())
    small, large = (listed(_tightness(tables, radius)) for radius in (SMALL, LARGE))
    verdict = (
        "no gap was found above its certified bound"
        if not beaten
        else f"{beaten} of the gaps exceeded its certified bound"
    )
    return (
        f"**In {trials:,} trials on {listed(tables)} {verdict}**; the bound as the paper prints it was exceeded in "
        f"{printed}. A trial takes a small training set and a radius ρ: its *gap* is how far the loss of the set can "
        "move away from that of all images when the network's last layer moves by at most ρ, divided by ρ. The "
        "certified bound is tight while ρ is small: in the median over the sets it is "
        f"{small} times the largest gap found at ρ = {SMALL:g}, and {large} times at ρ = {LARGE:g}."
    )


def _tightness(tables: Tables, radius: float) -> list[str]:
    rows = {name: table[table["rho"] == radius] for name, table in tables.items()}
    return [f"{(part['upper'] / part['attained']).median():.2f} ({name})" for name, part in rows.items()]
