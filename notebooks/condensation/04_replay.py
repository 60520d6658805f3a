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
# # Replay memory
#
# Classes arrive in stages, and what has passed can be seen again only in a *memory* of a few images per class. The paper
# fills it with chosen or condensed images and finds LCMat-S and LCMat-C to leave the best memories. On the digits this page
# says which memories beat randomly chosen images, seed by seed. It also takes apart what is lost on earlier classes: **a part
# to confusion among the classes of their own stage, and most of it to classes that came later**.
#
# ```{admonition} What this chapter reproduces
# :class: note
# - **Paper:** the continual-learning experiment of {cite:t}`shin2023lcmat`, Figure 5, on handwritten digits.
# - **Cost:** seconds on one core if the runs of the smoke profile are there, else less than half a minute.
# - **Rerun:** `make notebooks`, then `papermill notebooks/condensation/04_replay.ipynb out.ipynb -p seed 1`. One run with
#   any of its parameters: {doc}`../benchmarks/continual`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# Classes arrive in stages, and what has passed cannot be seen again, but for a few images of each class in a **memory**.
# The paper fills this memory with selected or condensed images and claims two things: among selection methods LCMat-S leaves the
# best memory, among condensation methods LCMat-C, at every stage; and condensed images are worth more than selected ones.
#
# **What would count as failing:**
#
# 1. a measure of this page differs from a count of test images, one network after the other (checked);
# 2. accuracy that is lost does not come back when the stage of a test image is told: then it is not the rivalry of later classes
#    that takes it, and the memory itself is to blame (reported);
# 3. LCMat-S or LCMat-C is not ahead of uniform selection, seed by seed (reported).
#
# **What this page cannot show:** the paper's numbers. Those are for CIFAR-100 with five stages of twenty classes; the profile
# `paper` has these runs.

# %% tags=["parameters"]
seed = 0
ipc = 5
fallback_seeds = [0, 1]
fallback_methods = ["uniform", "herding", "lcmat-s", "dm", "lcmat-c"]

# %% tags=["hide-cell"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown, display

from lcmat import data
from lcmat.book.literate import show_source
from lcmat.condensation import EvaluationRecipe, initial_set, train_on_set
from lcmat.experiments import continual
from lcmat.experiments.memory import selected
from lcmat.experiments.replay_metrics import (
    backward_transfer,
    class_stages,
    forgetting,
    joined,
    of_classes,
    seen_accuracy,
    stage_accuracies,
)
from lcmat.experiments.session import begin
from lcmat.report import figures, read_published
from lcmat.report.continual import (
    replay_differences,
    replay_runs,
    replay_stages,
    study_records,
)
from lcmat.report.statistics import mean_interval
from lcmat.training import accuracy_percent
from lcmat.training.evaluation import predict

figures.use_style()
splits = train_set, test_set = data.load("digits")

# %% [markdown]
# ## The protocol
#
# The $c$ classes, in random order, are cut into $r_{\max}$ stages of equal size; $T_r$ holds the training images of stage $r$. What is
# kept of it, a few images of each class, is found by looking at $T_r$ alone and never changed afterwards:
#
# ```{math}
# :label: eq-rp-memory
# S_r = \operatorname{keep}(T_r), \qquad \mathcal M_r = S_1 \cup \dots \cup S_r, \qquad
#   \theta_r = \text{a new network, trained on } \mathcal M_r .
# ```
#
# Training a new network at each stage is the protocol of GDumb {cite:p}`prabhu2020gdumb`. **Nothing is ever forgotten by the
# weights**: no weight outlives its stage. What a later network can no longer do, the memory did not keep, or more rivals
# have made it harder. So the experiment measures memories, and not a way of learning.
#
# The paper does not say with which network the images of a stage are selected or condensed. Here it is one that has seen $T_r$ alone,
# with one output for each class of the stage: whoever arrives at stage $r$ has nothing else.

