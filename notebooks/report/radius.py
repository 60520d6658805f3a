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
# # What the radius does to a network

# %% tags=["remove-cell"]
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown
from scipy.stats import spearmanr
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from lcmat import bound
from lcmat.measurements import curvature_gap
from lcmat.measurements.radius import attained_row, search
from lcmat.report import figures
from lcmat.report.findings import radius_answer
from lcmat.report.measured import drawer

figures.use_style()

# %% tags=["parameters", "remove-cell"]
seed = 0
num_samples = 300
num_subsets = 60
subset_size = 15

# %% tags=["remove-cell"]
generator = torch.Generator().manual_seed(seed)
network, splits, drawing = curvature_gap.trained_network(
    "digits", width=8, epochs=10, seed=seed
)
dataset = splits.train.subset(
    torch.randperm(len(splits.train), generator=drawing)[:num_samples]
)
network = network.double().eval()
images = dataset.normalized().double()
with torch.no_grad():
    features = network.features(images)
    logits = network.classifier(features)

# %% tags=["remove-cell"]
subsets = [
    torch.randperm(num_samples, generator=drawing)[:subset_size]
    for _ in range(num_subsets)
]
items = [
    bound.subset_difference(features, logits, dataset.labels, chosen)
    for chosen in subsets
]
ends = [bound.hessian_extremes(item) for item in items]

# %% tags=["remove-cell"]
radii = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 10.0)
smallest, largest = radii[0], radii[-1]
searches = [
    search(item, spectrum, radii, generator=generator)
    for item, spectrum in zip(items, ends, strict=True)
]
table = pd.DataFrame(
    {"subset": number, **attained_row(items[number], ends[number], rho, attained)}
    for number, found in enumerate(searches)
    for rho, attained in found.items()
)
values = table.pivot(index="subset", columns="rho", values="gap")
norms = np.array([float(bound.gradient_gap(item).norm()) for item in items])
spectral = np.array([spectrum.spectral_norm for spectrum in ends])

# %% tags=["remove-cell"]
columns = {
    "‖g‖": norms,
    **{f"ρ = {rho:g}": values[rho].to_numpy() for rho in radii},
    "‖H‖₂": spectral,
}
ranks = pd.DataFrame(columns).corr(method="spearman")

# %% tags=["remove-input"]
Markdown(radius_answer(values, pd.Series(norms), "the handwritten digits"))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Heat map of Spearman rank correlations between the gradient norm, the gap at seven radii and the spectral norm: near one beside the diagonal and lower far from it."}, "figure": {"name": "fig-wc-ranks", "caption": "Spearman rank correlation between the norm of the gradient difference, the attained gap at each radius, and the spectral norm of the Hessian difference, over random subsets of one size (n in the text above). Neighbouring radii agree, distant ones less so."}}
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES * 0.75, 3.9))
ax.imshow(ranks, cmap="cividis", vmin=min(0.0, ranks.min().min()), vmax=1)
middle = {"ha": "center", "va": "center", "fontsize": 7}
for (row, column), value in np.ndenumerate(ranks):
    color = "black" if value > 0.6 else "white"
    ax.text(column, row, f"{value:.2f}", color=color, **middle)
ax.set_xticks(range(len(ranks)), ranks.columns, rotation=45, ha="right")
ax.set_yticks(range(len(ranks)), ranks.columns)
ax.grid(False)
plt.show()

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** the objective, Eq. 4 of {cite:t}`shin2023lcmat`, on a network, and the role of its radius, which Figure 4 of the
#   paper shows as accuracy.
# - **Cost of the page:** about a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/report/radius.ipynb out.ipynb -p seed 1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# {doc}`../derivation/02_worst_case_gap` shows in a model with two parameters that the radius moves the objective from the
# gradient, over the curvature, to a limit in which neither occurs. Here the last layer of a small network is searched by
# gradient ascent, so every value is a lower estimate. **What counts as failing:** an ascent exceeds a certified bound of
# {doc}`../derivation/03_upper_bound`; or subsets rank the same at every radius, so that $\rho$ would not matter.

# %% [markdown]
# ## The ranking changes with the radius
#
# A method that minimises the gap uses nothing but the order in which the gap puts the subsets. Rank correlations between
# radii, over all subsets, with the two ingredients of the bound beside them, are in {numref}`fig-wc-ranks`.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: the smallest radius ranks as the gradient does, the largest does not"}
assert ranks.loc["‖g‖", f"ρ = {smallest:g}"] > 0.999
assert ranks.loc[f"ρ = {smallest:g}", f"ρ = {largest:g}"] < 0.95

