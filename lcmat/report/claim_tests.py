"""The paper's ordering claims put to the test: what its own numbers say, and what runs paired by seed say.

Each comparison of a claim is tested paired by seed, with Holm's correction over all comparisons of the claim that were
tested. What is judged is the methods as defined; the same of their official codes is shown beside.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from lcmat.config import parse
from lcmat.report.claims import Claim
from lcmat.report.paired import SIGNIFICANCE, label_differences, testable, with_holm
from lcmat.report.protocol import NOT_PROTOCOL
from lcmat.report.published import published_of
from lcmat.report.runs import as_rows, with_default_selector
from lcmat.report.schemes import SELECTION
from lcmat.report.statistics import Interval, paired_difference, welch_difference

WORDS = ("supported", "contradicted", "not decided", "not comparable", "not run")
PRETRAINED = ("selection_epochs", "selection_weight_decay")
WITHOUT_NUMBERS = "1"
"""The table whose protocol a claim follows for which the paper prints no number."""

ALIKE = {"precision": True, "compile": False, "evaluate_every": True}
"""Circumstances that both runs of a pair share: float32 before bfloat16, not compiled before compiled, then the rarer
evaluation; see `lcmat.report.paired.label_differences`."""

_SCALE = tuple(name for name in SELECTION.setting if name not in NOT_PROTOCOL)


def published_pairs(comparison: pd.DataFrame, claim: Claim) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The pairs of published numbers that bear on a claim, the one that should be larger first."""
    rows = as_rows(comparison[comparison["table"].isin(claim.tables)])
    if claim.name == "radius":
        zero = {row["note"]: row for row in rows if row["budget"] == "0"}
        return [(row, zero[row["note"]]) for row in rows if row["budget"] != "0"]
    if claim.name == "pretraining":
        by_pair = {(row["method"], row["budget"]): row for row in rows}
        return [(by_pair[better, worse], by_pair[worse, better]) for better, worse in claim.titles]
    found = {(row["method"], *_place(row)): row for row in rows}
    named = ((row, worse) for row in rows for better, worse in claim.titles if row["method"] == better)
    pairs = ((row, found.get((worse, *_place(row)))) for row, worse in named)
    crossed = claim.runs == "crossed" or claim.name == "condensation-architectures"
    return [(a, b) for a, b in pairs if b is not None and not (crossed and a["reduction_network"] == a["test_network"])]


def published_differences(comparison: pd.DataFrame, claim: Claim) -> list[Interval]:
    """Welch intervals of these pairs; infinite where a spread is not stated."""
    return [_published_difference(*pair) for pair in published_pairs(comparison, claim)]


def paper_settings(comparison: pd.DataFrame) -> dict[str, set[str]]:
    """Table of the paper -> the settings of the runs that check its numbers, as texts."""
    settings: dict[str, set[str]] = defaultdict(set)
    for table, check in zip(comparison["table"], comparison["check"], strict=True):
        if check.experiment == "selection":
            combinations = check.combinations(seeds=False)
            settings[table] |= {_setting(parse("selection", values).canonical()) for values in combinations}
    return settings


