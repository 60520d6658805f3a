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
# Selection compares Hessian diagonals. *Condensation* makes a small set of images instead of choosing one: it optimises their pixels. For it the paper replaces the
# diagonals by something cheaper to differentiate, the variance of the per-sample gradients. Between the two lie four steps. Two are exact for the last layer. The third
# takes the labels of the data for labels drawn from the network, and the fourth subtracts the mean gradient; both fail within a single class, and condensation works
# class by class. The picture shows why the third fails: as the network becomes sure of a label, its squared gradients (the *empirical Fisher* information) vanish much
# faster than the curvature.
#
# ```{admonition} What this chapter reproduces
# :class: note dropdown
# - **Paper:** Eq. 13 to 15 of {cite:t}`shin2023lcmat`, the curvature term of LCMat-C, its citation, and appendix B.1.
# - **Cost:** seconds on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/06_gradient_variance.ipynb out.ipynb -p seed 2`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["remove-input"]
from lcmat.book import story

story.here("06_gradient_variance")

# %% tags=["parameters", "hide-cell"] mystnb={"code_prompt_show": "Show the parameters"}
seed = 0
width = 8

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the set-up"}
import itertools

import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown

from lcmat import curvature
from lcmat.book.literate import show_source
from lcmat.config.datasets import DATASETS
from lcmat.curvature import gradient_variance, mean_gradient, second_moment
from lcmat.measurements import curvature_gap, kinds
from lcmat.measurements import gradient_variance as measurement
from lcmat.report import figures

figures.use_style()
generator = torch.Generator().manual_seed(seed)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Two curves against the probability of the true class, from 0 to 1. The Hessian's is a symmetric arch with its top at one half. The empirical Fisher's falls from 1 to 0; it lies above the arch left of one half, crosses it there, and lies below it to the right, where it approaches zero much faster."}, "figure": {"name": "fig-gv-curves", "caption": "Entry of the diagonals in the row of the true class, against its probability, in units of the squared feature: the Hessian's p (1 - p) and the empirical Fisher's (1 - p)². They agree at one half only. A trained network is at the right, where their ratio tends to zero."}}
probability = torch.linspace(0, 1, 101)
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 2.6))
ax.plot(probability, probability * (1 - probability), color=figures.BLUE)
ax.plot(probability, (1 - probability) ** 2, "--", color=figures.VERMILLION)
ax.text(0.1, 0.9, "empirical Fisher", color=figures.VERMILLION)
ax.text(0.67, 0.24, "Hessian", color=figures.BLUE)
ax.axvline(0.5, color=figures.BLACK, linewidth=0.6)
ax.set(xlabel="probability of the true class", ylabel="entry / squared feature")
plt.show()

