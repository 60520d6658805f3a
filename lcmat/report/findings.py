"""The answers with which the pages on bounds, curvature and speed open, each from the page's own rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lcmat.measurements.gradient_variance import ALL_CLASSES
from lcmat.report.measured import listed
from lcmat.report.runs import as_rows
from lcmat.report.stand_ins import STAND_INS, rank_correlations

SMALL, LARGE = 0.05, 0.5
"""Radii at which the tightness of the certified bound is told."""

PAPER_RADII = 0.01, 0.5
"""The ends of the paper's grid."""

BEST = 10
"""How many subsets count as the best."""

CITED_COSINE = 0.9999
"""Similarity of gradient variance and Hessian diagonal that the paper cites."""

UNIFORM, GRADIENTS = "Uniform", "LCMat-S, ρ = 0"
"""Names of sets: random draws, and gradient matching by facility location."""

Tables = Mapping[str, pd.DataFrame]
"""Title of a data set -> rows."""

Row = Mapping[str, Any]


def exceeded(table: pd.DataFrame, bound: str) -> int:
    """In how many rows a perturbation was found whose gap exceeds a bound."""
    return int((table["attained"] > table[bound] * (1 + 1e-9)).sum())


def gap_answer(tables: Tables) -> str:
    """Say how often a certified bound and the printed one are exceeded, and how tight the certified one is.

    Args:
        tables: rows of `lcmat.measurements.curvature_gap.measure`, one for each subset and radius.
    """
    trials = sum(map(len, tables.values()))
    beaten = sum(exceeded(table, "upper") for table in tables.values())
    printed = listed(f"{exceeded(table, 'printed')} of {len(table)} on {name}" for name, table in tables.items())
    small, large = (listed(_tightness(tables, radius)) for radius in (SMALL, LARGE))
    verdict = (
        "no gap was found above its certified bound"
        if not beaten
        else f"{beaten} of the gaps exceeded its certified bound"
    )
    return (
        f"**In {trials:,} trials on {listed(tables)} {verdict}**; the bound as the paper prints it was exceeded in "
        f"{printed}. A trial takes a small training set and a radius ρ: its *gap* is how far the loss of the set can "
        "move away from that of all images when the network's last layer moves by at most ρ, divided by ρ. In the "
        "median over the sets the certified bound is "
        f"{small} times the largest gap found at ρ = {SMALL:g}, and {large} times at ρ = {LARGE:g}."
    )


def _tightness(tables: Tables, radius: float) -> list[str]:
    rows = {name: table[table["rho"] == radius] for name, table in tables.items()}
    return [f"{(part['upper'] / part['attained']).median():.2f} ({name})" for name, part in rows.items()]


def radius_answer(gaps: pd.DataFrame, gradients: pd.Series, data: str) -> str:
    """Say whether the radius changes which of many subsets match best.

    Args:
        gaps: attained, a row for each subset and a column for each radius.
        gradients: norm of each subset's gradient difference.
        data: title of the data set.
    """
    low, high = PAPER_RADII
    best = {rho: set(gaps[rho].nsmallest(BEST).index) for rho in PAPER_RADII}
    kept = len(best[low] & best[high])
    ranks = gaps.corrwith(gradients, method="spearman")
    return (
        f"**On {data} the radius {'changes' if kept < BEST else 'does not change'} which of {len(gaps)} random subsets "
        f"match best**: of the {BEST} with the smallest gap at ρ = {low:g}, {kept} are among the {BEST} at "
        f"ρ = {high:g}, the other end of the paper's grid, and the rank correlation between the two is "
        f"{gaps[low].corr(gaps[high], method='spearman'):.2f}. At the smallest radius the gap orders the subsets as "
        f"the difference of the gradients alone does (rank correlation {ranks.iloc[0]:.3f}); at ρ = {high:g} that "
        f"correlation is {ranks[high]:.2f}, and at ρ = {gaps.columns[-1]:g} it is {ranks.iloc[-1]:.2f}. The *gap* is "
        "how far the loss of a subset can move away from that of all images, per unit length, when the last layer "
        "moves by at most ρ."
    )


