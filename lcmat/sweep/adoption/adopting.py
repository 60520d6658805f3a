"""From stale records to an adoption, or to what keeps them stale."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lcmat.config import Experiment, parse
from lcmat.experiments import Code, code_of, has_other_images
from lcmat.files.paths import check_writable
from lcmat.records import adoptions
from lcmat.records import record as records
from lcmat.records.fingerprint import ROOT
from lcmat.records.machine import describe
from lcmat.records.record import Record
from lcmat.sweep.adoption.stages import FULL, Scale, Task, changed, comparison
from lcmat.sweep.adoption.trees import Results, check_out, git, run

_CHEAPEST = 10  # records of which one is repeated


@dataclass(frozen=True)
class Outcome:
    """What the comparison led to.

    Attributes:
        adoption: as it was written down; None if nothing was adopted.
        compared: name of each task -> what differs, in words; empty where all is equal.
        reasons: why nothing was adopted, beside differences.
        others: stale records that still other code made.
    """

    adoption: adoptions.Adoption | None
    compared: Mapping[str, str] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    others: int = 0


class _Origin(NamedTuple):
    """Older code, the fingerprints that it had, and the stale records that it made."""

    commit: str
    tree: Path
    fingerprints: Results
    made: list[Record]


def adopt(
    old: str | None = None,
    *,
    planned: Sequence[Experiment] = (),
    measured: Mapping[str, Code] = MappingProxyType({}),
    rerun: bool = True,
    scale: Scale = FULL,
    repository: Path = ROOT,
) -> Outcome:
    """Run the code of stale records beside that of the last commit, and adopt the records if nothing differs.

    Args:
        old: commit of the older code; None: of the stale records' commits the one that made most of them.
        planned: runs without a record, for what the cache already keeps of them.
        measured: the present code of each kind of measurement; what is stored counts again if nothing of it changed.
        rerun: repeat one of the records as a whole, by lot among the ten that took the least time.
        scale: how small the stages are made.
        repository: with the code.

    Raises:
        ValueError: the package differs from the last commit, or there is nothing to adopt.
        RuntimeError: a process died.
    """
    if changes := git(repository, "status", "--porcelain", "--", "lcmat").decode():
        raise ValueError(f"the package differs from the last commit; commit first:\n{changes}")
    check_writable(adoptions.path().parent)
    with tempfile.TemporaryDirectory() as folder:
        new = check_out(repository, "HEAD", Path(folder, "new"))
        stale = _stale(new)
        commits = [_full(repository, old)] if old else sorted({record.commit for record in stale if record.commit})
        origins = [_origin(commit, stale, planned, repository, new) for commit in commits]
        origin = max(origins, key=lambda each: len(each.made), default=None)
        if origin is None or not (origin.made or planned):
            raise ValueError(f"nothing to adopt: of {len(stale)} stale records, no commit named by them made any")
        return _judge(origin, new, planned, measured, rerun, scale, repository, len(stale) - len(origin.made))


def _stale(new: Path) -> list[Record]:
    """The records of these images that other code made than that of a tree."""
    found, _ = records.load_all()
    known = adoptions.read()
    current = {code: adoptions.lineage(code.fingerprint(new), known) for code in {code_of(_run_of(r)) for r in found}}
    return [r for r in found if r.fingerprint not in current[code_of(_run_of(r))] and not has_other_images(r)]


def _origin(
    commit: str, stale: Sequence[Record], planned: Sequence[Experiment], repository: Path, new: Path
) -> _Origin:
    tree = check_out(repository, commit, new.with_name(f"old-{commit}"))
    found = run(tree, _asking([*map(_run_of, stale), *planned]), new)
    return _Origin(commit, tree, found, [r for r in stale if found[r.key].get("run") == r.fingerprint])


def _asking(runs: Iterable[Experiment]) -> list[Task]:
    """Tasks that tell the fingerprints of each run, by its key."""
    return [Task("fingerprints", each.key, each) for each in {each.key: each for each in runs}.values()]


def _judge(
    origin: _Origin,
    new: Path,
    planned: Sequence[Experiment],
    measured: Mapping[str, Code],
    rerun: bool,
    scale: Scale,
    repository: Path,
    others: int,
) -> Outcome:
    """Run both sides, compare, and write the adoption down if there is one."""
    runs = [*map(_run_of, origin.made), *planned]
    needed = comparison(runs, origin.tree, new, scale)
    sides = ((origin.tree, needed.tasks, new), (new, (*needed.tasks, *_asking(runs)), new))
    with ThreadPoolExecutor(len(sides)) as pool:  # each side is a process on one thread
        before, after = (waited.result() for waited in [pool.submit(run, *side) for side in sides])
    compared = {task.name: difference(before[task.name], after[task.name]) for task in needed.tasks}
    reasons = [f"{name} has changed, and no stage executes it" for name in sorted(needed.missed)]
    repeated = None
    if rerun and origin.made and not (reasons or any(compared.values())):
        repeated, contradicts = _repeat(origin.made, new)
        reasons += [f"a whole run does not give its record again: {repeated}"] if contradicts else []
    if reasons or any(compared.values()):
        return Outcome(None, compared, reasons, others)
    unchanged = {name for name, code in measured.items() if not changed(code, origin.tree, new)}
    adoption = adoptions.Adoption(
        day=datetime.now(UTC).date(),
        old=origin.commit,
        new=_full(repository, "HEAD"),
        processor=describe("cpu"),
        stages=dict(Counter(task.stage for task in needed.tasks)),
        repeated=repeated,
        fingerprints=_pairs(origin.fingerprints, after, [each.key for each in runs], unchanged),
    )
    adoptions.add(adoption)
    return Outcome(adoption, compared, (), others)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs between two results of a task, in words; empty if nothing does.

    >>> difference({"indices": "a", "gains": "b"}, {"indices": "a", "gains": "c"})
    'gains'
    >>> difference({"error": "ValueError: no"}, {"gains": "c"})
    'the older code fails: ValueError: no'
    """
    for side, found in (("older", before), ("newer", after)):
        if "error" in found:
            return f"the {side} code fails: {found['error'].strip().splitlines()[-1]}"
    return ", ".join(name for name in {**before, **after} if before.get(name) != after.get(name))


