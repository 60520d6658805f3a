"""Runs of a reduced protocol beside the published numbers: the same data, method and budget on a smaller scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcmat.config import parse
from lcmat.report.arms import one_a_seed
from lcmat.report.protocol import NOT_PROTOCOL, Check, data_name, protocol_key
from lcmat.report.runs import ACCURACY
from lcmat.report.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from lcmat.records.record import Record

SCALE = ("network", "width", "learner", "learner_width", "test_network", "test_width", "epochs", "selection_epochs")
"""Parameters in which a reduced run may differ from the published protocol, besides those that never count."""

Groups = Mapping[str, Mapping[str, list["Record"]]]


@dataclass(frozen=True)
class Reduced:
    """The runs of one reduced protocol, which is said in words."""

    protocol: str
    records: list[Record]

    @property
    def interval(self) -> Interval:
        """Mean and t interval of the last-epoch accuracies over the seeds, percent."""
        return mean_interval([record.metrics[ACCURACY] for record in self.records])


def reduced_groups(records: Iterable[Record], stale: set[str]) -> Groups:
    """Sort complete runs by what they share with a published number, then by their scale; stale ones stand apart.

    Of each group one record a seed counts, see `lcmat.report.arms.ONE_A_SEED`.
    """
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in sorted(records, key=lambda r: r.seed):
        if record.status == "done" and ACCURACY in record.metrics:
            words = f"{scale_text(record.parameters)}, {data_name(record)}" + ", stale" * (record.key in stale)
            found[_question(record.experiment, record.parameters)][words].append(record)
    return {question: {words: one_a_seed(runs) for words, runs in groups.items()} for question, groups in found.items()}


def reduced_for(check: Check, groups: Groups) -> list[Reduced]:
    """The reduced protocols that ask the same question as a check.

    Args:
        check: as `lcmat.report.protocol.paper_parameters` gives it.
        groups: as `reduced_groups` gives them.
    """
    if check.experiment is None or len(check.protocols()) > 1:
        return []
    parameters = parse(check.experiment, check.combinations(seeds=False)[0]).canonical()
    found, own = groups.get(_question(check.experiment, parameters), {}), check.protocols()
    kept = {
        text: [r for r in records if protocol_key(r.experiment, r.parameters) not in own]
        for text, records in found.items()
    }
    return [Reduced(text, records) for text, records in sorted(kept.items()) if records]


def scale_text(parameters: Mapping[str, Any]) -> str:
    """The scale of a run in words.

    >>> scale_text({"network": "convnet", "width": 32, "epochs": 100, "selection_epochs": 10})
    'convnet, width 32, 100 epochs, selecting network 10 epochs'
    """
    learner = parameters.get("learner") or parameters.get("test_network")
    width, epochs = parameters.get("width"), parameters.get("epochs") or parameters.get("evaluation_epochs")
    parts = [
        str(parameters.get("network")),
        f"width {width}" if width else "",
        f"trained: {learner}" if learner else "",
        f"{epochs} epochs" if epochs else "",
        f"selecting network {parameters['selection_epochs']} epochs" if parameters.get("selection_epochs") else "",
    ]
    return ", ".join(filter(None, parts))


def _question(experiment: str, parameters: Mapping[str, Any]) -> str:
    """What is asked, whatever the scale; whether another network is trained than the selecting one is part of it."""
    shared = {name: value for name, value in parameters.items() if name not in (*SCALE, *NOT_PROTOCOL)}
    crossed = bool(parameters.get("learner") or parameters.get("test_network"))
    return protocol_key(experiment, {**shared, "crossed": crossed})
