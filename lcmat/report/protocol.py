"""Which runs would check a published number: one small table, from the kinds of numbers to the runs."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lcmat.config import EXPERIMENTS, parse
from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.report import reasons
from lcmat.report.runs import ACCURACY

if TYPE_CHECKING:
    from lcmat.records.record import Record

Row = Mapping[str, Any]

NETWORKS: Mapping[str, str] = {
    "convnet3": "convnet",
    "resnet18": "resnet18",
    "resnet10": "resnet10",
    "vgg16": "vgg16",
    "wrn16_8": "wrn16-8",
    "inception_v3": "inception-v3",
    "densenet121": "densenet121",
}
"""The paper's networks, by our names. A run of another network, or of another width, is another protocol."""

DATASETS: Mapping[str, str] = {"cifar10": "cifar10", "cifar100": "cifar100", "tinyimagenet": "tiny-imagenet-32"}

NUM_CLASSES: Mapping[str, int] = {"cifar10": 10, "cifar100": 100, "tinyimagenet": 200}

PAPER_EPOCHS = {"selection_epochs": 10, "epochs": 200}
"""Selection network and coreset training (section 4.1)."""

PRETRAINING = {"selection_epochs": (2, 5, 10, 20, 100), "selection_weight_decay": (0.0001, 0.0005, 0.001)}
"""The configurations of Figure 3 that train the selecting network by SGD; as many others use Adam."""

CIRCUMSTANCES = ("evaluate_every", "precision", "compile")
"""Parameters in which a run may differ from the paper's and still measure the same thing; pages show them."""

NOT_PROTOCOL = frozenset({"seed", "class_order_seed", *CIRCUMSTANCES})
"""These and the seeds."""

DEFAULT_SEEDS = 5
"""Seeds of a check where the paper does not state theirs."""


@dataclass(frozen=True)
class Check:
    """The runs that check a published number, or why there are none.

    Attributes:
        experiment: a key of `lcmat.config.EXPERIMENTS`; None if no run checks the number.
        fixed: parameters that all runs share.
        axes: parameter -> its values; each combination is one run.
        measure: from the records of these runs to the values that are compared, one per seed (or pair).
        reason: why no run checks the number, or why the runs are shown but not judged; empty if they are.
    """

    experiment: str | None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    measure: Callable[[Sequence[Record]], list[float]] = lambda records: [r.metrics[ACCURACY] for r in records]
    reason: str = ""

    def combinations(self, *, seeds: bool = True) -> list[dict[str, Any]]:
        """The parameters of every run, as a command line would give them; without seeds, one for each protocol."""
        axes = {name: values for name, values in self.axes.items() if seeds or name != "seed"}
        points = itertools.product(*axes.values()) if self.experiment else ()
        return [{**self.fixed, **dict(zip(axes, point, strict=True))} for point in points]

    def protocols(self) -> set[str]:
        """Keys that the records of these runs have, see `protocol_key`."""
        return {
            protocol_key(str(self.experiment), parse(str(self.experiment), values).canonical())
            for values in self.combinations(seeds=False)
        }

    def command(self) -> str:
        """The shell command that makes all these runs; empty if there are none.

        >>> Check("selection", {"method": "uniform"}, {"seed": (0, 1)}).command()
        'for seed in 0 1; do lcmat run selection -p method=uniform -p seed=$seed; done'
        """
        if self.experiment is None:
            return ""
        words = [f"-p {name}={value}" for name, value in self.fixed.items()]
        words += [f"-p {name}=${name}" for name in self.axes]
        heads = [f"for {name} in {' '.join(map(str, values))}; do" for name, values in self.axes.items()]
        return " ".join([*heads, f"lcmat run {self.experiment}", *words]) + "; done" * len(heads)

    def made_as(self, records: Sequence[Record]) -> Check:
        """The same runs in the circumstances of the first record, so that the command makes all these again.

        Args:
            records: that count, at least one; their seeds may be others than the check's.
        """
        first, usual = records[0], parse(records[0].experiment, self.combinations()[0]).canonical()
        stated = {name: first.parameters[name] for name in CIRCUMSTANCES if name in first.parameters}
        seeds = sorted({*self.axes["seed"], *(record.seed for record in records)})
        fixed = {**self.fixed, **{name: value for name, value in stated.items() if value != usual[name]}}
        return replace(self, fixed=fixed, axes={**self.axes, "seed": tuple(seeds)})


def protocol_key(experiment: str, parameters: Row) -> str:
    """Text that two runs share exactly if they follow the same protocol and may differ in `NOT_PROTOCOL` alone."""
    stated = {name: value for name, value in parameters.items() if name not in NOT_PROTOCOL}
    return f"{experiment} {json.dumps(stated, sort_keys=True)}"


def paper_parameters(row: Row) -> Check:
    """Say which runs measure the same thing as a published number.

    The method is as defined. Where the paper leaves a setting open, our default stands; where that is a guess, the
    check has a reason.

    Args:
        row: of `lcmat.report.read_published`.
    """
    kind = _KINDS.get(row["task"])
    return kind(row) if kind else Check(None, reason=f"No experiment measures {row['task']!r}.")


def official_check(check: Check) -> Check | None:
    """The same runs with the method as its official code does it; None if that is the definition, or nothing is judged.

    What the published number names itself, such as the radius of Figure 4, stays.
    """
    options = OFFICIAL.get(check.fixed.get("method", ""), {}) if check.experiment == "selection" else {}
    return replace(check, fixed={**options, **check.fixed}) if options and not check.reason else None


