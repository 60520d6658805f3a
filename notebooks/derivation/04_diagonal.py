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
# # Three arrows: from the Hessian to K of its diagonal entries
#
# The bound of {doc}`03_upper_bound` ends with the curvature term $\tfrac\rho2 \lVert H\rVert_2$, where $H$ is the
# difference of the mean Hessians of $T$ and $S$. The method never computes it. It takes three more steps, here drawn as
# arrows: from the matrix to its diagonal, from there to the $K$ dimensions of {eq}`eq-top-k`, and from a maximum to a sum,
#
# ```{math}
# :label: eq-dk-chain
# \lVert H\rVert_2 \;\overset{\ge}{\longrightarrow}\; \max_k |H_{kk}|
#   \;\overset{\ge}{\longrightarrow}\; \max_{k \in \mathcal K} |H_{kk}|
#   \;\overset{\le}{\longrightarrow}\; \sum_{k \in \mathcal K} |H_{kk}| .
# ```
#
# Two arrows make the value smaller and one makes it larger, so **the result is neither an upper nor a lower bound** of
# where it began. The picture shows the first arrow for the model with two parameters: the diagonal looks along the
# coordinate axes, the curvature is largest in between.
#
# ```{admonition} What this chapter reproduces
# :class: note dropdown
# - **Paper:** Eq. 7 and 9 of {cite:t}`shin2023lcmat`, its appendices A.2 and B.2 and its Figure 6.
# - **Cost:** less than a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/04_diagonal.ipynb out.ipynb -p seed 1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["remove-input"]
from lcmat.book import story

story.here("04_diagonal")

# %% tags=["parameters", "hide-cell"] mystnb={"code_prompt_show": "Show the parameters"}
seed = 0
num_samples = 500
num_subsets = 20

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the set-up"}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from lcmat import bound, curvature
from lcmat.book.literate import show_source
from lcmat.bound import toy
from lcmat.measurements import curvature_gap, kinds
from lcmat.report import figures

