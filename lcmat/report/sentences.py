"""Comparisons in words: how a configuration stands against a baseline, said the same way on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import pandas as pd

from lcmat.config.datasets import DATASETS
from lcmat.report.paired import SIGNIFICANCE, testable
from lcmat.report.runs import as_rows
from lcmat.report.statistics import FEWEST_SEEDS, Interval

RECOMPUTED = "digits"
"""Its records are made anew by each build, and speak only where no others do."""

MAX_NAMED = 3
"""Configurations that a sentence names before it says how many others there are."""

Row = Mapping[str, Any]


def against(interval: Interval, baseline: str, adjusted_p: float = 0.0, values: str = "") -> str:
    """Say how a configuration compares with a baseline, as the rest of a sentence about it.

    Args:
        interval: of its accuracy minus the baseline's, in points.
        baseline: in words.
        adjusted_p: Holm-corrected; 0 if nothing is compared beside it.
        values: what is told before the interval.

    >>> against(Interval(2.0, 1.0, 3.0, 5), "random images")
    'is 2.0 points more accurate than random images (95 % interval +1.0 to +3.0, n = 5)'
    >>> against(Interval(0.5, -1.0, 2.0, 3), "it")
    'does not differ significantly from it (+0.5 points, 95 % interval -1.0 to +2.0, n = 3)'
    """
    if interval.n < FEWEST_SEEDS:
        return f"differed from {baseline} by {interval.mean:+.1f} points in the {runs_there_are(interval.n)}{values}"
    if not interval.excludes_zero:
        return f"does not differ significantly from {baseline}{values} ({gain(interval)}, n = {interval.n})"
    doubt = "" if adjusted_p < SIGNIFICANCE else ", though not after Holm's correction for all comparisons"
    spread = f"95 % interval {interval.low:+.1f} to {interval.high:+.1f}, n = {interval.n}"
    word = "more" if interval.mean > 0 else "less"
    return f"is {abs(interval.mean):.1f} points {word} accurate than {baseline}{doubt}{values} ({spread})"


def runs_there_are(number: int) -> str:
    """One or two of them, in words.

    >>> runs_there_are(1), runs_there_are(2)
    ('one run there is', '2 seeds there are')
    """
    return "one run there is" if number == 1 else f"{number} seeds there are"


def gain(interval: Interval) -> str:
    """A difference with its interval, in brackets of a sentence.

    >>> gain(Interval(2.0, 1.0, 3.0, 5))
    '+2.0 points, 95 % interval +1.0 to +3.0'
    """
    return f"{interval.mean:+.1f} points, 95 % interval {interval.low:+.1f} to {interval.high:+.1f}"


def each_against(differences: pd.DataFrame, baseline: str, place: Callable[[Row], str]) -> str:
    """Say of each comparison of one configuration, "it", how it came out, as the rest of a sentence.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it.
        baseline: in words.
        place: where a comparison was made, "at 5 % of the images".
    """
    rows = as_rows(differences)
    counts = {row["interval"].n for row in rows}
    if (
        len(counts) == 1 < len(rows)
        and not any(row["interval"].excludes_zero for row in rows)
        and min(counts) >= FEWEST_SEEDS
    ):
        gains = ", ".join(f"{place(row)} ({gain(row['interval'])})" for row in rows)
        return f"with {counts.pop()} seeds it does not differ significantly from {baseline} {gains}"
    return "; ".join(f"{place(row)} it {against(row['interval'], baseline, row['adjusted_p'])}" for row in rows)


def all_against(differences: pd.DataFrame, baseline: str) -> str:
    """Say how many configurations differ from a baseline after Holm's correction, and which, as the rest of a sentence.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it, not empty.
        baseline: in words.
    """
    if len(differences) == 1:
        row = differences.iloc[0]
        return f"{row['label']} {against(row['interval'], baseline, row['adjusted_p'])}"
    compared = f"of {len(differences)} configurations compared with {baseline}"
    if testable(differences).empty:
        return f"{compared} none has {FEWEST_SEEDS} seeds, and fewer decide nothing"
    above, below = shown(differences)
    rest = len(differences) - len(above) - len(below)
    if rest == len(differences):
        means = [interval.mean for interval in differences["interval"]]
        span = f"their mean differences lie between {min(means):+.1f} and {max(means):+.1f} points"
        return f"none of {rest} configurations differs significantly from {baseline} after Holm's correction; {span}"
    several = differences.get("fraction", pd.Series(dtype=float)).nunique() > 1
    found = " and ".join(_counted(rows, word, several) for rows, word in ((above, "more"), (below, "less")))
    verb = "does" if rest == 1 else "do"
    others = f"; the other {rest} {verb} not differ significantly from it after Holm's correction" if rest else ""
    return f"{compared}, {found}{others}"


def describe_differences(differences: pd.DataFrame, baseline_title: str = "uniform selection") -> str:
    """State in one sentence which configurations differ from the baseline after Holm's correction."""
    if differences.empty:
        return f"No configuration has been run with the same seeds as {baseline_title} (not run)."
    return sentence(all_against(differences, baseline_title))