# %%
stages = class_stages(train_set.num_classes, 5, torch.Generator().manual_seed(seed))
generator = torch.Generator().manual_seed(seed)
recipe = EvaluationRecipe(
    network="digits-net",
    width=16,
    epochs=40,
    learning_rate=0.05,
    augmentation="none",
    cutmix=0.0,
)


def by_hand(kept_stages):
    """Accuracy matrices, and the accuracy of each network on all classes seen."""
    size = len(stages)
    matrices = torch.full((2, size, size), torch.nan, dtype=torch.float64)
    kept, whole = [], []
    for k, classes in enumerate(stages):
        new = of_classes(train_set, classes)
        kept.append(initial_set(new, ipc, "real", generator=generator))
        memory = joined(kept_stages(kept))
        network = train_on_set(memory, recipe, generator=generator)
        seen = of_classes(test_set, torch.cat(stages[: k + 1]))
        logits = predict(network, seen, batch_size=512)
        for matrix, own in zip(matrices, (False, True), strict=True):
            matrix[k, : k + 1] = stage_accuracies(
                logits, seen.labels, k + 1, own_classes=own
            )
        whole.append(accuracy_percent(network, seen))
    return (*matrices, whole)


matrix, own_matrix, whole = by_hand(lambda kept: kept)
counts = torch.stack([torch.isin(test_set.labels, part).sum() for part in stages])

# %% [markdown]
# ## Measures
#
# Let $\operatorname{acc}_{rr'}$ be the accuracy of $\theta_r$ on the test images of stage $r' \le r$, and $n_{r'}$ their number. The curve of the
# paper's figure is the accuracy over all classes seen,
#
# ```{math}
# :label: eq-rp-seen
# \operatorname{acc}_r = \frac{\sum_{r' \le r} n_{r'}\, \operatorname{acc}_{rr'}}{\sum_{r' \le r} n_{r'}} .
# ```
#
# *Forgetting* {cite:p}`chaudhry2018walk` compares with the best that was ever reached, *backward transfer*
# {cite:p}`lopezpaz2017gem` with the network right after the stage:
#
# ```{math}
# :label: eq-rp-forgetting
# \begin{aligned}
# \operatorname{forgetting}_r &= \frac{1}{r - 1} \sum_{r' < r} \Bigl( \max_{r' \le r'' < r} \operatorname{acc}_{r''r'} - \operatorname{acc}_{rr'} \Bigr), \\
# \operatorname{BWT} &= \frac{1}{r_{\max} - 1} \sum_{r' < r_{\max}} \bigl( \operatorname{acc}_{r_{\max} r'} - \operatorname{acc}_{r'r'} \bigr) .
# \end{aligned}
# ```

# %% tags=["hide-input"]
show_source(seen_accuracy, forgetting, backward_transfer)

# %% [markdown]
# **Check 1.** The curve from the matrix against the share of test images that each network gets right, and the other two
# measures against loops.

# %%
assert np.allclose(seen_accuracy(matrix, counts), whole)
a = matrix.numpy()
size = len(stages)
for k in range(1, size):
    drops = [max(a[j:k, j]) - a[k, j] for j in range(k)]
    assert np.isclose(forgetting(matrix)[k - 1], sum(drops) / k)
changes = [a[size - 1, j] - a[j, j] for j in range(size - 1)]
assert np.isclose(backward_transfer(matrix), sum(changes) / (size - 1))

# %% tags=["hide-input"]
shown = pd.DataFrame(a, columns=[f"stage {j + 1}" for j in range(size)])
shown.insert(0, "network", [f"after stage {k + 1}" for k in range(size)])
(
    GT(shown, rowname_col="network", id="replay-matrix")
    .fmt_number(list(shown.columns[1:]), decimals=1)
    .sub_missing(missing_text="")
    .tab_header(
        title="Accuracy on the test images of each stage, %",
        subtitle=f"random memory of {ipc} images per class, n = 1, {len(test_set)} test images",
    )
)