# %% [markdown]
# Is it the search that changes the order? A harder one, with random starts too and twice the steps, must rank the
# subsets as this one does.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: a harder search ranks the subsets alike"}
harder = [
    search(items[n], ends[n], radii, generator=generator, random=4, steps=24)
    for n in range(20)
]
agreement = {
    rho: spearmanr(values[rho][:20], [found[rho].value for found in harder]).statistic
    for rho in radii
}
assert min(agreement.values()) > 0.95

# %% tags=["remove-input"]
Markdown(
    f"Rank correlation of the two searches over {len(harder)} subsets: at least "
    f"{min(agreement.values()):.3f} at every radius. The order changes with the radius, not with the search."
)

# %% [markdown]
# ## How hard is the search?
#
# $T$ is a random part of the handwritten digits, seen by a small network after ten epochs; the subsets are random, all of
# one size, so that only their content differs.
#
# Ascent from random starts, with few and many of them, few and many steps, against the best
# value of all searches on this page: random starts, and starts at the gradient, the extreme eigenvectors and the
# maximisers of the quadratic model.


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the searches"}
own_draws = torch.Generator().manual_seed(seed)


def effort_rows(number, rho):
    item = items[number]
    random = bound.random_starts(item, rho, max(counts), own_draws)
    rows = [
        {"starts": count, "steps": few, "rho": rho, "subset": number}
        | {"gap": bound.ascend(item, random[:count], rho, steps=few).value}
        for count in counts
        for few in step_counts
    ]
    known = bound.certified_gap(item, rho, generator=own_draws, ends=ends[number])
    best = max(known.attained, *(row["gap"] for row in rows))
    return [row | {"share": row["gap"] / best} for row in rows]


counts, step_counts = (1, 4, 16), (1, 3, 10, 30)
effort = pd.DataFrame(
    [row for n in range(6) for rho in (0.05, 0.5) for row in effort_rows(n, rho)]
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Share of the best known gap reached against the number of ascent steps, one line for each number of random starts, two panels for two radii. Lines rise with the steps; at the larger radius a single start stays far below several."}, "figure": {"name": "fig-wc-effort", "caption": "Gap found by projected gradient ascent from random starts, as a share of the best value of all searches: median over subsets (n = 6), which may hide a miss in single ones. Every value is a lower estimate of the true maximum."}}
figure, axes = plt.subplots(1, 2, figsize=(figures.WIDE_INCHES, 2.5), sharey=True)
colors = figures.SKY_BLUE, figures.BLUE, figures.VERMILLION
for ax, (rho, part) in zip(axes, effort.groupby("rho"), strict=True):
    medians = part.groupby(["steps", "starts"]).share.median().unstack()
    for count, color in zip(medians, colors, strict=True):
        text = f"{count} starts" if count > 1 else "1 start"
        ax.plot(medians.index, medians[count], marker="o", color=color, label=text)
    ax.set(xscale="log", xlabel="ascent steps", title=f"ρ = {rho:g}")
    ax.set_xticks(step_counts, step_counts)
    ax.minorticks_off()
axes[0].set_ylabel("share of the best known gap")
axes[0].legend(loc="lower right")
plt.show()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the signs"}
full = effort[effort.steps == max(step_counts)]
hardest = full[full.starts == max(counts)].groupby("rho").share.min()


def sign_kept(item, rho):
    points = bound.random_starts(item, rho, 100, own_draws)
    own = bound.difference_at(item, torch.zeros(item.shape, dtype=torch.float64))
    return float((bound.difference_at(item, points) * own > 0).double().mean())


most = full[(full.starts == max(counts)) & (full.rho == 0.5)]
missed = list(most[most.share < 0.9].subset)
kept = np.mean([sign_kept(items[number], 0.5) for number in missed]) if missed else 1.0

# %% tags=["remove-input"]
Markdown(
    f"With {max(counts)} random starts and {max(step_counts)} steps the worst of six subsets reaches "
    + " and ".join(
        f"{100 * share:.0f} % (radius {rho:g})" for rho, share in hardest.items()
    )
    + " of the best known value. An ascent of $|\\Delta|$ follows the sign that $\\Delta$ has where it starts. In the "
    f"{len(missed)} subsets of which it reaches less than nine tenths at radius 0.5, {100 * kept:.0f} % of 100 random "
    "points have the sign that $\\Delta$ has at $\\theta$, so the second branch of {eq}`eq-wc-branches` is hardly tried. "
    "The other searches of this page start from the gradient and the extreme eigenvectors, in both directions, and from "
    "the maximiser at the next smaller radius."
)

# %% [markdown]
# ## Every subset at every radius
#
# **Check 1.** No ascent exceeds the certified bound; and for the smallest radius the gap is the gradient's norm up to the
# next order, {eq}`eq-wc-small`.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 1: certified bounds, and the smallest radius"}
kappas = np.array([bound.third_derivative_constant(item) for item in items])
for rho in radii:
    correction = rho / 2 * spectral + kappas * rho**2 / 6
    assert (values[rho] <= (norms + correction) * (1 + 1e-9)).all()
    assert (values[rho] >= (norms - correction) * (1 - 1e-9)).all()
for number in range(0, num_subsets, 10):
    for rho in (0.01, 0.1, 0.5):
        upper = bound.dominating_bound(items[number], rho)
        assert values.loc[number, rho] <= upper * (1 + 1e-9)
assert (abs(values[smallest] / norms - 1) < 0.02).all()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Squared cosine of the best perturbation with the gradient and with the two extreme eigenvectors against the radius: the gradient's share starts at one and falls, the eigenvectors' share rises and falls."}, "figure": {"name": "fig-wc-where", "caption": "Where the best perturbation found points: squared cosine with the gradient difference, and with the plane of the two extreme eigenvectors of the Hessian difference. Lines are medians over random subsets, bands their quartiles; n is in the table below. The two shares may overlap, since the gradient has a part in that plane."}}
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.5, 2.8))
for name, color in (("gradient", figures.GREEN), ("eigenvectors", figures.PURPLE)):
    low, middle, high = (
        table.groupby("rho")[name].quantile(share) for share in (0.25, 0.5, 0.75)
    )
    ax.plot(middle.index, middle, marker="o", color=color, label=name)
    ax.fill_between(low.index, low, high, color=color, alpha=0.2, linewidth=0)