# %% [markdown]
# ## What the paper writes
#
# Condensation needs the curvature of $S$ as a function of its pixels. With a batch $G$ of per-sample gradients $g_i$, the paper replaces the diagonals $\hat\lambda$ of
# Eq. 7 by their variance, entry by entry, in the last layer, and with them the curvature term. That is its Eq. 13 and 14, in the letters of this book:
#
# ```{math}
# :label: eq-gv-variance
# \operatorname{Var}(G) = \frac{1}{n - 1} \sum_i (g_i - \bar g)^2 ,
# ```
#
# ```{math}
# :label: eq-gv-objective
# \frac\rho2\, \bigl| \hat\lambda_T - \hat\lambda_S \bigr| \;\longrightarrow\;
# \frac\rho2\, \bigl| \operatorname{Var}(G_T) - \operatorname{Var}(G_S) \bigr| .
# ```
#
# The objective that results is {eq}`eq-lc-objective`, Eq. 15. The reason given is a citation: the two are similar to more than $99.99\,\%$ at the end of training
# {cite:p}`rame2022fishr`. In between lie four steps:
#
# | From | To | Step | Right if | Counterexample |
# | --- | --- | --- | --- | --- |
# | Hessian | Gauss-Newton matrix (GGN) | no second derivative of the logits | the logits are linear in the parameters: the last layer, **always** | a layer below: the logits are no longer linear |
# | GGN | Fisher matrix of the model | $\operatorname{diag} p - p p^\top$ is the covariance of a label drawn from $p$ | softmax and cross-entropy, **always** | another loss, such as the squared error of $p$ |
# | Fisher | empirical Fisher (EF) | the observed label for one drawn from $p$ | labels occur as often as predicted: *calibration*, or all $p = \tfrac12$ | one class predicted rightly with $p_y > \tfrac12$: EF is smaller in every entry |
# | EF | variance | the squared mean gradient is subtracted | $\bar g = 0$ on the very set | any single class: $\bar g$ has the entry $\bar p_y - 1 < 0$ |
#
# The rest of the page proves the four lines. How far apart the ends of the chain are on real networks is measured in {doc}`../report/gradient-variance`.
#
# ## Two exact steps
#
# **Hessian = Gauss-Newton.** The logits are linear in the last layer's parameters, $z = W \tilde h$. The second derivative of the loss through $z$ has therefore no
# term with a second derivative of $z$, and the Gauss-Newton matrix is all:
#
# ```{math}
# :label: eq-gv-ggn
# \nabla^2 \ell = \bigl( \operatorname{diag} p - p p^\top \bigr) \otimes \tilde h \tilde h^\top .
# ```
#
# **Gauss-Newton = Fisher.** Draw the label from the network's own prediction, $y \sim p$. The gradient is $(p - y) \otimes \tilde h$ by {eq}`eq-gradient`, $\mathbb E\,
# y = p$, and $\mathbb E (p - y)(p - y)^\top$ is the covariance of the vector $y$. So for every single sample {cite:p}`martens2020natural`
#
# ```{math}
# :label: eq-gv-fisher
# \nabla^2 \ell = \mathbb E_{y \sim p} \bigl[ \nabla \ell_y\, \nabla \ell_y^\top \bigr] .
# ```
#
# ## Third step: labels that were observed
#
# The *empirical* Fisher matrix takes the label of the data instead of one drawn from $p$. That it is another matrix, with other uses, is well known
# {cite:p}`kunstner2019limitations`; here it is compared with the Hessian entry by entry.
#
# ```{admonition} Proposition: empirical Fisher against Hessian, entry by entry
# :class: important
# **Hypotheses.** Last layer, softmax, cross-entropy; a sample with label $y$ and probabilities $p$.
#
# **Statement.** On the diagonals,
#
# $$
# \frac{\text{empirical Fisher}}{\text{Hessian}} =
# \begin{cases}
#   \dfrac{1 - p_y}{p_y} & \text{in the row of the true class } y, \\[2ex]
#   \dfrac{p_{y'}}{1 - p_{y'}} & \text{in the row of any other class } y' .
# \end{cases}
# $$ (eq-gv-ratio)
#
# If $p_y > \tfrac12$, all ratios are below 1; if $p_y \ge 1 - \delta$, none exceeds $\delta / (1 - \delta)$.
#
# **Proof.** The entries are $(p_{y'} - \mathbf 1[y = y'])^2\, \tilde h_k^2$ and $p_{y'} (1 - p_{y'})\, \tilde h_k^2$; the features cancel. If $p_y \ge 1 - \delta$, the
# other probabilities are at most $\delta$, and $x / (1 - x)$ is increasing. $\square$
#
# **Used in** check 2.
# ```
#
# As a network comes to fit its data, the empirical Fisher matrix vanishes like $(1 - p_y)^2$, the Hessian like $1 - p_y$.
#
# *When is the average right?* If labels occur as often as the network predicts, $\Pr(y = y' \mid h) = p_{y'}$, the two have the same expectation by {eq}`eq-gv-fisher`.
# That is calibration on the set in question. A fitted training set is not calibrated. Nor is a single class, unless the network is certain of it: all its labels are
# the same, so that $p_y$ would have to be 1. This does not forbid that the *diagonals* agree by another way: two classes predicted with $p = (\tfrac12, \tfrac12)$ and
# one label have equal diagonals, because all ratios of {eq}`eq-gv-ratio` are 1. With $p_y > \tfrac12$ throughout a class they differ in every entry whose feature is
# not zero.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the network"}
sample, _ = curvature_gap.trained_sample(
    "digits", width=width, epochs=4, size=1437, seed=seed
)
features, logits, labels = sample
fisher = curvature.per_sample_gradients(*sample).square()
hessian = curvature.hessian_diagonals(features, logits)
p = logits.softmax(1)
observed = torch.nn.functional.one_hot(labels, p.shape[1]).bool()
ratios = torch.where(observed, (1 - p) / p, p / (1 - p))
p_true = p[observed]
single_class = [[part[labels == y] for part in sample] for y in range(p.shape[1])]

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
below = (ratios < 1).all(dim=1)
Markdown(
    f"Of {len(labels)} training images {int((p_true > 0.5).sum())} are predicted with more than one half; in each of these "
    f"the empirical Fisher diagonal is below the Hessian's in every coordinate. {int((~below).sum())} images have a "
    f"coordinate where it is not. These carry {100 * float(fisher[~below].sum() / fisher.sum()):.1f} % of the sum of the empirical "
    f"Fisher diagonals, and {100 * float(hessian[~below].sum() / hessian.sum()):.1f} % of that of the Hessian diagonals."
)

