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
# # The gradient-matching family in one notation
#
# ```{admonition} What this chapter reproduces
# :class: note
# - **Paper:** sections 2 and 3.3 of {cite:t}`shin2023lcmat`: the baselines Craig, GradMatch, Glister and AdaCore, and the
#   ablation of LCMat-S at $\rho = 0$.
# - **Cost:** less than half a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/selection/02_gradient_matching.ipynb out.ipynb -p epochs 5`.
# - **Launch or download:** the rocket and the arrow at the top of the page. In Colab, first install the package:
#   `pip install git+https://github.com/lcmat-reproduction/lcmat`.
# ```
#
# ## Claim
#
# Four methods and LCMat-S without curvature ask for the same thing, a small set whose gradients stand for those of the
# whole class. They differ in three choices: in which norm, with which weights, and by which relaxation the error is made
# small. LCMat-S at $\rho = 0$ *is* Craig on the gradients of the last layer's parameters.
#
# **What would count as failing**, and is checked on this page:
#
# 1. LCMat-S at $\rho = 0$ and Craig on last-layer gradients differ in one choice or one weight;
# 2. a method of the package differs from a plain implementation that shares no code with it;
# 3. one weighted set has a larger gradient error than its assignment bound allows;
# 4. a method does not beat random draws in *its own* objective;
# 5. it does not beat them in the gradient error itself. This one may fail, with weights or without, and is counted.

# %% tags=["parameters"]
num_networks = 5
epochs = 3
late_epochs = 10
fraction = 0.1
num_draws = 20

# %% tags=["hide-cell"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown
from scipy.optimize import nnls
from sklearn.linear_model import Ridge, orthogonal_mp_gram

from lcmat import figures, select, training
from lcmat.blocks import symmetric_matrix
from lcmat.curvature import LastLayer, gradient_distances, per_sample_gradients
from lcmat.experiments import curvature_gap
from lcmat.literate import show_source
from lcmat.omp import orthogonal_matching_pursuit
from lcmat.selection.adacore import preconditioned_distance_blocks
from lcmat.selection.craig import craig
from lcmat.selection.glister import ascend
from lcmat.selection.gradmatch import match
from lcmat.submodular import cluster_sizes

figures.use_style()

# %% [markdown]
# ## One notation
#
# One class at a time. The rows of $G \in \mathbb R^{n \times q}$ are the last layer's gradients $g_i = r_i \tilde h_i^\top$
# of its $n$ samples, flattened, with $r_i = p_i - y_i$; the target is their sum $b = G^\top 1$. A coreset is a vector of
# weights $w \ge 0$ with at most $m$ entries that are not zero:
#
# ```{math}
# :label: eq-gm-problem
# \min_{w \ge 0,\; |\operatorname{supp} w| \le m} \; \bigl\lVert G^\top (1 - w) \bigr\rVert .
# ```
#
# Without the bound on the support $w = 1$ solves it; with it the problem is NP-hard. Each method relaxes it.
#
# **Assignment** (Craig {cite:p}`mirzasoleiman2020craig`, LCMat-S at $\rho = 0$). Restrict $w$ to the cluster sizes of a map
# to the chosen samples, and bound the norm of the sum by the sum of norms, {eq}`eq-fl-assignment`:
#
# ```{math}
# :label: eq-gm-assignment
# \bigl\lVert G^\top (1 - \gamma(S)) \bigr\rVert \;\le\; \sum_i \min_{j \in S} \lVert g_i - g_j\rVert .
# ```
#
# Craig's section on deep networks goes one step further and replaces the distance of gradients by that of the residuals.
# With both terms of the triangle inequality,
#
# ```{math}
# :label: eq-gm-residuals
# \lVert g_i - g_j\rVert \;\le\; \lVert\tilde h_i\rVert\, \lVert r_i - r_j\rVert
#   + \lVert r_j\rVert\, \lVert\tilde h_i - \tilde h_j\rVert ,
# ```
#
# of which the method keeps the first, without its factor.
#
# **Preconditioned assignment** (AdaCore {cite:p}`pooladzandi2022adacore`). The same with $u_i = g_i / (\hat\lambda_i +
# \delta)$, entry by entry, in place of $g_i$. It bounds the error of $\sum_i u_i$. As each sample has a preconditioner of its
# own, no norm of the gradient's error follows from it.
#
# **Sparse regression** (GradMatch {cite:p}`killamsetty2021gradmatch`). Keep $w$ free and square the norm. A ridge keeps
# weights from growing, and orthogonal matching pursuit picks the support:
#
# ```{math}
# :label: eq-gm-regression
# \min_{w \ge 0,\; |\operatorname{supp} w| \le m} \;
#   \bigl\lVert G^\top (1 - w) \bigr\rVert_2^2 + \mu \lVert w\rVert_2^2 .
# ```
#
# **One-step gain** (Glister {cite:p}`killamsetty2021glister`). The loss $L$ of the judges, validation or training samples,
# after one step on the chosen ones, $s = \sum_{j \in S} g_j$. With gradient $\bar g$ and Hessian $\bar H$ of $L$, to second
# order in $\eta$,
#
# ```{math}
# :label: eq-gm-newton
# L(\theta - \eta s) \;\approx\; L(\theta) - \eta\, \bar g^\top s + \tfrac{\eta^2}{2}\, s^\top \bar H s
#   \;=\; \tfrac12 \bigl\lVert \eta s - \bar H^{+} \bar g \bigr\rVert_{\bar H}^2 + \text{const} ,
# ```
#
# where $\bar H^+$ is the pseudo-inverse: $\bar g$ lies in the range of $\bar H$, as each $r_i \tilde h_i^\top$ lies in that of
# its own Hessian. *So Glister is gradient matching too:* the chosen gradients, all with the weight $\eta$, should add up to
# the judges' Newton step. With $I / (\eta n)$ in place of $\bar H$, and the training samples as judges, the norm becomes
# $\tfrac{\eta}{2n} \lVert s - b\rVert^2$: {eq}`eq-gm-regression` with weights that are 0 or 1.

