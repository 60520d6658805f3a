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
# The bound of {doc}`03_upper_bound` ends with the curvature term: half the radius times the spectral norm of the difference of
# two mean Hessians, that of the training set and that of the coreset. The method never computes this norm. It takes three
# more steps, here drawn as arrows: from the matrix to its diagonal, from there to the dimensions of {eq}`eq-top-k`, and from
# a maximum to a sum. With $H$ for the difference of the Hessians:
#
# ```{math}
# :label: eq-dk-chain
# \lVert H\rVert_2 \;\overset{\ge}{\longrightarrow}\; \max_k |H_{kk}|
#   \;\overset{\ge}{\longrightarrow}\; \max_{k \in \mathcal K} |H_{kk}|
#   \;\overset{\le}{\longrightarrow}\; \sum_{k \in \mathcal K} |H_{kk}| .
# ```
#
# Two arrows make the value smaller and one makes it larger, so **the result is neither an upper nor a lower bound** of where it began. The picture shows the first
# arrow in the plane of the model with two parameters: the curvature is largest in a direction between the axes, and the diagonal, which looks along the axes only,
# turns it into one of them and makes it smaller.
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
from lcmat.config.datasets import DATASETS
from lcmat.measurements import curvature_gap, kinds
from lcmat.report import figures
from lcmat.report.stand_ins import draw_sizes

figures.use_style()
top_k = curvature_gap.TOP_K  # the paper's
generator = torch.Generator().manual_seed(seed)
example = toy.running_example()
item = bound.subset_difference(*example.sample, example.chosen)
hessians = toy.sample_hessians(example.features, example.theta)
bends = torch.einsum("i,ikl->kl", item.coefficients, hessians)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Two discs of the parameter plane coloured by a quadratic form. With the whole matrix the steepest direction, a dotted line, is oblique; with the diagonal alone it is the vertical axis, and the colours are paler. At the right the curvature against the angle of the direction: the curve of the whole matrix rises to the spectral norm between the axes, that of the diagonal has its highest point at an axis and stays below the norm. They meet at the axes, where two dots mark the diagonal entries."}, "figure": {"name": "fig-dk-axes", "caption": "The two-parameter model with n = 40 samples and a random subset of m = 6. Left and middle: the quadratic form of the Hessian difference H and of its diagonal over the disc of unit radius, in the same colours, purple positive and orange negative; dotted, the direction in which it is largest in absolute value. Right: the absolute curvature along each direction. The dots are the diagonal entries, the curvatures along the axes; the line is the spectral norm. No dot can lie above the line."}}
angles = torch.linspace(0, torch.pi, 181, dtype=torch.float64)
directions = torch.stack([angles.cos(), angles.sin()], dim=1)
plane = toy.disc(1.0, rings=20, spokes=90)
norm, axes = float(torch.linalg.matrix_norm(bends, 2)), bends.diagonal().abs()
levels = np.linspace(-norm, norm, 14)
figure, panels = plt.subplots(1, 3, figsize=(figures.WIDE_INCHES, 2.5))
looks = ((bends, "H", "-"), (bends.diagonal().diag(), "diagonal", "--"))
for ax, (matrix, name, line) in zip(panels, looks, strict=False):
    ax.tricontourf(*plane.T, ((plane @ matrix) * plane).sum(1), levels, cmap="PuOr")
    values, vectors = torch.linalg.eigh(matrix)
    lead = vectors[:, values.abs().argmax()]
    ax.plot(*torch.stack([-lead, lead]).T, ":", color=figures.BLACK)
    ax.set(title=name, aspect="equal", xlabel="slope − θ₁")
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    along = ((directions @ matrix) * directions).sum(dim=1).abs()
    panels[2].plot(angles.rad2deg(), along, line, color=figures.BLUE, label=name)
