"""The answer of the book in a few sentences, the same on its landing page, in the report and in the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.measurements import kinds
from lcmat.report.explained import explained_by_step
from lcmat.report.ledger import (
    AS_CODE,
    DEFAULT_RHO,
    DEFINED,
    SHOWN,
    STEPS,
    UNIFORM,
    labelled_runs,
    ledger,
    setting_text,
    settings,
    share_of_gap,
)
from lcmat.report.measured import listed
from lcmat.report.paired import SIGNIFICANCE, label_differences, paired_to_baseline, testable
from lcmat.report.published import read_published
from lcmat.report.runs import ACCURACY, as_rows, runs_frame
from lcmat.report.schemes import CHOICE, method_label, network_text
from lcmat.report.sentences import RECOMPUTED, against, questions, runs_there_are
from lcmat.report.statistics import FEWEST_SEEDS, Interval
from lcmat.report.studies import study_runs

if TYPE_CHECKING:
    from lcmat.records.record import Record

SINGLE_CLASS = (
    "(The program looks at one class after the other and leaves batch normalisation in training mode, which takes away "
    "what the images of a class have in common.)"
)
"""How the statistics of single-class batches come about, for those who read no further."""

PAPER_WIDTH = 64
HEADLINE_FRACTION = 0.01
_DOUBT = "; not significant after Holm's correction for all steps"


def headline_setting(records: Iterable[Record], stale: set[str]) -> pd.DataFrame:
    """Choose the setting of the ledger that speaks for the book; its rows, none if no setting is complete.

    Kept data sets come before the digits, then three seeds before fewer and two before one, because two have next to no
    interval, then the paper's width before others, then the fraction nearest to 1 %, then float32.
    """
    rows = ledger(records, stale)
    return _first(settings(rows), rows)


def in_order(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The settings of the ledger, the one that speaks for the book first."""
    return sorted(settings(rows), key=lambda group: _rank(group.iloc[0]), reverse=True)


def headline_answer(records: Iterable[Record], stale: set[str]) -> str:
    """`answer` of the setting that speaks for the book, with what was measured of its choices."""
    records = list(records)
    measured = [row for content in kinds.stored("explanation").values() for row in content["rows"]]
    rows = ledger(records, stale)
    apart = _first([group for group in settings(rows) if len(_alone(group)) == len(STEPS)], rows.head(0))
    runs = runs_frame(records, stale=stale)
    own, found = _first(settings(rows), rows), explained_by_step(measured, records)
    return answer(own, found, apart, alternatives(runs), in_craig(runs), at_other_fractions(own, rows, runs))


def alternatives(runs: pd.DataFrame) -> pd.DataFrame:
    """Differences to uniform selection of choices that could do what the statistics of single-class batches do.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
    """
    return paired_to_baseline(study_runs(runs, "alternatives"), scheme=CHOICE)


def in_craig(runs: pd.DataFrame) -> str:
    """What the statistics of single-class batches are worth to Craig, where it has most seeds and if it is significant.

    Args:
        runs: as `lcmat.report.runs_frame` gives it.
    """
    pair = method_label("craig", {"batch_norm": "batch"}), method_label("craig")
    found = testable(label_differences(runs, [pair]))
    clear = [row for row in as_rows(found) if row["adjusted_p"] < SIGNIFICANCE]
    if not clear:
        return ""
    row = max(clear, key=lambda each: each["interval"].n)
    lone = ", not corrected for other comparisons" if len(found) == 1 else ""
    worth = f"{row['interval'].mean:+.1f} points ({_ends(row['interval'])}, n = {row['interval'].n}{lone}; "
    return f" To Craig, which knows nothing of curvature, the same statistics are worth {worth}{network_text(row)})."


