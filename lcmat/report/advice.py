"""What to use in which situation: the decision table of the book, computed from records by its paired tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from lcmat.config.condensation_defaults import TUNED
from lcmat.config.datasets import DATASETS
from lcmat.report.condensation import CONDENSATION, condensation_label
from lcmat.report.ledger import DEFINED
from lcmat.report.markup import plain_rows, table
from lcmat.report.paired import SIGNIFICANCE, paired_to, paired_to_baseline, setting_key, testable
from lcmat.report.runs import as_defined, as_rows, with_default_selector
from lcmat.report.schemes import SELECTION, Scheme
from lcmat.report.sentences import shown
from lcmat.report.statistics import FEWEST_SEEDS, Interval
from lcmat.report.studies import study_runs

NOT_RUN, TOO_FEW = "not run", f"fewer than {FEWEST_SEEDS} seeds"
CONDENSED = frozenset(
    condensation_label({"method": "lcmat-c", "rho": competitors["lcmat-c"]["rho"]}) for competitors in TUNED.values()
)
"""Labels of LCMat-C at the radius that was chosen for each data set on held-out training images."""

_HEADS = ("Situation", "Data and network", "Use", "Its gain (points)", "LCMat", "Its gain (points)", "n")


class Situation(NamedTuple):
    """A question of a reader, and the comparisons that answer it.

    Attributes:
        title: the situation in words.
        page: under `report/`, with the evidence.
        baseline: what everything is compared with, in words.
        own: labels of the paper's method there: at its default radius, or at that of each data set.
        scheme: of the experiment.
        differences: to the baseline, as `lcmat.report.paired_to_baseline` gives them.
    """

    title: str
    page: str
    baseline: str
    own: frozenset[str]
    scheme: Scheme
    differences: pd.DataFrame


class Advice(NamedTuple):
    """What the records of one situation say on one data set.

    Attributes:
        use: label of the configuration to use, or the baseline.
        gain: of that configuration over the baseline; None for the baseline.
        own: difference of the paper's method to the baseline; None if it has not been run.
        word: "better", "worse" or "undecided", of the paper's method; `NOT_RUN` or `TOO_FEW`.
        setting: data and network, in words.
    """

    use: str
    gain: Interval | None
    own: Interval | None
    word: str
    setting: str


def situations(selection: pd.DataFrame, condensation: pd.DataFrame) -> list[Situation]:
    """The rows of the decision table.

    Args:
        selection: runs of the selection benchmark, as `lcmat.report.runs_frame` gives it; stale ones do not count.
        condensation: likewise.
    """
    runs = selection[~selection["stale"].astype(bool)]
    clean = runs[runs["label_noise"].isna() & runs["imbalance"].isna() & runs["learner"].isna()]
    unequal = study_runs(runs, "class-imbalance")
    within = unequal["across_classes"].isna() & (unequal["method"] == "uniform")
    learnt = study_runs(condensation[~condensation["stale"].astype(bool)], "condensation")
    chosen = ("uniform selection", frozenset({DEFINED}), SELECTION)
    random = ("random images", CONDENSED, CONDENSATION)
    by_fraction = paired_to_baseline(as_defined(with_default_selector(clean)))
    by_noise = paired_to_baseline(study_runs(runs, "label-noise"))
    few = paired_to_baseline(learnt, "random", scheme=CONDENSATION)
    return [
        *_by_level(Situation("Images to keep", "selection", *chosen, by_fraction), "fraction"),
        *_by_level(Situation("Wrong labels", "hard-conditions", *chosen, by_noise), "label_noise"),
        Situation("Unequal classes", "hard-conditions", *chosen, paired_to(unequal, within)),
        Situation("A few images per class, chosen or learnt", "condensation", *random, few),
    ]


def _by_level(whole: Situation, column: str) -> Iterator[Situation]:
    """The situation at each share that a column holds; the whole where there is none."""
    levels = sorted(set(whole.differences[column].dropna()))
    for level in levels:
        rows = whole.differences[whole.differences[column] == level]
        yield whole._replace(title=f"{whole.title}: {100 * level:.3g} %", differences=rows)
    if not levels:
        yield whole


def advise(situation: Situation, dataset: str) -> Advice:
    """Recommend the configuration with the largest mean among those significantly above the baseline, or the baseline.

    Where a data set has several settings (networks, schedules), the one with most comparisons speaks.

    Args:
        situation: one of `situations`.
        dataset: whose records are asked.

    Returns:
        The advice; `NOT_RUN` where no configuration shares a seed with the baseline, `TOO_FEW` where none has enough.
    """
    own = situation.differences[situation.differences["dataset"] == dataset]
    rows = testable(own)
    if rows.empty:
        word = NOT_RUN if own.empty else TOO_FEW
        return Advice(word, None, None, word, dataset)
    keys = setting_key(rows, situation.scheme.setting)
    rows = rows[keys == keys.value_counts(sort=False).idxmax()]
    listed = as_rows(rows)
    best = next(iter(as_rows(shown(rows)[0])), None)
    ours = next((row for row in listed if row["label"] in situation.own), None)
    setting = situation.scheme.describe(listed[0])
    use, gain = (situation.baseline, None) if best is None else (best["label"], best["interval"])
    if ours is None:
        return Advice(use, gain, None, NOT_RUN, setting)
    return Advice(use, gain, ours["interval"], _word(ours["interval"], ours["adjusted_p"]), setting)


def decision_table(rows: Sequence[Situation], datasets: Sequence[str]) -> str:
    """A table in Markdown: a line for each situation, which links to its evidence, and a column for each data set."""
    heads = ["Your situation", *(DATASETS[name].title for name in datasets)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        words = [advise(row, dataset).use for dataset in datasets]
        lines.append("| " + " | ".join([f"[{row.title}](../report/{row.page}.ipynb)", *words]) + " |")
    return "\n".join(lines)


def answer_in_counts(rows: Sequence[Situation], datasets: Sequence[str]) -> str:
    """Say of each of the paper's methods in how many situations it was better and worse than the baseline."""
    words: dict[str, list[str]] = {"LCMat-S, which chooses images": [], "LCMat-C, which learns them": []}
    for row, dataset in itertools.product(rows, datasets):
        words[[*words][row.own == CONDENSED]].append(advise(row, dataset).word)
    return "\n".join(f"- **{name}:** {_counts(found)}." for name, found in words.items())


