"""Whether recomputed records say what they said before, on this machine or on others.

Equal bits can be expected in an equal environment: the same model of processor with the same extensions, or the same
GPU, as many threads, the same torch and numpy. There a difference is a failure. Elsewhere it is reported, and is a
failure only if no other arithmetic explains it: another size of a coreset, an accuracy far from all that was measured,
or accuracies that are too far off on the average.

What is unknown of an environment equals nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from lcmat.records.adoptions import lineage
from lcmat.records.circumstances import UNKNOWN
from lcmat.sweep.references import Entry, Reference

LARGEST_POINTS = 30.0
MEAN_POINTS = 2.0
"""Elsewhere, an accuracy may differ by so many points, and accuracies of one experiment on the average by so many.

One processor with the arithmetic of AVX-512 and with that of AVX2, smoke profile: the accuracies of 942 selections
differ by 19.7 points at most, one in a hundred by more than 8.9, on the average by 0.44; of 71 condensations by 1.3 and
0.16. Sizes and states are the same.
"""
_RELATIVE = {"penalty_rho": 1e-3}  # of a ratio of gradients; measured: below 1e-5
_MEASURED = ("_percent", "_points")
_CHOSEN = ("best_epoch", "chosen_rho")  # the largest of accuracies that may tie


@dataclass(frozen=True)
class Comparison:
    """What differs: failures in any case, differences that another environment can explain, and keys of runs in one."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def compare(reference: Reference, found: Mapping[str, Entry], wanted: Iterable[str]) -> Comparison:
    """Compare the entries of the runs that are wanted, by key, with those of the reference."""
    result, keys = Comparison(), set(wanted)
    compared: list[tuple[Entry, Entry]] = []
    for key in sorted(keys | set(reference)):
        if key not in keys:
            result.failures.append(f"{key}: no run of the profile any more: update the reference")
        elif key not in found:
            result.failures.append(f"{key}: there is no record of it: lcmat sweep computes it")
        elif key not in reference:
            result.failures.append(f"{key}: not in the reference: update it")
        elif known := _of_this_code(reference[key], found[key]):
            compared += _compare_numbers(key, known, found[key], result)
        else:
            result.failures.append(f"{key}: the reference was made by older code: update it")
    result.failures.extend(_far_on_average(compared))
    return result


def _of_this_code(entries: Sequence[Entry], found: Entry) -> list[Entry]:
    codes = lineage(found.fingerprint)
    return [entry for entry in entries if entry.fingerprint in codes]


def _compare_numbers(
    key: str, known: Sequence[Entry], found: Entry, result: Comparison
) -> Iterable[tuple[Entry, Entry]]:
    """Compare with the entry of this machine; where there is none, with the most similar, and return both."""
    own = [each for each in known if each.platform.known and each.platform == found.platform]
    expected = min(own or known, key=lambda each: len(list(_differences(each, found))))
    named = f"{found.experiment} {key}: "
    if own:
        result.failures.extend(named + text for text in _differences(expected, found))
        return []
    facts = zip(found.platform, dict(expected.platform).values(), strict=True)
    reason = ", ".join(f"{name} {new}, reference {old}" for (name, new), old in facts if new != old or new == UNKNOWN)
    result.warnings.extend(f"{named}{text} ({reason})" for text in _differences(expected, found))
    result.failures.extend(f"{named}{text}, which no other machine explains" for text in _unexplained(expected, found))
    result.elsewhere.append(key)
    return [(expected, found)]


def _differences(expected: Entry, found: Entry) -> Iterable[str]:
    if expected.status != found.status:
        yield f"the status moved from {expected.status} to {found.status}"
    for name, old, new in _moved(expected, found):
        yield f"{name} moved from {_or_nothing(old)} to {_or_nothing(new)}"
    if expected.series != found.series:
        yield f"the series moved (hash {expected.series}, now {found.series})"


def _unexplained(expected: Entry, found: Entry) -> Iterable[str]:
    """Differences that other arithmetic does not make."""
    if expected.status != found.status:
        yield f"the status moved from {expected.status} to {found.status}"
    for name, old, new in _moved(expected, found):
        if name not in _CHOSEN and not _near(name, old, new):
            yield f"{name} moved from {_or_nothing(old)} to {_or_nothing(new)}"


def _moved(expected: Entry, found: Entry) -> Iterable[tuple[str, float | None, float | None]]:
    for name in sorted({*expected.metrics, *found.metrics}):
        old, new = expected.metrics.get(name), found.metrics.get(name)
        if old != new:
            yield name, old, new


def _near(name: str, old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return False
    absolute = LARGEST_POINTS if name.endswith(_MEASURED) else 0.0
    return math.isclose(old, new, rel_tol=_RELATIVE.get(name, 0.0), abs_tol=absolute)


def _far_on_average(compared: Sequence[tuple[Entry, Entry]]) -> Iterable[str]:
    """Metrics of an experiment that are farther off on the average than on any machine, whatever single runs do."""
    distances: dict[tuple[str, str], list[float]] = {}
    for expected, found in compared:
        for name in expected.metrics.keys() & found.metrics.keys():
            if name.endswith(_MEASURED):
                of_metric = distances.setdefault((found.experiment, name), [])
                of_metric.append(abs(found.metrics[name] - expected.metrics[name]))
    for (experiment, name), points in sorted(distances.items()):
        if mean(points) > MEAN_POINTS:
            yield f"{experiment}: {name} differs by {mean(points):.1f} on the average of {len(points)} runs"


def _or_nothing(number: float | None) -> str:
    return "nothing" if number is None else repr(number)