# %% [markdown]
# ## Fourth step: centring
#
# The variance subtracts the square of the mean. With the factor $1/n$,
#
# ```{math}
# :label: eq-gv-centred
# \frac1n \sum_i (g_i - \bar g)^2 = \frac1n \sum_i g_i^2 - \bar g^2 .
# ```
#
# It equals the empirical Fisher diagonal only where $\bar g = 0$, at a stationary point *of the very set* it is taken over. A network may be stationary for $T$; it
# never is for a class of its own. In the bias entry of class $y$ the mean gradient of samples of that class is $\bar p_y - 1$, which is negative, because a softmax
# never reaches 1.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
def mean_share(part):
    """Part of the empirical Fisher diagonal, summed, that centring takes away."""
    return float(mean_gradient(*part).square().sum() / second_moment(*part).sum())


shares = [mean_share(part) for part in single_class]
Markdown(
    f"On the digits centring takes {100 * mean_share(sample):.1f} % of the diagonal from all classes together, and between "
    f"{100 * min(shares):.1f} and {100 * max(shares):.1f} % from single classes."
)

# %% [markdown]
# **The factor.** With $1/(n - 1)$ the variance is unbiased: over all subsets $S$ of one size, drawn without replacement, its mean is exactly that of $T$. With $1/n$ a
# set of ten images would have a variance one tenth too small on average, and the condensed images would be pushed to make up for it. With *one* image per class the
# variance is $0/0$, and the package refuses it; the paper reports ten and fifty.
#
# ## The bias: what appendix B.1 hopes for
#
# The objective subtracts $L_{abs}(\theta)$, so it could reward a set on which the network fits badly. Appendix B.1 sees the danger and says why it is none. For
# selection it calls the reward bounded ({doc}`01_matching`). For condensation it points to the bias entries, where $g = p - y$: there the variance is said to be the
# mean squared error between prediction and label, so that matching it would keep the network from under-fitting. **The premise is true of the uncentred moment and
# false of the variance that Eq. 15 has.** Summed over the classes the second moment is indeed $\tfrac1n \sum_i \lVert p_i - y_i\rVert^2$. But within one class $y$ is
# the same for all samples and drops out,
#
# ```{math}
# :label: eq-gv-bias
# \operatorname{Var}_i (p_{iy'} - y_{iy'}) = \operatorname{Var}_i (p_{iy'}) ,
# ```
#
# and a class that is predicted wrongly, but always in the same way, has none. So the term cannot see under-fitting of this kind, and the argument of B.1 does not
# protect condensation.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
wrong_label = torch.full_like(single_class[3][2], 7)  # threes, all called sevens
renamed = (*single_class[3][:2], wrong_label)
squared_errors = [
    float(second_moment(*part)[:, -1].sum()) for part in (single_class[3], renamed)
]
Markdown(
    f"Threes labelled as threes have a mean squared error of {squared_errors[0]:.3f}, labelled as sevens of {squared_errors[1]:.3f}. The "
    "variances of their bias gradients are equal."
)

