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
# # Facility location and LCMat-S, step by step
#
# LCMat-S ranks the images of each class. Again and again it takes the image that brings all images of the class nearest to
# a chosen one, where near means a similar gradient and a similar Hessian diagonal. This page runs it one step at a time,
# beside the plainest code for each step, and **both choose the same images**. Whether these are typical of their class or
# unusual is told below for each data set and each age of the network, with pictures.
#
# ```{admonition} What this chapter reproduces
# :class: note
# - **Paper:** Algorithm 1 and Figure 7 of {cite:t}`shin2023lcmat`; its theory has a chapter of its own.
# - **Cost:** less than half a minute on one core; the real images were selected before and are read from a file.
# - **Rerun:** `make notebooks`, then `papermill notebooks/selection/01_lcmat-s.ipynb out.ipynb -p rho 0.5`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# Every step of the package gives what the plainest code for Algorithm 1 gives. (Why the algorithm minimises a bound is the
# subject of {doc}`../derivation/05b_greedy`.)
#
# **What would count as failing**, and is checked on this page:
#
# 1. a shortcut of the package (closed forms, moments, factored distances) changes the set $\mathcal K$ or a distance;
# 2. the plain, the lazy and the incremental greedy algorithm pick different images in one class;
# 3. the greedy choice is worth less than $1 - (1 - 1/m)^m$ of the best set, where all sets can be tried;
# 4. the choice for a small budget is not the beginning of that for a larger one;
# 5. a selection that keeps no matrix of distances picks other images;
# 6. the official kernel, $10 - d_{ij}$, gives other picks although no distance exceeds 10.
#
# What $\rho$, $K$ and the method do to the picks may come out either way, and is reported.

# %% tags=["parameters"]
seed = 0
epochs = 5
rho = 0.1
top_k = 100
budget = 15
shown = 3
ages = [1, 2, 5, 10, 20]

# %% tags=["hide-cell"]
import heapq
import itertools
import math
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Image, Markdown

import lcmat
from lcmat import curvature, data, models, training
from lcmat.book.literate import show_source
from lcmat.book.slider import image_slider, layer
from lcmat.curvature import LastLayer
from lcmat.files.paths import project_folder
from lcmat.measurements import kinds, selected_images
from lcmat.numerics import streaming
from lcmat.numerics.submodular import cluster_sizes, facility_location
from lcmat.report import figures
from lcmat.report.schemes import data_text
from lcmat.report.statistics import mean_interval
from lcmat.selection.lcmat_s import lcmat_distance_blocks, lcmat_distances, lcmat_s

figures.use_style()

# %% [markdown]
# ## The algorithm in five steps
#
# Given are a network trained on $T$ for a few epochs, the radius $\rho$, the number $K$ and a budget $m$ for each class. For
# each class on its own:
#
# 1. **Look:** features $h_i$ and logits $z_i$ of its images, in evaluation mode.
# 2. **Reduce:** the set $\mathcal K$ of the $K$ Hessian dimensions that vary most, {eq}`eq-top-k`.
# 3. **Compare:** the distances $d_{ij}$ of all pairs, {eq}`eq-distance`.
# 4. **Choose:** $m$ times the image that lowers the cost the most, {eq}`eq-ls-gain` below.
# 5. **Weigh:** count the images $\gamma_j$ whose nearest chosen image is $j$.
#
# In the package that is three lines, with steps 2 and 3 in `lcmat_distance_blocks`, 4 and 5 in
# `facility_location_of_blocks`:

# %% tags=["hide-input"]
show_source(lcmat_s, lcmat_distance_blocks)

# %% [markdown]
# ## Step 1: look

# %%
train_set = data.load("digits").train
network = models.build(
    "digits-net", num_classes=10, in_channels=1, image_size=8, seed=seed
)
seen = {}  # views after some numbers of epochs, for the end of the chapter


def look(epoch, *_):
    if epoch in {epochs, *ages}:
        seen[epoch] = training.embed(network, train_set)


recipe = training.Recipe(
    epochs=max(epochs, *ages), schedule="constant", crop_padding=0, flip=False
)
draws = torch.Generator().manual_seed(seed)
training.train(network, train_set, recipe=recipe, generator=draws, progress=look)
labels = train_set.labels
samples = {
    epoch: LastLayer(view.features.double(), view.logits.double(), labels)
    for epoch, view in seen.items()
}
sample = samples[epochs]
classes = range(train_set.num_classes)
members = [(labels == label).nonzero().flatten() for label in classes]
views = [LastLayer(*(part[own] for part in sample)) for own in members]

# %% tags=["hide-input"]
right = (sample.logits.argmax(dim=1) == labels).double().mean()
Markdown(
    f"{len(train_set)} images of digits, {min(map(len, members))} to {max(map(len, members))} in a class; "
    f"{sample.features.shape[1]} features, hence {10 * (sample.features.shape[1] + 1)} parameters in the last layer. After "
    f"epoch {epochs} the network classifies {float(right):.1%} of the training images correctly."
)