figures.use_style()
top_k = curvature_gap.TOP_K  # the paper's
generator = torch.Generator().manual_seed(seed)
example = toy.running_example()
signed = torch.full((40,), 1 / 40, dtype=torch.float64)
signed[example.chosen] -= 1 / 6
bends = torch.einsum(
    "i,ikl->kl", signed, toy.sample_hessians(example.features, example.theta)
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Curvature of the loss difference against the angle of the direction, from 0 to 180 degrees: a wave. Its highest point, the spectral norm, lies between the two angles of the coordinate axes, where two dots mark the diagonal entries below it."}, "figure": {"name": "fig-dk-axes", "caption": "Curvature of the loss difference along each direction of the plane, for the two-parameter model with n = 40 samples and a random subset of m = 6. The dots are the diagonal entries, the curvatures along the axes; the line is the spectral norm. No dot can lie above the line."}}
angles = torch.linspace(0, torch.pi, 181, dtype=torch.float64)
directions = torch.stack([angles.cos(), angles.sin()], dim=1)
along = torch.einsum("ak,kl,al->a", directions, bends, directions).abs()
norm = float(torch.linalg.matrix_norm(bends, 2))
axes = bends.diagonal().abs()
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 2.6))
ax.plot(angles.rad2deg(), along, color=figures.BLUE)
ax.plot([0, 90], axes, "o", color=figures.VERMILLION, label="diagonal entries")
ax.axhline(norm, color=figures.BLACK, linewidth=0.8, label="spectral norm")
ax.set(xlabel="angle of the direction (degrees)", ylabel="|curvature|", ylim=(0, None))
ax.set(xticks=range(0, 181, 45))
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## The Hessian of the last layer
#
# Only the last layer is perturbed, a smaller ball of directions, so that all that follows underestimates the worst case
# over all parameters. The gradient of one sample is {eq}`eq-gradient`, $(p - y)\, \tilde h^\top$. Differentiate once more: the
# label is constant and $\partial p_y / \partial z_{y'} = p_y (\mathbf 1[y = y'] - p_{y'})$ for any two classes, so with $A =
# \operatorname{diag} p - p p^\top$
#
# ```{math}
# :label: eq-dk-hessian
# \nabla^2 \ell = A \otimes \tilde h \tilde h^\top , \qquad
# \frac{\partial^2 \ell}{\partial W_{yk}\, \partial W_{y'l}} = A_{yy'}\, \tilde h_k \tilde h_l .
# ```
#
# *The Kronecker product* $A \otimes \tilde h \tilde h^\top$ is the matrix of the blocks $A_{yy'}\, \tilde h \tilde h^\top$. It acts on a matrix $V$ of the shape of $W$ once
# its rows are written one below another, $\operatorname{vec} V$; then $(A \otimes \tilde h \tilde h^\top) \operatorname{vec} V =
# \operatorname{vec}(A V \tilde h \tilde h^\top)$. For two classes with $p = (\tfrac12, \tfrac12)$ and $\tilde h = (2, 1)$,
#
# ```{math}
# :label: eq-dk-example
# A = \frac14 \begin{pmatrix} 1 & -1 \\ -1 & 1 \end{pmatrix} , \quad
# \tilde h \tilde h^\top = \begin{pmatrix} 4 & 2 \\ 2 & 1 \end{pmatrix} , \quad
# A \otimes \tilde h \tilde h^\top = \frac14 \begin{pmatrix} 4 & 2 & -4 & -2 \\ 2 & 1 & -2 & -1 \\ -4 & -2 & 4 & 2 \\ -2 & -1 & 2 & 1 \end{pmatrix} .
# ```
#
# Its norm is $\lVert A\rVert_2 \lVert\tilde h\rVert^2 = \tfrac12 \cdot 5$, its largest diagonal entry is 1. So already for a
# single sample the diagonal says less than half of the truth. What the method keeps of {eq}`eq-dk-hessian` is
#
# ```{math}
# :label: eq-diagonal
# \hat\lambda_i = p_i (1 - p_i)\, (\tilde h_i \odot \tilde h_i)^\top .
# ```
#
# Four properties of the full matrix are exact:
#
# - *Positive semi-definite.* For a direction $V$ put $u = V \tilde h$, the change of the logits. Then
#   $\operatorname{vec}(V)^\top \nabla^2 \ell \operatorname{vec}(V) = u^\top A u = \operatorname{Var}_p(u) \ge 0$.
# - *Label-free.* The curvature of two sets differs only in what the network sees and predicts.
# - *Gauss-Newton.* The logits are linear in $W$, so the second term of the chain rule vanishes.
# - *Fisher information of the model:* $\mathbb E_{y \sim p} (p - y)(p - y)^\top = A$ {cite:p}`martens2020natural`.
#
# Its norm is at most $\tfrac12 \lVert\tilde h\rVert^2$, because no eigenvalue of $A$ exceeds one half.
#
# From here on the network is a small one, trained on handwritten digits, and $T$ is a random sample of its training set.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the network"}
sample, details = curvature_gap.trained_sample(
    "digits", width=16, epochs=10, size=num_samples, seed=seed
)
inputs = curvature.augmented_features(sample.features)
probabilities = sample.logits.softmax(dim=1)
shape = (sample.logits.shape[1], inputs.shape[1])
doubt = 1 - probabilities.max(dim=1).values
unsure = doubt.sort(descending=True, stable=True).indices[:2]  # Hessian far from 0


def loss_of(i, perturbation):
    logits = sample.logits[i] + perturbation @ inputs[i]
    return logits.logsumexp(dim=-1) - logits[..., sample.labels[i]]


# %% [markdown]
# ## The exact norm costs little
#
# $H$ has $c(d+1)$ rows, but its product with a direction needs only the factors,
#
# ```{math}
# :label: eq-dk-product
# H V = \sum_i a_i\, (A_i V \tilde h_i)\, \tilde h_i^\top , \qquad a_i = \tfrac1n - w_i ,
# ```
#
# where $w_i$ is the weight of $i$ in $S$, zero outside. The Lanczos method {cite:p}`lanczos1950` needs nothing but such products.
# $H$ is indefinite, so *both* ends of the spectrum are wanted.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the product"}
show_source(bound.hessian_product)

