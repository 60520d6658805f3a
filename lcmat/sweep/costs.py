"""What a run will take, judged by the records of runs like it.

A record notes the seconds of each stage of its run, also of a stage whose result was already there. A run that has a
record is expected to take what it took. Another is expected to take the median of the runs most like it: of the same
experiment, data set, networks and method, and among these, if there are any, on the same device, at the same fraction,
and with as much to do; each stage in proportion to what there is to do (`lcmat.sweep.work`). What comes between the
stages, such as the start of a process, is not counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log
from statistics import median
from typing import Any

from lcmat.config import Experiment, parse
from lcmat.records import Record
from lcmat.sweep.work import Work, work_of

_LIKE = (
    *("dataset", "network", "width", "learner", "learner_width", "test_network", "test_width", "method"),
    *("precision", "compile"),
)
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


@dataclass(frozen=True)
class Measurement:
    """A record of a run that was done, and what there was to do in its stages."""

    record: Record
    work: Work


Measured = Mapping[Kind, Sequence[Measurement]]


def by_kind(records: Iterable[Record]) -> Measured:
    """Sort records by what a run must share with them to be judged by them; a training that diverged stopped early."""
    measured: dict[Kind, list[Measurement]] = defaultdict(list)
    for record in records:
        if record.status == "done":
            work = work_of(parse(record.experiment, record.parameters))
            measured[_kind(record.experiment, record.parameters)].append(Measurement(record, work))
    return measured


def estimate(run: Experiment, measured: Measured, device: str | None = None) -> Estimate | None:
    """Seconds that a run will take, each stage in proportion to its work; None where nothing is known.

    Args:
        run: to be judged.
        measured: `by_kind` of the records there are.
        device: whose records are preferred, as records name it.

    Returns:
        Medians, in seconds, over the records that are most like the run.
    """
    values = run.canonical()
    like = measured.get(_kind(run.experiment, values), ())
    if not like:
        return None
    work = work_of(run)
    like = _preferred(like, [each.record.key == run.key for each in like])
    like = _preferred(like, [each.record.device == device for each in like])
    like = _preferred(like, [each.record.parameters.get("fraction") == values.get("fraction") for each in like])
    distances = [_distance(each.work, work) for each in like]
    like = _preferred(like, [distance == min(distances) for distance in distances])
    stages = [scaled(each.record.seconds, each.work, work) for each in like]
    shared = median(sum(seconds.get(stage, 0.0) for stage in _SHARED) for seconds in stages)
    own = median(sum(spent for stage, spent in seconds.items() if stage not in _SHARED) for seconds in stages)
    return Estimate(own, shared, like[0].record.device, len(like))


def scaled(seconds: Mapping[str, float], of: Work, to: Work) -> dict[str, float]:
    """Seconds of each stage of a run in which there is other work.

    Args:
        seconds: stage -> its duration in the run that was measured.
        of: that run's work.
        to: the other run's.

    >>> scaled({"training": 3.0, "selection": 1.0}, {"training": 1000.0}, {"training": 2000.0})
    {'training': 6.0, 'selection': 1.0}
    """
    return {name: spent * (to.get(name, 1.0) / of[name] if of.get(name) else 1.0) for name, spent in seconds.items()}


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


def _preferred(measurements: Sequence[Measurement], preferred: Sequence[bool]) -> Sequence[Measurement]:
    """Those that are preferred, or all if none is."""
    return [each for each, better in zip(measurements, preferred, strict=True) if better] or measurements


def _distance(one: Work, other: Work) -> float:
    """How far two runs are apart in the stage in which they differ most: the logarithm of a ratio, not in size."""
    return max(
        (abs(log(other[name] / work)) if work and other.get(name) else inf for name, work in one.items()), default=0
    )