panels[0].set_ylabel("offset − θ₂")
panels[2].plot([0, 90], axes, "o", color=figures.VERMILLION, label="entries")
panels[2].axhline(norm, color=figures.BLACK, linewidth=0.8, label="norm")
panels[2].set(title="|curvature|", xlabel="direction (degrees)", ylim=(0, 1.6 * norm))
panels[2].set_xticks(range(0, 181, 45))
panels[2].legend(ncols=2, fontsize=7)
plt.show()

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
model = bound.certified_gap(item, 1.0, generator=torch.Generator().manual_seed(seed))
assert model.diagonal < model.attained
Markdown(
    f"Along the axes of the plane the largest curvature is {axes.max():.3f}, and the norm is {norm:.3f}. The method takes the diagonal in "
    "the $2 \\times 2$ weights of the layer, of which only the difference of the rows counts; there each entry is half of that in the "
    f"plane, and the largest is {bound.largest_diagonal(item):.3f}. With it the bound at the radius 1 becomes {model.diagonal:.4f}, and a "
    f"perturbation attains {model.attained:.4f}: **with the diagonal there is no bound, even in this model.**"
)

# %% [markdown]
# ## The Hessian of the last layer
#
# Only the last layer is perturbed, so all that follows underestimates the worst case over all parameters. The gradient of one sample is {eq}`eq-gradient`, $(p - y)\,
# \tilde h^\top$. Differentiate once more: the label is constant, and $\partial p_y / \partial z_{y'} = p_y (\mathbf 1[y = y'] - p_{y'})$ for any two classes. So with
# $A = \operatorname{diag} p - p p^\top$
#
# ```{math}
# :label: eq-dk-hessian
# \nabla^2 \ell = A \otimes \tilde h \tilde h^\top , \qquad
# \frac{\partial^2 \ell}{\partial W_{yk}\, \partial W_{y'l}} = A_{yy'}\, \tilde h_k \tilde h_l .
# ```
#
# The *Kronecker product* $A \otimes \tilde h \tilde h^\top$ is the matrix of the blocks $A_{yy'}\, \tilde h \tilde h^\top$. Write the rows of a matrix $V$ of the shape
# of $W$ one below another, $\operatorname{vec} V$; then $(A \otimes \tilde h \tilde h^\top) \operatorname{vec} V = \operatorname{vec}(A V \tilde h \tilde h^\top)$. For
# two classes with $p = (\tfrac12, \tfrac12)$ and $\tilde h = (2, 1)$,
#
# ```{math}
# :label: eq-dk-example
# A = \frac14 \begin{pmatrix} 1 & -1 \\ -1 & 1 \end{pmatrix} , \quad
# \tilde h \tilde h^\top = \begin{pmatrix} 4 & 2 \\ 2 & 1 \end{pmatrix} , \quad
# A \otimes \tilde h \tilde h^\top = \frac14 \begin{pmatrix} 4 & 2 & -4 & -2 \\ 2 & 1 & -2 & -1 \\ -4 & -2 & 4 & 2 \\ -2 & -1 & 2 & 1 \end{pmatrix} .
# ```
#
# The norm of this product is $\lVert A\rVert_2 \lVert\tilde h\rVert^2 = \tfrac12 \cdot 5$, and its largest diagonal entry is 1: already for a single sample the
# diagonal shows less than half of the curvature. The method keeps this diagonal of {eq}`eq-dk-hessian`, where $\odot$ multiplies entry by entry:
#
# ```{math}
# :label: eq-diagonal
# \hat\lambda_i = p_i (1 - p_i)\, (\tilde h_i \odot \tilde h_i)^\top .
# ```
#
# The full matrix of one sample is positive semi-definite: for a direction $V$ put $u = V \tilde h$, the change of the logits; then the curvature along $V$ is $u^\top A
# u = \operatorname{Var}_p(u) \ge 0$. It contains no label, so the curvatures of two sets differ only in what the network sees and predicts. And it is the Fisher
# information of the model, $\mathbb E_{y \sim p} (p - y)(p - y)^\top = A$ {cite:p}`martens2020natural`, to which {doc}`06_gradient_variance` returns. Its norm is at
# most $\tfrac12 \lVert\tilde h\rVert^2$, because no eigenvalue of $A$ exceeds one half.
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
# where $w_i$ is the weight of $i$ in $S$, zero outside. The Lanczos method {cite:p}`lanczos1950` finds the extreme eigenvalues from such products alone. $H$ is
# indefinite, so *both* ends of the spectrum are wanted.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the product"}
show_source(bound.hessian_product)