# %% [markdown]
# At the size of a ResNet-18's last layer it takes less than a second ({doc}`../report/curvature-terms`), so that the norm of *one
# subset* need not be approximated. What the diagonal buys is the step to distances between samples, on which {eq}`eq-craig` and
# the greedy choice rest.
#
# ## First arrow: the diagonal
#
# ```{admonition} Proposition: what a diagonal knows
# :class: important
# **Hypotheses.** $H$ is symmetric.
#
# **Statement.**
#
# $$
# \max_k |H_{kk}| \;\le\; \lVert H\rVert_2 \;\le\; \lVert H\rVert_F , \qquad
# \lVert H\rVert_2 \;\le\; \max_k \sum_l |H_{kl}| .
# $$ (eq-dk-sandwich)
#
# If $H$ is *diagonally dominant*, $|H_{kk}| \ge \sum_{l \ne k} |H_{kl}|$ for each $k$, then $\max_k |H_{kk}| \ge \tfrac12
# \lVert H\rVert_2$.
#
# **Proof.** For the unit vector $\mathbf e_k$, $|H_{kk}| = |\mathbf e_k^\top H \mathbf e_k| \le \lVert H\rVert_2$, which is the largest absolute
# eigenvalue; the squares of all eigenvalues add up to $\lVert H\rVert_F^2$. The last bound is Gershgorin's
# {cite:p}`gershgorin1931`: let $H x = \lambda x$ and let $|x_k|$ be the largest of the $|x_l|$. Row $k$ says $|\lambda|\,
# |x_k| = |\sum_l H_{kl} x_l| \le |x_k| \sum_l |H_{kl}|$. Under dominance each row sum is at most $2 |H_{kk}|$. $\square$
#
# **Used** in check 3: where the ratio is below one half, dominance is refuted.
# ```
#
# **Consequence.** The curvature term of Eq. 6 shrinks when $H$ is replaced by its diagonal, so Eq. 7,
#
# ```{math}
# :label: eq-dk-seven
# \lVert g\rVert_2 + \frac\rho2 \max_k \bigl| \hat\lambda_{T,k} - \hat\lambda_{S,k} \bigr| ,
# ```
#
# is *no upper bound* of the objective, however good an approximation it may be. $H = \begin{pmatrix} 0 & 1 \\ 1 & 0
# \end{pmatrix}$ has norm 1 and diagonal 0, and sets of samples whose Hessians differ like that are easily found. Take two
# classes, $p = \tfrac12$ everywhere, each feature vector once with either label, so that the mean gradients vanish. $T$ has
# the features $(1, 1)$ and $(0, 0)$, $S$ has $(1, 0)$ and $(0, 1)$. Each feature is on equally often in both; whether they
# are on *together* is what the diagonal cannot see.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
def twice(features):
    points = torch.tensor(features, dtype=torch.float64).repeat(2, 1)
    return points, torch.zeros(4, 2, dtype=torch.float64), torch.tensor([0, 0, 1, 1])


blind = bound.set_difference(twice([[1, 1], [0, 0]]), twice([[1, 0], [0, 1]]))
blind_gap = bound.certified_gap(blind, 0.1, generator=generator)
assert (
    bound.gradient_gap(blind).norm() < 1e-15 and bound.largest_diagonal(blind) < 1e-15
)
assert blind_gap.diagonal < 1e-12 < blind_gap.attained <= blind_gap.upper
Markdown(
    f"At $\\rho = 0.1$ Eq. 7 bounds the gap by {blind_gap.diagonal:g}; a perturbation "
    f"attains {blind_gap.attained:.4f}, "
    f"and Theorem 1 of the previous chapter allows {blind_gap.theorem:.4f}."
)

