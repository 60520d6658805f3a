"""The paper's claims as cards: its own numbers, runs of its protocol, and runs of reduced ones, kept apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lcmat.report.accounts import title
from lcmat.report.claim_tests import judge, our_differences, paper_settings, published_differences, unjudged
from lcmat.report.claims import CLAIMS, Claim
from lcmat.report.markup import details, element, p_value, plain_rows, text
from lcmat.report.paired import SIGNIFICANCE
from lcmat.report.runs import as_rows
from lcmat.report.statistics import FEWEST_SEEDS, Interval
from lcmat.report.strips import interval_strip

NOTHING = "–"


@dataclass(frozen=True)
class AssessedClaim:
    """A claim with the published differences and ours; the verdicts are of `lcmat.report.claim_tests.WORDS`.

    Attributes:
        claim: what is claimed.
        published: intervals of the paper's own differences.
        matched: differences in runs of the paper's protocol, methods as defined.
        official: the same, methods as their official codes do them.
        reduced: differences in runs of reduced protocols, methods as defined.
        unjudged: whether the settings are guesses, so that no word is said of runs of the paper's protocol.
    """

    claim: Claim
    published: list[Interval]
    matched: pd.DataFrame
    official: pd.DataFrame
    reduced: pd.DataFrame
    unjudged: bool = False

    @property
    def verdict(self) -> str:
        """What runs of the paper's protocol say; each comparison that it prints is needed."""
        word = judge(self.matched, len(self.published), self.claim.unprinted)
        return "not comparable" if self.unjudged and word != "not run" else word

    @property
    def official_verdict(self) -> str:
        """What the same runs say of the methods as their official codes do them."""
        return judge(self.official, len(self.published), self.claim.unprinted)

    @property
    def reduced_verdict(self) -> str:
        """What runs of reduced protocols say, on the data sets and fractions that they have."""
        return judge(self.reduced)


def assess_claims(comparison: pd.DataFrame, runs: pd.DataFrame) -> list[AssessedClaim]:
    """Put every claim to the test.

    Args:
        comparison: as `lcmat.report.compare` gives it.
        runs: as `lcmat.report.accounts.Accounts.current` gives it.
    """
    settings = paper_settings(comparison)
    return [
        AssessedClaim(
            claim,
            published_differences(comparison, claim),
            *our_differences(comparison, runs, settings, claim),
            unjudged(comparison, claim),
        )
        for claim in CLAIMS
    ]


def claims_html(tested: Sequence[AssessedClaim], name: str) -> str:
    """Show tested claims as cards: statement, verdict, what each kind of numbers says, a picture of the differences."""
    return element("div", "".join(map(_card, tested)), id=name, class_="claims")


def describe_published(differences: Sequence[Interval]) -> str:
    """Say what the published numbers themselves say.

    >>> describe_published([Interval(1.0, 0.5, 1.5, 5), Interval(-0.2, -1.0, 0.6, 5)])
    'holds in 1 of 2 comparisons; beyond the stated spreads in 1, against it in 0'
    """
    if not differences:
        return "no numbers printed"
    holds = sum(map(_positive, differences))
    beyond, against = (sum(each.low > 0 for each in differences), sum(each.high < 0 for each in differences))
    counts = f"holds in {holds} of {len(differences)} comparisons"
    if not any(math.isfinite(each.half_width) for each in differences):
        return f"{counts}; spreads are not stated"
    return f"{counts}; beyond the stated spreads in {beyond}, against it in {against}"


def describe_ours(differences: pd.DataFrame, verdict: str) -> str:
    """Say how many comparisons were tested and how they came out."""
    tested = [row for row in as_rows(differences) if row["interval"].n >= FEWEST_SEEDS]
    if not tested:
        return verdict
    clear = [row for row in tested if row["adjusted_p"] < SIGNIFICANCE]
    above = sum(_positive(row["interval"]) for row in clear)
    counts = [row["interval"].n for row in tested]
    n = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    means = [row["interval"].mean for row in tested]
    return (
        f"{verdict}: of {len(tested)} comparisons (n = {n}) {above} as claimed, {len(clear) - above} the other way, "
        f"{len(tested) - len(clear)} undecided; mean differences {min(means):+.2f} to {max(means):+.2f} points"
    )


def _positive(interval: Interval) -> bool:
    return interval.mean > 0


def _card(tested: AssessedClaim) -> str:
    """One claim; the picture shows runs of the paper's protocol if there are any, else of reduced ones."""
    said = {
        f"The paper's own numbers ({tested.claim.where})": describe_published(tested.published),
        "Our runs of its protocol": describe_ours(tested.matched, tested.verdict),
        "The same by the official code": describe_ours(tested.official, tested.official_verdict),
        "Our runs of reduced protocols": describe_ours(tested.reduced, tested.reduced_verdict),
    }
    lines = "".join(
        element("dt", text(what)) + element("dd", text(words)) for what, words in said.items() if words != "not run"
    )
    shown, kind = (
        (tested.matched, "the paper's protocol") if len(tested.matched) else (tested.reduced, "reduced protocols")
    )
    picture = interval_strip(list(shown["interval"]), f"Differences in runs of {kind}, in points") if len(shown) else ""
    drawers = [
        details(f"Comparisons in runs of {words}", _comparisons(rows))
        for words, rows in (
            ("the paper's protocol", tested.matched),
            ("the paper's protocol by the official code", tested.official),
            ("reduced protocols", tested.reduced),
        )
        if len(rows)
    ]
    heading = element("h3", text(tested.claim.statement))
    verdict = element("p", text(tested.verdict), class_=f"verdict {tested.verdict.replace(' ', '-')}")
    content = heading + verdict + element("dl", lines) + picture + "".join(drawers) + _links(tested.claim.tables)
    return element("section", content, id=f"claim-{tested.claim.name}", class_="claim report-table-frame")


def _links(tables: Sequence[str]) -> str:
    """To the pages that set each number of these tables against ours."""
    pages = {
        table: table if table.startswith("figure") else f"table {table.replace('.', '').lower()}" for table in tables
    }
    links = [
        element("a", f"Each number of {title(table)}", href=f"../tables/{page.replace(' ', '-')}.html")
        for table, page in pages.items()
    ]
    return element("p", " · ".join(links)) if links else ""


def _comparisons(differences: pd.DataFrame) -> str:
    heads = (
        "Data, network",
        "Fraction",
        "More accurate as claimed",
        "Than",
        "n",
        "Difference",
        "95 % interval",
        "p (Holm)",
    )
    head = element("thead", element("tr", "".join(element("th", text(each), scope="col") for each in heads)))
    rows = "".join(plain_rows(_comparison(row) for row in as_rows(differences)))
    return element("div", element("table", head + rows), class_="report-table")


def _comparison(row: dict[str, Any]) -> tuple[object, ...]:
    interval = row["interval"]
    known, tested = interval.n > 1, interval.n >= FEWEST_SEEDS
    return (
        ", ".join(str(row[name]) for name in ("dataset", "network") if not pd.isna(row[name])),
        NOTHING if pd.isna(row["fraction"]) else f"{100 * row['fraction']:g} %",
        row["better"],
        row["worse"],
        interval.n,
        f"{interval.mean:+.2f}",
        f"{interval.low:.2f} to {interval.high:.2f}" if known else "one seed",
        p_value(row["adjusted_p"]) if tested else NOTHING,
    )