# %% [markdown]
# At the size of a ResNet-18's last layer this takes less than a second ({doc}`../report/curvature-terms`), so that the norm of *one subset* need not be approximated.
# What the diagonal buys is the step to distances between samples, on which {eq}`eq-craig` and the greedy choice rest.
#
# ## First arrow: the diagonal
#
# A diagonal entry is the curvature along one axis, and the norm is the largest curvature along any direction. So the diagonal cannot exceed the norm; how far it may
# fall below depends on what stands beside it.
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
# If $H$ is *diagonally dominant*, $|H_{kk}| \ge \sum_{l \ne k} |H_{kl}|$ for each $k$, then $\max_k |H_{kk}| \ge \tfrac12 \lVert H\rVert_2$.
#
# **Proof.** For the unit vector $\mathbf e_k$, $|H_{kk}| = |\mathbf e_k^\top H \mathbf e_k| \le \lVert H\rVert_2$, which is the largest absolute eigenvalue; the
# squares of all eigenvalues add up to $\lVert H\rVert_F^2$. The last bound is Gershgorin's {cite:p}`gershgorin1931`: let $H x = \lambda x$ and let $|x_k|$ be the
# largest of the $|x_l|$. By row $k$, $|\lambda|\, |x_k| = |\sum_l H_{kl} x_l|$ is at most $|x_k| \sum_l |H_{kl}|$. Under dominance each row sum is at most $2
# |H_{kk}|$. $\square$
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
# with $\hat\lambda_T$ and $\hat\lambda_S$ the (weighted) means of the diagonals, is *no upper bound* of the objective, however good an approximation it may be. The
# matrix $\begin{pmatrix} 0 & 1 \\ 1 & 0 \end{pmatrix}$ has norm 1 and diagonal 0, and sets of samples whose Hessians differ like that are easily found. Take two
# classes, $p = \tfrac12$ everywhere, each feature vector once with either label, so that the mean gradients vanish. $T$ has the features $(1, 1)$ and $(0, 0)$, $S$ has
# $(1, 0)$ and $(0, 1)$. Each feature is on equally often in both; whether they are on *together* is what the diagonal cannot see.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
def twice(features):
    points = torch.tensor(features, dtype=torch.float64).repeat(2, 1)
    return points, torch.zeros(4, 2, dtype=torch.float64), torch.tensor([0, 0, 1, 1])


blind = bound.set_difference(twice([[1, 1], [0, 0]]), twice([[1, 0], [0, 1]]))
blind_gap = bound.certified_gap(blind, 0.1, generator=generator)
assert max(bound.gradient_gap(blind).norm(), bound.largest_diagonal(blind)) < 1e-15
assert blind_gap.diagonal < 1e-12 < blind_gap.attained <= blind_gap.upper
Markdown(
    f"At $\\rho = 0.1$ Eq. 7 bounds the gap by {blind_gap.diagonal:g}; a perturbation attains {blind_gap.attained:.4f}, "
    f"and Theorem 1 of the previous chapter allows {blind_gap.theorem:.4f}."
)

