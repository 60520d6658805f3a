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
# # From Hessians to gradient variance
#
# ```{admonition} What this chapter reproduces
# :class: note
# - **Paper:** Eq. 13 to 15 of {cite:t}`shin2023lcmat`, the curvature term of LCMat-C, and the citation behind it.
# - **Cost:** less than a minute on one core; the real images were measured before and are read from a file.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/06_gradient_variance.ipynb out.ipynb -y "seeds: [2]"`.
# - **Launch or download:** the rocket and the arrow at the top of the page. In Colab, first install the package:
#   `pip install git+https://github.com/lcmat-reproduction/lcmat`.
# ```
#
# ## Claim
#
# Selection compares Hessian diagonals. Condensation optimises the images themselves, and the paper replaces the
# diagonals by something cheaper to differentiate, the variance of the per-sample gradients:
#
# ```{math}
# :label: eq-gv-objective
# \frac\rho2\, \bigl| \hat\lambda_T - \hat\lambda_S \bigr| \;\longrightarrow\;
# \frac\rho2\, \bigl| \operatorname{Var}(G_T) - \operatorname{Var}(G_S) \bigr| ,
# \qquad
# \operatorname{Var}(G) = \frac{1}{n - 1} \sum_i (g_i - \bar g)^2 ,
# ```
#
# squares taken entry by entry, in the last layer. The reason given is a citation: the two are similar to more than
# $99.99\,\%$ at the end of training {cite:p}`rame2022fishr`. Between them lie four steps. Two are exact, two are not,
# and condensation compares single *classes*, on networks that are young, which is another situation.
#
# **What would count as failing**, and is checked on this page:
#
# 1. Hessian, Gauss-Newton matrix and the Fisher matrix under the model's own labels differ by more than rounding;
# 2. the ratio of empirical Fisher to Hessian, {eq}`eq-gv-ratio`, is wrong in one coordinate of one sample;
# 3. the variance by matrix products differs from that of gradients computed one by one;
# 4. the mean gradient of a single-class set vanishes, so that centring would cost nothing;
# 5. the cosine per class exceeds $0.9999$ and the lengths agree: then the citation suffices, and our doubt was wrong.

# %% tags=["parameters"]
seeds = [0, 1]
epochs = 10
width = 8
num_subsets = 100

# %% tags=["hide-cell"]
import itertools

import matplotlib.pyplot as plt
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown

from lcmat import curvature, data
from lcmat.book.literate import show_source
from lcmat.curvature import (
    gradient_variance,
    mean_gradient,
    second_moment,
)
from lcmat.measurements import curvature_gap, kinds
from lcmat.measurements import gradient_variance as measurement
from lcmat.report import figures
from lcmat.report.statistics import mean_interval

figures.use_style()

# %% [markdown]
# ## Two exact steps
#
# **Hessian = Gauss-Newton.** The logits are linear in the last layer's parameters, $z = W \tilde h$ with
# $\tilde h = [h; 1]$. The second derivative of the loss through $z$ has therefore no term with a second derivative of
# $z$, and the Gauss-Newton matrix is all:
#
# ```{math}
# :label: eq-gv-ggn
# \nabla^2 \ell = \bigl( \operatorname{diag} p - p p^\top \bigr) \otimes \tilde h \tilde h^\top .
# ```
#
# **Gauss-Newton = Fisher.** Draw the label from the network's own prediction, $y \sim p$. The gradient is
# $(p - y) \otimes \tilde h$ by {eq}`eq-gradient`, $\mathbb E\, y = p$, and $\mathbb E (p - y)(p - y)^\top$ is the
# covariance of a one-hot vector, which is $\operatorname{diag} p - p p^\top$. So for every single sample
#
# ```{math}
# :label: eq-gv-fisher
# \nabla^2 \ell = \mathbb E_{y \sim p} \bigl[ \nabla \ell_y\, \nabla \ell_y^\top \bigr] .
# ```
#
# *Assumptions:* the last layer alone, softmax and cross-entropy. In the layers below the first equality is an
# approximation.
#
# **Check 1.** The three matrices of random samples, the Hessian by automatic differentiation.