# %% [markdown]
# ## Steps 2 and 3: reduce and compare
#
# As the equations stand: an outer product for each gradient, one for each Hessian diagonal, the variance of each
# column, and two matrices of distances.


# %%
def plain_steps(features, logits, labels):
    """The set K and the distances, from matrices with a column for each parameter."""
    p = logits.softmax(dim=1)
    inputs = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    gradients = (p - torch.eye(p.shape[1])[labels])[:, :, None] * inputs[:, None]
    diagonals = (p * (1 - p))[:, :, None] * inputs[:, None] ** 2
    gradients, diagonals = gradients.flatten(1), diagonals.flatten(1)
    top = diagonals.var(dim=0).argsort(descending=True)[:top_k]
    g = torch.cdist(gradients, gradients, compute_mode="donot_use_mm_for_euclid_dist")
    return set(top.tolist()), g, torch.cdist(diagonals[:, top], diagonals[:, top], p=1)


# %% [markdown]
# The package never builds these columns. Variances come from two products of moments, and the distance of two outer
# products from the distances of their factors. **Check 1**, every class:

# %%
distances, terms = [], []
for view in views:
    plain_set, plain_g, plain_h = plain_steps(*view)
    top = curvature.top_variance_dimensions(*view[:2], top_k)
    assert plain_set == set(top.tolist())
    distances.append(lcmat_distances(*view, rho=rho, top_k=top_k))
    torch.testing.assert_close(
        distances[-1], plain_g + rho / 2 * plain_h, rtol=1e-9, atol=1e-9
    )
    pairs = torch.triu_indices(len(plain_g), len(plain_g), offset=1)
    terms.append(rho / 2 * float((plain_h / plain_g)[*pairs].median()))

# %% tags=["hide-input"]
width = sample.features.shape[1] + 1
chosen_rows = [
    torch.div(
        curvature.top_variance_dimensions(*view[:2], top_k),
        width,
        rounding_mode="floor",
    )
    for view in views
]
own_share = np.mean(
    [float((rows == label).double().mean()) for label, rows in enumerate(chosen_rows)]
)
Markdown(
    f"**What is in $\\mathcal K$?** {own_share:.0%} of the {top_k} dimensions belong to the class's own logit, which has "
    f"{1 / 10:.0%} of all (mean over the ten classes).\n\n"
    f"**What does curvature weigh?** At $\\rho = {rho:g}$ the curvature term is {min(terms):.1%} to {max(terms):.1%} of the gradient "
    "term, for the median pair of each class. It is the larger of the two in "
    f"{sum(term > 1 for term in terms)} of {len(terms)} classes."
)

# %% [markdown]
# ## Step 4: choose
#
# Let $n_i = \min_{k \in S} d_{ik}$ be the distance of image $i$ to its nearest chosen one, at first that to the auxiliary
# element, $\max_{ij} d_{ij}$. Choosing $j$ gains
#
# ```{math}
# :label: eq-ls-gain
# \operatorname{gain}_j(S) = \sum_{i} \bigl( n_i - d_{ij} \bigr)_+ .
# ```
#
# *Ties are no accident.* If $i$ and $j$ are the only images that either of them brings nearer, both gains are
# $n_i + n_j - d_{ij}$, and rounding would decide. The package takes gains that agree in ten digits for equal, and of equals
# the first.
#
# Three algorithms compute the same choice. **Plain:** evaluate the cost of $S \cup \{j\}$ for every $j$, at every
# step.


# %%
DIGITS = 9  # decimals in which gains or costs are compared


def plain_greedy(distances, budget):
    chosen = []
    for _ in range(budget):
        costs = [
            float(distances[:, [*chosen, j]].min(dim=1).values.sum())
            for j in range(len(distances))
        ]
        chosen.append(int(np.round(costs, DIGITS).argmin()))  # the first of equals
    return chosen


# %% [markdown]
# **Lazy** {cite:p}`minoux1978accelerated`: gains never increase, by submodularity, so an old gain is an upper bound. Keep
# the candidates in a queue and evaluate only its head; a head that stays at the head is the best.


# %%
def lazy_greedy(distances, budget):
    """The choice, and how many gains were evaluated at each step."""
    nearest = distances.max().expand(len(distances))
    queue = [(-math.inf, j) for j in range(len(distances))]
    chosen, evaluations = [], []
    for _ in range(budget):
        fresh = set()
        while (head := queue[0][1]) not in fresh:
            gain = float((nearest - distances[:, head]).clamp(min=0).sum())
            heapq.heapreplace(queue, (-round(gain, DIGITS), head))
            fresh.add(head)
        chosen.append(heapq.heappop(queue)[1])
        evaluations.append(len(fresh))
        nearest = torch.minimum(nearest, distances[:, chosen[-1]])
    return chosen, evaluations


# %% [markdown]
# **Incremental**, the package's way: when $n_i$ falls from $n_i$ to $n_i'$, the gain of every $j$ loses $(n_i -
# \max(d_{ij}, n_i'))_+$. Rows whose $n_i$ stays are not read. The compiled code is shown in
# {doc}`../derivation/05b_greedy`. **Check 2**, every class:

# %%
rankings = [facility_location(d, budget) for d in distances]
for d, ranking in zip(distances, rankings, strict=True):
    assert ranking.indices.tolist() == plain_greedy(d, budget)
    assert ranking.indices.tolist() == lazy_greedy(d, budget)[0]

# %% [markdown]
# How much each of them reads, in entries of the matrix, for the whole ranking of one class. (Counts, not seconds: those are
# in {doc}`../report/speed`.)

# %%
d = distances[shown]
size = len(d)
full = facility_location(d, size)
order, evaluations = lazy_greedy(d, size - 1)
assert order == full.indices[:-1].tolist()
so_far = torch.cat([d.max().expand(size, 1), d[:, full.indices]], dim=1)
nearest_at = so_far.cummin(dim=1).values
moved = (nearest_at.diff(dim=1) < 0).sum(dim=0)
read = {
    "plain, one evaluation of each candidate": np.arange(1, size) * size * size,
    "lazy": np.cumsum(evaluations) * size,
    "incremental": size * size + np.cumsum(moved[:-1].numpy()) * size,
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Entries of the distance matrix read so far against the number of images chosen, logarithmic y axis. The plain algorithm rises steadily; the lazy and the incremental one stay more than ten times below it at the end."}, "figure": {"name": "fig-ls-read", "caption": "Entries read up to each choice, in multiples of the whole matrix, for one class of digits (n = 1 ranking of all its images). Plain reading pays the whole matrix at every step; the other two pay for what changes."}}
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.5, 2.8))
colors = (figures.BLACK, figures.BLUE, figures.VERMILLION)
for (name, entries), color in zip(read.items(), colors, strict=True):
    ax.plot(range(1, size), entries / size**2, color=color, label=name)
ax.set(
    yscale="log", xlabel="images chosen", ylabel="entries read / entries of the matrix"
)
ax.legend()
plt.show()

# %% tags=["hide-input"]
assert all(
    10 * entries[-1] < size * size * (size - 1) for entries in list(read.values())[1:]
)
totals = {name: entries[-1] / size**2 for name, entries in read.items()}
at_budget = {name: entries[budget - 1] / size**2 for name, entries in read.items()}
fewest = min(at_budget, key=at_budget.get)
Markdown(
    f"For {budget} of {size} images the matrix is read "
    + ", ".join(
        f"{value:.1f} times ({name.split(',')[0]})" for name, value in at_budget.items()
    )
    + "; for all of them "
    + ", ".join(
        f"{value:.1f} times ({name.split(',')[0]})" for name, value in totals.items()
    )
    + f". At {budget} images the {fewest} algorithm reads the least. (The incremental count includes the first pass for the "
    "initial gains, and leaves out the few candidates that are evaluated afresh because of rounding.)"
)

# %% [markdown]
# ## Step 5: weigh

# %% tags=["hide-input"]
show_source(cluster_sizes)

# %%
indices, gains = rankings[shown]
gamma = cluster_sizes(d, indices)
nearest_choice = [min(indices.tolist(), key=lambda j: float(row[j])) for row in d]
assert gamma.tolist() == [nearest_choice.count(j) for j in indices.tolist()]
coreset = lcmat_s(views[shown], budget, torch.Generator(), rho=rho, top_k=top_k)
assert coreset.indices.tolist() == indices.tolist()
assert coreset.weights.tolist() == gamma.tolist() and gamma.sum() == size

# %% tags=["hide-input"] mystnb={"image": {"alt": "Eight handwritten digits of one class in the order in which they were chosen, each with its marginal gain and the number of images it stands for written above."}, "figure": {"name": "fig-ls-trace", "caption": "The first eight choices of one class of digits, best first (n = 1 selection), with the gain of each, as a share of the first, and the number of images that it stands for once the whole budget is spent."}}
figure, panels = plt.subplots(1, min(8, budget), figsize=(figures.WIDE_INCHES, 1.3))
for place, ax in enumerate(panels):
    figures.image_grid(
        ax,
        255 - train_set.images[members[shown][indices[place : place + 1]], 0].numpy(),
        columns=1,
    )
    ax.set_title(
        f"gain {float(gains[place] / gains[0]):.2g}\nγ = {int(gamma[place])}",
        fontsize=8,
        loc="center",
    )
plt.show()

# %% tags=["hide-input"]
alone = int((gamma <= 2).sum())
Markdown(
    f"The first choice alone earns {float(gains[0] / (gains.sum())):.1%} of what all {budget} earn, because it is compared with "
    "the auxiliary element, which stands as far away as the two images that are farthest apart. The largest cluster holds "
    f"{int(gamma.max())} of {size} images, and {alone} of the {budget} chosen images stand for at most two. Training without the "
    "weights, as the paper does, gives them all the same vote."
)

# %% [markdown]
# ## Three properties of the choice
#
# **Check 3: the guarantee**, against all sets of three among the first twelve images of each class.