def at_other_fractions(own: pd.DataFrame, rows: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What definition and code are worth at the other fractions of a setting, and on average over all of them.

    The average is that of each seed, so that the values tested are independent; it corrects for two comparisons.

    Args:
        own: rows of one setting.
        rows: of all settings, as `lcmat.report.ledger.ledger` gives them.
        runs: as `lcmat.report.runs_frame` gives it.
    """
    if own.empty or own.iloc[0]["n"] < FEWEST_SEEDS:
        return ""
    scale = [name for name in SHOWN if name != "fraction"]
    alike = rows[(rows[scale] == own.iloc[0][scale]).all(axis=1) & (rows["n"] == own.iloc[0]["n"])]
    both = alike[alike["label"].isin([DEFINED, AS_CODE])].sort_values("fraction")
    both = both[both.groupby("fraction")["label"].transform("size") == 2]
    others = both[both["fraction"] != own.iloc[0]["fraction"]]
    if others.empty:
        return ""
    places = listed([f"{100 * fraction:g} %" for fraction in others["fraction"].unique()])
    told = {
        label: listed([f"{each.mean:+.1f}" for each in group["to_uniform"]]) for label, group in others.groupby("label")
    }
    clear = int((others["uniform_p"] < SIGNIFICANCE).sum())
    clearly = f"{clear} of these significantly" if clear else "none significantly after Holm's correction"
    done = labelled_runs(runs)
    done = done[(done[scale] == own.iloc[0][scale]).all(axis=1) & done["fraction"].isin(both["fraction"])]
    pooled = label_differences(done, [(DEFINED, UNIFORM), (AS_CODE, UNIFORM)], pooled=("fraction",))
    means = {row["better"]: f"{row['interval'].mean:+.1f}" for row in as_rows(pooled)}
    spans = {row["better"]: _ends(row["interval"]) for row in as_rows(pooled)}
    return (
        f" At {places} LCMat-S differs from uniform selection by {told[DEFINED]} points as defined and by "
        f"{told[AS_CODE]} as the code ({clearly}); on average over the {both['fraction'].nunique()} fractions, which "
        f"was asked when these results were known, by {means[DEFINED]} ({spans[DEFINED]}) and "
        f"{means[AS_CODE]} ({spans[AS_CODE]}), n = {own.iloc[0]['n']}."
    )


def answer(
    rows: pd.DataFrame,
    explained: pd.DataFrame | None = None,
    apart: pd.DataFrame | None = None,
    choices: pd.DataFrame | None = None,
    craig: str = "",
    elsewhere: str = "",
) -> str:
    """Say whether LCMat-S beats uniform selection, why the paper found so, and what to use, from one setting.

    Args:
        rows: as `headline_setting` gives them.
        explained: what the choices consist of, as `lcmat.report.ledger.explained_by_step` gives it.
        apart: rows of a setting in which each difference of the code was run alone, should `rows` not have all.
        choices: `alternatives`; those in the setting of `rows` may be advised.
        craig: `in_craig`.
        elsewhere: `at_other_fractions`.

    Returns:
        Markdown, three paragraphs.
    """
    if rows.empty:
        return questions({}, "lcmat sweep --profile cpu --study ledger")
    by_label = {row["label"]: row for row in as_rows(rows)}
    defined, code = by_label[DEFINED], by_label[AS_CODE]
    found = (
        f"{_verdict(defined, code)}By the paper's formulas (its network in evaluation mode, ρ = {DEFAULT_RHO:g}) it "
        f"{_against(defined)}{_wrong(defined, explained)}. As its official code computes it, it {_against(code)}. "
        f"(Setting: {setting_text(defined)} of the images kept.{_caution(defined)})"
    )
    parts = {
        "Does LCMat-S beat uniform selection?": found,
        "Why did the paper find that it does?": _printed(defined, code) + _why(rows, code, apart) + craig,
        "What to use?": _advice(rows, choices, elsewhere),
    }
    return questions(parts, "")


def published_gain(dataset: str, fraction: float) -> float | None:
    """LCMat-S minus uniform selection in Table 1, in points; None if the paper has no such cell."""
    cells = read_published()
    cells = cells[(cells["table"] == "1") & (cells["dataset"] == dataset) & (cells["metric"] == ACCURACY)]
    means = {row["method"]: row["mean"] for row in as_rows(cells) if float(row["budget"]) == fraction}
    return means["LCMat-S"] - means["Uniform"] if {"LCMat-S", "Uniform"} <= means.keys() else None


def _first(groups: list[pd.DataFrame], default: pd.DataFrame) -> pd.DataFrame:
    return max(groups, key=lambda group: _rank(group.iloc[0]), default=default)


def _rank(row: pd.Series) -> tuple[float, ...]:
    return (
        row["dataset"] != RECOMPUTED,
        row["n"] >= FEWEST_SEEDS,
        row["n"] > 1,
        row["width"] == PAPER_WIDTH and row["network"] == DATASET_DEFAULTS["cifar10"]["network"],
        -abs(math.log(row["fraction"] / HEADLINE_FRACTION)),
        row["precision"] == "float32",
    )


def _against(row: dict[str, Any]) -> str:
    accuracies = f": {row['accuracy']:.1f} % against {row['uniform']:.1f} % test accuracy"
    return against(row["to_uniform"], "uniform selection", row["uniform_p"], accuracies)


def _wrong(defined: dict[str, Any], explained: pd.DataFrame | None) -> str:
    """Where the definition costs accuracy: how many of its images the selecting network gets wrong, if measured."""
    if explained is None or not defined["to_uniform"].high < 0:
        return ""
    own = explained[(explained["group"] == setting_text(defined)) & (explained["What is computed"] == defined["words"])]
    if own.empty:
        return ""
    chosen, of_all = own.iloc[0][["misclassified (%)", "misclassified of all (%)"]]
    return f"; it chooses what its network gets wrong ({chosen:.0f} % of its images, {of_all:.0f} % of all)"


def _alone(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The definition with one difference of the code each."""
    return [row for row in as_rows(rows) if row["words"].endswith(tuple(STEPS.values()))]


def _why(rows: pd.DataFrame, code: dict[str, Any], apart: pd.DataFrame | None) -> str:
    """What the three differences of the code are worth, together and the largest of them alone, if that is decided."""
    gap: Interval = code["to_defined"]
    lead = f"The code differs from the definition as run here in three things, together worth {gap.mean:+.1f} points"
    alone = _alone(rows)
    largest, words, how = _largest(alone or [code], gap.mean if code["adjusted_p"] < SIGNIFICANCE else 1.0)
    worth = f"{words} alone are worth {largest['to_defined'].mean:+.1f}"
    if gap.n < FEWEST_SEEDS and alone:
        few = f"in the {runs_there_are(gap.n)}; fewer than {FEWEST_SEEDS} decide nothing"
        return f"{lead}. Of these, {worth}, {few}.{how}"
    if gap.n >= FEWEST_SEEDS and not code["adjusted_p"] < SIGNIFICANCE:
        if not largest["adjusted_p"] < SIGNIFICANCE:
            return f"Not decided by this setting. {lead}, which is not significant.{_elsewhere(alone, apart)}"
        alone_worth = f"{worth} points ({_ends(largest['to_defined'])})"
        return f"{lead} ({_ends(gap)}{_DOUBT}). One of the three is significant: {alone_worth}.{how}"
    if not alone:
        ends = f" ({_ends(gap)})" if gap.n >= FEWEST_SEEDS else ""
        return f"{lead}{ends}; which of them it is was not run here.{_elsewhere(alone, apart)}"
    share = share_of_gap(rows, largest["label"])
    part = f", {share:.0f} % of this" if 0 <= share <= 100 else ""
    doubt = "" if largest["adjusted_p"] < SIGNIFICANCE else _DOUBT
    return f"{lead} ({_ends(gap)}). Of these, {worth} ({_ends(largest['to_defined'])}{doubt}){part}.{how}"


def _largest(steps: Sequence[dict[str, Any]], direction: float) -> tuple[dict[str, Any], str, str]:
    """The step that goes farthest in a direction, which is that of the sign; in words; and how it comes about."""
    largest = max(steps, key=lambda row: math.copysign(1, direction) * row["to_defined"].mean)
    how = f" {SINGLE_CLASS}" if largest["words"].endswith(STEPS["batch_norm"]) else ""
    return largest, largest["words"].removeprefix("definition, but "), how


def _elsewhere(alone: Sequence[dict[str, Any]], apart: pd.DataFrame | None) -> str:
    """What the setting says in which all differences were run one by one, where this one has not all of them."""
    if len(alone) == len(STEPS) or apart is None or apart.empty:
        return ""
    where = f" Run one by one on {setting_text(as_rows(apart)[0])}, "
    clear = [row for row in _alone(apart) if row["adjusted_p"] < SIGNIFICANCE]
    if not clear:
        return f"{where}none of them is significant."
    whole = next(row for row in as_rows(apart) if row["label"] == AS_CODE)
    largest, words, how = _largest(clear, whole["to_defined"].mean)
    worth = f"{largest['to_defined'].mean:+.1f} points ({_ends(largest['to_defined'])})"
    return f"{where}{words} alone are worth {worth}.{how}"


def _verdict(defined: dict[str, Any], code: dict[str, Any]) -> str:
    """The answer in a few words; none where too few seeds were run."""
    if min(row["to_uniform"].n for row in (defined, code)) < FEWEST_SEEDS:
        return ""
    words = [
        ("yes" if row["to_uniform"].mean > 0 else "no")
        if row["to_uniform"].excludes_zero and row["uniform_p"] < SIGNIFICANCE
        else "undecided"
        for row in (defined, code)
    ]
    if words[0] == words[1]:
        return f"{words[0].capitalize()}. "
    return f"As defined: {words[0]}. As its official code computes it: {words[1]}. "


def _printed(defined: dict[str, Any], code: dict[str, Any]) -> str:
    """Whether the lead over uniform selection that the paper prints fits the definition or the code."""
    printed = published_gain(code["dataset"], code["fraction"])
    if printed is None or code["to_uniform"].n < FEWEST_SEEDS:
        return ""
    fits = {
        words: row["to_uniform"].low <= printed <= row["to_uniform"].high
        for words, row in (("the definition", defined), ("its official code", code))
    }
    lead = f"The lead that it prints here, {printed:+.1f} points, "
    if all(fits.values()):
        return f"{lead}lies within both intervals, so this setting cannot tell. "
    if not any(fits.values()):
        return f"{lead}lies within neither interval. "
    inside, outside = sorted(fits, key=lambda words: not fits[words])
    return f"{lead}lies within the interval of {inside} and not within that of {outside}. "


def _ends(interval: Interval) -> str:
    return f"95 % interval {interval.low:+.1f} to {interval.high:+.1f}"


def _advice(rows: pd.DataFrame, choices: pd.DataFrame | None, elsewhere: str) -> str:
    """What gains most of all that is significantly above uniform selection, or uniform selection."""
    tried = [(row["to_uniform"], row["uniform_p"], row["words"]) for row in as_rows(rows)]
    if choices is not None:
        here = (choices[list(SHOWN)] == rows.iloc[0][list(SHOWN)]).all(axis=1)
        tried += [(row["interval"], row["adjusted_p"], row["label"]) for row in as_rows(choices[here])]
    better = [each for each in tried if each[1] < SIGNIFICANCE and each[0].mean > 0]
    room = max((each[0].high for each in tried if each[0].n >= FEWEST_SEEDS), default=0.0)
    doubt = f", though the intervals leave room for leads of up to {room:.1f} points" if room > 0 else ""
    found = f"Uniform selection: nothing else in this setting is significantly more accurate{doubt}."
    if better:
        gained, adjusted_p, words = max(better, key=lambda each: each[0].mean)
        found = f"{words[0].upper()}{words[1:]}: it {against(gained, 'uniform selection', adjusted_p)}."
    return f"{found}{elsewhere} {{doc}}`/book/start/should-i-use-it` asks the same of all methods and situations."


def _caution(row: dict[str, Any]) -> str:
    if row["width"] == PAPER_WIDTH:
        return " It is the paper's own network and schedule."
    return (
        " It is not the paper's network, which is wider; {doc}`/book/report/reproducibility` judges runs of that one."
    )