# %% [markdown]
# ## Whose fault is it?
#
# A network at stage $r$ chooses among all classes seen. Let $\operatorname{own}_{rr'} \ge \operatorname{acc}_{rr'}$ be its accuracy if the stage of the image were told, so
# that only the logits of the image's own stage compete. Then backward transfer falls into two parts:
#
# ```{math}
# :label: eq-rp-parts
# \begin{aligned}
# \operatorname{BWT} &= \underbrace{\frac{1}{r_{\max} - 1} \sum_{r' < r_{\max}} (\operatorname{own}_{r_{\max} r'} - \operatorname{own}_{r'r'})}_{\text{own classes}} \\
#   &\quad - \underbrace{\frac{1}{r_{\max} - 1} \sum_{r' < r_{\max}} \bigl[ (\operatorname{own}_{r_{\max} r'} - \operatorname{acc}_{r_{\max} r'}) - (\operatorname{own}_{r'r'} - \operatorname{acc}_{r'r'}) \bigr]}_{\text{rivals}} .
# \end{aligned}
# ```
#
# The first part is what the network can no longer tell apart among classes that it once told apart. The second is what is newly
# confused with other stages. Of the first stage $\operatorname{acc}_{11} = \operatorname{own}_{11}$, for there was no rival.
#
# **Check 2.** To be told the stage never hurts. That the parts add up is an identity, as a test of the code.

# %%
seen_part = np.tril(np.ones_like(a, dtype=bool))
o = own_matrix.numpy()
assert (o[seen_part] >= a[seen_part]).all() and o[0, 0] == a[0, 0]
own_part = backward_transfer(own_matrix)
confused = o - a
rivals = np.mean([confused[-1, j] - confused[j, j] for j in range(size - 1)])
assert np.isclose(backward_transfer(matrix), own_part - rivals)
Markdown(
    f"Random memory, n = 1: backward transfer {backward_transfer(matrix):+.1f} points, of which {own_part:+.1f} among the "
    f"own classes and {-rivals:+.1f} by rivals."
)

# %% [markdown]
# ## The runs
#
# Each is one execution of {doc}`../benchmarks/continual`: the memory of a stage is selected or condensed, then all methods are
# trained in the same way. Within a seed they share the order of the classes and the initial weights of the networks. Methods run at the
# defaults of this package, LCMat-S at its default radius, condensation at its published learning rates with steps cut down to a
# fraction of a second and started from real images, also DC and LCMat-C, whose published start is noise. Nothing was tuned on test images.


# %%
def compute(run):
    """The record of a run, not written."""
    session = begin(run)
    return continual.finish(session, splits, continual.replay(session, splits))


done, planned = study_records("smoke")
complete = len(done) == len(planned)
if not complete:
    wanted = [run for run in planned if run.seed in fallback_seeds]
    done = [compute(run) for run in wanted if run.method in fallback_methods]
runs, points = replay_runs(done), replay_stages(done)
num_seeds = runs.seed.nunique()
assert (runs.groupby("method").seed.nunique() == num_seeds).all()
assert runs.ipc.nunique() == 1 and runs.num_stages.nunique() == 1