# %%
generator = torch.Generator().manual_seed(seeds[0])
h = torch.randn(6, 4, generator=generator, dtype=torch.float64).relu()
z = 2 * torch.randn(6, 3, generator=generator, dtype=torch.float64)
y = torch.tensor([0, 1, 2, 0, 1, 2])


def hessian_by_autograd(h, z):
    """Hessian of the loss in an explicit last layer that gives these logits."""
    inputs = torch.cat([h, h.new_ones(1)])
    change = inputs.new_zeros(15, requires_grad=True)
    scores = z + change.view(3, 5) @ inputs
    loss = scores.logsumexp(0) - scores[0]
    (gradient,) = torch.autograd.grad(loss, change, create_graph=True)
    rows = [
        torch.autograd.grad(entry, change, retain_graph=True)[0] for entry in gradient
    ]
    return torch.stack(rows)


# %%
for i in range(len(h)):
    p, inputs = z[i].softmax(0), torch.cat([h[i], h.new_ones(1)])
    gauss_newton = torch.kron(
        torch.diag(p) - torch.outer(p, p), torch.outer(inputs, inputs)
    )
    every_label = [
        curvature.per_sample_gradients(
            h[i : i + 1], z[i : i + 1], torch.tensor([c])
        ).flatten()
        for c in range(3)
    ]
    fisher = sum(p[c] * torch.outer(g, g) for c, g in enumerate(every_label))
    for matrix in (gauss_newton, fisher):
        torch.testing.assert_close(
            matrix, hessian_by_autograd(h[i], z[i]), rtol=1e-10, atol=1e-12
        )

# %% [markdown]
# ## The first approximation: labels that were observed
#
# The *empirical* Fisher matrix takes the label of the data instead of one drawn from $p$. On its diagonal stands
# $(p_c - y_c)^2\, \tilde h_d^2$, on that of the Hessian $p_c (1 - p_c)\, \tilde h_d^2$. The features cancel, and the ratio
# of a sample is
#
# ```{math}
# :label: eq-gv-ratio
# \frac{\text{empirical Fisher}}{\text{Hessian}} =
# \begin{cases}
#   \dfrac{1 - p_y}{p_y} & \text{in the row of the true class } y, \\[2ex]
#   \dfrac{p_c}{1 - p_c} & \text{in the row of any other class } c .
# \end{cases}
# ```
#
# Both are 1 only where the probability is one half. If $p_y > \tfrac12$, then every other $p_c \le 1 - p_y < \tfrac12$
# and **all** ratios are below 1; if $p_y \ge 1 - \delta$, none exceeds $\delta / (1 - \delta)$. As a network comes to
# fit its data, the empirical Fisher matrix vanishes like $(1 - p_y)^2$, the Hessian like $1 - p_y$.
#
# *When is the average right?* If labels occur as often as the network predicts, $P(y = c \mid h) = p_c$, the two have the same
# expectation by {eq}`eq-gv-fisher`. That is calibration on the set in question; a fitted training set is not calibrated, and
# a single class never is, for its labels are all the same.
#
# **Check 2.** The ratio, coordinate by coordinate, and its bound for confident samples. From here on with a
# network trained on the handwritten digits.

# %%
sample, _ = curvature_gap.trained_sample(
    "digits", width=width, epochs=4, size=1437, seed=seeds[0]
)
features, logits, labels = sample
fisher = curvature.per_sample_gradients(*sample).square()
hessian = curvature.hessian_diagonals(features, logits)
p = logits.softmax(1)
observed = torch.nn.functional.one_hot(labels, p.shape[1]).bool()
ratios = torch.where(observed, (1 - p) / p, p / (1 - p))
torch.testing.assert_close(fisher, ratios[:, :, None] * hessian, rtol=1e-9, atol=1e-15)

p_true = p[observed]
for delta in (0.5, 0.1, 0.01):
    sure = p_true >= 1 - delta
    assert sure.any() and (ratios[sure] <= delta / (1 - delta) * (1 + 1e-9)).all()