# %% [markdown]
# ```{admonition} A slip in the published proof
# :class: dropdown
# For a *diagonal* $H$ the step is an equality, but appendix A.2 passes through an expression that is linear in $\epsilon$:
#
# $$
# \tfrac12 \max_{\lVert\epsilon\rVert \le \rho} \Bigl|\sum_k \epsilon_k^2 H_{kk}\Bigr| = \tfrac12 \rho^2 \max_k |H_{kk}| ,
# \qquad \text{but} \qquad
# \tfrac12 \rho \max_{\lVert\epsilon\rVert \le \rho} \Bigl|\sum_k \epsilon_k H_{kk}\Bigr| = \tfrac12 \rho^2 \sqrt{\textstyle\sum_k H_{kk}^2} .
# $$ (eq-dk-slip)
#
# The first is meant; the second, by Cauchy and Schwarz, is larger. The ends of the chain are right, its middle is not.
# ```

# %% [markdown]
# ## How much the diagonal keeps
#
# Subsets of the digits are drawn at random and selected by LCMat-S, with equal weights and with cluster sizes for weights. Of
# each we take both ends of the spectrum, the diagonal, the $K$ dimensions and the two safe bounds of {eq}`eq-dk-sandwich`.
# {doc}`../report/curvature-terms` has the same for convolutional networks on real images.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the subsets"}
subsets = curvature_gap.random_subsets(sample, (5, 15, 50, 150), num_subsets, generator)
subsets += curvature_gap.selected_subsets(sample, (0.03, 0.1, 0.3), (0.0, 0.1, 0.5))


def describe(subset):
    difference = bound.subset_difference(*sample, subset.indices, subset.weights)
    ends = bound.hessian_extremes(difference)
    row = curvature_gap.subset_row(sample, subset, difference, ends)
    return {**row, "norm": ends.spectral_norm}


digits = pd.DataFrame([describe(subset) for subset in subsets])

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Dots of five stand-ins divided by the spectral norm on a logarithmic axis, a row for each. Largest diagonal entry and largest of K lie far left of one, the sum over K near one, Frobenius just right of one and Gershgorin further right."}, "figure": {"name": "fig-dk-ratios", "caption": "Each stand-in divided by the spectral norm, one dot for each of the n = 98 subsets of the digits. Left of the line it underestimates the curvature term. Only Frobenius and Gershgorin are on the safe side by a theorem; the sum over K has no side."}}
SURROGATES = {
    "largest_diagonal": "largest diagonal entry",
    "top_k_max": "largest of K",
    "top_k_sum": "sum over K (the method)",
    "frobenius": "Frobenius norm",
    "gershgorin": "Gershgorin",
}
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.2))
jitter = np.random.default_rng(seed)
for row, column in enumerate(SURROGATES):
    heights = row + jitter.uniform(-0.25, 0.25, len(digits))
    ax.scatter(
        digits[column] / digits.norm, heights, s=4, color=figures.BLUE, alpha=0.35
    )
ax.axvline(1, color=figures.BLACK, linewidth=0.8)
ax.set(xscale="log", xlabel="divided by the spectral norm")
ax.set_yticks(range(len(SURROGATES)), list(SURROGATES.values()))
ax.set_ylim(len(SURROGATES) - 0.5, -0.5)
assert len(digits) == 4 * num_subsets + 18
plt.show()

# %% [markdown]
# **Why so little?** The features of a ReLU network are not negative, so all $\tilde h_i$ point roughly the same way. A sum of
# $A_i \otimes \tilde h_i \tilde h_i^\top$ then acts mostly along the mean feature $\bar h$, which collects what all features
# contribute, while a coordinate axis sees one of them. {doc}`../report/curvature-terms` tests this: rotate the features to their
# principal axes, which changes neither the loss nor any ball of perturbations, and the diagonal grows several times although the
# Hessian is the same. **The diagonal belongs to the coordinates, the objective does not.**