# %%
m, few = 3, 12
against_best = []
for d in distances:
    tiny = d[:few, :few]
    value = {
        chosen: float((tiny.max() - tiny[:, list(chosen)].min(dim=1).values).sum())
        for chosen in itertools.combinations(range(few), m)
    }
    ours = tuple(sorted(facility_location(tiny, m).indices.tolist()))
    against_best.append(value[ours] / max(value.values()))
promised = 1 - (1 - 1 / m) ** m
assert promised > 1 - 1 / math.e and min(against_best) >= promised

# %% tags=["hide-input"]
optimal = sum(ratio > 1 - 1e-12 for ratio in against_best)
Markdown(
    f"Guaranteed {promised:.3f}, attained at least {min(against_best):.4f}; in {optimal} of {len(against_best)} classes greedy finds "
    "the best set."
)

# %% [markdown]
# **Check 4: a prefix is a result**, through the package's front door. **Check 5: no matrix.** Above a size at which the
# matrix would not fit, the package computes distances on demand, and stores the pairs that can still matter once they are
# few enough. Both variants are forced here; the second never stores anything.

# %%
options = {"rho": rho, "top_k": top_k}
whole = lcmat.select("lcmat-s", *sample, size=10 * budget, **options)
for fraction in (0.02, 0.05):
    small = lcmat.select("lcmat-s", *sample, fraction=fraction, **options).indices
    for label in classes:
        few_picks, picks = (
            part[labels[part] == label].tolist() for part in (small, whole.indices)
        )
        shorter = min(len(few_picks), len(picks))
        assert few_picks[:shorter] == picks[:shorter]

with patch.object(streaming, "LARGEST_MATRIX", 0):
    pairs_stored = lcmat.select("lcmat-s", *sample, size=10 * budget, **options)
    with patch.object(streaming, "STORED_BYTES", 0):
        nothing_stored = lcmat.select("lcmat-s", *sample, size=10 * budget, **options)
for other in (pairs_stored, nothing_stored):
    assert other.indices.tolist() == whole.indices.tolist()
    assert other.weights.tolist() == whole.weights.tolist()

# %% [markdown]
# ## The official kernel
#
# The official code hands $10 - d_{ij}$ to a facility location that starts from 0. Adding a constant to all similarities
# changes no comparison, as long as none of them becomes negative. **Check 6**, with radii that blow the distances up:


# %%
def official_greedy(similarities, budget):
    best, chosen = torch.zeros(len(similarities), dtype=torch.float64), []
    for _ in range(budget):
        improvement = (similarities - best[:, None]).clamp(min=0).sum(dim=0)
        improvement[chosen] = -math.inf
        close = improvement >= improvement.max() * (1 - 1e-10)
        chosen.append(int(close.nonzero()[0]))
        best = torch.maximum(best, similarities[:, chosen[-1]])
    return chosen


# %%
kernel_rows = []
for radius in (rho, 1.0, 10.0, 100.0):
    for view in views:
        d = lcmat_distances(*view, rho=radius, top_k=top_k)
        ours = facility_location(d, budget).indices.tolist()
        kept = len(set(ours) & set(official_greedy(10 - d, budget)))
        kernel_rows.append({"rho": radius, "largest": float(d.max()), "kept": kept})
        assert d.max() > 10 or official_greedy(10 - d, budget) == ours
kernel = pd.DataFrame(kernel_rows)
assert (kernel[kernel.largest <= 10].kept == budget).all() and (
    kernel.largest > 10
).any()

# %% tags=["hide-input"]
by_radius = kernel.groupby("rho")
table = pd.DataFrame(
    {
        "radius": [f"{radius:g}" for radius, _ in by_radius],
        "largest": by_radius.largest.max().to_numpy(),
        "beyond": [
            f"{(part.largest > 10).sum()} of {len(part)}" for _, part in by_radius
        ],
        "changed": [
            f"{(part.kept < budget).sum()} of {len(part)}" for _, part in by_radius
        ],
        "kept": [f"{part.kept.mean():.1f} of {budget}" for _, part in by_radius],
    }
)
(
    GT(table, id="ls-kernel")
    .tab_header(
        title="Picks from 10 - distance against picks from distances, ten classes of digits"
    )
    .fmt_number("largest", n_sigfig=3)
    .cols_label(
        radius="rho",
        largest="largest distance",
        beyond="classes with a distance above 10",
        changed="classes whose picks change",
        kept="picks kept, mean",
    )
)

# %% tags=["hide-input"]
as_official = lcmat.select(
    "lcmat-s", *sample, size=10 * budget, loss_reduction="mean-per-batch", **options
)
common = len(set(as_official.indices.tolist()) & set(whole.indices.tolist()))
late = [
    sum(int((own[128:] == row).any()) for own in members for row in part.indices)
    for part in (whole, as_official)
]
in_last = sum(max(len(own) - 128, 0) for own in members)
Markdown(
    f"The official code never sees such distances at these radii: it divides gradients and Hessians by the size of the batch, "
    f"mostly 128, which makes {float(kernel.largest[kernel.rho == rho].max()):.3g} a "
    f"{float(kernel.largest[kernel.rho == rho].max()) / 128:.2g}. But the images of a class's shorter last batch are divided by "
    'less, and count more (here `loss_reduction="mean-per-batch"`). With that scaling '
    f"{common} of the {len(whole)} picks stay. The last batches hold {in_last} of {len(train_set)} images; they get {late[0]} "
    f"of the picks without the scaling and {late[1]} with it."
)