# %% [markdown]
# ```{admonition} A slip in the published proof
# :class: dropdown
# For a *diagonal* $H$ the step is an equality, but appendix A.2 passes through an expression that is linear in $\epsilon$:
#
# $$
# & \tfrac12 \max_{\lVert\epsilon\rVert \le \rho} \Bigl|\sum_k \epsilon_k^2 H_{kk}\Bigr| = \tfrac12 \rho^2 \max_k |H_{kk}| , \qquad \text{but} \\
# & \tfrac12 \rho \max_{\lVert\epsilon\rVert \le \rho} \Bigl|\sum_k \epsilon_k H_{kk}\Bigr| = \tfrac12 \rho^2 \sqrt{\textstyle\sum_k H_{kk}^2} .
# $$ (eq-dk-slip)
#
# The first is meant; the second, by Cauchy and Schwarz, is larger. The ends of the chain are right, its middle is not.
# ```
#
# ## How much the diagonal keeps
#
# Subsets of the digits are drawn at random or chosen by LCMat-S, the paper's method of selection, with equal weights and with *cluster sizes* for weights, the number
# of samples nearest to each chosen one. Of each we take both ends of the spectrum, the diagonal, the $K$ dimensions of the next section and the two safe bounds of
# {eq}`eq-dk-sandwich`. {doc}`../report/curvature-terms` has the same for convolutional networks on real images.

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
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.2))
draw_sizes(ax, digits, np.random.default_rng(seed))
assert len(digits) == 4 * num_subsets + 18
plt.show()

# %% [markdown]
# **Why so little?** The features of a ReLU network are not negative, so all $\tilde h_i$ point roughly the same way. A sum of $A_i \otimes \tilde h_i \tilde h_i^\top$
# then acts mostly along the mean feature $\bar h$, which collects what all features contribute, while a coordinate axis sees one of them.
# {doc}`../report/curvature-terms` tests this: rotate the features to their principal axes, which changes neither the loss nor any ball of perturbations, and the
# diagonal grows several times although the Hessian is the same. **The diagonal belongs to the coordinates, the objective does not.**
#
# ## Second arrow: K dimensions
#
# The method keeps the set $\mathcal K$ of the $K$ dimensions whose $\hat\lambda_{i,k}$ varies most over the samples of a class (paper Eq. 9):
#
# ```{math}
# :label: eq-top-k
# \mathcal K = \operatorname*{arg\,top\text{-}K}_k \; \operatorname{Var}_i \hat\lambda_{i,k} .
# ```
#
# The largest entry in $\mathcal K$ is at most the largest of all, and equal to it exactly if $\mathcal K$ holds the maximising dimension $k^*$. The paper says that it
# "always" does (appendix B.2). No theorem says so, and it does not hold for all subsets of the figure, nor for stored ones of real images. Here $\mathcal K$ is taken
# from all of $T$:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
tables = {"digits": digits}
for name, item in kinds.stored("curvature-gap").items():
    rows = pd.DataFrame(item["rows"]).drop_duplicates("subset")
    tables[DATASETS[name].title] = rows
missed = {name: ~table.top_k_holds_largest for name, table in tables.items()}
lost = {
    name: 1 - (table.top_k_max / table.largest_diagonal).min()
    for name, table in tables.items()
}
assert any(flags.any() for flags in missed.values())
Markdown(
    f"With K = {top_k}, $\\mathcal K$ misses $k^*$ for "
    + ", ".join(f"{f.sum()} of {len(f)} subsets ({n})" for n, f in missed.items())
    + ". A miss costs at most "
    + ", ".join(f"{100 * loss:.0f} % ({name})" for name, loss in lost.items())
    + " of the largest entry."
)

