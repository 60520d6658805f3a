"""What the stages of runs took, from their records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from lcmat.report.schemes import method_label

if TYPE_CHECKING:
    from lcmat.records.record import Record

STAGES = ("selector", "evidence", "selection", "training")
SETTING = ("dataset", "network", "width", "device", "method", "fraction")


def stage_seconds(records: Iterable[Record]) -> pd.DataFrame:
    """Median seconds of each stage over the seeds, one row for each method, fraction and setting.

    Returns:
        Columns `SETTING` (the method by its label), `n`, and `STAGES` with NaN where a stage does not occur. Seconds on
        the clock of whatever machine and load the runs met, one thread: compare rows of one setting only.
    """
    rows = [
        {
            **{name: record.parameters.get(name) for name in ("dataset", "network", "width", "fraction")},
            "device": record.device,
            "method": method_label(record.parameters["method"], record.parameters),
            **{stage: record.seconds.get(stage) for stage in STAGES},
        }
        for record in records
    ]
    table = pd.DataFrame(rows, columns=[*SETTING, *STAGES]).astype(dict.fromkeys(STAGES, float))
    grouped = table.groupby(list(SETTING), dropna=False, sort=False)
    return grouped[list(STAGES)].median().assign(n=grouped.size()).reset_index()
