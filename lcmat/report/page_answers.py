"""What was found, in the few sentences with which the pages of the benchmarks open.

Differences are as `lcmat.report.paired_to_baseline` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pandas as pd

from lcmat.config.registry import METHODS, MODELS
from lcmat.report.ledger import DEFINED
from lcmat.report.measured import listed
from lcmat.report.runs import as_rows
from lcmat.report.schemes import missing, network_text
from lcmat.report.sentences import (
    Row,
    all_against,
    at_each,
    by_dataset,
    each_against,
    questions,
    speaking,
    to_use,
    verdict,
)

UNIFORM, WITHIN = "uniform selection", "uniform selection within classes"
RANDOM, CHOSEN, ALONE = "random images", "images chosen by herding", "gradients alone"
GRADIENTS = "gradient matching alone (ρ = 0)"
SMOKE = "lcmat sweep --profile smoke"

Place = Callable[[Row], str]


def selection_answer(differences: pd.DataFrame, to_gradients: pd.DataFrame) -> str:
    """Whether LCMat-S, another method, and a radius above zero are worth it.

    Args:
        differences: of the methods as defined, to uniform selection.
        to_gradients: of LCMat-S at each radius, to radius zero.
    """
    answers = {
        "Does LCMat-S beat uniform selection?": _joined(
            _one(_defined(differences), UNIFORM, at_fraction), _networks(_defined(differences))
        ),
        "Does any other method?": _several(differences[differences["method"] != "lcmat-s"], UNIFORM),
        "Does a radius above zero help LCMat-S?": _several(to_gradients, GRADIENTS),
    }
    return questions(answers, SMOKE)


def condensation_answer(
    to_random: pd.DataFrame, to_herding: pd.DataFrame, to_alone: pd.DataFrame, to_control: pd.DataFrame
) -> str:
    """Whether LCMat-C beats real images, gradients alone and the control of equal strength, and what to use.

    Args:
        to_random: differences of all methods to random images.
        to_herding: of LCMat-C to real images chosen by herding.
        to_alone: of the methods that learn images to gradients alone.
        to_control: of LCMat-C to the mean control.
    """
    use = partial(at_each, place=_images, say=partial(to_use, baseline=RANDOM))
    answers = {
        "Do images learnt by LCMat-C beat random ones?": _one(_lcmat_c(to_random), RANDOM, _images),
        "Does it beat real images that were chosen?": _one(_lcmat_c(to_herding), CHOSEN, _images),
        "Does matching variances add anything to matching gradients alone (ρ = 0)?": _one(
            _lcmat_c(to_alone), ALONE, _images
        ),
        "Does LCMat-C do more than the mean control, which matches means of gradients, not curvature?": _one(
            _lcmat_c(to_control), "the mean control", _images
        ),
        "What to use?": by_dataset(to_random, use),
    }
    return questions(answers, SMOKE)


def learnt_answer(to_random: pd.DataFrame, to_herding: pd.DataFrame, to_control: pd.DataFrame) -> str:
    """What `condensation_answer` says of other images and of curvature, for readers who know none of the words."""
    answers = {
        "Do images learnt by LCMat-C help?": _joined(
            _one(_lcmat_c(to_random), RANDOM, _images), _networks(_lcmat_c(to_random))
        ),
        "Do they beat real images that were chosen? (*Herding* matches the mean feature of a class.)": _one(
            _lcmat_c(to_herding), CHOSEN, _images
        ),
        "Is that due to curvature? (The *mean control* matches means of gradients in its place.)": _one(
            _lcmat_c(to_control), "the mean control", _images
        ),
    }
    return questions(answers, SMOKE)


def hard_conditions_answer(noisy: pd.DataFrame, shares: pd.DataFrame, unequal: pd.DataFrame) -> str:
    """Which methods suffer from wrong labels, what unequal classes do, and what to use.

    Args:
        noisy: differences to uniform selection on the same labels.
        shares: percent of wrong labels among the chosen ones, as `lcmat.report.studies.means_by` gives them.
        unequal: differences to uniform selection within classes.
    """
    most = noisy[noisy["label_noise"] == noisy["label_noise"].max()]
    suffering = partial(at_each, place=_noise, say=partial(all_against, baseline=UNIFORM))
    use = (
        by_dataset(noisy, partial(at_each, place=_noise, say=partial(to_use, baseline=UNIFORM))),
        by_dataset(unequal, partial(at_each, place=_imbalance, say=partial(to_use, baseline=WITHIN))),
    )
    answers = {
        "Which methods suffer from wrong labels?": _joined(by_dataset(most, suffering), wrong_labels(shares)),
        "Does LCMat-S beat uniform selection on wrong labels?": _one(_defined(noisy), UNIFORM, _noise),
        "Does any method help where classes differ in size?": _several(unequal, WITHIN),
        "What to use?": _joined(*use),
    }
    return questions(answers, SMOKE)


def robustness_answer(crossed: pd.DataFrame, counts: pd.DataFrame, pooled: pd.DataFrame) -> str:
    """Whether LCMat-S keeps a lead with another learner, and with selecting networks that were trained otherwise.

    Args:
        crossed: differences to uniform selection with the same learner.
        counts: as `lcmat.report.studies.wins` gives them.
        pooled: LCMat-S minus uniform selection, averaged over the selecting networks of a seed, as
            `lcmat.report.paired.label_differences` gives it.
    """
    otherwise = by_dataset(
        pooled, partial(each_against, baseline=UNIFORM, place=lambda _: "on average over the ways of training")
    )
    answers = {
        "Does LCMat-S beat uniform selection when another network learns from its coreset?": _one(
            _defined(crossed), UNIFORM, _learner
        ),
        "Does it when its selecting network is trained otherwise?": _joined(
            verdict(pooled) if otherwise else "", otherwise, lcmat_s_wins(counts)
        ),
    }
    return questions(answers, SMOKE)


def sensitivity_answer(
    to_gradients: pd.DataFrame, to_default: pd.DataFrame, ages: Iterable[pd.DataFrame], batches: Iterable[pd.DataFrame]
) -> str:
    """Whether a radius above zero, another setting, another age of the selecting network, or its mode help.

    Args:
        to_gradients: differences of LCMat-S at each radius to radius zero.
        to_default: of its other settings to the default ones.
        ages: to uniform selection, one table for each age of the selecting network.
        batches: of statistics of single-class batches to running statistics, one table for each radius.
    """
    answers = {
        "Does a radius above zero help LCMat-S?": _several(to_gradients, GRADIENTS),
        "Does any other of its settings?": _several(to_default, "the default settings"),
        "Does LCMat-S beat uniform selection with a selecting network of any age?": _one(
            _defined(_stacked(ages)), UNIFORM, _age
        ),
        "Do the statistics of single-class batches help, as its official code takes them?": _one(
            _stacked(batches), "running statistics", _radius
        ),
    }
    return questions(answers, SMOKE)


def wrong_labels(shares: pd.DataFrame) -> str:
    """Name what share of wrong labels the worst collector, LCMat-S and uniform selection choose, where most are wrong.

    Args:
        shares: in percent, a row for each method by its registry name, a column for each share of the training set.
    """
    if shares.empty:
        return ""
    level = max(shares.columns)
    chosen = {str(name): float(share) for name, share in shares[level].dropna().items()}
    worst = max(chosen, key=lambda name: chosen[name])
    names = dict.fromkeys(name for name in (worst, "lcmat-s", "uniform") if name in chosen)
    parts = [f"{chosen[name]:.0f} % of those that {METHODS[name].title} chooses" for name in names]
    return f"Where {100 * level:g} % of all labels are wrong, so are {listed(parts)}."


def lcmat_s_wins(counts: pd.DataFrame) -> str:
    """Say against which methods LCMat-S wins more often than it loses, and how it stands against uniform selection."""
    if "LCMat-S" not in counts.index:
        return ""
    won = {name: int(counts["LCMat-S"][name]) for name in counts.index if name != "LCMat-S"}
    lost, won = won, {name: int(counts[name]["LCMat-S"]) for name in won}
    beaten = [name for name in won if won[name] > lost[name]]
    names = f" ({', '.join(beaten)})" if beaten else ""
    lead = f"It wins more often than it loses against {len(beaten)} of {len(won)} methods{names}"
    if "Uniform" not in won:
        return f"{lead}."
    return f"{lead}; against uniform selection it wins {won['Uniform']} comparisons and loses {lost['Uniform']}."


def at_fraction(row: Row) -> str:
    """Where a comparison was made.

    >>> at_fraction({"fraction": 0.001})
    'at 0.1 % of the images'
    """
    return f"at {100 * row['fraction']:g} % of the images"


def _images(row: Row) -> str:
    return f"with {row['ipc']} images per class"


def _noise(row: Row) -> str:
    return f"with {100 * row['label_noise']:g} % wrong labels"


def _imbalance(row: Row) -> str:
    return f"with classes that differ by a factor of {row['imbalance']:g}"


def _learner(row: Row) -> str:
    learner = (
        "the selecting architecture itself" if missing(row["learner"]) else network_text({"network": row["learner"]})
    )
    return f"when {learner} learns"


def _age(row: Row) -> str:
    return f"after {row['selection_epochs']} epoch{'s' if row['selection_epochs'] > 1 else ''}"


def _radius(row: Row) -> str:
    return f"at ρ = {row['rho']:g}"


def _defined(differences: pd.DataFrame) -> pd.DataFrame:
    return differences[differences["label"] == DEFINED]


def _lcmat_c(differences: pd.DataFrame) -> pd.DataFrame:
    return differences[(differences["method"] == "lcmat-c") & (differences["rho"] != 0)]


def _stacked(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    found = [table for table in tables if len(table)]
    return pd.concat(found) if found else pd.DataFrame(columns=["dataset", "label", "interval", "adjusted_p"])


def _networks(differences: pd.DataFrame) -> str:
    """Name the networks of a comparison, and the width that the literature gives them where ours is another."""
    rows = {(row["network"], row["width"]) for row in as_rows(speaking(differences))}
    names = [
        network_text({"network": name, "width": width})
        + (f" (usually {MODELS[name].width})" * (width != MODELS[name].width))
        for name, width in sorted(rows)
    ]
    return f"Network: {listed(names)}." if names else ""


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _one(differences: pd.DataFrame, baseline: str, place: Place) -> str:
    """A verdict on one configuration, then each of its comparisons; empty without any."""
    if differences.empty:
        return ""
    rows = speaking(differences)
    return f"{verdict(rows)} {by_dataset(rows, partial(each_against, baseline=baseline, place=place))}"


def _several(differences: pd.DataFrame, baseline: str) -> str:
    return by_dataset(differences, partial(all_against, baseline=baseline))