# %% tags=["hide-input"]
below = (ratios < 1).all(dim=1)
assert below[p_true > 0.5].all()
Markdown(
    f"Of {len(labels)} training images {int((p_true > 0.5).sum())} are predicted with more than one half; in each of these "
    f"the empirical Fisher diagonal is below the Hessian's in every coordinate. {int((~below).sum())} images have a "
    f"coordinate where it is not. These carry {float(fisher[~below].sum() / fisher.sum()):.1%} of the sum of the empirical "
    f"Fisher diagonals, and {float(hessian[~below].sum() / hessian.sum()):.1%} of that of the Hessian diagonals."
)

# %% [markdown]
# ## The second approximation: centring
#
# The variance subtracts the square of the mean. With the factor $1/n$,
#
# ```{math}
# :label: eq-gv-centred
# \frac1n \sum_i (g_i - \bar g)^2 = \frac1n \sum_i g_i^2 - \bar g^2 .
# ```
#
# It equals the empirical Fisher diagonal only where $\bar g = 0$, at a stationary point *of the very set* it is taken over.
# A network may be stationary for $T$; it never is for a class of its own. In the bias entry of class $y$ the mean gradient
# of samples of that class is $\bar p_y - 1$, which is negative, because a softmax never reaches 1.
#
# **Check 3.** {eq}`eq-gv-centred` on the digits, and the mean gradient of each class.

# %%
centred = gradient_variance(*sample, unbiased=False)
torch.testing.assert_close(
    centred, second_moment(*sample) - mean_gradient(*sample).square()
)
assert (centred <= second_moment(*sample)).all()
single_class = [[part[labels == c] for part in sample] for c in range(p.shape[1])]
bias_entries = [
    float(mean_gradient(*part)[c, -1]) for c, part in enumerate(single_class)
]
assert max(bias_entries) < 0


def mean_share(part):
    """Part of the empirical Fisher diagonal, summed, that centring takes away."""
    return float(mean_gradient(*part).square().sum() / second_moment(*part).sum())


shares = [mean_share(part) for part in single_class]
Markdown(
    f"Centring takes {mean_share(sample):.1%} from all classes together, and between {min(shares):.1%} and {max(shares):.1%} from "
    "single classes."
)

# %% [markdown]
# **The factor.** With $1/(n - 1)$ the variance is unbiased: over all subsets $S$ of one size, drawn without replacement, its
# mean is exactly that of $T$. With $1/n$ a set of ten images would have a variance one tenth too small on average, and the
# condensed images would be pushed to make up for it. With *one* image per class the variance is $0/0$, and the package
# refuses it; the paper reports ten and fifty.

# %%
few = [part[:6] for part in single_class[0]]
triples = [list(chosen) for chosen in itertools.combinations(range(6), 3)]


def mean_over_triples(unbiased):
    variances = [
        gradient_variance(*(part[chosen] for part in few), unbiased=unbiased)
        for chosen in triples
    ]
    return torch.stack(variances).mean(0)


torch.testing.assert_close(
    mean_over_triples(True), gradient_variance(*few), rtol=1e-9, atol=1e-12
)
torch.testing.assert_close(
    mean_over_triples(False), gradient_variance(*few) * 2 / 3, rtol=1e-9, atol=1e-12
)

# %% tags=["hide-input"]
try:
    gradient_variance(*(part[:1] for part in few))
except ValueError as error:
    refusal = str(error)
else:
    raise RuntimeError("the variance of one sample was accepted")
Markdown(f"One image: “{refusal}”.")

# %% [markdown]
# ## The bias, and a remark of the paper
#
# In the bias entries $g = p - y$. The paper remarks that matching the variance there matches a mean squared error between
# prediction and label. For the *uncentred* moment that is so: summed over classes it is $\tfrac1n \sum_i \lVert p_i -
# y_i\rVert^2$. For the variance that Eq. 15 has, within one class, it is not: there $y$ is the same for all samples and
# drops out,
#
# ```{math}
# :label: eq-gv-bias
# \operatorname{Var}_i (p_{i,c} - y_{i,c}) = \operatorname{Var}_i (p_{i,c}) ,
# ```
#
# and a class that is predicted wrongly, but always in the same way, has none.