# %% [markdown]
# ## What $\rho$ and $K$ do to the picks
#
# At $\rho = 0$ only gradients are compared. How many of the picks does curvature replace?

# %%
radii = (0.01, 0.05, 0.1, 0.5, 5.0)
longest = max(40, budget)


def prefix_overlap(first, second):
    """Share of the first m picks that two rankings have in common, for m = 1, 2, ..."""
    pairs = zip(
        itertools.accumulate(map(set, ([j] for j in first)), set.union),
        itertools.accumulate(map(set, ([j] for j in second)), set.union),
        strict=True,
    )
    return [len(one & two) / len(one) for one, two in pairs]


def ranking_of(view, radius, count=top_k):
    d = lcmat_distances(*view, rho=radius, top_k=count)
    return facility_location(d, longest).indices.tolist()


without = [ranking_of(view, 0.0) for view in views]
overlap = {
    radius: np.array(
        [
            prefix_overlap(ranking_of(view, radius), base)
            for view, base in zip(views, without, strict=True)
        ]
    )
    for radius in radii
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Share of picks in common with those of rho equal to zero against the number of picks per class, one line for each of five radii. Larger radii have fewer picks in common; all lines lie above that of chance."}, "figure": {"name": "fig-ls-overlap", "caption": "Share of the first picks of a class that gradient matching alone (ρ = 0) would make too: means over the n = 10 classes of digits, one network. Grey: what two random choices would have in common."}}
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 3.0))
shades = (
    figures.SKY_BLUE,
    figures.BLUE,
    figures.VERMILLION,
    figures.ORANGE,
    figures.GREEN,
)
counts = np.arange(1, longest + 1)
for (radius, shares), color in zip(overlap.items(), shades, strict=True):
    ax.plot(counts, shares.mean(axis=0), color=color, label=f"ρ = {radius:g}")
chance = counts / np.mean([len(own) for own in members])
ax.plot(counts, chance, color=figures.PAPER_GREY, linestyle="--", label="chance")
ax.set(xlabel="picks of a class", ylabel="share also picked at ρ = 0", ylim=(0, 1.03))
ax.legend(ncols=2)
plt.show()

# %% [markdown]
# **Move the radius** with the mouse or the arrow keys, and see which images leave and which come.

# %% tags=["hide-input"]
gallery = {0.0: without} | {
    radius: [ranking_of(view, radius) for view in views]
    for radius in (0.1, 0.5, 5.0, 50.0)
}
frames, captions = [], []
for radius, rankings_at in gallery.items():
    rows = torch.cat([own[r[:10]] for own, r in zip(members, rankings_at, strict=True)])
    ax = layer(5.0, 5.0, xlim=(-1, 91), ylim=(91, -1), axis=False)
    figures.image_grid(ax, 255 - train_set.images[rows, 0].numpy(), columns=10)
    fresh = 0
    for label, (ranking, base) in enumerate(zip(rankings_at, without, strict=True)):
        new = [place for place, row in enumerate(ranking[:10]) if row not in base[:10]]
        fresh += len(new)
        for place in new:
            corner = (9 * place, 9 * label)
            frame = {"edgecolor": figures.VERMILLION, "facecolor": "none"}
            ax.add_patch(plt.Rectangle(corner, 9, 9, linewidth=1.5, **frame))
    frames.append(ax)
    captions.append(f"ρ = {radius:g}: {fresh} of {len(rows)} images are new")
image_slider(
    frames,
    captions,
    name="Radius",
    alt="ten rows of ten handwritten digits, a row for each class; frames around those that gradients alone would not choose",
    caption="The first ten images that LCMat-S chooses of each class of digits, best first (n = 1 network). Framed: not among "
    "those of ρ = 0.",
)

# %% [markdown]
# The same on real images, where the paper's Figure 7 is: a tenth of a percent of the training set, with a ConvNet as the
# selecting network.

# %%
stored = kinds.stored("selected-images")
picks = {data_text(name): pd.DataFrame(item["rows"]) for name, item in stored.items()}
assert all(item["seed"] == 0 for item in stored.values())

# %% tags=["hide-input"]
Markdown(
    "\n".join(
        f"- {item['data']} {item['network']}, test accuracy {item['selector_test_accuracy_percent']:.2f} %; selected in "
        f"{item['wall_seconds'] / 60:.0f} minutes, training included, by `lcmat measure selected-images {name}`, "
        f"with {kinds.made_by('selected-images', item)}."
        for name, item in stored.items()
    )
)