# %% tags=["hide-input"]
family_table = pd.DataFrame(
    [
        ["Craig", "p − y alone", "cluster sizes", "sum of norms", "greedy, 1 − 1/e"],
        [
            "LCMat-S, ρ = 0",
            "last layer's gradient",
            "cluster sizes",
            "sum of norms",
            "greedy, 1 − 1/e",
        ],
        [
            "AdaCore",
            "gradient / damped Hessian diagonal",
            "cluster sizes",
            "sum of norms",
            "greedy, 1 − 1/e",
        ],
        [
            "GradMatch",
            "last layer's gradient",
            "free, not negative",
            "ridge on the weights",
            "matching pursuit",
        ],
        [
            "Glister",
            "last layer's gradient, Hessian norm",
            "equal",
            "Taylor, first order per choice",
            "greedy",
        ],
    ],
    columns=["method", "what is matched", "weights", "relaxation", "solver"],
)
GT(family_table, rowname_col="method", id="gm-family").tab_header(
    title="Who approximates what",
    subtitle="1 − 1/e is guaranteed for the facility-location function, not for the error",
)

# %% [markdown]
# ## The few lines of each
#
# Craig and AdaCore end in the facility location of {doc}`../derivation/05_facility_location`; the distance is what differs.

# %% tags=["hide-input"]
show_source(craig, preconditioned_distance_blocks)

# %% [markdown]
# GradMatch never forms $G$: a product of two gradients is one of residuals times one of features. The weights that
# matching pursuit finds are scaled to the sum $n$, as in every coreset of this package. This scaling will matter.

# %% tags=["hide-input"]
show_source(match, orthogonal_matching_pursuit)

# %% [markdown]
# Glister takes the best product with the judges' gradient, moves the judges' last layer, and looks again.

# %% tags=["hide-input"]
show_source(ascend)

# %% [markdown]
# ## Networks to look through
#
# Small networks trained on the handwritten digits from different initial weights, each looked at early, when it still
# errs, and late, when it fits almost every image.


# %%
def view(seed, epochs):
    """What a trained network's last layer sees of the training set, and its weights."""
    network, splits, _ = curvature_gap.trained_network(
        "digits", width=8, epochs=epochs, seed=seed
    )
    layer, labels = network.classifier, splits.train.labels
    weight = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().double()
    features = training.embed(network, splits.train).features.double()
    logits = features @ weight[:, :-1].T + weight[:, -1]
    return LastLayer(features, logits, labels), weight


looks = {
    age: [view(seed, age) for seed in range(num_networks)]
    for age in (epochs, late_epochs)
}
samples = {age: [sample for sample, _ in part] for age, part in looks.items()}

# %% tags=["hide-input"]
right = {
    age: [float((s.logits.argmax(1) == s.labels).double().mean()) for s in samples[age]]
    for age in samples
}
Markdown(
    f"{num_networks} networks. Share of the training images classified correctly: "
    + "; ".join(
        f"{min(shares):.1%} to {max(shares):.1%} after {age} epochs"
        for age, shares in right.items()
    )
    + ". What follows is about the early networks where no epoch is named."
)

# %% [markdown]
# ## Checks against plain implementations
#
# A little class: the first 25 images of the threes. Gradients and Hessian diagonals come from automatic differentiation of
# the loss, distances from subtraction, and the choice from loops.

# %%
sample, weight = looks[epochs][0]
threes = (sample.labels == 3).nonzero().flatten()[:25]
little = LastLayer(*(part[threes] for part in sample))


def losses(w, part=little):
    logits = part.features @ w[:, :-1].T + w[:, -1]
    return torch.nn.functional.cross_entropy(logits, part.labels, reduction="none")