# %% [markdown]
# ## Second arrow: K dimensions
#
# The method keeps the set $\mathcal K$ of the $K$ dimensions whose $\hat\lambda_{i,k}$ varies most over the samples of a class
# (paper Eq. 9):
#
# ```{math}
# :label: eq-top-k
# \mathcal K = \operatorname*{arg\,top\text{-}K}_k \; \operatorname{Var}_i \hat\lambda_{i,k} .
# ```
#
# $\max_{k \in \mathcal K} |H_{kk}| \le \max_k |H_{kk}|$, with equality exactly if $\mathcal K$ holds the maximising $k^*$. The
# paper calls the latter "always" true (appendix B.2). No theorem says so, and it does not hold. For the subsets of the
# figure and stored ones of real images, with $\mathcal K$ from all of $T$:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
tables = {"digits": digits}
for name, item in kinds.stored("curvature-gap").items():
    tables[name] = pd.DataFrame(item["rows"]).drop_duplicates("subset")
missed = {name: ~table.top_k_holds_largest for name, table in tables.items()}
lost = {
    name: 1 - (table.top_k_max / table.largest_diagonal).min()
    for name, table in tables.items()
}
assert any(flags.any() for flags in missed.values())
Markdown(
    f"With K = {top_k}, $\\mathcal K$ misses $k^*$ for "
    + ", ".join(f"{f.sum()} of {len(f)} subsets of {n}" for n, f in missed.items())
    + ". A miss costs at most "
    + ", ".join(f"{100 * loss:.0f} % ({name})" for name, loss in lost.items())
    + " of the largest entry."
)

# %% [markdown]
# ## Third arrow: a sum for a maximum
#
# ```{math}
# :label: eq-dk-sum
# \max_{k \in \mathcal K} |H_{kk}| \;\le\; \sum_{k \in \mathcal K} |H_{kk}| \;\le\; K \max_{k \in \mathcal K} |H_{kk}| .
# ```
#
# Two arrows shrink the value, this one makes it grow. *The net effect has no guaranteed sign.* The sum has another virtue: it
# is a norm of the difference of two vectors, so that the triangle inequality of {doc}`05_facility_location` applies to it, and it is
# cheap.
#
# How the sum compares with $\lVert H\rVert_2$ is therefore a matter of counting.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
growth_of_sum = digits.top_k_sum / digits.top_k_max
net = digits.top_k_sum / digits.norm
Markdown(
    f"On {len(digits)} subsets the sum is {growth_of_sum.min():.0f} to {growth_of_sum.max():.0f} times the maximum over "
    f"$\\mathcal K$. It exceeds the spectral norm for {int((net > 1).sum())} of them and falls short for "
    f"{int((net < 1).sum())}; the ratio runs from {net.min():.2f} to {net.max():.2f}."
)

# %% [markdown]
# ## Checks
#
# 1. {eq}`eq-dk-hessian` and {eq}`eq-gradient` equal automatic differentiation, the diagonal also equals second differences of the
#    loss, which know nothing of derivatives, and the Fisher information its sum over labels: all else rests on them.
# 2. Lanczos and a dense eigen-decomposition agree on both ends of the spectrum, for a network narrow enough to form $H$.
# 3. {eq}`eq-dk-sandwich` holds for every subset; these inequalities are theorems, so that one breach is an error in our code. No
#    subset's Hessian difference is diagonally dominant, which is a result.
# 4. {eq}`eq-dk-sum` holds for every subset.