# %% tags=["hide-input"]
overlap_rows = []
for label, radius in (("LCMat-S, ρ = 0.1", 0.1), ("LCMat-S, ρ = 0.5", 0.5)):
    row = {"rho": f"{radius:g}"}
    five = overlap[radius][:, 4].mean()
    row["Digits"] = f"{five:.0%} of {5 * len(views)}"
    for name, table in picks.items():
        base = set(table[table.candidate == "LCMat-S, ρ = 0"].row)
        mine = set(table[table.candidate == label].row)
        row[name] = f"{len(mine & base) / len(mine):.0%} of {len(mine)}"
    overlap_rows.append(row)
(
    GT(pd.DataFrame(overlap_rows), id="ls-overlap", rowname_col="rho")
    .tab_stubhead("rho")
    .tab_header(
        title="Picks that gradient matching alone would make too",
        subtitle="five images a class (Fashion-MNIST: six); one network each",
    )
)

# %% [markdown]
# **The number of dimensions.** At a radius of one half, so that curvature counts, with $K$ from one dimension to all of
# them:

# %%
k_rows = []
every = 10 * (sample.features.shape[1] + 1)
reference = [ranking_of(view, 0.5, every)[:budget] for view in views]
for count in (1, 10, 100, every):
    shared, held = [], []
    for view, base, plain in zip(views, reference, without, strict=True):
        spread = curvature.hessian_diagonals(*view[:2]).flatten(1).var(dim=0)
        held.append(
            float(spread.sort(descending=True).values[:count].sum() / spread.sum())
        )
        ours = set(ranking_of(view, 0.5, count)[:budget])
        shared.append((len(ours & set(base)), len(ours & set(plain[:budget]))))
    with_all, with_none = np.mean(shared, axis=0)
    k_rows.append(
        {
            "K": count,
            "held": np.mean(held),
            "with_all": with_all,
            "with_none": with_none,
        }
    )

# %% tags=["hide-input"]
(
    GT(pd.DataFrame(k_rows), id="ls-dimensions", rowname_col="K")
    .tab_stubhead("K")
    .fmt_percent("held", decimals=1)
    .fmt_number(["with_all", "with_none"], decimals=1)
    .cols_label(
        held="share of the variance",
        with_all=f"of {budget} picks, as with all dimensions",
        with_none=f"of {budget} picks, as with ρ = 0",
    )
    .tab_header(title="The set K, means over ten classes of digits, ρ = 0.5")
)

# %% [markdown]
# ## The paper's Figure 7: which images?
#
# First choices of four methods. Uniform draws; k-Center takes the image whose features are farthest from those of all chosen
# ones, after a first one drawn at random; Craig is facility location on the gradients in the logits
# {cite:p}`mirzasoleiman2020craig`; LCMat-S is the method of this page.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four blocks of handwritten digits, one for each method, with a row for each of the ten classes and five images in a row."}, "figure": {"name": "fig-ls-digits", "caption": "The first five images of each class that four methods choose from the digits, best first, a row for each class (n = 1 selection each)."}}
drawn = [item for item in selected_images.CANDIDATES if item.drawn]
coresets = {
    item.title: lcmat.select(item.method, *sample, size=50, seed=seed, **item.options)
    for item in drawn
}
figure, panels = plt.subplots(1, 4, figsize=(figures.WIDE_INCHES, 3.2))
for ax, (title, coreset) in zip(panels, coresets.items(), strict=True):
    figures.image_grid(
        ax, 255 - train_set.images[coreset.indices, 0].numpy(), columns=5
    )
    ax.set_title(title, fontsize=9)
plt.show()

# %% mystnb={"image": {"alt": "Four blocks of Fashion-MNIST images, for uniform selection, k-Center, Craig and LCMat-S, with a row for each class and six images in a row. Those of k-Center are of unusual shape or pattern."}, "figure": {"name": "fig-ls-fashion", "caption": "The images that four methods choose from Fashion-MNIST at the smallest fraction of the paper, best first (n = 1 selection each)."}} tags=["hide-input"]
pictures = project_folder() / "book/figures"
Image(filename=pictures / selected_images.picture_name("fashion-mnist"))

# %% mystnb={"image": {"alt": "Four blocks of CIFAR-10 images, for uniform selection, k-Center, Craig and LCMat-S, with a row for each class and five images in a row."}, "figure": {"name": "fig-ls-cifar", "caption": "The same for CIFAR-10 (n = 1 selection each)."}} tags=["hide-input"]
Image(filename=pictures / selected_images.picture_name("cifar10"))


# %% tags=["hide-input"]
def caption(title, item):
    table = picks[title]
    a_class = int(table.groupby(["candidate", "label"]).size().unique().item())
    largest = table[table.candidate == "LCMat-S, ρ = 0.1"].groupby("label").weight.max()
    return (
        f"- **{title}:** {item['fraction']:.1%} of {sum(item['class_sizes']):,} images, {a_class} of each class; {item['data']} "
        f"The largest cluster of a class of LCMat-S holds {largest.min() / item['class_sizes'][0]:.0%} to "
        f"{largest.max() / item['class_sizes'][0]:.0%} of it. Drawn with 128 colours."
    )