# %%
squared_error = (p - observed.double()).square().sum(dim=1).mean()
torch.testing.assert_close(second_moment(*sample)[:, -1].sum(), squared_error)
for part in single_class:
    torch.testing.assert_close(
        gradient_variance(*part)[:, -1], part[1].softmax(1).var(dim=0)
    )

wrong_label = torch.full_like(
    single_class[3][2], 7
)  # the same images, all called sevens
renamed = (*single_class[3][:2], wrong_label)
same = gradient_variance(*single_class[3])[:, -1] - gradient_variance(*renamed)[:, -1]
errors = [
    float(second_moment(*part)[:, -1].sum()) for part in (single_class[3], renamed)
]
assert same.abs().max() < 1e-12 and errors[1] > 2 * errors[0]
Markdown(
    f"Threes labelled as threes have a mean squared error of {errors[0]:.3f}, labelled as sevens of {errors[1]:.3f}. The "
    "variances of their bias gradients are equal."
)

# %% [markdown]
# ## The closed form
#
# A gradient of the last layer is an outer product $r \tilde h^\top$ with $r = p - y$, so that both moments over a set are
# products of two thin matrices:
#
# ```{math}
# :label: eq-gv-closed
# \operatorname{Var}(G) = \frac{n}{n - 1} \Bigl( \tfrac1n\, (R \circ R)^\top (A \circ A)
#   - \bigl( \tfrac1n R^\top A \bigr)^{\circ 2} \Bigr) ,
# ```
#
# with the rows $r_i$ in $R$, $\tilde h_i$ in $A$, and $\circ$ for entrywise operations. No per-sample gradient is stored, and the
# whole is differentiable in features and logits, hence in images.

# %% tags=["hide-input"]
show_source(second_moment, gradient_variance)

# %% [markdown]
# **Check 4.** The closed form against the dense gradients, and its derivative against finite differences. (The test suite
# repeats this with gradients from one backward pass per sample.)

# %%
dense = curvature.per_sample_gradients(*sample)
torch.testing.assert_close(
    gradient_variance(*sample), dense.var(dim=0), rtol=1e-10, atol=1e-14
)
torch.testing.assert_close(
    second_moment(*sample), dense.square().mean(dim=0), rtol=1e-10, atol=1e-14
)
inputs = (h.clone().requires_grad_(), z.clone().requires_grad_())
assert torch.autograd.gradcheck(lambda h, z: gradient_variance(h, z, y), inputs)

# %% [markdown]
# ## How similar are they?
#
# Two numbers say how well a diagonal $v$ stands in for the Hessian's, $\hat\lambda$: the cosine of the angle between them and the
# ratio of their lengths,
#
# ```{math}
# :label: eq-gv-agreement
# \cos(v, \hat\lambda) = \frac{v \cdot \hat\lambda}{\lVert v\rVert \lVert\hat\lambda\rVert} , \qquad
# \frac{\lVert v\rVert}{\lVert\hat\lambda\rVert} .
# ```
#
# Networks are trained at a constant rate and measured on training images before the first epoch and after each, once
# over all classes and once per class: digits here, real images before.

# %%
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
stored = kinds.stored("gradient-variance")
tables = {
    "digits": pd.DataFrame(rows),
    **{name: pd.DataFrame(item["rows"]) for name, item in stored.items()},
}

# %% tags=["hide-input"]
options = ("width", "epochs", "images", "measured")
Markdown(
    "\n\n".join(
        f"**{item['dataset']}:** {item['data']} {item['network']}, {len(item['seeds'])} "
        f"seed{'s' if len(item['seeds']) > 1 else ''}; measured in {item['wall_seconds'] / 60:.0f} minutes, by "
        f"{kinds.made_by('gradient-variance', item)}: "
        f"`lcmat measure gradient-variance {item['dataset']} "
        + " ".join(f"-p {name}={item[name]}" for name in options)
        + f" -p seeds={','.join(map(str, item['seeds']))}`"
        for item in stored.values()
    )
)