# %% tags=["hide-input"]
Markdown(
    f"{len(runs)} runs, {runs.ipc.iloc[0]} images per class, n = {num_seeds} seeds, each with an order of the classes of its "
    f"own. {runs.provenance.iloc[0]} "
    + (
        "All runs of the smoke profile were there."
        if complete
        else "The records of the smoke profile are incomplete; this page has computed a part of its runs itself."
    )
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels, accuracy over the classes seen against the number of classes seen, from two to ten. All curves start near 100 percent and fall. Left, selected memories; right, condensed memories, with the curve of uniform selection repeated."}, "figure": {"name": "fig-rp-curves", "caption": "Test accuracy over all classes seen so far, digits, selected (left) and condensed memories (right); mean and 95 % t interval over the seeds (n = 3 where the smoke profile has run, else 2). Uniform selection stands in both panels."}}
figure, axes = plt.subplots(1, 2, figsize=(figures.WIDE_INCHES, 3.1), sharey=True)
order = runs.groupby("title", sort=False).test_accuracy_percent.mean()
condensed = {"DC", "DM", "LCMat-C"}
for ax, shown in zip(
    axes, (set(order.index) - condensed, condensed | {"Uniform"}), strict=True
):
    for title in [name for name in order.index if name in shown]:
        own = points[points.title == title].groupby("classes_seen").accuracy.apply(list)
        intervals = [mean_interval(values) for values in own]
        look = figures.method_style(title)
        ax.errorbar(
            own.index,
            [interval.mean for interval in intervals],
            yerr=[interval.half_width for interval in intervals],
            color=look.color,
            marker=look.marker,
            capsize=3,
            label=title,
        )
    ax.legend(loc="lower left")
    ax.set(xlabel="classes seen", xticks=own.index)
axes[0].set(ylabel="test accuracy (%)", title=f"selected (n = {num_seeds})")
axes[1].set(title=f"condensed (n = {num_seeds})")
plt.show()

# %% tags=["hide-input"]
MEASURES = {
    "test_accuracy_percent": "last stage",
    "average_accuracy_percent": "mean over stages",
    "own_classes_accuracy_percent": "stage told",
    "forgetting_points": "forgetting",
    "own_transfer_points": "own classes",
    "rivals_points": "rivals",
}


def with_half_width(values):
    interval = mean_interval(list(values))
    spread = f" ± {interval.half_width:.1f}" if interval.n > 1 else ""
    return f"{interval.mean:.1f}{spread}"


def seeds_of(runs):
    """How many seeds the methods have, fewest to most."""
    counts = runs.groupby(["dataset", "title"]).seed.nunique()
    few, most = counts.min(), counts.max()
    return f"n = {few}" if few == most else f"n = {few} to {most}"


def measures_table(runs, name):
    ordered = runs.assign(
        mean=runs.groupby(["dataset", "title"]).test_accuracy_percent.transform("mean")
    ).sort_values(["dataset", "mean"], ascending=[True, False], kind="stable")
    rows = ordered.groupby(["dataset", "title"], sort=False)[list(MEASURES)].agg(
        with_half_width
    )
    table = GT(
        rows.rename(columns=MEASURES).reset_index(),
        rowname_col="title",
        groupname_col="dataset",
        id=name,
    )
    return (
        table.tab_spanner("accuracy, %", list(MEASURES.values())[:3])
        .tab_spanner("backward transfer, points", list(MEASURES.values())[4:])
        .tab_header(
            title="What each memory keeps",
            subtitle=f"mean and 95 % t interval, {seeds_of(runs)}",
        )
    )


measures_table(runs, "replay-measures")


# %% tags=["hide-input"]
def listed(titles):
    return ", ".join(titles) or "none"


def comparison(runs):
    """Which methods differ from uniform selection at the last stage, in words."""
    rows = replay_differences(runs)
    mean = np.array([interval.mean for interval in rows.interval])
    significant = (rows.adjusted_p < 0.05).to_numpy()
    above, below = significant & (mean > 0), significant & (mean < 0)
    spread = "; ".join(
        f"{row.title} {row.interval.mean:+.1f} [{row.interval.low:+.1f}, {row.interval.high:+.1f}]"
        for row in rows.itertuples()
    )
    return (
        f"Against uniform selection at the last stage, paired by seed ({seeds_of(runs)}, Holm over {len(rows)} "
        f"methods, 5 %): **higher** {listed(rows.title[above])}; **lower** {listed(rows.title[below])}; not told apart "
        f"{listed(rows.title[~significant])}. Differences in points with 95 % t intervals: {spread}."
    )


Markdown(comparison(runs))

# %% tags=["hide-input"]
mean = runs.groupby("title").test_accuracy_percent.mean()
lcmat_s, lcmat_c = mean["LCMat-S"], mean["LCMat-C"]
others_s = mean.drop(["LCMat-S", *(condensed & set(mean.index))])
others_c = mean[sorted((condensed - {"LCMat-C"}) & set(mean.index))]
Markdown(
    "**Beside the paper's claims.** By its mean, LCMat-S ranks "
    f"{(others_s > lcmat_s).sum() + 1} of {len(others_s) + 1} selected memories, LCMat-C {(others_c > lcmat_c).sum() + 1} of "
    f"{len(others_c) + 1} condensed ones. The best condensed memory is {mean[list({*others_c.index, 'LCMat-C'})].idxmax()} "
    f"({max(others_c.max(), lcmat_c):.1f} %), the best selected one {mean[[*others_s.index, 'LCMat-S']].idxmax()} "
    f"({max(others_s.max(), lcmat_s):.1f} %). "
    + (
        "The order of the paper holds here."
        if lcmat_s > others_s.max() and lcmat_c > max(others_c.max(), others_s.max())
        else "**This is not the order of the paper.**"
    )
)

# %% [markdown]
# ## What is lost, and to whom

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two horizontal bars for each method: points of accuracy gained or lost on earlier stages, among the own classes and by rivals of other stages. Nearly all bars point to the left, and those of the rivals are the longer ones."}, "figure": {"name": "fig-rp-parts", "caption": "Backward transfer in percentage points, split into what is lost among the classes of the own stage and what rivals of other stages take; digits, mean over the seeds (n = 3 where the smoke profile has run, else 2)."}}
parts = runs.groupby("title")[["own_transfer_points", "rivals_points"]].mean()
parts = parts.loc[order.sort_values().index]
assert (
    parts.rivals_points.sum() < parts.own_transfer_points.sum() < 0
)  # as the page says at its top
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.6))
rows_at = np.arange(len(parts))
ax.barh(
    rows_at + 0.2,
    parts.own_transfer_points,
    0.38,
    color=figures.BLUE,
    label="own classes",
)
ax.barh(rows_at - 0.2, parts.rivals_points, 0.38, color=figures.ORANGE, label="rivals")
ax.set_yticks(rows_at, parts.index)
ax.axvline(0, color=figures.BLACK, linewidth=0.8)
ax.set(xlabel=f"backward transfer (percentage points, n = {num_seeds})")
ax.legend(loc="upper left")
plt.show()

