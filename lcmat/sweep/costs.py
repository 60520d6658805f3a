"""What a run will take, judged by the records of runs like it, or by a few steps of its networks.

A record notes the seconds of each stage of its run, also of a stage whose result was already there. A run that has a
record is expected to take what it took. Another is expected to take the median of the runs most like it: of the same
experiment, data set, networks and method, and among these, if there are any, at the same fraction, and with as much to
do; each stage in proportion to what there is to do (`lcmat.sweep.work`). Seconds of another device say nothing. Where
this one has done no such run, its networks are timed (`lcmat.sweep.timing`), and what is no training is left out. What
comes between the stages, such as the start of a process, is not counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log
from statistics import median
from typing import Any

from lcmat.config import Experiment, parse
from lcmat.config.registry import METHODS
from lcmat.records.record import Record
from lcmat.sweep.kept import kept
from lcmat.sweep.timing import kinds_of, pace_of
from lcmat.sweep.work import Images, Work, needs_view, work_of

_LIKE = (
    *("dataset", "network", "width", "learner", "learner_width", "test_network", "test_width", "method"),
    *("precision", "compile"),
)
_SHARED = "selector"
_LEARNING = ("training", "evaluation")
# All that the network depends on which chooses the images. An experiment that lacks one of these lacks it in all runs.
_NETWORK = (
    *("dataset", "seed", "network", "width", "label_noise", "imbalance"),
    *("selection_epochs", "selection_weight_decay", "selection_optimizer", "selection_learning_rate"),
    *("batch_size", "learning_rate", "crop_padding", "flip", "precision", "compile"),
)

Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Estimate:
    """Expected seconds of a run.

    Attributes:
        own: of what only this run does.
        shared: of training the network that chooses, which runs share.
        evaluating: the part of `own` in which the trained network is tested.
        device: what the records were measured on.
        count: how many records were like the run; 0 if its networks were timed instead.
    """

    own: float
    shared: float = 0.0
    evaluating: float = 0.0
    device: str = ""
    count: int = 0

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
    """Seconds that a run will take; None where nothing is known.

    Args:
        run: to be judged.
        measured: `by_kind` of the records there are.
        device: what computes here, as records name it: only its records count, and where there are none the networks
            are timed. None: all records count, and nothing is timed.

    Returns:
        Medians, in seconds, over the records that are most like the run, each stage in proportion to its work.
    """
    values, work = run.canonical(), work_of(run)
    known = measured.get(_kind(run.experiment, values), ())
    like: Sequence[Measurement] = [each for each in known if device in (None, each.record.device)]
    if not like:
        return None if device is None else _timed(run, work, device)
    like = _preferred(like, [each.record.key == run.key for each in like])
    like = _preferred(like, [each.record.parameters.get("fraction") == values.get("fraction") for each in like])
    distances = [_distance(each.work, work) for each in like]
    like = _preferred(like, [distance == min(distances) for distance in distances])
    stages = [scaled(each.record.seconds, each.work, work) for each in like]
    return Estimate(
        own=median(sum(spent for stage, spent in seconds.items() if stage != _SHARED) for seconds in stages),
        shared=median(seconds.get(_SHARED, 0.0) for seconds in stages) if needs_view(run) else 0.0,
        evaluating=median(_evaluating(seconds, work) for seconds in stages),
        device=like[0].record.device,
        count=len(like),
    )


def estimates(runs: Sequence[Experiment], measured: Measured, device: str | None = None) -> list[Estimate | None]:
    """`estimate` of each run; on a device, without the training of networks that the cache holds."""
    costs = [estimate(run, measured, device) for run in runs]
    there = kept(run for run, cost in zip(runs, costs, strict=True) if device and cost and cost.shared)
    return [
        replace(cost, shared=0.0) if cost and run.key in there else cost for run, cost in zip(runs, costs, strict=True)
    ]


def scaled(seconds: Mapping[str, float], of: Work, to: Work) -> dict[str, float]:
    """Seconds of each stage of a run in which there is other work.

    Args:
        seconds: stage -> its duration in the run that was measured.
        of: that run's work.
        to: the other run's.

    >>> scaled({"training": 3.0, "selection": 1.0}, {"training": Images(1000)}, {"training": Images(2000)})
    {'training': 6.0, 'selection': 1.0}
    """
    ratios = {name: to[name].passes / images.passes for name, images in of.items() if name in to and images.passes}
    return {name: spent * ratios.get(name, 1.0) for name, spent in seconds.items()}


def network_of(run: Experiment) -> Kind:
    """What the network that chooses depends on; runs for which this agrees share one, trained once."""
    values = run.canonical()
    method = METHODS.get(values["method"])
    spares_images = method is not None and "validation" in method.evidence
    return (run.experiment, spares_images, *(values.get(name) for name in _NETWORK))


class Ledger:
    """Adds up runs that are done one after the other: a network that some share counts for the first of them."""

    def __init__(self) -> None:
        """Begin without any network."""
        self._trained: set[Kind] = set()

    def seconds(self, run: Experiment, cost: Estimate | None) -> float | None:
        """What the run would take if it were done next; None if unknown."""
        if cost is None:
            return None
        return cost.own if network_of(run) in self._trained else cost.seconds

    def enter(self, run: Experiment) -> None:
        """The run is done next."""
        if needs_view(run):
            self._trained.add(network_of(run))


def in_order(runs: Sequence[Experiment], costs: Sequence[Estimate | None]) -> list[float | None]:
    """Seconds of each run when all are done in this order."""
    ledger, seconds = Ledger(), []
    for run, cost in zip(runs, costs, strict=True):
        seconds.append(ledger.seconds(run, cost))
        ledger.enter(run)
    return seconds


def within(runs: Sequence[Experiment], costs: Sequence[Estimate | None], budget: float, jobs: int) -> list[bool]:
    """Whether each run fits, taken in their order; one that does not is passed over. Unknown costs count nothing.

    Args:
        runs: most important first.
        costs: of each.
        budget: seconds until all must be done.
        jobs: how many run at a time.
    """
    ledger, left, fits = Ledger(), budget * jobs, []
    for run, cost in zip(runs, costs, strict=True):
        spent = ledger.seconds(run, cost) or 0.0
        fits.append(spent <= min(left, budget))
        if fits[-1]:
            left -= spent
            ledger.enter(run)
    return fits


def _timed(run: Experiment, work: Work, device: str) -> Estimate | None:
    """The trainings of a run at the pace of their networks."""
    kinds = kinds_of(run)
    paces = {stage: pace_of(kinds[stage]) for stage in work}
    seconds = {stage: pace.seconds(work[stage]) for stage, pace in paces.items() if pace}
    if len(seconds) < len(work):
        return None
    return Estimate(
        own=sum(sum(spent) for stage, spent in seconds.items() if stage != _SHARED),
        shared=sum(seconds.get(_SHARED, Images(0.0))),
        evaluating=sum(spent.seen for stage, spent in seconds.items() if stage in _LEARNING),
        device=device,
    )


def _evaluating(seconds: Mapping[str, float], work: Work) -> float:
    """How much of a training is testing, by the images."""
    shares = {stage: 1 - work[stage].trained / work[stage].passes for stage in _LEARNING if stage in work}
    return sum(seconds.get(stage, 0.0) * share for stage, share in shares.items())


def _kind(experiment: str, parameters: Mapping[str, Any]) -> Kind:
    return (experiment, *(parameters.get(name) for name in _LIKE))


def _preferred(measurements: Sequence[Measurement], preferred: Sequence[bool]) -> Sequence[Measurement]:
    """Those that are preferred, or all if none is."""
    return [each for each, better in zip(measurements, preferred, strict=True) if better] or measurements


def _distance(one: Work, other: Work) -> float:
    """How far two runs are apart in the stage in which they differ most: the logarithm of a ratio, not in size."""
    ratios = (other[name].passes / work.passes if name in other and work.passes else 0.0 for name, work in one.items())
    return max((abs(log(ratio)) if ratio else inf for ratio in ratios), default=0)