def sentence(words: str) -> str:
    """Begin with a capital, end with a full stop.

    >>> sentence("of two")
    'Of two.'
    """
    return f"{words[0].upper()}{words[1:]}."


def shown(differences: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The comparisons that came out above and below the baseline after Holm's correction, the largest first."""
    means = differences["interval"].map(lambda interval: interval.mean).astype(float)
    ordered = differences.assign(mean=means).sort_values("mean", key=abs, ascending=False, kind="stable")
    significant = ordered[ordered["adjusted_p"] < SIGNIFICANCE]
    return significant[significant["mean"] > 0], significant[significant["mean"] < 0]


def verdict(differences: pd.DataFrame) -> str:
    """Answer in a few words whether one configuration is more accurate than its baseline, over all its comparisons."""
    if testable(differences).empty:
        return f"Fewer than {FEWEST_SEEDS} seeds decide nothing."
    above, below = shown(differences)
    if len(above) and len(below):
        return "It depends."
    if len(above):
        return "Yes." if len(above) == len(differences) else f"In {len(above)} of {len(differences)} comparisons."
    return "No." if len(below) else "Undecided."


def to_use(differences: pd.DataFrame, baseline: str) -> str:
    """Advise the configuration with the largest mean among those shown to be above the baseline, or the baseline."""
    above, _ = shown(differences)
    if above.empty:
        return f"use {baseline}, because nothing is significantly more accurate"
    row = above.iloc[0]
    return f"use {row['label']}, which {against(row['interval'], baseline)}"


def at_each(differences: pd.DataFrame, place: Callable[[Row], str], say: Callable[[pd.DataFrame], str]) -> str:
    """Say something of the comparisons of each place, once for places of which the same is said."""
    places: dict[str, list[str]] = {}
    names = pd.Series([place(row) for row in as_rows(differences)], differences.index)
    for words, rows in differences.groupby(names, sort=False):
        places.setdefault(say(rows), []).append(str(words))
    return "; ".join(f"{' and '.join(words)}, {said}" for said, words in places.items())


def by_dataset(differences: pd.DataFrame, say: Callable[[pd.DataFrame], str]) -> str:
    """A sentence for each data set that speaks; see `speaking`.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it.
        say: the rest of the sentence, from a data set's comparisons.
    """
    groups = speaking(differences).groupby("dataset", sort=False)
    return " ".join(f"On {in_words(str(name))}, {say(group)}." for name, group in groups)


def in_words(dataset: str) -> str:
    """A data set's name within a sentence.

    >>> in_words("digits"), in_words("cifar10")
    ('the digits', 'CIFAR-10')
    """
    return "the digits" if dataset == "digits" else DATASETS[dataset].title


def speaking(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the comparisons with seeds enough, if there are any, and of these the data sets that are kept, if any."""
    tested = testable(differences)
    return kept_first(tested if len(tested) else differences)


def resolution(differences: pd.DataFrame) -> str:
    """Say for each data set how small a difference its seeds can show: the median half-width of the intervals.

    Args:
        differences: as `lcmat.report.paired_to_baseline` gives it.
    """
    tested = testable(differences)
    if tested.empty:
        return f"No comparison has {FEWEST_SEEDS} seeds, so nothing is shown."
    return by_dataset(tested, _half_width)


def kept_first(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows of the data set that each build computes anew, unless there are no others."""
    kept = table[table["dataset"] != RECOMPUTED]
    return kept if len(kept) else table


def questions(answers: Mapping[str, str], command: str) -> str:
    r"""The answers of a page in Markdown; one sentence that names the command of the runs if there is none.

    Args:
        answers: question -> its answer, empty if it was not run.
        command: runs what the page compares.

    >>> questions({"Better?": "Yes.", "Faster?": ""}, "lcmat sweep")
    '**Better?** Yes.\n\n**Faster?** Not run yet.'
    >>> questions({"Better?": ""}, "lcmat sweep")
    '**Not run yet.** The runs that answer are `lcmat sweep`.'
    """
    if not any(answers.values()):
        return f"**Not run yet.** The runs that answer are `{command}`."
    return "\n\n".join(f"**{question}** {answer or 'Not run yet.'}" for question, answer in answers.items())


def _half_width(rows: pd.DataFrame) -> str:
    intervals = list(rows["interval"])
    counts = sorted({interval.n for interval in intervals})
    seeds = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return (
        f"half of the 95 % intervals reach further than {median(each.half_width for each in intervals):.1f} points to "
        f"either side (n = {seeds}), so smaller differences cannot be told from chance"
    )


def _counted(rows: pd.DataFrame, word: str, with_fraction: bool) -> str:
    if rows.empty:
        return f"none is significantly {word} accurate"
    names = [_named(row, with_fraction) for row in as_rows(rows[:MAX_NAMED])]
    others = len(rows) - len(names)
    listed = "; ".join([*names, *([f"and {others} more"] if others else [])])
    return f"{len(rows)} {'is' if len(rows) == 1 else 'are'} significantly {word} accurate ({listed})"


def _named(row: Row, with_fraction: bool) -> str:
    place = f" at {100 * row['fraction']:g} %" if with_fraction else ""
    return f"{row['label']}{place}, {row['interval'].mean:+.1f} points"