dense = torch.func.jacrev(losses)(weight).flatten(1)  # one row for each sample
curvature = torch.stack(
    [
        torch.func.hessian(lambda w, i=i: losses(w)[i])(weight)
        .reshape(dense.shape[1], -1)
        .diagonal()
        for i in range(len(threes))
    ]
)


# %%
def plain_greedy(distances, size):
    chosen = []
    for _ in range(size):
        free = [j for j in range(len(distances)) if j not in chosen]
        costs = [distances[:, [*chosen, j]].min(dim=1).values.sum() for j in free]
        chosen.append(free[int(np.argmin(costs))])
    return chosen


def plain_distances(vectors):
    return (vectors[:, None] - vectors).square().sum(-1).sqrt()


only_bias = dense.reshape(len(threes), *weight.shape)[:, :, -1]  # p - y
preconditioned = dense / (curvature + 0.1 * curvature.mean())
by_hand = {
    ("craig", "logits"): plain_distances(only_bias),
    ("craig", "last-layer"): plain_distances(dense),
    ("adacore", None): plain_distances(preconditioned),
}
for (name, gradients), distances in by_hand.items():
    options = {"gradients": gradients} if gradients else {}
    ours = select(name, *little, size=10, **options).indices.tolist()
    assert ours == plain_greedy(distances, 10), (name, gradients)

# %% [markdown]
# **GradMatch.** A loop that solves each ridge regression anew with scikit-learn; scikit-learn's own matching pursuit without
# ridge, which takes either sign, so that both methods are offered each gradient with both; and for the final weights the
# conditions of Karush, Kuhn and Tucker, which only the minimum over $w \ge 0$ fulfils.


# %%
def plain_pursuit(rows, target, size, ridge):
    chosen, residual = [], target
    for _ in range(size):
        products = rows @ residual
        products[chosen] = -np.inf
        chosen.append(int(np.argmax(products)))
        model = Ridge(alpha=ridge, fit_intercept=False, solver="cholesky")
        residual = target - model.fit(rows[chosen].T, target).coef_ @ rows[chosen]
    return chosen


def pursue(rows, size, ridge, target=None):
    target = rows.sum(0) if target is None else target
    gram = rows @ rows.T
    return orthogonal_matching_pursuit(
        gram.__getitem__, gram.diagonal(), rows @ target, size, ridge=ridge
    )


# %%
rows, total = dense.numpy(), dense.numpy().sum(axis=0)
for ridge in (0.5, 50.0):
    ours = select("gradmatch", *little, size=10, ridge=ridge).indices.tolist()
    assert ours == plain_pursuit(rows, total, 10, ridge)

signed = torch.cat([dense, -dense])
path = orthogonal_mp_gram(
    rows @ rows.T, rows @ total, n_nonzero_coefs=10, return_path=True
)
support = set(np.flatnonzero(path[:, -1]).tolist())
both_signs = pursue(signed, 10, 0.0, dense.sum(0)).indices % len(threes)
assert set(both_signs.tolist()) == support

pursuit = pursue(dense, 10, 0.5)
picked = dense[pursuit.indices]
slope = picked @ (dense.sum(0) - pursuit.weights @ picked) - 0.5 * pursuit.weights
scale = float((picked @ dense.sum(0)).abs().max())
assert (slope <= 1e-9 * scale).all()
assert (slope[pursuit.weights > 0].abs() <= 1e-9 * scale).all()

# %% [markdown]
# **Glister.** The loss of the class after one step, differentiated automatically. The derivative along each candidate's step
# is its gain, the largest one is the choice, and the quadratic model is a distance from the Newton step,
# {eq}`eq-gm-newton`.

# %%
eta = 0.01
coreset = select("glister", *little, size=10, eta=eta)
moved, left = weight.clone(), list(range(len(threes)))
mean_loss = lambda w: losses(w).mean()  # noqa: E731
for index, gain in zip(coreset.indices.tolist(), coreset.gains, strict=True):
    slope = torch.func.grad(mean_loss)(moved).flatten()
    gains = eta * dense[left] @ slope
    assert left[int(gains.argmax())] == index
    torch.testing.assert_close(gains.max(), gain, rtol=1e-9, atol=1e-12)
    moved -= eta * dense[index].reshape(weight.shape)
    left.remove(index)

# %%
size = weight.numel()
hessian = torch.func.hessian(mean_loss)(weight).reshape(size, size)
mean_gradient, step = dense.mean(0), eta * dense[coreset.indices].sum(0)
newton = torch.linalg.pinv(hessian, rtol=1e-10, hermitian=True) @ mean_gradient
# The range holds the gradient: then the square can be completed.
assert (hessian @ newton - mean_gradient).norm() < 1e-5 * mean_gradient.norm()
away = step - newton
model = -mean_gradient @ step + step @ hessian @ step / 2
completed = (away @ hessian @ away - newton @ hessian @ newton) / 2
torch.testing.assert_close(model, completed, rtol=1e-5, atol=1e-9)