# %% [markdown]
# ## The closed form
#
# A gradient of the last layer is the outer product $(p_i - y_i)\, \tilde h_i^\top$, so that both moments over a set are products of two thin matrices. Entry by entry,
#
# ```{math}
# :label: eq-gv-closed
# \operatorname{Var}(G) = \frac{n}{n - 1} \Bigl( \tfrac1n \sum_i (p_i - y_i)^{\odot 2}\, \bigl(\tilde h_i^{\odot 2}\bigr)^\top
#   - \bigl( \tfrac1n \sum_i (p_i - y_i)\, \tilde h_i^\top \bigr)^{\odot 2} \Bigr) ,
# ```
#
# where $\odot 2$ squares each entry. No per-sample gradient is stored, and the whole is differentiable in features and logits, hence in images.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of both moments"}
show_source(second_moment, gradient_variance)

# %% [markdown]
# ## Which norm, and does it help?
#
# The paper does not say which norm $|\operatorname{Var}(G_T) - \operatorname{Var}(G_S)|$ is; Fishr, from which the idea comes, takes the squared Euclidean norm and
# $1/n$. The chain of this book arrives at the maximum (Eq. 7) and then at the sum (Eq. 9). What the objective needs is less than equality: a set with the smaller gap
# of variances should have the smaller gap of Hessian diagonals. On real images, over subsets of ten of a class:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
sentences = []
for name, item in kinds.stored("gradient-variance").items():
    single = [row for row in item["rows"] if row["label"] != measurement.ALL_CLASSES]
    count = len(single)
    means = {
        key: sum(row[key] for row in single) / count
        for key in ("variance_rank_sum_10", "gradient_rank_10", "variance_cosine")
    }
    lengths = [row["variance_ratio"] for row in single]
    sentences.append(
        f"**{DATASETS[name].title}**, {count} pairs of class and epoch: variance and Hessian diagonal have a mean cosine of "
        f"{means['variance_cosine']:.3f} and a ratio of lengths from {min(lengths):.3f} to {max(lengths):.2f}. The gap of the variances has a "
        f"rank correlation of {means['variance_rank_sum_10']:.2f} with that of the Hessians, the gap of the mean gradients {means['gradient_rank_10']:.2f}."
    )
Markdown("\n\n".join(sentences))

# %% [markdown]
# The gap of the mean gradients, which the objective holds anyway, says more about curvature than the term that was added for it. {doc}`../report/gradient-variance` has
# the epochs one by one, other norms, and what the citation claims beside what is measured.

# %% [markdown]
# ## Checks
#
# 1. Hessian, Gauss-Newton matrix and the Fisher matrix under the model's own labels agree, the Hessian by automatic differentiation.
# 2. The ratio {eq}`eq-gv-ratio` holds in every coordinate of every sample, its bound for confident samples; and one class has equal diagonals
#    though nothing is calibrated.
# 3. The identity {eq}`eq-gv-centred` holds for the code; the mean gradient of a class does not vanish; the factor $1/(n - 1)$ is unbiased over
#    all triples, $1/n$ is not, and one image is refused.
# 4. The closed form equals dense gradients, and its derivative finite differences.
# 5. Both halves of the remark on the bias: the second moment is the mean squared error, the variance does not see the label.

# %% tags=["remove-input"]
story.passed("06_gradient_variance")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 1: three matrices"}
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


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 1, continued"}
for i in range(len(h)):
    q, inputs = z[i].softmax(0), torch.cat([h[i], h.new_ones(1)])
    gauss_newton = torch.kron(
        torch.diag(q) - torch.outer(q, q), torch.outer(inputs, inputs)
    )
    every_label = [
        curvature.per_sample_gradients(
            h[i : i + 1], z[i : i + 1], torch.tensor([c])
        ).flatten()
        for c in range(3)
    ]
    expected = sum(q[c] * torch.outer(g, g) for c, g in enumerate(every_label))
    for matrix in (gauss_newton, expected):
        torch.testing.assert_close(
            matrix, hessian_by_autograd(h[i], z[i]), rtol=1e-10, atol=1e-12
        )

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 2: the ratio, its bound, the exception"}
torch.testing.assert_close(fisher, ratios[:, :, None] * hessian, rtol=1e-9, atol=1e-15)
for delta in (0.5, 0.1, 0.01):
    sure = p_true >= 1 - delta
    assert sure.any() and (ratios[sure] <= delta / (1 - delta) * (1 + 1e-9)).all()