# %%
for table in tables.values():
    assert (table.fisher_cosine <= 1 + 1e-9).all() and (
        table.variance_cosine <= 1 + 1e-9
    ).all()
    assert table.mean_share.between(0, 1).all()
    single = table[table.label != measurement.ALL_CLASSES]
    # The uncentred moment is larger by the squared mean, up to the factor n / (n - 1).
    larger = single.fisher_ratio * single.samples / (single.samples - 1)
    assert (single.variance_ratio <= larger * (1 + 1e-4)).all()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Cosine in the upper row and ratio of lengths in the lower row, against the epoch, one column for each data set. Over all classes the cosine is high; per class the variance starts far lower. The ratios of single classes scatter around one on CIFAR-10 and fall far below it on digits."}, "figure": {"name": "fig-gv-agreement", "caption": "Empirical Fisher diagonal and gradient variance against the Hessian diagonal of the last layer, on training images. Per class: mean over the n classes and seeds in the title, faint lines are the single classes of one seed for the variance. All classes: mean over the seeds. A faithful stand-in would stay at one in both rows; per class the angle does not, and the length depends on data and epoch."}}
LOOKS = {
    ("all", "fisher"): ("all classes, empirical Fisher", figures.SKY_BLUE, "--"),
    ("all", "variance"): ("all classes, variance", figures.BLUE, "-"),
    ("class", "fisher"): ("per class, empirical Fisher", figures.ORANGE, "--"),
    ("class", "variance"): ("per class, variance", figures.VERMILLION, "-"),
}
figure, panels = plt.subplots(
    2,
    len(tables),
    figsize=(figures.WIDE_INCHES, 4.4),
    sharex="col",
    sharey="row",
    squeeze=False,
)
for column, (name, table) in zip(panels.T, tables.items(), strict=True):
    pooled = table.label == measurement.ALL_CLASSES
    for (scope, kind), (label, color, linestyle) in LOOKS.items():
        part = table[pooled if scope == "all" else ~pooled].groupby("epoch")
        for ax, quantity in zip(column, ("cosine", "ratio"), strict=True):
            mean = part[f"{kind}_{quantity}"].mean()
            ax.plot(
                mean.index,
                mean,
                color=color,
                linestyle=linestyle,
                label=label,
                zorder=3,
            )
    for _, line in table[~pooled & (table.seed == table.seed.min())].groupby("label"):
        for ax, quantity in zip(column, ("cosine", "ratio"), strict=True):
            ax.plot(
                line.epoch,
                line[f"variance_{quantity}"],
                color=figures.VERMILLION,
                alpha=0.15,
                linewidth=0.7,
            )
    count = len(table[~pooled & (table.epoch == 0)])
    assert table[~pooled].variance_ratio.max() > 2 * table[~pooled].variance_ratio.min()
    column[0].set(title=f"{name}, n = {count}", ylim=(0, 1.05))
    column[1].set(
        xlabel="epoch", yscale="log", xticks=range(0, table.epoch.max() + 1, 2)
    )
    column[1].axhline(1, color=figures.BLACK, linewidth=0.8)
panels[0, 0].set_ylabel("cosine with the Hessian")
panels[1, 0].set_ylabel("length / Hessian's")
handles = panels[0, 0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=2)
plt.show()

# %% tags=["hide-input"]
claimed = 0.9999
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

# %% tags=["hide-input"]
sentences = []
for name, table in tables.items():
    single = table[table.label != measurement.ALL_CLASSES]
    pooled = table[table.label == measurement.ALL_CLASSES]
    assert (single.variance_cosine < claimed).mean() > 0.5
    sentences.append(
        f"**{name}:** the cosine of variance and Hessian reaches {claimed:.2%} in "
        f"{int((single.variance_cosine >= claimed).sum())} of {len(single)} measurements of a class and in "
        f"{int((pooled.variance_cosine >= claimed).sum())} of {len(pooled)} over all classes; the highest values are "
        f"{single.variance_cosine.max():.4f} and {pooled.variance_cosine.max():.4f}. The ratio of lengths per class runs from "
        f"{single.variance_ratio.min():.3f} to {single.variance_ratio.max():.2f}."
    )
Markdown("\n\n".join(sentences))