ax.set(xscale="log", xlabel="radius ρ", ylabel="squared cosine", ylim=(0, 1.02))
ax.legend()
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
on_sphere = int((table.length > 0.999).sum())
by_radius = table.groupby("rho")
overview = (
    by_radius[["gradient", "eigenvectors"]]
    .median()
    .join(by_radius[["sign changed"]].sum())
)
names = ["cos² with gradient", "cos² with eigenvectors", "Δ changes sign"]
GT(overview.set_axis(names, axis=1).reset_index(), rowname_col="rho").tab_stubhead(
    "radius"
).fmt_number(names[:2], decimals=2).tab_header(
    title=f"{num_subsets} random subsets of {subset_size}: medians and counts",
    subtitle=f"maximiser on the sphere in {on_sphere} of {len(table)} rows",
)

# %% [markdown]
# **Check 2.** The large radius, {eq}`eq-wc-large`: along the best direction of the largest radius, $\Delta(\theta + \rho V)/\rho$
# against its limit.


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 2: the limit of a large radius"}
def limit(item, unit):
    moves = item.inputs @ unit.T
    own = moves.gather(1, item.labels[:, None]).flatten()
    return float(item.coefficients @ (moves.max(dim=1).values - own))


for item, found in zip(items, searches, strict=True):
    unit = found[largest].step / found[largest].step.norm()
    slack = math.log(item.shape[0]) + 2 * item.logits.abs().amax(dim=1)
    allowed = float(item.coefficients.abs() @ slack)
    for rho in (1.0, 10.0, 100.0, 1000.0):
        value = float(bound.difference_at(item, rho * unit)) / rho
        assert abs(value - limit(item, unit)) <= allowed / rho

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the limit and of the two terms"}
two_terms = norms[:, None] + np.array(radii) / 2 * spectral[:, None]
excess = pd.Series(np.median(two_terms / values, axis=0), index=radii)
uncovered = (values > two_terms * (1 + 1e-9)).sum()
assert uncovered.sum() > 0
steps = [found[largest].step for found in searches]
limits = [
    abs(limit(item, step / step.norm()))
    for item, step in zip(items, steps, strict=True)
]
near_limit = float(np.median(values[largest] / np.array(limits)))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
terms = pd.DataFrame({"two terms / gap": excess, "gap above both terms": uncovered})
GT(terms.rename_axis("radius").reset_index(), rowname_col="radius").tab_stubhead(
    "radius"
).fmt_number(["two terms / gap"], decimals=2).tab_header(
    title="Gradient and curvature term together, against the attained gap",
    subtitle=f"median, and number of {num_subsets} subsets whose gap exceeds both; at radius "
    f"{largest:g} the gap is {near_limit:.2f} times its limit (median)",
)

# %% [markdown]
# Without the remainder the two terms are no bound, as {doc}`../derivation/03_upper_bound` says: every count above zero is a refutation.
# The paper drops the remainder (its Eq. 6).

