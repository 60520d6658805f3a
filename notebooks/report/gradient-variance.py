# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Gradient variance beside the Hessian, measured

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown

from lcmat import data
from lcmat.config.datasets import DATASETS
from lcmat.measurements import gradient_variance as measurement
from lcmat.measurements import kinds
from lcmat.report import figures
from lcmat.report.findings import CITED_COSINE, variance_answer
from lcmat.report.measured import caution, how_measured, listed
from lcmat.report.statistics import mean_interval

figures.use_style()
stored = kinds.stored("gradient-variance")
real = {
    DATASETS[name].title: pd.DataFrame(item["rows"]) for name, item in stored.items()
}

# %% tags=["parameters", "remove-cell"]
seeds = [0, 1]
epochs = 10
width = 8
num_subsets = 100

# %% tags=["remove-cell"]
train_set = data.load("digits").train
settings = {
    "width": width,
    "epochs": epochs,
    "measured": len(train_set),
    "num_subsets": num_subsets,
}
rows = [
    row
    for seed in seeds
    for row in measurement.trajectory(train_set, seed=seed, **settings)
]
tables = {"Digits": pd.DataFrame(rows), **real}

# %% tags=["remove-cell"]
LOOKS = {
    ("all", "fisher"): ("all classes, empirical Fisher", figures.SKY_BLUE, "--"),
    ("all", "variance"): ("all classes, variance", figures.BLUE, "-"),
    ("class", "fisher"): ("per class, empirical Fisher", figures.ORANGE, "--"),
    ("class", "variance"): ("per class, variance", figures.VERMILLION, "-"),
}


def draw(ax, table, quantity):
    pooled = table.label == measurement.ALL_CLASSES
    for (scope, kind), (label, color, line) in LOOKS.items():
        part = table[pooled if scope == "all" else ~pooled].groupby("epoch")
        mean = part[f"{kind}_{quantity}"].mean()
        ax.plot(mean.index, mean, line, color=color, label=label, zorder=3)
    first = table[~pooled & (table.seed == table.seed.min())]
    for _, part in first.groupby("label"):
        values, look = part[f"variance_{quantity}"], {"alpha": 0.15, "linewidth": 0.7}
        ax.plot(part.epoch, values, color=figures.VERMILLION, **look)


# %% tags=["remove-input"]
Markdown(f"{variance_answer(real)}\n\n{caution('gradient-variance', stored)}")

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Cosine in the upper row and ratio of lengths in the lower row, against the epoch, one column for each data set. Over all classes the cosine is high; per class the variance starts far lower. The ratios of single classes scatter around one on CIFAR-10 and fall far below it on digits."}, "figure": {"name": "fig-gv-agreement", "caption": "Empirical Fisher diagonal and gradient variance against the Hessian diagonal of the last layer, on training images. Per class: mean over the n classes and seeds in the title, faint lines are the single classes of one seed for the variance. All classes: mean over the seeds. A faithful stand-in would stay at one in both rows; per class the angle does not, and the length depends on data and epoch."}}
size = {"figsize": (figures.WIDE_INCHES, 4.4), "squeeze": False}
figure, panels = plt.subplots(2, len(tables), sharex="col", sharey="row", **size)
for column, (name, table) in zip(panels.T, tables.items(), strict=True):
    single = table[table.label != measurement.ALL_CLASSES]
    for ax, quantity in zip(column, ("cosine", "ratio"), strict=True):
        draw(ax, table, quantity)
    column[0].set(title=f"{name}, n = {(single.epoch == 0).sum()}", ylim=(0, 1.05))
    ticks = range(0, table.epoch.max() + 1, 2)
    column[1].set(xlabel="epoch", yscale="log", xticks=ticks)
    column[1].axhline(1, color=figures.BLACK, linewidth=0.8)
    assert single.variance_ratio.max() > 2 * single.variance_ratio.min()