assert below[p_true > 0.5].all()
undecided = features[:7], torch.zeros(7, 2, dtype=torch.float64)
one_label = torch.ones(7, dtype=torch.int64)
torch.testing.assert_close(
    curvature.per_sample_gradients(*undecided, one_label).square(),
    curvature.hessian_diagonals(*undecided),
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: centring and the factor"}
centred = second_moment(*sample) - mean_gradient(*sample).square()
torch.testing.assert_close(gradient_variance(*sample, unbiased=False), centred)
assert all(mean_gradient(*v)[y, -1] < 0 for y, v in enumerate(single_class))

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: the factor"}
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

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: one image"}
try:
    gradient_variance(*(part[:1] for part in few))
except ValueError as error:
    print(error)
else:
    raise RuntimeError("the variance of one sample was accepted")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 4: the closed form"}
dense = curvature.per_sample_gradients(*sample)
torch.testing.assert_close(
    gradient_variance(*sample), dense.var(dim=0), rtol=1e-10, atol=1e-14
)
torch.testing.assert_close(
    second_moment(*sample), dense.square().mean(dim=0), rtol=1e-10, atol=1e-14
)
inputs = (h.clone().requires_grad_(), z.clone().requires_grad_())
assert torch.autograd.gradcheck(lambda h, z: gradient_variance(h, z, y), inputs)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 5: the bias"}
squared_error = (p - observed.double()).square().sum(dim=1).mean()
torch.testing.assert_close(second_moment(*sample)[:, -1].sum(), squared_error)
for part in single_class:
    torch.testing.assert_close(
        gradient_variance(*part)[:, -1], part[1].softmax(1).var(dim=0)
    )
same = gradient_variance(*single_class[3])[:, -1] - gradient_variance(*renamed)[:, -1]
assert same.abs().max() < 1e-12 and squared_errors[1] > 2 * squared_errors[0]

# %% [markdown]
# ## Take-away
#
# - **Shown:** for the last layer Hessian, Gauss-Newton and model Fisher matrix are the same matrix, sample by sample. The empirical Fisher matrix is
#   another, with a ratio known in each coordinate, and it vanishes faster as the network fits.
# - **Shown:** centring is free only at a stationary point of the same set; a single class has none. Within a class the bias variance does not see the
#   label, which takes away what B.1 relies on.
# - **Not shown:** that a better curvature term would make better images. Matching the variance may help for another reason
#   ({doc}`../condensation/02_variance_in_practice`).
# - **Differs from the paper:** a closed form stands in place of per-sample gradients; $1/(n - 1)$ is as in Eq. 15, but refused for one image; the
#   remark on the mean squared error is corrected.
#
# ## Exercises
#
# **1.** Show that the empirical Fisher diagonal averages to the Hessian's if the labels are drawn from the predictions, and that within one class the labels are never
# distributed so, unless the network is certain.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# Exact mean over labels drawn from p, for the digits; and drawn labels as a check of its size. Within a class all
# labels are y, so they are distributed as predicted only if p_y = 1, which a softmax never reaches. The diagonals may
# still agree, see check 2.
expected = sum(
    p[:, k : k + 1, None]
    * curvature.per_sample_gradients(
        features, logits, torch.full_like(labels, k)
    ).square()
    for k in range(p.shape[1])
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
# **2.** Break check 4: pretend that residual and features are independent, $\operatorname{Var}(g) \approx \operatorname{Var}(p - y)\, \mathbb E \tilde h^{\odot 2}$.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
residuals = curvature.residuals(logits, labels)
squares = curvature.augmented_features(features).square().mean(dim=0)
broken = torch.outer(residuals.var(dim=0), squares)
try:
    torch.testing.assert_close(broken, dense.var(dim=0), rtol=1e-10, atol=1e-14)
except AssertionError as error:
    print("the check fails, as it should:", str(error).splitlines()[0])
else:
    raise RuntimeError("residuals and features taken for independent passed the check")