def _selection(row: Row) -> Check:
    """Tables 1, 2, 3 and 6: the trained network is the selecting one, or the one named beside it."""
    method = "uniform" if row["method"] == "Full" else _registry_name(row["method"])
    return _selection_runs(row, method=method, fraction=float(row["budget"]))


def _radius(row: Row) -> Check:
    """Figure 4: the note names the fraction."""
    stated = re.match(r"fraction ([0-9.]+);", str(row["note"]))
    if stated is None:
        return Check(None, reason="The fraction is not stated.")
    method = _registry_name(row["method"])
    return _selection_runs(row, method=method, fraction=float(stated[1]), rho=float(row["budget"]))


def _seconds(row: Row) -> Check:
    """Appendix D.2: Uniform needs no selecting network, so its time is that of the selection alone."""
    needed = ("selection",) if row["method"] == "Uniform" else ("selector", "selection")

    def measure(records: Sequence[Record]) -> list[float]:
        stated = [record.seconds for record in records if set(needed) <= set(record.seconds)]
        return [sum(seconds.get(stage, 0.0) for stage in (*needed, "evidence")) for seconds in stated]

    check = _selection(row)
    return replace(check, measure=measure, reason=check.reason or reasons.NO_HARDWARE)


def _wins(row: Row) -> Check:
    """Figure 3: wins of the row's method over the one named as its budget, over configurations and seeds."""
    pair = tuple(_registry_name(title) for title in (row["method"], row["budget"]))

    def measure(records: Sequence[Record]) -> list[float]:
        by_method: dict[str, dict[str, float]] = {str(name): {} for name in pair}
        for record in records:
            configuration = {n: record.parameters.get(n) for n in ("seed", *PRETRAINING)}
            by_method[record.parameters["method"]][json.dumps(configuration)] = record.metrics[ACCURACY]
        first, second = by_method.values()
        return [float(first[key] > second[key]) for key in sorted(first.keys() & second.keys())]

    check = _selection_runs(row, method=pair[0], fraction=0.005)
    fixed = {name: value for name, value in check.fixed.items() if name not in ("method", "selection_epochs")}
    axes = {"method": pair, **PRETRAINING, **check.axes}
    return replace(check, fixed=fixed, axes=axes, measure=measure, reason=check.reason or reasons.HALF_OF_FIGURE_3)


def _gap_terms(row: Row) -> Check:
    return Check(None, reason=reasons.NO_GAP_TERMS)


def _condensation(row: Row) -> Check:
    """Tables 4 and 5: images made with one network, tested with it or with another."""
    if row["method"] in ("KIP", "Full"):
        return Check(None, reason=reasons.QUOTED if row["method"] == "KIP" else reasons.FULL_CONDENSATION)
    fixed = {"dataset": DATASETS.get(row["dataset"]), "method": row["method"].lower(), "ipc": int(row["budget"])}
    check = _available("condensation", row, {**fixed, **_networks(row, "test_network")})
    return replace(check, reason=check.reason or reasons.GUESSED_CONDENSATION)


def _continual(row: Row) -> Check:
    """Figure 5: the accuracy over the classes seen so far, after each stage."""
    method = _registry_name(row["method"]) or row["method"].lower()
    seen = float(row["budget"])

    def measure(records: Sequence[Record]) -> list[float]:
        curves = (dict(zip(r.series["classes_seen"], r.series[ACCURACY], strict=True)) for r in records)
        return [curve[seen] for curve in curves if seen in curve]

    fixed = {"dataset": DATASETS.get(row["dataset"]), "method": method, "ipc": 10, "num_stages": 5}
    check = _available("continual", row, fixed)
    return replace(check, measure=measure, reason=check.reason or reasons.GUESSED_REPLAY)


_KINDS: Mapping[str, Callable[[Row], Check]] = {
    "selection": _selection,
    "selection_cross_architecture": _selection,
    "selection_wall_clock": _seconds,
    "selection_pretraining_robustness": _wins,
    "rho_sensitivity": _radius,
    "bound_terms": _gap_terms,
    "condensation": _condensation,
    "condensation_cross_architecture": _condensation,
    "continual_learning": _continual,
}


def _selection_runs(row: Row, **own: Any) -> Check:
    fixed = {"dataset": DATASETS.get(row["dataset"]), **own, **_networks(row, "learner"), **PAPER_EPOCHS}
    check = _available("selection", row, fixed)
    size = reasons.OTHER_TINY_IMAGENET if row["dataset"] == "tinyimagenet" else ""
    return replace(check, reason=check.reason or size)


def _networks(row: Row, second: str) -> dict[str, Any]:
    first, other = row["reduction_network"], row["test_network"]
    return {"network": NETWORKS.get(first), **({second: NETWORKS.get(other)} if other != first else {})}


def _available(experiment: str, row: Row, fixed: dict[str, Any]) -> Check:
    """The check, unless the experiment or one of the names does not exist here."""
    if experiment not in EXPERIMENTS:
        return Check(None, reason=f"There is no experiment {experiment!r} in this version.")
    if unknown := [name for name, value in fixed.items() if value is None]:
        return Check(None, reason=f"No experiment here offers the {' or '.join(unknown)} of this number.")
    seeds = DEFAULT_SEEDS if row["seeds"] != row["seeds"] else int(row["seeds"])  # NaN is not itself
    return Check(experiment, fixed, {"seed": tuple(range(seeds))})


def data_name(record: Record) -> str:
    """Which copy of the data a record's numbers stem from: the first words of its provenance."""
    return "; ".join(sorted({source.provenance.partition(",")[0] for source in record.data.values()}))


def _registry_name(title: str) -> str | None:
    return next((name for name, method in METHODS.items() if method.title == title), None)