# %% tags=["remove-input"]
story.passed("04_diagonal")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 1: derivatives against automatic differentiation"}
origin = torch.zeros(shape, dtype=torch.float64)
for i in unsure.tolist():
    p = probabilities[i]
    factor = p.diag() - p.outer(p)
    hessian = torch.kron(factor, inputs[i].outer(inputs[i]))
    second = torch.autograd.functional.hessian(
        lambda v, i=i: loss_of(i, v), origin, vectorize=True
    )
    torch.testing.assert_close(
        hessian, second.reshape(hessian.shape), rtol=1e-12, atol=1e-12
    )
    first = torch.func.grad(lambda v, i=i: loss_of(i, v))(origin)
    closed = curvature.per_sample_gradients(*(part[i : i + 1] for part in sample))[0]
    torch.testing.assert_close(closed, first, rtol=1e-12, atol=1e-12)
    steps = 1e-3 * torch.eye(origin.numel(), dtype=torch.float64).view(-1, *shape)
    around = loss_of(i, steps) - 2 * loss_of(i, origin) + loss_of(i, -steps)
    torch.testing.assert_close(around / 1e-6, hessian.diagonal(), rtol=1e-5, atol=1e-8)
    scores = p - torch.eye(shape[0], dtype=torch.float64)
    torch.testing.assert_close(
        scores.T @ (p[:, None] * scores), factor, rtol=1e-12, atol=1e-14
    )
    eigenvalues = torch.linalg.eigvalsh(factor)
    assert eigenvalues.min() > -1e-12 and eigenvalues.max() <= 0.5 + 1e-12

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 2: Lanczos against a dense decomposition"}
narrow, _ = curvature_gap.trained_sample(
    "digits", width=2, epochs=10, size=num_samples, seed=seed
)
narrow_subsets = curvature_gap.random_subsets(narrow, (5, 50), 5, generator)
narrow_subsets += curvature_gap.selected_subsets(narrow, (0.1,), (0.1,))
errors = []
for subset in narrow_subsets:
    difference = bound.subset_difference(*narrow, subset.indices, subset.weights)
    spectrum = torch.linalg.eigvalsh(bound.dense_hessian(difference))
    ends = bound.hessian_extremes(difference)
    exact = float(spectrum.abs().max())
    errors += [
        abs(ends.largest - float(spectrum[-1])) / exact,
        abs(ends.smallest - float(spectrum[0])) / exact,
    ]
assert len(spectrum) >= bound.spectrum.SMALLEST_LANCZOS_SIZE and max(errors) < 1e-8

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: the inequalities of the proposition"}
assert (digits.top_k_max <= digits.largest_diagonal * (1 + 1e-8)).all()
assert (digits.largest_diagonal <= digits.norm * (1 + 1e-8)).all()
assert (digits.norm <= digits[["frobenius", "gershgorin"]].min(axis=1) * 1.000001).all()
assert (digits.largest_diagonal < digits.norm / 2).all()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 4: the sum lies between the maximum and K times it"}
assert growth_of_sum.between(1 - 1e-9, top_k * (1 + 1e-8)).all()

# %% [markdown]
# ## Take-away
#
# - **Shown:** the closed form {eq}`eq-dk-hessian`; the exact norm is cheap for one subset; no Hessian difference measured here is
#   diagonally dominant, because all features share one direction, so the curvature term of Eq. 7 is a small part of the true
#   one; summing over $\mathcal K$ makes up for it by an amount that no theorem fixes.
# - **Shown:** that $\mathcal K$ always holds $k^*$ is refuted by the counts above.
# - **Not shown:** anything about the layers below. Real images: {doc}`../report/curvature-terms`.
# - **Differs from the paper:** exact norms beside the diagonal; the middle of the chain in A.2.
#
# The next question is whether any of this changes which samples are chosen: {doc}`04b_coreset`.
#
# ## Exercises
#
# **1.** How small can $\max_k |H_{kk}| / \lVert H\rVert_2$ be for a positive semi-definite matrix of $N$ rows?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# The norm is at most the trace, the trace at most m times the largest entry: 1/m. Equal features attain it.
ones = torch.ones(50, 50, dtype=torch.float64)
ratio = float(ones.diagonal().max() / torch.linalg.matrix_norm(ones, 2))
assert abs(ratio - 1 / len(ones)) < 1e-12

# %% [markdown]
# **2.** Break the Gershgorin bound: sum the rows of $H$ with their signs, and watch check 3 fail. Why are all sums of blocks
# zero?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# A 1 = 0: adding a constant to all logits changes nothing, so over the classes the blocks cancel.
difference = bound.subset_difference(*narrow, narrow_subsets[0].indices)
signed = bound.dense_hessian(difference).sum(dim=1).abs().max()
exact = bound.hessian_extremes(difference).spectral_norm
try:
    assert signed >= exact
except AssertionError:
    print(f"the check fails, as it should: {float(signed):.1e} is below {exact:.4f}")
else:
    raise RuntimeError("signed row sums passed for a bound")