# %% [markdown]
# ## Third arrow: a sum for a maximum
#
# In the place of the largest entry in $\mathcal K$ the method puts the sum of all $K$, which is larger:
#
# ```{math}
# :label: eq-dk-sum
# \max_{k \in \mathcal K} |H_{kk}| \;\le\; \sum_{k \in \mathcal K} |H_{kk}| \;\le\; K \max_{k \in \mathcal K} |H_{kk}| .
# ```
#
# Two arrows shrink the value, and this one makes it grow. The sum is a norm of the difference of two vectors, so that the triangle inequality of
# {doc}`05_facility_location` applies to it, and it is cheap. But *the net effect has no guaranteed sign*, so how the sum compares with $\lVert H\rVert_2$ is a matter
# of counting.

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
# 1. The closed forms {eq}`eq-dk-hessian` and {eq}`eq-gradient` equal automatic differentiation, the diagonal also equals second
#    differences of the loss, and the Fisher information its sum over labels. All else rests on them.
# 2. Lanczos and a dense eigen-decomposition agree on both ends of the spectrum, for a network narrow enough to form $H$.
# 3. The inequalities {eq}`eq-dk-sandwich` hold for every subset; they are theorems, so that one breach is an error in our code. No
#    subset's Hessian difference is diagonally dominant, which is a result.
# 4. The inequalities {eq}`eq-dk-sum` hold for every subset.

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
    both = ends.largest - spectrum[-1], ends.smallest - spectrum[0]
    errors += [abs(float(each)) / exact for each in both]
assert len(spectrum) >= bound.spectrum.SMALLEST_LANCZOS_SIZE and max(errors) < 1e-8

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 3: the proposition. Check 4: sum and maximum"}
assert (digits.top_k_max <= digits.largest_diagonal * (1 + 1e-8)).all()
assert (digits.largest_diagonal <= digits.norm * (1 + 1e-8)).all()
assert (digits.norm <= digits[["frobenius", "gershgorin"]].min(axis=1) * 1.000001).all()
assert (digits.largest_diagonal < digits.norm / 2).all()
assert growth_of_sum.between(1 - 1e-9, top_k * (1 + 1e-8)).all()

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
kept = 100 * digits.largest_diagonal / digits.norm
Markdown(
    f"- **Shown:** on the digits the largest diagonal entry is {kept.min():.0f} to {kept.max():.0f} % of the norm (median "
    f"{kept.median():.0f} %), because all features share one direction. The sum over $\\mathcal K$ makes up for it, to "
    f"{net.min():.1f} to {net.max():.1f} times the norm; no theorem fixes by how much.\n"
    f"- **Shown:** $\\mathcal K$ does not always hold $k^*$; it misses it for {sum(f.sum() for f in missed.values())} of "
    f"{sum(map(len, missed.values()))} subsets of {len(tables)} data sets.\n"
    "- **Not shown:** anything about the layers below. Real images are in {doc}`../report/curvature-terms`.\n"
    "- **Differs from the paper:** exact norms stand beside the diagonal, and the middle of the chain in A.2 is corrected."
)

# %% [markdown]
# The next question is whether any of this changes which samples are chosen: {doc}`04b_coreset`.
#
# ## Exercises
#
# **1.** How small can $\max_k |H_{kk}| / \lVert H\rVert_2$ be for a positive semi-definite matrix of $N$ rows?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# The norm is at most the trace, the trace at most N times the largest entry: 1/N. Equal features attain it.
ones = torch.ones(50, 50, dtype=torch.float64)
ratio = float(ones.diagonal().max() / torch.linalg.matrix_norm(ones, 2))
assert abs(ratio - 1 / len(ones)) < 1e-12

# %% [markdown]
# **2.** Break the Gershgorin bound: sum the rows of $H$ with their signs, and watch check 3 fail. Why are all sums of blocks zero?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# A 1 = 0: adding a constant to all logits changes nothing, so over the classes the blocks cancel.
difference = bound.subset_difference(*narrow, narrow_subsets[0].indices)
signed = bound.dense_hessian(difference).sum(dim=1).abs().max()
exact = bound.hessian_extremes(difference).spectral_norm
if signed >= exact:
    raise RuntimeError("signed row sums passed for a bound")
print(f"the check fails, as it should: {float(signed):.1e} is below {exact:.4f}")
