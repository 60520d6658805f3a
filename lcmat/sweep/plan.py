"""Which runs a command is about, their status, and what the missing ones will take."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lcmat.config import Experiment, ParameterError, nearest
from lcmat.records import record as records
from lcmat.sweep.costs import Estimate, Measured, by_kind, estimates, in_order, network_of
from lcmat.sweep.profiles import Profile, Study
from lcmat.sweep.states import Status, statuses


@dataclass(frozen=True)
class Planned:
    """A run, the study that asks for it first, its status and what it is expected to take."""

    study: str
    run: Experiment
    status: Status
    cost: Estimate | None


def select_studies(profile: Profile, names: Collection[str] = (), tables: Collection[str] = ()) -> list[Study]:
    """The studies of a profile that are named, or that measure one of the named tables; all if nothing is named.

    Raises:
        ParameterError: the profile has no such study, or none of such a table.
    """
    known = {study.name: study for study in profile.studies}
    measured = {table: study for study in profile.studies for table in study.tables}
    _check_known("study", names, known)
    _check_known("table", tables, measured)
    if not names and not tables:
        return list(profile.studies)
    return [study for study in profile.studies if study.name in names or set(study.tables) & set(tables)]


def _check_known(kind: str, names: Iterable[str], available: Mapping[str, Study]) -> None:
    for name in names:
        if name not in available:
            raise ParameterError(f"{name!r} is no {kind} of this profile; {nearest(name, available)}")


def plan(studies: Iterable[Study], device: str | None = None) -> list[Planned]:
    """Each run of the studies once, in their order.

    Args:
        studies: of a profile.
        device: what computes here, as records name it, to tell what a run will take.
    """
    first: dict[str, tuple[str, Experiment]] = {}
    for study in studies:
        for run in study.runs:
            first.setdefault(run.key, (study.name, run))
    runs = [run for _, run in first.values()]
    costs = estimates(runs, measurements(), device)
    return [
        Planned(study, run, status, cost)
        for (study, run), status, cost in zip(first.values(), statuses(runs), costs, strict=True)
    ]


def measurements() -> Measured:
    """All records that can be read, by kind."""
    return by_kind(records.load_all()[0])


def varying(runs: Sequence[Experiment]) -> list[str]:
    """Names of the parameters in which the runs differ, in the order of their declaration."""
    values = [run.canonical() for run in runs]
    names = list(dict.fromkeys(name for parameters in values for name in parameters))
    return [name for name in names if len({repr(parameters.get(name)) for parameters in values}) > 1]


def share_of(runs: Sequence[Experiment], number: int, count: int) -> list[Experiment]:
    """The runs of one machine of several; those that share a selecting network stay together.

    Args:
        runs: in any order.
        number: of the machine, 1 .. count.
        count: of machines.
    """
    networks = {network: place for place, network in enumerate(dict.fromkeys(map(network_of, runs)))}
    return [run for run in runs if networks[network_of(run)] % count == number - 1]


def total_seconds(costs: Iterable[float | None]) -> tuple[float, int]:
    """Sum of the costs that are known, in seconds, and how many are not.

    >>> total_seconds([1.5, None, 2.0])
    (3.5, 1)
    """
    known = list(costs)
    return sum(cost for cost in known if cost is not None), known.count(None)


def waiting_seconds(planned: Sequence[Planned]) -> list[float | None]:
    """Expected seconds of the runs that have no record, done in their order."""
    waiting = [entry for entry in planned if entry.status.state == "missing"]
    return in_order([entry.run for entry in waiting], [entry.cost for entry in waiting])