# %% tags=["hide-input"]
lost = runs[runs.backward_transfer_points < 0]
mostly = lost.rivals_points < lost.own_transfer_points
Markdown(
    f"In {len(lost)} of {len(runs)} runs accuracy on earlier stages was lost, and in {mostly.sum()} of these the larger part of "
    f"it to rivals. Told the stage, the last networks reach {runs.own_classes_accuracy_percent.min():.1f} to "
    f"{runs.own_classes_accuracy_percent.max():.1f} % (min and max over the runs), without it "
    f"{runs.test_accuracy_percent.min():.1f} to {runs.test_accuracy_percent.max():.1f} %."
)

# %% [markdown]
# ## Which images do gradients choose?
#
# Methods that compare gradients see an image through its residual $p - y$, {eq}`eq-gradient`. A network that tells two
# classes apart has almost none left, except on a few hard images. How hard are the images that are kept? Rank the images of each class by
# $\lVert p - y \rVert$ of the stage's network; "top tenth" counts the chosen images among the hardest ten percent.


# %%
def hardness(method):
    """Ranks of the residuals of the chosen images within their class, 1 the hardest."""
    ranks = []
    for run in (run for run in planned if run.method == method and run.seed < 2):
        for k, classes in enumerate(continual.stages(run, splits)):
            new = of_classes(train_set, classes)
            view = selected.stage_view(run, new, k, "cpu")
            truth = torch.nn.functional.one_hot(new.labels, new.num_classes)
            residual = (view.logits.softmax(dim=1) - truth).norm(dim=1)
            kept = selected.selected_memory(run, new, k, "cpu").images
            same = new.normalized()[:, None] == kept.images[None]
            chosen = same.flatten(2).all(dim=2).int().argmax(dim=0)
            for label in range(new.num_classes):
                own = residual[new.labels == label]
                below = own[None] < residual[chosen[kept.labels == label]][:, None]
                ranks += below.double().mean(dim=1).tolist()
    return np.array(ranks)