def terms_answer(tables: Tables, top_k: int) -> str:
    """Say which stand-ins order subsets as the spectral norm does, and how large they are beside it.

    Args:
        tables: as `lcmat.report.stand_ins.by_subset` gives them.
        top_k: how many diagonal entries the method sums.
    """
    ranks = {name: rank_correlations(table)["random, one size"] for name, table in tables.items()}
    average = pd.concat(ranks.values(), axis=1).mean(axis=1)
    best, worst = str(average.idxmax()), str(average.idxmin())
    told = {column: listed(f"{each[column]:.2f}" for each in ranks.values()) for column in STAND_INS}
    sizes = {
        column: listed(f"{(table[column] / table['norm']).median():.2f}" for table in tables.values())
        for column in ("top_k_sum", "largest_diagonal")
    }
    return (
        f"**The sum of {top_k} diagonal entries, which LCMat-S computes in place of the spectral norm of a difference "
        f"of Hessians, follows the order of that norm with a rank correlation of {told['top_k_sum']}** among random "
        f"subsets of one size (on {listed(tables)}, in this order). Of {len(STAND_INS)} cheap stand-ins the one that "
        f"follows it best is the {STAND_INS[best]}, with {told[best]}; the worst is the {STAND_INS[worst]}, with "
        f"{told[worst]}. In size, the sum is {sizes['top_k_sum']} times the norm in the median and the largest "
        f"diagonal entry {sizes['largest_diagonal']} times."
    )


def variance_answer(tables: Tables) -> str:
    """Say how similar the gradient variance is to the Hessian diagonal, in angle, length and order of subsets.

    Args:
        tables: rows of `lcmat.measurements.gradient_variance.trajectory`; those of the last epoch are told.
    """
    every = pd.concat(tables.values())
    single = {name: table[table["label"] != ALL_CLASSES] for name, table in tables.items()}
    late = {name: part[part["epoch"] == part["epoch"].max()] for name, part in single.items()}
    whole = {name: tables[name][tables[name]["label"] == ALL_CLASSES] for name in tables}
    pooled = {name: part[part["epoch"] == part["epoch"].max()] for name, part in whole.items()}
    similar = pd.concat(single.values())["variance_cosine"].ge(CITED_COSINE).mean() > 0.5
    lengths = pd.concat(late.values())["variance_ratio"]
    return (
        f"**Within a class the variance of the gradients is {'' if similar else 'not '}similar to the Hessian "
        f"diagonal, for which LCMat-C matches it.** In networks trained on {listed(tables)}, in this order, the cosine "
        f"of the two is {_means(late, 'variance_cosine')} within a class and {_means(pooled, 'variance_cosine')} over "
        f"all classes together; the {100 * CITED_COSINE:g} % for which the paper cites earlier work is reached in "
        f"{every['variance_cosine'].ge(CITED_COSINE).sum()} of {len(every)} measurements. Within a class the variance "
        f"is {_means(late, 'variance_ratio')} times as long as the diagonal, from {lengths.min():.2f} to "
        f"{lengths.max():.2f} over the classes, and {_means(pooled, 'variance_ratio')} times over all classes. Among "
        "random subsets of ten images of a class, its gap follows that of the Hessian diagonals with a rank "
        f"correlation of {_means(single, 'variance_rank_sum_10')}; the gap of the mean gradients, which is matched "
        f"anyway, with {_means(single, 'gradient_rank_10')}."
    )


def nearer(errors: pd.DataFrame, name: str, other: str) -> tuple[int, int]:
    """Count on how many planes, and against how many sets of that name, one set has the smaller error.

    Args:
        errors: a row for each set and plane: "set", "plane", "error".
        name: of the set.
        other: of the set, or of several draws, to compare with.

    Returns:
        Comparisons that it wins, and all.
    """
    pairs = errors[errors["set"] == name].merge(errors[errors["set"] == other], on="plane")
    return int((pairs["error_x"] < pairs["error_y"]).sum()), len(pairs)