Markdown(
    "\n".join(caption(*entry) for entry in zip(picks, stored.values(), strict=True))
)

# %% [markdown]
# ## How typical are they?
#
# Rank the images of a class by the distance of their features from the class mean: 0 is the nearest, 1 the farthest.
# The mean rank of $m$ uniform draws is one half in expectation, with a standard deviation of about $1 / \sqrt{12 m}$. (Ranks of
# $n$ images are discrete and drawn without replacement, which multiplies it by $\sqrt{(n + 1)(n - m)} / (n - 1)$, a factor
# just below one.) Mean ranks within two of these are called *random* below, which one random draw in twenty misses, the others *nearer* or
# *farther*. The second column takes pixels in place of features, which owes nothing to the network.

# %%
usual = selected_images.typicality(train_set, sample.features, sample.logits)
on_digits = [
    row
    for title, coreset in coresets.items()
    for row in selected_images.rows_of(title, coreset, labels, usual)
]
every_pick = {"Digits": pd.DataFrame(on_digits), **picks}
mistakes = {
    "Digits": float(1 - usual.correct.mean()),
    **{data_text(name): item["mistakes"] for name, item in stored.items()},
}
typical = pd.concat(
    [
        table.groupby("candidate", sort=False)
        .agg(
            images=("row", "size"),
            features=("feature_rank", "mean"),
            pixels=("pixel_rank", "mean"),
            probability=("probability", "mean"),
            wrong=("correct", lambda flags: 1 - flags.mean()),
        )
        .reset_index()
        .assign(data=name)
        for name, table in every_pick.items()
    ]
)


# %% tags=["hide-input"]
def judged(rank, images):
    band = 2 / math.sqrt(12 * images)
    if abs(rank - 0.5) <= band:
        return f"{rank:.2f} random"
    return f"{rank:.2f} {'nearer' if rank < 0.5 else 'farther'}"


table = typical.copy()
for column in ("features", "pixels"):
    pairs = zip(typical[column], typical.images, strict=True)
    table[column] = [judged(rank, images) for rank, images in pairs]
(
    GT(table, id="ls-typical", rowname_col="candidate", groupname_col="data")
    .fmt_number("probability", decimals=2)
    .fmt_percent("wrong", decimals=0)
    .cols_label(
        features="mean rank, features",
        pixels="mean rank, pixels",
        probability="probability of the label",
        wrong="misclassified",
    )
    .tab_header(
        title="The chosen images among those of their class",
        subtitle="rank 0 is the nearest to the class mean, 1 the farthest; one network and one selection each",
    )
)

# %% tags=["hide-input"]
ours = typical[typical.candidate == "LCMat-S, ρ = 0.1"].set_index("data")
words = {
    name: judged(row.features, row.images).split()[1] for name, row in ours.iterrows()
}
conclusion = (
    "One method, different habits: **whether it picks typical or unusual images depends on network and data.** "
    "The next figure shows at which place in the choice the difference arises."
    if len(set(words.values())) > 1
    else "All three agree."
)
Markdown(
    "Measured in features, the images of LCMat-S are, compared with random draws, "
    + "; ".join(
        f"*{words[name]}* on {name} (the network misclassifies {row.wrong:.0%} of them, and {mistakes[name]:.1%} of all images)"
        for name, row in ours.iterrows()
    )
    + f". {conclusion}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three panels, for digits, Fashion-MNIST and CIFAR-10: mean rank of the distance to the class mean against the place in the ranking, four methods, with error bars and a line at one half."}, "figure": {"name": "fig-ls-place", "caption": "Mean rank by place in the choice, with 95 % t intervals over the n = 10 classes, one network each; the line at one half is the mean of random draws."}}
figure, panels = plt.subplots(1, 3, figsize=(figures.WIDE_INCHES, 2.8), sharey=True)
for ax, (name, table) in zip(panels, every_pick.items(), strict=True):
    assert table.label.nunique() == 10
    for offset, item in enumerate(drawn):
        part = table[table.candidate == item.title]
        places = part.groupby("label").cumcount() + 1
        intervals = [
            mean_interval(list(group)) for _, group in part.feature_rank.groupby(places)
        ]
        look = figures.method_style(lcmat.METHODS[item.method].title)
        ax.errorbar(
            np.arange(1, len(intervals) + 1) + 0.08 * offset,
            [interval.mean for interval in intervals],
            yerr=[interval.half_width for interval in intervals],
            color=look.color,
            marker=look.marker,
            capsize=2,
            label=item.title,
        )
    ax.axhline(0.5, color=figures.BLACK, linewidth=0.8)
    ax.set(title=name, xlabel="place in the choice", ylim=(-0.1, 1.1))
    ax.set_xticks(range(1, len(intervals) + 1))
panels[0].set_ylabel("rank of the distance to the mean")
figure.legend(
    *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4
)
plt.show()

# %% [markdown]
# **The age of the network.** A well trained network has vanishing gradients for most images of a class, which one choice
# can represent; those that are left stand apart. On digits the data stay the same while the network learns: the four
# methods after other numbers of epochs, with ranks in the features of that network, and the share of a class in the
# largest cluster of LCMat-S.