names = [
    name
    for name in runs.method.unique()
    if runs.title[runs.method == name].iloc[0] not in condensed
]
ranks = {name: hardness(name) for name in names}
assert abs(ranks["uniform"].mean() - 0.5) < 0.1

# %% tags=["hide-input"]
summary = pd.DataFrame(
    [
        (
            runs.title[runs.method == name].iloc[0],
            values.mean(),
            (values >= 0.9).mean(),
            runs.test_accuracy_percent[runs.method == name].mean(),
        )
        for name, values in ranks.items()
    ],
    columns=["method", "mean rank", "top tenth", "accuracy, %"],
).sort_values("mean rank", ignore_index=True)
(
    GT(summary, rowname_col="method", id="replay-hardness")
    .fmt_number("mean rank", decimals=2)
    .fmt_percent("top tenth", decimals=0)
    .fmt_number("accuracy, %", decimals=1)
    .tab_header(
        title="How hard the kept images are",
        subtitle=f"{len(ranks['uniform'])} images for each method, seeds 0 and 1, all stages; accuracy over n = {num_seeds}",
    )
)

# %% tags=["hide-input"]
correlation = summary["mean rank"].corr(summary["accuracy, %"], method="spearman")
lcmat_row = summary[summary.method == "LCMat-S"].iloc[0]
Markdown(
    f"LCMat-S takes {100 * lcmat_row['top tenth']:.0f} % of its images from the hardest tenth. The rank correlation of hardness and "
    f"accuracy over these {len(summary)} methods is {correlation:+.2f}. "
    + (
        "**Memories of harder images were the worse ones.** With a few images per class, and a network that has seen two "
        "classes, a hard image is an untypical one."
        if correlation < -0.5
        else "On these runs hardness does not explain the order of the methods."
    )
    + " This is an association over a few methods. Whether it carries over to stages of twenty classes, where fewer residuals "
    "vanish, only the runs of the paper's setting can tell."
)

# %% [markdown]
# ## The paper's figure

# %% tags=["hide-input"] mystnb={"image": {"alt": "The curves of the paper's Figure 5: accuracy over the classes seen for nine memories, at 20 to 100 classes. Condensed memories lie above selected ones; LCMat-C is on top, LCMat-S the best of the selected ones."}, "figure": {"name": "fig-rp-paper", "caption": "Figure 5 of the paper, as read from its vector graphics: CIFAR-100, five stages of twenty classes, ten images per class (the paper draws means; it does not print n or spreads for them)."}}
paper = (
    read_published()
    .query("table == 'figure 5'")
    .assign(seen=lambda t: t.budget.astype(int))
)
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 3.2))
for title, own in paper.groupby("method", sort=False):
    look = figures.method_style(title)
    ax.plot(own.seen, own["mean"], color=look.color, marker=look.marker, label=title)
ax.set(
    xlabel="classes seen", ylabel="test accuracy (%)", xticks=sorted(set(paper.seen))
)
ax.legend(ncols=3, loc="upper right")
plt.show()

# %% tags=["hide-input"]
table = paper.pivot(index="method", columns="seen", values="mean")
PAPER_CONDENSED = ["DSA", "DM", "LCMat-C"]
assert (table.drop(PAPER_CONDENSED).idxmax() == "LCMat-S").all()
assert (table.idxmax() == "LCMat-C").all()
assert table.iloc[:, 0].corr(table.iloc[:, 0] - table.iloc[:, -1]) > 0.5
lead = table.loc["LCMat-S"] - table.drop([*PAPER_CONDENSED, "LCMat-S"]).max()
falls = table.iloc[:, 0] - table.iloc[:, -1]
Markdown(
    "In the paper's figure LCMat-S is the best selected memory and LCMat-C the best of all at every stage. The lead of LCMat-S over "
    f"the next selected one lies between {lead.min():.1f} and {lead.max():.1f} points. From {table.columns[0]} to "
    f"{table.columns[-1]} classes the curves fall by {falls.min():.1f} ({falls.idxmin()}) to {falls.max():.1f} points "
    f"({falls.idxmax()}): the memories that start highest lose most, in points."
)

