"""Methods as they are defined and as their official code does them: what each difference is worth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from lcmat.config import SelectionParameters
from lcmat.config.registry import METHODS
from lcmat.report.markup import p_value, plain_rows, table
from lcmat.report.paired import SIGNIFICANCE, Pair, label_differences, setting_key, testable
from lcmat.report.protocol import CIRCUMSTANCES
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, as_rows, done_runs, with_default_selector
from lcmat.report.schemes import SELECTION, data_text, method_label, network_text
from lcmat.report.statistics import FEWEST_SEEDS, Interval, mean_interval
from lcmat.sweep.profiles.variants import SHIPPED, official

HEADS = (
    *("Method", "Shipped", "Data, network", "Fraction", "As defined", "As shipped", "n"),
    *("Shipped - defined", "95 % interval", "p (Holm)"),
)
QUIRKS: Mapping[str, str] = {
    "loss_reduction": "per-sample losses divided by the size of their batch",
    "double_softmax": "gradient of the loss of softmax(softmax(logits))",
    "gradients": "gradients in the last layer's parameters",
    "official_kernel": "division by Hessians that can be zero",
    "official_order": "chooses from the wrong end",
    "raw_logits": "compares logits, not probabilities",
    "batch_norm": "statistics of single-class batches",
    "weighted": "training with the weights of the coreset",
    "rho": "a fifth of the radius",
    "ridge": "another ridge in the regression",
    "rounds": "gradient renewed for fewer choices",
}
"""Options that stand for what official code does, in words."""


def shipped_pairs() -> dict[Pair, str]:
    """(label as shipped, label as defined) -> the difference in words, one for each defect that has a variant."""
    radii = ({"method": "lcmat-s"}, {"method": "lcmat-s", "rho": 0.0})
    pairs = [(variant, {"method": variant["method"]}) for variant in (*SHIPPED, *official("lcmat-s", "adacore"))]
    pairs += [({**plain, "batch_norm": "batch"}, plain) for plain in radii]
    return {(_label(variant), _label(plain)): _quirks_of(variant.keys() - plain.keys()) for variant, plain in pairs}


def defect_differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Shipped minus defined, paired by seed, in every setting that has both; see `lcmat.report.paired`.

    Args:
        runs: as `lcmat.report.runs_frame` gives it; only clean data and default selecting networks count.
    """
    return label_differences(_clean(runs), list(shipped_pairs()))


def recommend(differences: pd.DataFrame) -> str:
    """Recommend one of the two behaviours of a method by a rule that the page states.

    "as shipped" if it is significantly better in one setting and significantly worse in none; "as defined" if it is
    significantly worse in one and better in none; "as defined (mixed)" if both occur; "as defined (no difference
    shown)" if the seeds show neither; "not run" without three pairs.

    Args:
        differences: rows of `defect_differences` of one method and defect.
    """
    tested = testable(differences)
    if tested.empty:
        return "not run"
    clear = tested[tested["adjusted_p"] < SIGNIFICANCE]["interval"]
    better, worse = (any(test(interval.mean) for interval in clear) for test in (_positive, _negative))
    if better:
        return "as defined (mixed)" if worse else "as shipped"
    return "as defined" if worse else "as defined (no difference shown)"


def recommendations(differences: pd.DataFrame) -> dict[Pair, str]:
    """The recommendation for every documented defect."""
    groups = dict(list(differences.groupby(["better", "worse"])))
    return {pair: recommend(groups.get(pair, differences.iloc[:0])) for pair in shipped_pairs()}


def best_epoch_gains(runs: pd.DataFrame) -> dict[str, Interval]:
    """Title of a data set -> best minus last epoch, the mean over all its runs.

    The official code reports the best epoch on the test set. The mean over one seed's runs is one value, so that values
    are independent.
    """
    done = done_runs(runs)
    done = done[done[BEST_ACCURACY].notna()]
    gains = done.assign(gain=done[BEST_ACCURACY].astype(float) - done[ACCURACY].astype(float))
    by_seed = gains.groupby(["dataset", "seed"])["gain"].mean()
    return {data_text(str(name)): mean_interval(list(values)) for name, values in by_seed.groupby(level="dataset")}


def precision_differences(runs: pd.DataFrame) -> dict[str, Interval]:
    """Configuration in words -> accuracy in bfloat16 minus that in float32, paired by seed, where both have been run.

    Args:
        runs: as `lcmat.report.runs_frame` gives it; of these, current ones of clean data and default selectors count.
    """
    done = done_runs(_clean(runs[~runs["stale"].astype(bool)]))
    shared = [name for name in SelectionParameters.model_fields if name not in ("seed", *CIRCUMSTANCES)]
    found = {}
    for _, group in done.groupby(setting_key(done, shared), sort=False):
        means = group.assign(value=group[ACCURACY].astype(float)).pivot_table("value", "seed", "precision")
        if {"bfloat16", "float32"} <= set(means):
            both = means[["bfloat16", "float32"]].dropna()
            row = group.iloc[0].to_dict()
            words = (SELECTION.label(row), data_text(row["dataset"]), network_text(row), f"{100 * row['fraction']:g} %")
            if len(both):
                found[", ".join(words)] = mean_interval(list(both["bfloat16"] - both["float32"]))
    return found


def defects_html(differences: pd.DataFrame, name: str) -> str:
    """Show `defect_differences`."""
    quirks = shipped_pairs()
    bodies = plain_rows(_row(row, quirks) for row in as_rows(differences))
    return table(name, HEADS, bodies, "Methods as defined and as shipped, paired by seed.")


def recommendations_html(differences: pd.DataFrame, name: str) -> str:
    """Show `recommendations`."""
    quirks = shipped_pairs()
    rows = [
        (defined, quirks[shipped, defined], word) for (shipped, defined), word in recommendations(differences).items()
    ]
    return table(name, ("Method", "As shipped", "Recommended"), plain_rows(rows), "What to use, by the rule above.")


def _clean(runs: pd.DataFrame) -> pd.DataFrame:
    return with_default_selector(runs[runs["label_noise"].isna() & runs["imbalance"].isna() & runs["learner"].isna()])


def _label(variant: Mapping[str, Any]) -> str:
    """A run's parameters always name the radius, so its label does."""
    radius = {"rho": METHODS["lcmat-s"].options["rho"]} if variant["method"] == "lcmat-s" else {}
    return method_label(variant["method"], {**radius, **variant})


def _quirks_of(options: Collection[str]) -> str:
    return "; ".join(text for name, text in QUIRKS.items() if name in options)


def _row(row: dict[str, Any], quirks: Mapping[Pair, str]) -> tuple[object, ...]:
    interval = row["interval"]
    known, tested = interval.n > 1, interval.n >= FEWEST_SEEDS
    return (
        row["worse"],
        quirks[row["better"], row["worse"]],
        f"{data_text(row['dataset'])}, {network_text(row)}",
        (f"{100 * row['fraction']:g} %", row["fraction"]),
        (f"{row['second']:.2f}", row["second"]),
        (f"{row['first']:.2f}", row["first"]),
        interval.n,
        (f"{interval.mean:+.2f}", interval.mean),
        f"{interval.low:.2f} to {interval.high:.2f}" if known else "one seed",
        (p_value(row["adjusted_p"]), row["adjusted_p"]) if tested else "–",
    )


def _positive(value: float) -> bool:
    return value > 0


def _negative(value: float) -> bool:
    return value < 0
