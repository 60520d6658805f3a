"""What a run will take, judged by the records of runs like it.

A record notes the seconds of each stage of its run, also of a stage whose result was already there. A run is expected
to take the median of the runs like it: of the same experiment, data set, networks and method, on the same device if
there are any, and at the same fraction if there are any. Stages are scaled by the parameters that lengthen them in
proportion. What comes between the stages, such as the start of a process, is not counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any

from lcmat.config import Experiment
from lcmat.records import Record

_LIKE = ("dataset", "network", "width", "learner", "learner_width", "method", "precision", "compile")
_GROWS_WITH: Mapping[str, tuple[str, ...]] = {"selector": ("selection_epochs",), "training": ("epochs", "fraction")}
_SHARED = ("selector",)
# All that the network depends on which chooses the images. An experiment that lacks one of these lacks it in all runs.
_NETWORK = (
    *("dataset", "seed", "network", "width", "selection_epochs", "selection_weight_decay", "label_noise", "imbalance"),
    *("batch_size", "learning_rate", "crop_padding", "flip", "precision", "compile"),
)

Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Estimate:
    """Expected seconds of a run.

    Attributes:
        own: of what only this run does.
        shared: of training the network that chooses, which runs share.
        device: what the records were measured on.
        count: how many records were like the run.
    """

    own: float
    shared: float
    device: str
    count: int

    @property
    def seconds(self) -> float:
        """Of the run by itself."""
        return self.own + self.shared


Measured = Mapping[Kind, Sequence[Record]]


def by_kind(records: Iterable[Record]) -> Measured:
    """Sort records by what a run must share with them to be judged by them; a training that diverged stopped early."""
    sorted_records: dict[Kind, list[Record]] = defaultdict(list)
    for record in records:
        if record.status == "done":
            sorted_records[_kind(record.experiment, record.parameters)].append(record)
    return sorted_records


def estimate(run: Experiment, measured: Measured, device: str | None = None) -> Estimate | None:
    """Seconds that a run will take, each stage in proportion to what lengthens it; None where nothing is known.

    Args:
        run: to be judged.
        measured: `by_kind` of the records there are.
        device: whose records are preferred, as records name it.

    Returns:
        Medians, in seconds, over the records that are most like the run.
    """
    values = run.canonical()
    like = measured.get(_kind(run.experiment, values), ())
    like = _preferred(like, [record.device == device for record in like])
    like = _preferred(like, [record.parameters.get("fraction") == values.get("fraction") for record in like])
    if not like:
        return None
    stages = [scaled(record.seconds, record.parameters, values) for record in like]
    shared = median(sum(seconds.get(stage, 0.0) for stage in _SHARED) for seconds in stages)
    own = median(sum(spent for stage, spent in seconds.items() if stage not in _SHARED) for seconds in stages)
    return Estimate(own, shared, like[0].device, len(like))


def scaled(seconds: Mapping[str, float], of: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of each stage of a run with other parameters.

    Args:
        seconds: stage -> its duration in the run that was measured.
        of: that run's parameters.
        to: the other run's parameters.

    >>> scaled({"training": 3.0, "selection": 1.0}, {"epochs": 10, "fraction": 0.1}, {"epochs": 40, "fraction": 0.05})
    {'training': 6.0, 'selection': 1.0}
    """

    def growth(stage: str) -> float:
        return prod(to[name] / of[name] for name in _GROWS_WITH.get(stage, ()) if of.get(name) and to.get(name))

    return {stage: spent * growth(stage) for stage, spent in seconds.items()}


def network_of(run: Experiment) -> Kind:
    """What the network that chooses depends on; runs for which this agrees share one, trained once."""
    values = run.canonical()
    return (run.experiment, *(values.get(name) for name in _NETWORK))


def in_order(runs: Sequence[Experiment], costs: Sequence[Estimate | None]) -> list[float | None]:
    """Seconds of each run when they are done in this order: a network that runs share counts for the first of them."""
    trained: set[Kind] = set()
    seconds: list[float | None] = []
    for run, cost in zip(runs, costs, strict=True):
        network = network_of(run)
        if cost is None:
            seconds.append(None)
        else:
            seconds.append(cost.own if network in trained else cost.seconds)
        trained.add(network)
    return seconds


def expected_seconds(runs: Sequence[Experiment], measured: Measured, device: str | None = None) -> list[float | None]:
    """`estimate` of each run, summed up by `in_order`."""
    return in_order(runs, [estimate(run, measured, device) for run in runs])


def _kind(experiment: str, parameters: Mapping[str, Any]) -> Kind:
    return (experiment, *(parameters.get(name) for name in _LIKE))


def _preferred(records: Sequence[Record], preferred: Sequence[bool]) -> Sequence[Record]:
    """Those that are preferred, or all if none is."""
    return [record for record, better in zip(records, preferred, strict=True) if better] or records