# %%
age_rows = []
for age in ages:
    view = samples[age]
    known = selected_images.typicality(train_set, view.features, view.logits)
    row = {"epochs": age, "mistakes": float(1 - known.correct.mean())}
    for item in drawn:
        chosen = lcmat.select(item.method, *view, size=50, seed=seed, **item.options)
        row[item.title] = float(known.feature_rank[chosen.indices].mean())
    # LCMat-S was the last of them, with five images of each class.
    clusters = chosen.weights.reshape(10, 5)
    row["largest"] = float((clusters.max(dim=1).values / clusters.sum(dim=1)).mean())
    age_rows.append(row)
assert drawn[-1].method == "lcmat-s"

# %% tags=["hide-input"]
aged = pd.DataFrame(age_rows)
shown_ages = aged.copy()
for item in drawn:
    shown_ages[item.title] = [judged(rank, 50) for rank in aged[item.title]]
(
    GT(shown_ages, id="ls-age", rowname_col="epochs")
    .tab_stubhead("epochs")
    .fmt_percent("mistakes", decimals=1)
    .fmt_percent("largest", decimals=0)
    .cols_label(mistakes="images misclassified", largest="largest cluster of LCMat-S")
    .tab_header(
        title="Mean rank of 50 chosen digits in features, by the age of the network",
        subtitle="one network, one selection each",
    )
)

# %% tags=["hide-input"]
first_age, last_age = aged.iloc[0], aged.iloc[-1]
title = "LCMat-S, ρ = 0.1"
tells = [judged(age[title], 50).split()[1] for age in (first_age, last_age)]
Markdown(
    f"After {first_age.epochs:g} epoch(s), with {first_age.mistakes:.0%} of the images misclassified, LCMat-S's images are "
    f"*{tells[0]}* and the largest cluster of a class holds {first_age.largest:.0%} of it; after {last_age.epochs:g}, with "
    f"{last_age.mistakes:.1%} misclassified, they are *{tells[1]}*, and it holds {last_age.largest:.0%}. "
    + (
        "The number of epochs before the selection, which the paper fixes at ten, changes what is selected."
        if tells[0] != tells[1]
        else "Here the age makes no difference."
    )
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** every step of the package gives what the plainest code gives: the set $\mathcal K$, the distances, the
#   choice, the weights. Lazy, incremental and streaming are ways to compute the same picks.
# - **Shown:** a kernel of the form constant minus distance is harmless while no distance exceeds the constant, and otherwise
#   becomes part of the method.
# - **Shown:** what the first picks look like is no fixed property of the method. The tables above tell for each of the data
#   sets, and for each age of the network, on which side of random draws they fall.
# - **Not shown:** that typical or unusual images make the better training set: {doc}`../report/selection` measures accuracy.
#   There is one network for each data set here, and features are those of the selecting network.
# - **Differs from the paper:** Figure 7 is redone with a narrow ConvNet, so that it cannot be matched image by image; losses
#   are those of single samples; ties are settled; typicality is a number in place of an impression.
#
# ## Exercises
#
# **1.** The first choice has a name in statistics. Which, and how far is it from the image whose features are nearest to the
# class mean?

# %% tags=["hide-cell"]
# With nothing chosen the gain of j is a constant minus its sum of distances: the first choice is the medoid.
first_ranks = []
for own, d, ranking in zip(members, distances, rankings, strict=True):
    medoid = int(d.sum(dim=1).argmin())
    assert int(ranking.indices[0]) == medoid
    first_ranks.append(float(usual.feature_rank[own[medoid]]))
print(f"rank of the medoid among the features of its class: {np.round(first_ranks, 2)}")

# %% [markdown]
# **2.** Double every image of a class. What happens to the picks, to their gains, and to the weights?

# %% tags=["hide-cell"]
# Each gain doubles, so the order stays; a twin of a chosen image gains nothing, and the lower index is chosen.
d = distances[shown]
doubled = facility_location(d.repeat(2, 2), budget)
assert doubled.indices.tolist() == rankings[shown].indices.tolist()
torch.testing.assert_close(doubled.gains, 2 * rankings[shown].gains)
twice = cluster_sizes(d.repeat(2, 2), doubled.indices)
assert twice.tolist() == (2 * cluster_sizes(d, doubled.indices)).tolist()
print("the same picks, twice the gains, twice the weights")

# %% [markdown]
# **3.** Break check 2: choose the images with the largest *first* gains, as if gains did not change. Watch the check fail,
# and compare the costs.

# %% tags=["hide-cell"]
stale = d.sum(dim=1).argsort(stable=True)[:budget]
agree = stale.tolist() == plain_greedy(d, budget)
costs = [
    float(d[:, chosen].min(dim=1).values.mean())
    for chosen in (rankings[shown].indices, stale)
]
assert not agree and costs[0] < costs[1]
print(
    f"the check fails, as it should; mean distance {costs[1]:.3f} instead of {costs[0]:.3f}"
)