def surface_answer(errors: pd.DataFrame, data: str, fraction: float) -> str:
    """Say whether the loss around a network is matched better by LCMat-S than by gradients alone and by random draws.

    Args:
        errors: as `nearer` takes them, of the sets "Uniform" and "LCMat-S, ρ = ..." (0 is gradient matching), the
            latter also with ", weighted".
        data: title of the data set.
        fraction: of the images that each set holds.
    """
    means = errors.groupby("set", sort=False)["error"].mean()
    weighted = means.index.str.endswith("weighted")
    ours = [name for name in means.index[~weighted] if name not in (UNIFORM, GRADIENTS)]
    (won, of), (drawn, draws) = (
        [sum(counts) for counts in zip(*(nearer(errors, name, other) for name in ours), strict=True)]
        for other in (GRADIENTS, UNIFORM)
    )
    return (
        f"**Around a network trained on {data}, the loss of LCMat-S's coresets of {100 * fraction:g} % is "
        f"{'' if won == of else 'not reliably '}nearer to that of all images than the loss of gradient matching's "
        f"({won} of {of} comparisons), and {'' if 2 * drawn > draws else 'not '}nearer than that of most random draws "
        f"({drawn} of {draws}).** On average over a plane through the network's parameters it is off by "
        f"{_percents(means[ours])}, that of gradient matching by {_percents(means[[GRADIENTS]])} and that of a random "
        f"draw by {_percents(means[[UNIFORM]])}. With each chosen image weighted by the size of its cluster, which the "
        f"paper's training leaves out, it is off by {_percents(means[weighted])}."
    )


def speed_answer(choices: pd.DataFrame, own_seconds: float, naive_seconds: float) -> str:
    """Say how much faster than other libraries the greedy choice is, and whether it chooses the same.

    Args:
        choices: a row for each comparison: "way" is the other one, "faster by" the factor, "common picks" the share,
            "ties" whether gains can tie.
        own_seconds: distances and choice for one class.
        naive_seconds: the same by the naive formulation.
    """
    factors = choices.groupby("way", sort=False)["faster by"].agg(["min", "max"]).reset_index()
    faster = listed(f"{_range(row['min'], row['max'])} times as fast as with {row['way']}" for row in as_rows(factors))
    alike = choices.groupby("ties")["common picks"].min()
    budgets = _range(choices["budget"].min(), choices["budget"].max())
    return (
        f"**Picking {budgets} samples from given distances is {faster}**, in processor time of one thread. Where no "
        f"two candidates are equally good, {_share(alike[False])} of the samples picked are the same; where some are, "
        f"and each program takes what it finds first, at least {_share(alike[True])}. Computing the distances and "
        f"picking takes {own_seconds:.1f} s for a class; written down naively it takes "
        f"{naive_seconds / own_seconds:.0f} times as long, for the same choice."
    )


def step_answer(base: Row, fastest: Row, without: Row) -> str:
    """Say how much faster a condensation step is than the published formulation, and what its curvature term costs.

    Args:
        base: the formulation that takes one class after another: "seconds".
        fastest: the fastest way: "way", "seconds", and "cosine", of its gradient with that of `base`.
        without: the fastest way without the curvature term.
    """
    extra = fastest["seconds"] / without["seconds"] - 1
    cost = f"adds {100 * extra:.1f} % to its time" if extra > 0 else "adds nothing that can be told from the noise"
    return (
        f"**A step that changes the condensed images takes {fastest['seconds']:.1f} s of one processor thread instead "
        f"of {base['seconds']:.1f} s, {base['seconds'] / fastest['seconds']:.1f} times as fast as one class after "
        "another**, with a compiled network and bfloat16 products for the real images. The gradient keeps its "
        f"direction: its cosine with that of the slow way is {fastest['cosine']:.4f}. The curvature term of LCMat-C, "
        f"which matches the variance of the gradients, {cost}."
    )


def _range(low: float, high: float) -> str:
    """Two whole numbers, or one if they are the same."""
    return " to ".join(dict.fromkeys(f"{end:.0f}" for end in (low, high)))


def _share(part: float) -> str:
    return "all" if part == 1 else f"{100 * part:.1f} %"


def _percents(shares: pd.Series) -> str:
    return f"{_range(100 * shares.min(), 100 * shares.max())} %"


def _means(tables: Tables, column: str) -> str:
    """The mean of a column on each data set, in their order."""
    return listed(f"{table[column].mean():.2f}" for table in tables.values())