# %% [markdown]
# ## Images that are photographs
#
# The study of the profile `cpu`: five stages of two classes with a ConvNet-3 of width 32, condensation cut down to a few seconds a stage.
# The setting of the paper is that of the profile `paper`.

# %% tags=["hide-input"]
kept_runs = replay_runs(study_records("cpu")[0])
if len(kept_runs):
    display(measures_table(kept_runs, "replay-measures-cpu"))

# %% tags=["hide-input"]
paper_done, paper_planned = study_records("paper")
enough = (
    len(kept_runs) and kept_runs.groupby(["dataset", "title"]).seed.nunique().min() > 1
)
notes = (
    [
        f"**{dataset}**: {own.provenance.iloc[0]} {comparison(own)}"
        for dataset, own in kept_runs.groupby("dataset")
    ]
    if enough
    else [
        f"Of the study `cpu` {len(kept_runs)} runs by today's code are there: too few to compare."
    ]
)
Markdown(
    "\n\n".join(notes)
    + f"\n\nOf the {len(paper_planned)} runs in the paper's setting {len(paper_done)} are there."
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** the measures, by counts (check 1), and that backward transfer splits exactly into a part among the own classes and a part by
#   rivals (check 2).
# - **Shown:** on digits, which memories beat uniform selection over the seeds and which lose to it, and how hard the images are that each
#   selection method keeps.
# - **Not shown:** the paper's curves, which need CIFAR-100, twenty classes a stage and condensation at full length. Nor that the order of the
#   methods here is that of larger problems: five images of eight by eight pixels, chosen with networks that know two classes, are an extreme.
# - **Differs from the paper:** digits; stages of two classes; a few dozen steps of condensation, from real images; the class order changes with the seed.
#   The paper is silent on the selecting network, the class order and the training on the memory; this page says what it does.
#
# ## Exercises
#
# **1.** Break check 1: average the stages without their numbers of test images. When would this pass?

# %% tags=["hide-cell"]
# It would with equally many test images in each stage; the digits of the test set have 35 to 37.
plain = np.nanmean(a, axis=1)
try:
    np.testing.assert_allclose(plain, whole)
except AssertionError:
    largest = np.abs(plain - whole).max()
    print(f"the check fails, as it should: off by up to {largest:.3f} points")
else:
    raise RuntimeError("stages of unequal size passed as equal ones")

# %% [markdown]
# **2.** Show that forgetting is at least minus backward transfer, and when the two are equal.

# %% tags=["hide-cell"]
# The maximum over r'' >= r' includes r'' = r', so each drop is at least acc_r'r' minus the last accuracy. Equality: no stage got better after its own.
for run in runs.itertuples():
    assert run.forgetting_points >= -run.backward_transfer_points - 1e-9
print(
    f"equal in {(runs.forgetting_points + runs.backward_transfer_points < 1e-9).sum()} of {len(runs)} runs"
)

# %% [markdown]
# **3.** Take the memory away: train each network on the images of its own stage alone. Which accuracies can it have?

# %% tags=["hide-cell"]
# It has outputs for the new classes alone and cannot even be asked about the others: every accuracy of an earlier stage is zero,
# forgetting is all that was there, and the page's code notices that classes are missing.
try:
    by_hand(lambda kept: kept[-1:])
except (ValueError, IndexError, RuntimeError) as error:
    print("no answer for the earlier classes:", str(error).splitlines()[0])
else:
    raise RuntimeError("a network that never saw these classes named them")