panels[0, 0].set_ylabel("cosine with the Hessian")
panels[1, 0].set_ylabel("length / Hessian's")
handles = panels[0, 0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** the similarity that {cite:t}`shin2023lcmat` cite before Eq. 15, on networks.
# - **Cost of the page:** less than a minute on one core; the real images were measured before and are read from a file.
# - **Rerun:** `lcmat measure gradient-variance fashion-mnist`, the same with `cifar10`, then `lcmat chapters`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# LCMat-C matches variances of gradients in place of Hessian diagonals, because the two are similar to more than $99.99\,\%$ at the end of training {cite:p}`rame2022fishr`.
# {doc}`../derivation/06_gradient_variance` names the four steps between them and why two of them fail within a class. **What counts as failing:** the cosine per class exceeds $0.9999$ and the lengths
# agree; then the citation suffices, and our doubt was wrong.

# %% [markdown]
# ## How similar are they?
#
# Two numbers say how well a diagonal $x$ stands in for the Hessian's, $\hat\lambda$: the cosine of the angle between them and the ratio of their lengths,
#
# ```{math}
# :label: eq-gv-agreement
# \cos(x, \hat\lambda) = \frac{x \cdot \hat\lambda}{\lVert x\rVert \lVert\hat\lambda\rVert} , \qquad
# \frac{\lVert x\rVert}{\lVert\hat\lambda\rVert} .
# ```
#
# Networks are trained at a constant rate and measured on training images before the first epoch and after each, once over all classes and once per class: digits here, real images before.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: cosines, shares and lengths are what they can be"}
for table in tables.values():
    assert (table.fisher_cosine <= 1 + 1e-9).all() and (
        table.variance_cosine <= 1 + 1e-9
    ).all()
    assert table.mean_share.between(0, 1).all()
    single = table[table.label != measurement.ALL_CLASSES]
    # The uncentred moment is larger by the squared mean, up to the factor n / (n - 1).
    larger = single.fisher_ratio * single.samples / (single.samples - 1)
    assert (single.variance_ratio <= larger * (1 + 1e-4)).all()
    assert (single.variance_cosine < CITED_COSINE).mean() > 0.5
    assert single.groupby("epoch").variance_cosine.mean().idxmin() == 0

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the summaries"}
SCOPES = {"all classes": True, "per class": False}


def spread(values):
    whole = f"{values.mean():.3f}"
    return (
        whole
        if len(values) == 1
        else f"{whole} ({values.min():.2f} to {values.max():.2f})"
    )


def summary(name, table):
    for scope, pooled in SCOPES.items():
        part = table[(table.label == measurement.ALL_CLASSES) == pooled]
        for epoch in (0, 1, 3, part.epoch.max()):
            at = part[part.epoch == epoch]
            yield {"data": f"{name}, {scope}", "epoch": epoch, "n": len(at)} | {
                f"{kind}_{quantity}": spread(at[f"{kind}_{quantity}"])
                for kind in ("fisher", "variance")
                for quantity in ("cosine", "ratio")
            }


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
summaries = pd.DataFrame(
    [row for name, table in tables.items() for row in summary(name, table)]
)
(
    GT(summaries, rowname_col="epoch", groupname_col="data")
    .tab_stubhead("epoch")
    .tab_spanner("empirical Fisher", ["fisher_cosine", "fisher_ratio"])
    .tab_spanner("variance", ["variance_cosine", "variance_ratio"])
    .cols_label(
        fisher_cosine="cosine",
        fisher_ratio="length ratio",
        variance_cosine="cosine",
        variance_ratio="length ratio",
    )
    .tab_header(title="Agreement with the Hessian diagonal: mean (range)")
)

# %% [markdown]
# The cosine alone flatters: two vectors whose entries are all positive, with the same large features in each row, have a large cosine whatever else they do. A difference of two such vectors, which is
# what the objective holds, has no such protection.
#
# ## Does the difference order sets alike?
#
# The objective needs less than equality: a set $S$ with the smaller $|\operatorname{Var}(G_T) - \operatorname{Var}(G_S)|$ should have the smaller $|\hat\lambda_T - \hat\lambda_S|$. We draw random subsets of
# each class, of ten and of fifty images as in the paper, and correlate the ranks (Spearman) of the two gaps. The gap of the mean gradients, which the objective holds anyway, is the yardstick: a term that
# stands for curvature should say more about it than that one does already.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the curves"}
CURVES = {
    "variance_rank_sum_10": ("gap of the variances", figures.VERMILLION, "o"),
    "fisher_rank_sum_10": (
        "gap of the empirical Fisher diagonals",
        figures.ORANGE,
        "^",
    ),
    "gradient_rank_10": ("gap of the mean gradients", figures.BLUE, "s"),
}


def draw_ranks(ax, table):
    part = table[table.label != measurement.ALL_CLASSES].groupby("epoch")
    for column, (label, color, marker) in CURVES.items():
        intervals = [mean_interval(values.tolist()) for _, values in part[column]]
        means = [interval.mean for interval in intervals]
        widths = [interval.half_width for interval in intervals]
        look = {"color": color, "marker": marker, "capsize": 2, "label": label}
        ax.errorbar(list(part.groups), means, yerr=widths, **look)


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Rank correlation with the Hessian gap against the epoch, one panel for each data set: curves for the gap of variances, of empirical Fisher diagonals and of mean gradients. That of the variances is far below one, and below that of the mean gradients."}, "figure": {"name": "fig-gv-ranks", "caption": "Spearman correlation, over 100 random subsets of 10 images of a class, between the gap of Hessian diagonals and three other gaps. Mean over the n classes and seeds in the title, with 95 % t intervals over these values, of which those from one network are not independent. One would mean the same order."}}
size = {"figsize": (figures.WIDE_INCHES, 3.0), "squeeze": False}
figure, panels = plt.subplots(1, len(tables), sharey=True, **size)
for ax, (name, table) in zip(panels[0], tables.items(), strict=True):
    single = table[table.label != measurement.ALL_CLASSES]
    draw_ranks(ax, table)
    assert single.variance_rank_sum_10.mean() < single.gradient_rank_10.mean()
    ticks = range(0, table.epoch.max() + 1, 2)
    ax.set(xlabel="epoch", ylim=(0, 1.05), xticks=ticks)
    ax.set_title(f"{name}, n = {(single.epoch == 0).sum()}")
panels[0, 0].set_ylabel("rank correlation with\nthe Hessian gap")
handles = panels[0, 0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=3)
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the means"}
NORMS = [f"variance_rank_{norm}" for norm in ("sum", "euclidean", "max")]


def ranks(name, table):
    single = table[table.label != measurement.ALL_CLASSES]
    for size in measurement.SUBSET_SIZES:
        for epoch in (0, 1, 3, single.epoch.max()):
            at = single[single.epoch == epoch]
            yield {
                "data": f"{name}, subsets of {size}",
                "epoch": epoch,
                **{
                    key: at[f"{key}_{size}"].mean()
                    for key in (*NORMS, "fisher_rank_sum", "gradient_rank")
                },
            }


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
order = pd.DataFrame(
    [row for name, table in tables.items() for row in ranks(name, table)]
)
(
    GT(order, rowname_col="epoch", groupname_col="data")
    .tab_stubhead("epoch")
    .fmt_number([column for column in order if "rank" in column], decimals=2)
    .tab_spanner("variance, by norm", NORMS)
    .cols_label(
        variance_rank_sum="sum",
        variance_rank_euclidean="Euclidean",
        variance_rank_max="maximum",
        fisher_rank_sum="empirical Fisher, sum",
        gradient_rank="mean gradient",
    )
    .tab_header(
        title="Rank correlation with the gap of Hessian diagonals, mean over classes and seeds"
    )
)

# %% [markdown]
# The paper does not say which norm $|\operatorname{Var}(G_T) - \operatorname{Var}(G_S)|$ is. The table holds each norm against the same norm of the Hessian gap.
#
# **At the start the numbers can be predicted.** An untrained network predicts nearly $1/c$ for each class. Within one class the true row of the empirical Fisher diagonal is then $(1 - 1/c)^2$, the others
# are $1/c^2$, and all rows of the Hessian's are $(c - 1)/c^2$, all times the same mean of squared features. Cosine and ratio follow:

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: the untrained network is as predicted"}
c = train_set.num_classes
fisher_rows = torch.tensor([(c - 1) ** 2] + [1] * (c - 1), dtype=torch.float64) / c**2
hessian_rows = torch.full((c,), (c - 1) / c**2, dtype=torch.float64)
cosine, ratio = measurement.agreement(fisher_rows, hessian_rows)
untrained = {
    name: table[(table.epoch == 0) & (table.label != measurement.ALL_CLASSES)]
    for name, table in tables.items()
}
assert all(abs(at.fisher_cosine.mean() - cosine) < 0.1 for at in untrained.values())

# %% tags=["remove-input"]
cosines = listed(
    f"{at.fisher_cosine.mean():.3f} ({name})" for name, at in untrained.items()
)
ratios = listed(
    f"{at.fisher_ratio.mean():.2f} ({name})" for name, at in untrained.items()
)
Markdown(
    f"Predicted are a cosine of {cosine:.3f} and a ratio of {ratio:.2f}; measured are cosines of {cosines} and ratios of {ratios}."
)

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
every = pd.concat(tables.values())
single = every[every.label != measurement.ALL_CLASSES]
pooled = every[every.label == measurement.ALL_CLASSES]
wins = (single.gradient_rank_10 > single.variance_rank_sum_10).mean()
first = listed(
    f"{untrained[name].variance_cosine.mean():.2f} ({name})" for name in untrained
)
Markdown(
    f"""- **Shown:** the highest cosine ever measured is {single.variance_cosine.max():.4f} within a class and {pooled.variance_cosine.max():.4f} over all classes, digits included. It is lowest before training, {first} within a class; condensation begins with untrained networks.
- **Shown:** the gap of the mean gradients says more about the gap of the Hessians than the gap of the variances does in {wins:.0%} of all classes and epochs.
- **Not shown:** that a better curvature term would make better images. Only the last layer, small networks and random subsets were looked at, and {listed(f"{len(item['seeds'])} network{'s' * (len(item['seeds']) > 1)} on {DATASETS[name].title}" for name, item in stored.items())}."""
)

# %% tags=["remove-input"]
how_measured(
    "gradient-variance",
    stored,
    f"**Digits:** width {width}, seeds {listed(map(str, seeds))}; {len(train_set):,} training images are measured, while this "
    "page is made.",
)