def _repeat(made: Sequence[Record], new: Path) -> tuple[str, bool]:
    """Repeat a record by lot; say what came of it, and whether that contradicts it: the same processor must agree."""
    from lcmat.sweep.adoption.driven.main import hashed

    cheapest = sorted((r for r in made if r.status == "done"), key=lambda r: (sum(r.seconds.values()), r.key))
    record = random.SystemRandom().choice(cheapest[:_CHEAPEST])
    task = Task("repeat", f"repeating {record.experiment} {record.key}", _run_of(record))
    found = run(new, [task], new)[task.name]
    name = f"{record.experiment} {record.key}"
    if "error" in found:
        return f"{name} fails: {found['error'].strip().splitlines()[-1]}", True
    expected = {"status": record.status, "metrics": hashed(record.metrics), "series": hashed(record.series)}
    if not (different := difference(expected, {part: found[part] for part in expected})):
        return f"{name}: equal", False
    same = all(found[part] == getattr(record, part) for part in ("device", "versions"))
    where = "" if same else f", made with {record.device}, {record.versions}"
    return f"{name}: other {different}{where}", same


def _pairs(before: Results, after: Results, keys: Iterable[str], measured: set[str]) -> tuple[tuple[str, str], ...]:
    """Older and newer fingerprints of the same code; of measurements those of some names alone."""
    found = set[tuple[str, str]]()
    for key in keys:
        older, newer = (_fingerprints(side[key], measured) for side in (before, after))
        found |= {(older[name], newer[name]) for name in older.keys() & newer.keys()}
    return tuple(sorted((old, new) for old, new in found if old != new))


def _fingerprints(found: Mapping[str, Any], measured: set[str]) -> dict[str, str]:
    of_runs = {name: value for name, value in found.items() if name not in ("error", "measurements")}
    return of_runs | {name: value for name, value in found.get("measurements", {}).items() if name in measured}


def _run_of(record: Record) -> Experiment:
    return parse(record.experiment, record.parameters)


def _full(repository: Path, commit: str) -> str:
    return git(repository, "rev-parse", commit).decode().strip()