# %% [markdown]
# The cosine alone flatters: two vectors whose entries are all positive, with the same large features in each row, cannot be
# far apart. A difference of two such vectors, which is what the objective holds, has no such protection.
#
# ## Does the difference order sets alike?
#
# The objective needs less than equality: a set $S$ with the smaller $|\operatorname{Var}(G_T) - \operatorname{Var}(G_S)|$
# should have the smaller $|\hat\lambda_T - \hat\lambda_S|$. We draw random subsets of each class, of ten and of fifty images as
# in the paper, and correlate the ranks (Spearman) of the two gaps. The gap of the mean gradients, which the objective
# holds anyway, is the yardstick: a term that stands for curvature should say more about it than that one does already.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Rank correlation with the Hessian gap against the epoch, one panel for each data set: curves for the gap of variances, of empirical Fisher diagonals and of mean gradients. That of the variances is far below one, and below that of the mean gradients."}, "figure": {"name": "fig-gv-ranks", "caption": "Spearman correlation, over 100 random subsets of 10 images of a class, between the gap of Hessian diagonals and three other gaps. Mean over the n classes and seeds in the title, with 95 % t intervals over these values, of which those from one network are not independent. One would mean the same order."}}
CURVES = {
    "variance_rank_sum_10": ("gap of the variances", figures.VERMILLION, "o"),
    "fisher_rank_sum_10": (
        "gap of the empirical Fisher diagonals",
        figures.ORANGE,
        "^",
    ),
    "gradient_rank_10": ("gap of the mean gradients", figures.BLUE, "s"),
}
figure, panels = plt.subplots(
    1, len(tables), figsize=(figures.WIDE_INCHES, 3.0), sharey=True, squeeze=False
)
for ax, (name, table) in zip(panels[0], tables.items(), strict=True):
    part = table[table.label != measurement.ALL_CLASSES].groupby("epoch")
    for column, (label, color, marker) in CURVES.items():
        intervals = [mean_interval(values.tolist()) for _, values in part[column]]
        ax.errorbar(
            list(part.groups),
            [interval.mean for interval in intervals],
            yerr=[interval.half_width for interval in intervals],
            color=color,
            marker=marker,
            capsize=2,
            label=label,
        )
    means = {
        column: values.mean() for column, values in part[list(CURVES)].mean().items()
    }
    assert means["variance_rank_sum_10"] < means["gradient_rank_10"]
    ax.set(
        title=f"{name}, n = {intervals[0].n}",
        xlabel="epoch",
        ylim=(0, 1.05),
        xticks=range(0, table.epoch.max() + 1, 2),
    )
panels[0, 0].set_ylabel("rank correlation with\nthe Hessian gap")
figure.legend(
    *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3
)
plt.show()


# %% tags=["hide-input"]
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
                    for key in (
                        "variance_rank_sum",
                        "variance_rank_euclidean",
                        "variance_rank_max",
                        "fisher_rank_sum",
                        "gradient_rank",
                    )
                },
            }