def _counts(words: Sequence[str]) -> str:
    """How often each word was said of the situations that were tested."""
    tested = len(words) - words.count(NOT_RUN) - words.count(TOO_FEW)
    if not tested:
        return NOT_RUN
    return (
        f"significantly more accurate than images drawn at random in {words.count('better')} of {tested} situations "
        f"and data sets, less accurate in {words.count('worse')}, undecided in {words.count('undecided')}"
    )


def advice_html(rows: Sequence[Situation], datasets: Sequence[str], name: str) -> str:
    """Show what stands behind each cell of the decision table that is not empty."""
    advices = [(row, advise(row, dataset)) for row in rows for dataset in datasets]
    bodies = plain_rows(
        (row.title, each.setting, each.use, _text(each.gain), each.word, _text(each.own), _count(each))
        for row, each in advices
        if each.use not in (NOT_RUN, TOO_FEW)
    )
    return table(name, _HEADS, bodies, "Mean difference to choosing at random with its 95 % paired interval.")


def datasets_of(rows: Sequence[Situation]) -> list[str]:
    """The digits, the paper's data sets and whatever has been compared, in the order of the catalogue."""
    seen = {"digits", "cifar10", "cifar100"}.union(*(row.differences["dataset"] for row in rows))
    return [name for name in DATASETS if name in seen]


def _word(interval: Interval, p_value: float) -> str:
    if not p_value < SIGNIFICANCE:
        return "undecided"
    return "better" if interval.mean > 0 else "worse"


def _text(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval.mean:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _count(advice: Advice) -> str:
    interval = advice.gain or advice.own
    return "" if interval is None else str(interval.n)
