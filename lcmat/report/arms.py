"""The records behind one side of a comparison: which of them count, and what they say."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcmat.report.protocol import Check, protocol_key
from lcmat.report.runs import BEST_ACCURACY
from lcmat.report.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from lcmat.records.record import Record

Index = Mapping[str, Sequence["Record"]]
"""Protocol -> its records."""

ONE_A_SEED = (
    "One record a seed counts, all of the same precision, compilation and interval between evaluations: of these "
    "circumstances the ones with the most seeds; among equals float32 before bfloat16, then not compiled before "
    "compiled, then the rarer evaluation. Accuracies play no part."
)
"""The rule of `one_a_seed`, in words."""


@dataclass(frozen=True)
class Arm:
    """The runs of one configuration of a method that check a published number.

    Attributes:
        check: which runs these are, in the circumstances of those that count.
        records: all records of these runs, by seed.
        counted: those whose values count: current, done, one a seed; see `ONE_A_SEED`.
        diverged: seeds of which a current record diverged, whatever its precision.
    """

    check: Check
    records: list[Record]
    counted: list[Record]
    diverged: list[int]

    @property
    def values(self) -> list[float]:
        """One value per seed (or pair)."""
        return self.check.measure(self.counted) if self.counted else []

    @property
    def interval(self) -> Interval:
        """Mean and t interval of the values; NaN without any."""
        values = self.values
        return mean_interval(values) if values else Interval(math.nan, math.nan, math.nan, 0)

    @property
    def best(self) -> float:
        """Mean of the best epochs on the test set; NaN where none is recorded."""
        best = [record.metrics[BEST_ACCURACY] for record in self.counted if BEST_ACCURACY in record.metrics]
        return sum(best) / len(best) if best else math.nan


def index_protocols(records: Sequence[Record]) -> Index:
    """Sort records by protocol."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[protocol_key(record.experiment, record.parameters)].append(record)
    return found


def arm(check: Check, index: Index, stale: set[str]) -> Arm:
    """Collect the records of a check.

    Args:
        check: the runs.
        index: as `index_protocols` gives it.
        stale: keys of records that other code made than today's: shown, never counted.
    """
    groups = [index[key] for key in sorted(check.protocols()) if key in index]
    current = [[record for record in group if record.key not in stale] for group in groups]
    diverged = {record.seed for group in current for record in group if record.status != "done"}
    counted = [record for group in current for record in one_a_seed(group)]
    everything = sorted((record for group in groups for record in group), key=lambda record: (record.seed, record.key))
    check = check.made_as(counted) if counted else check
    return Arm(check, everything, [record for record in counted if record.status == "done"], sorted(diverged))


def one_a_seed(records: Sequence[Record]) -> list[Record]:
    """The records of one protocol that count, by seed; see `ONE_A_SEED`. A diverged one stands for its seed too."""
    groups: dict[tuple[Any, ...], dict[int, Record]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: record.key):
        groups[_circumstances(record)].setdefault(record.seed, record)
    preferred = min(groups, key=lambda circumstances: (-len(groups[circumstances]), *circumstances), default=())
    return [record for _, record in sorted(groups.get(preferred, {}).items())]


def _circumstances(record: Record) -> tuple[Any, ...]:
    """In what runs of the same protocol and seed can differ, the preferred ones first."""
    values = record.parameters
    other_order = values.get("class_order_seed", record.seed) != record.seed
    rarely = -(values.get("evaluate_every") or 0)
    return (other_order, values.get("precision") == "bfloat16", bool(values.get("compile")), rarely)