order = pd.DataFrame(
    [row for name, table in tables.items() for row in ranks(name, table)]
)
(
    GT(order, rowname_col="epoch", groupname_col="data")
    .tab_stubhead("epoch")
    .fmt_number([column for column in order if "rank" in column], decimals=2)
    .tab_spanner(
        "variance, by norm",
        ["variance_rank_sum", "variance_rank_euclidean", "variance_rank_max"],
    )
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

# %% tags=["hide-input"]
sentences = []
for name, table in tables.items():
    single = table[table.label != measurement.ALL_CLASSES]
    halves = {
        "first": single[single.epoch <= 3],
        "last": single[single.epoch > single.epoch.max() - 3],
    }
    gradient_wins = (single.gradient_rank_10 > single.variance_rank_sum_10).mean()
    sentences.append(
        f"**{name}**, subsets of ten: mean rank correlation of the variance's gap with the Hessian's "
        + " and ".join(
            f"{part.variance_rank_sum_10.mean():.2f} in the {half} epochs"
            for half, part in halves.items()
        )
        + f"; below one half in {(single.variance_rank_sum_10 < 0.5).mean():.0%} of all classes and epochs. The gap of the mean "
        f"gradients has the higher correlation in {gradient_wins:.0%}."
    )
Markdown("\n\n".join(sentences))

# %% [markdown]
# **Which norm?** The paper does not say which norm $|\operatorname{Var}(G_T) - \operatorname{Var}(G_S)|$ is; Fishr, from which the
# idea comes, takes the squared Euclidean norm and $1/n$. The chain of this book arrives at the maximum (Eq. 7) and then at
# the sum (Eq. 9). The table holds each norm against the same norm of the Hessian gap.
#
# ## Take-away
#
# - **Shown:** for the last layer Hessian, Gauss-Newton and model Fisher matrix are the same matrix, sample by sample. The
#   empirical Fisher matrix is another, with a ratio known in each coordinate, and it vanishes faster as the network fits.
# - **Shown:** centring is free only at a stationary point of the same set; a single class has none. Within a class
#   the bias variance does not see the label.
# - **Shown:** the similarity cited is not what condensation works with; per class and epoch by epoch it is
#   what the tables say, in angle, length and order.
# - **Not shown:** that a better curvature term would make better images. Matching the variance may help for another reason; and
#   only the last layer, small networks and random subsets were looked at.
# - **Differs from the paper:** the closed form in place of per-sample gradients; $1/(n - 1)$ as in Eq. 15, but refused for one
#   image; the remark on the mean squared error.
#
# ## Exercises
#
# **1.** An untrained network predicts nearly $p_c = 1/c$ for each class. What are cosine and ratio of empirical Fisher and Hessian
# diagonal within one class? Compare with epoch 0.

# %% tags=["hide-cell"]
# True row (1 - 1/c)^2, other rows 1/c^2, Hessian rows (c - 1)/c^2, all times the same mean of squared features.
c = p.shape[1]
fisher_rows = torch.tensor([(c - 1) ** 2] + [1] * (c - 1), dtype=torch.float64) / c**2
hessian_rows = torch.full((c,), (c - 1) / c**2, dtype=torch.float64)
cosine, ratio = measurement.agreement(fisher_rows, hessian_rows)
for name, table in tables.items():
    at = table[(table.epoch == 0) & (table.label != measurement.ALL_CLASSES)]
    print(
        f"{name}: cosine {at.fisher_cosine.mean():.3f}, predicted {cosine:.3f};",
        end=" ",
    )
    print(f"ratio {at.fisher_ratio.mean():.2f}, predicted {ratio:.2f}")
    assert abs(at.fisher_cosine.mean() - cosine) < 0.1

# %% [markdown]
# **2.** Show that the empirical Fisher diagonal averages to the Hessian's if the labels are drawn from the predictions, and
# that within one class it does not, whatever the network.

# %% tags=["hide-cell"]
# Exact mean over labels drawn from p, for the digits; and drawn labels as a sanity check of its size.
expected = sum(
    p[:, k : k + 1, None]
    * curvature.per_sample_gradients(
        features, logits, torch.full_like(labels, k)
    ).square()
    for k in range(c)
)
torch.testing.assert_close(expected, hessian, rtol=1e-8, atol=1e-12)
drawn = torch.multinomial(p, 1, generator=generator).flatten()
print(
    "ratio with drawn labels {:.3f}, with the observed ones {:.3f}".format(
        *(
            measurement.agreement(
                second_moment(features, logits, some), hessian.mean(0)
            )[1]
            for some in (drawn, labels)
        )
    )
)

# %% [markdown]
# **3.** Break check 4: pretend that residual and features are independent, $\operatorname{Var}(g) \approx \operatorname{Var}(r)\,
# \mathbb E \tilde h^2$.

# %% tags=["hide-cell"]
residuals = curvature.residuals(logits, labels)
squares = curvature.augmented_features(features).square().mean(dim=0)
broken = torch.outer(residuals.var(dim=0), squares)
try:
    torch.testing.assert_close(broken, dense.var(dim=0), rtol=1e-10, atol=1e-14)
except AssertionError as error:
    print("the check fails, as it should:", str(error).splitlines()[0])
else:
    raise RuntimeError("residuals and features taken for independent passed the check")