def our_differences(
    comparison: pd.DataFrame, runs: pd.DataFrame, settings: Mapping[str, set[str]], claim: Claim
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Differences paired by seed: in runs of the paper's protocol, in the same by the official code, in reduced runs.

    Args:
        comparison: as `lcmat.report.compare` gives it.
        runs: as `lcmat.report.accounts.Accounts.current` gives it.
        settings: as `paper_settings` gives it.
        claim: one of `lcmat.report.claims.CLAIMS`.

    Returns:
        Three tables as `lcmat.report.paired.label_differences` gives them.
    """
    if claim.experiment != "selection":
        return _cell_differences(comparison, claim), with_holm([]), with_holm([])
    chosen = _runs_of(runs, claim)
    own = set().union(*(settings[table] for table in claim.tables or (WITHOUT_NUMBERS,)))
    texts = pd.Series([_setting(row) for row in as_rows(chosen)], index=chosen.index, dtype=object)
    papers = texts.isin(set().union(*settings.values()))
    pooled = PRETRAINED if claim.runs == "pretraining" else ()
    own_runs, reduced_runs = chosen[texts.isin(own)], chosen[~papers & claim.reduced]
    asked = ((own_runs, claim.labels), (own_runs, claim.official), (reduced_runs, claim.labels))
    defined, official, reduced = (label_differences(rows, pairs, pooled=pooled, alike=ALIKE) for rows, pairs in asked)
    return defined, official, reduced


def unjudged(comparison: pd.DataFrame, claim: Claim) -> bool:
    """Whether the settings of a claim's runs outside of selection are guesses: shown, not judged."""
    checks = comparison.loc[comparison["table"].isin(claim.tables), "check"]
    return claim.experiment != "selection" and bool(claim.tables) and all(check.reason for check in checks)


def judge(differences: pd.DataFrame, needed: int = 0, unprinted: Collection[str] = ()) -> str:
    """Put tested comparisons into one of `WORDS`.

    "contradicted" if one comparison is significantly the other way; "supported" if all are significantly as claimed and
    none of those needed is missing; "not run" without three pairs of any comparison; "not decided" otherwise.

    Args:
        differences: see `our_differences`.
        needed: comparisons that the claim is made of, 0 if any will do.
        unprinted: labels whose comparisons are none of those needed.
    """
    tested = testable(differences)
    if tested.empty:
        return "not run"
    means = tested["interval"].map(lambda interval: interval.mean)
    significant = tested["adjusted_p"] < SIGNIFICANCE
    if (significant & (means < 0)).any():
        return "contradicted"
    printed = ~(tested["better"].isin(unprinted) | tested["worse"].isin(unprinted))
    return "supported" if significant.all() and printed.sum() >= needed else "not decided"


def _setting(parameters: Mapping[str, Any]) -> str:
    return json.dumps({name: parameters[name] for name in _SCALE if not pd.isna(parameters.get(name))}, sort_keys=True)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(
        str(row[n]) for n in ("table", "dataset", "reduction_network", "test_network", "budget_kind", "budget")
    )


def _published_difference(better: Mapping[str, Any], worse: Mapping[str, Any]) -> Interval:
    """Without a spread on either side nothing is known but the difference; unstated seeds are as in a verdict."""
    first, second = published_of(better), published_of(worse)
    if first.std is None or second.std is None:
        return Interval(first.mean - second.mean, -math.inf, math.inf, 1)
    return welch_difference(first.mean, *first.spread, second.mean, *second.spread)


def _cell_differences(comparison: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Paired differences between the records of two published cells, for experiments without a table of runs."""
    rows = []
    for better, worse in published_pairs(comparison, claim):
        first, second = (_by_seed(row) for row in (better, worse))
        seeds = sorted(first.keys() & second.keys())
        if seeds:
            result = paired_difference([first[s] for s in seeds], [second[s] for s in seeds])
            rows.append((better["dataset"], better["method"], worse["method"], result))
    return with_holm(rows)


def _by_seed(row: Mapping[str, Any]) -> dict[int, float]:
    return {record.seed: value for record in row["counted"] for value in row["check"].measure([record])}


def _runs_of(runs: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Runs on the data as they are, with the selecting and the trained network that the claim is about."""
    clean = runs[runs["label_noise"].isna() & runs["imbalance"].isna()]
    clean = clean[clean["learner"].notna() if claim.runs == "crossed" else clean["learner"].isna()]
    if claim.runs != "pretraining":
        return with_default_selector(clean[clean["selection_weight_decay"].isna()])
    decays = clean.groupby(["dataset", "network", "fraction"], dropna=False)["selection_weight_decay"]
    return clean[decays.transform(lambda values: values.nunique(dropna=False)).astype(int) > 1] if len(clean) else clean