# %% [markdown]
# ## The last layer is a part
#
# The perturbations of the last layer are a subspace of those of the network, so its gap is at most the network's,
# {eq}`eq-wc-subspace`. By how much the restriction under-estimates, an ascent in all parameters tells from below. It starts
# from the best perturbation of the last layer and from the network's own gradient and never gets worse.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the network's loss difference"}
names = [name for name, _ in network.named_parameters()]
origin = [value.detach() for _, value in network.named_parameters()]


def slope(item, step):
    step = [part.clone().requires_grad_() for part in step]
    moved = {k: v + d for k, v, d in zip(names, origin, step, strict=True)}
    outputs = functional_call(network, moved, (images,))
    losses = cross_entropy(outputs, item.labels, reduction="none")
    value = losses @ item.coefficients
    return value.item(), torch.autograd.grad(value, step)


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the ascent"}
def scaled(parts, length):
    norm = math.sqrt(sum(float(part.square().sum()) for part in parts))
    return [part * (length / norm) for part in parts]


def whole_ascent(item, step, rho, steps=12):
    at_rest, length = abs(slope(item, [0 * part for part in step])[0]), rho
    value, gradient = slope(item, step)
    for _ in range(steps):
        move = scaled(gradient, length if value >= 0 else -length)
        trial = scaled([a + b for a, b in zip(step, move, strict=True)], rho)
        trial_value, trial_gradient = slope(item, trial)
        better = abs(trial_value) > abs(value)
        length *= 2 if better else 0.25
        if better:
            step, value, gradient = trial, trial_value, trial_gradient
    return (abs(value) - at_rest) / rho


# %% [markdown]
# **Check 3.** The two ways of computing $\Delta$ agree. (That the whole network's gap is at least the last layer's holds by
# construction, because its ascent starts there; it is asserted as a test of the code.)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: both ways of computing the difference agree"}
whole_rows = []
zero = [torch.zeros_like(value) for value in origin]
for number in range(6):
    item = items[number]
    value, own_gradient = slope(item, zero)
    for rho in (0.01, 0.1):
        step = searches[number][rho].step
        embedded = [*zero[:-2], step[:, :-1], step[:, -1]]
        assert abs(slope(item, embedded)[0] - bound.difference_at(item, step)) < 1e-10
        starts = embedded, scaled(own_gradient, rho if value >= 0 else -rho)
        found = max(whole_ascent(item, start, rho) for start in starts)
        last = values.loc[number, rho]
        whole_rows.append({"rho": rho, "last": last, "whole": found})
whole = pd.DataFrame(whole_rows)
assert (whole.whole >= whole["last"] * (1 - 1e-9)).all()

# %% tags=["remove-input"]
ratio = (whole.whole / whole["last"]).groupby(whole.rho).agg(["min", "median", "max"])
parameters = sum(value.numel() for value in origin)
Markdown(
    f"The last layer has {items[0].shape[0] * items[0].shape[1]} of the {parameters} parameters. The gap found in all of them is "
    + ", ".join(
        f"{row['median']:.1f} times the last layer's at radius {rho:g} (from {row['min']:.1f} to {row['max']:.1f})"
        for rho, row in ratio.iterrows()
    )
    + ", in six subsets: medians and ranges of lower estimates."
)

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
share = table.groupby("rho").gradient.median()
Markdown(
    f"""- **Shown:** in the best perturbation the gradient's share (squared cosine, median) falls from {share[smallest]:.2f} at $\\rho = {smallest:g}$ to {share[0.5]:.2f} at $\\rho = 0.5$.
- **Shown:** the gradient norm $\\lVert g\\rVert$ and the spectral norm $\\lVert H\\rVert_2$ correlate in rank by {ranks.loc["‖g‖", "‖H‖₂"]:.2f}, and with the gap at 0.5 by {ranks.loc["‖g‖", "ρ = 0.5"]:.2f} and {ranks.loc["‖H‖₂", "ρ = 0.5"]:.2f}.
- **Shown:** the last layer under-estimates the gap of the network, by a factor of {ratio["median"].min():.1f} to {ratio["median"].max():.1f} in the median.
- **Not shown:** the exact maximum. What ascent attains is a lower estimate, and one small network on digits is no evidence on the radii at which larger ones leave the first-order regime.
- **Differs from the paper:** there $\\rho$ is a hyperparameter chosen from a grid, and its effect is shown as accuracy (Figure 4, {{doc}}`sensitivity`); here its effect on the objective itself is measured."""
)

# %% tags=["remove-input"]
drawer(
    f"A network of width 8, trained for ten epochs on the handwritten digits; {num_samples} training images and "
    f"{num_subsets} random subsets of {subset_size} of them, drawn with seed {seed} while this page is made."
)
