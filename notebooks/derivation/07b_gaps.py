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
# # Six gaps in the proof of Theorem 3.4
#
# The theorem of {doc}`07_generalisation` replaces a printed one whose proof has six gaps. A gap may be harmless: the step could hold for another reason. So each is shown by
# a computation in which the step fails, on a **population that is known**: a few hundred handwritten digits, from which training sets are drawn. The picture is gap (d): along a
# random direction the loss difference of two sets grows without bound, so that "the largest loss outside the ball" is infinite. On the same population the repaired theorem
# holds, and the difference it bounds is far smaller than its bound.
#
# ```{admonition} What this chapter reproduces
# :class: note dropdown
# - **Paper:** the proof of Theorem 3.4 and Corollary 3.5 of {cite:t}`shin2023lcmat`, Eq. 34 to 55 of its appendix A.
# - **Cost:** about half a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/07b_gaps.ipynb out.ipynb -p seed 1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["remove-input"]
from lcmat.book import story

story.here("07b_gaps")

# %% tags=["parameters", "hide-cell"] mystnb={"code_prompt_show": "Show the parameters"}
seed = 0
num_samples = 200
num_draws = 200
delta = 0.05
largest_loss = 10.0

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the set-up"}
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown
from scipy.stats import chi2
from torch.nn.functional import cross_entropy

from lcmat import bound, curvature, data, models, training
from lcmat.bound.pac_bayes import ball_radius, pac_bayes_gap
from lcmat.report import figures
from lcmat.selection import select

figures.use_style()

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the population"}
train_set, _ = data.load("digits")
generator = torch.Generator().manual_seed(seed)
order = torch.randperm(len(train_set), generator=generator)
other, population = train_set.subset(order[:700]), train_set.subset(order[700:])
network = models.build(
    "digits-net", num_classes=10, in_channels=1, image_size=8, width=4, seed=seed
)
recipe = training.Recipe(epochs=20, schedule="constant", crop_padding=0, flip=False)
training.train(network, other, recipe=recipe, generator=generator)
features = training.embed(network, population).features.double()
inputs, labels = curvature.augmented_features(features), population.labels


def fit(rows, decay=1e-3):
    theta = torch.zeros(10, inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([theta], max_iter=30, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (
            cross_entropy(inputs[rows] @ theta.T, labels[rows])
            + decay * theta.square().sum()
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    return theta.detach()


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the losses"}
def losses(theta):
    logits = inputs @ theta.transpose(-1, -2)
    own = labels.view(-1, 1).expand(*logits.shape[:-1], 1)
    return logits.logsumexp(dim=-1) - logits.gather(-1, own).squeeze(-1)


def clipped(theta):
    return losses(theta).clamp(max=largest_loss)


def noise(sigma, theta):
    return sigma * torch.randn(
        num_draws, *theta.shape, generator=generator, dtype=torch.float64
    )


drawn = torch.randint(len(labels), (num_samples,), generator=generator)
theta = fit(drawn)
num_parameters, squared_norm = theta.numel(), float(theta.square().sum())

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
Markdown(
    f"On this page {len(labels)} digits are the population, the training set has $n$ = {num_samples} and the last layer $N$ = {num_parameters} "
    f"parameters. $L(T; \\theta)$ = {losses(theta)[drawn].mean():.3f} and $L(\\mathcal P; \\theta)$ = {losses(theta).mean():.3f}, so that "
    "$\\theta \\in \\hat\\Theta$, the set of Definition 3.3."
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Absolute loss difference of two sets of digits against the radius, both axes logarithmic: ten lines, one for each random direction, all rising with slope one in the end."}, "figure": {"name": "fig-gen-rays", "caption": "Loss difference between a training set and a tenth of it along n = 10 random rays from the fitted parameters. In the end it grows in proportion to the radius, so its maximum outside a ball is infinite: gap (d)."}}
half = torch.zeros(len(labels), dtype=torch.bool)
half[drawn[: num_samples // 10]] = True
lengths = 10.0 ** torch.arange(1, 7)
slopes = []
figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 2.6))
for _ in range(10):
    ray = torch.randn(theta.shape, generator=generator, dtype=torch.float64)
    along = losses(theta + lengths.view(-1, 1, 1) * ray / ray.norm())
    growth = (along[:, drawn].mean(dim=1) - along[:, half].mean(dim=1)).abs()
    slopes.append(float(np.polyfit(lengths.log(), growth.log(), 1)[0]))
    ax.loglog(lengths, growth, color=figures.BLUE, alpha=0.5)
ax.set(xlabel="radius", ylabel="loss difference")
plt.show()

# %% [markdown]
# **The population.** $\mathcal P$ is the uniform distribution on a few hundred digits, and $T$ consists of $n$ independent draws, with replacement, so that $L(\mathcal P; \theta)$ is a finite
# mean. The parameters are those of the last layer. *The features must not depend on $T$*, or the loss would not be fixed before $T$ is drawn: the network below them was trained on
# **other** digits.
#
# ## (a) The loss must be bounded
#
# The PAC-Bayes theorem that the proof starts from (Eq. 34 in the appendix) is about losses in $[0, 1]$. Cross-entropy has no largest value, and then no bound that depends on $n$, $N$,
# $\delta$ alone can hold: let one image in $10 n$ be misclassified with a huge margin. Most training sets do not hold it; the population's loss does. One fixed $\theta$ suffices, and we
# grant the $O(\cdot)$ a constant of one hundred.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
n = 50_000
rare = 1 / (10 * n)
allowed = math.sqrt(100 * (1 + math.log(n / delta)) / (n - 1))
margin = 2 * allowed / rare
huge = cross_entropy(
    torch.tensor([[-margin / 2, margin / 2]], dtype=torch.float64), torch.tensor([0])
)
population_excess = rare * float(
    huge
)  # the loss of every other image is practically zero
probability_unseen = (1 - rare) ** n
Markdown(
    f"With $n$ = {n} the bound allows a difference of {allowed:.2f}; it is {population_excess:.2f}, and $T$ misses the "
    f"image with probability {probability_unseen:.2f}, where $\\delta$ = {delta:g} was promised. With the loss clipped at "
    f"$\\ell_{{\\max}}$ = {largest_loss:g} the difference is {rare * largest_loss:.1g}."
)

# %% [markdown]
# This is about $L(\mathcal P) - L(T)$. It refutes the printed theorem itself with $S = T$, where the maximum on the right is zero and the left
# side is $\mathbb E_\epsilon |L(\mathcal P; \theta + \epsilon) - L(T; \theta + \epsilon)|$, and with noise that is small against the margin, so that it
# changes the huge loss by a part of itself only.
#
# ## (b) The order of two losses, assumed at one place and used at another
#
# The proof needs $\mathbb E_\epsilon |L(\mathcal P) - L(T)|$; PAC-Bayes in that form bounds $\mathbb E_\epsilon [L(\mathcal P) - L(T)]$. The two are equal if $L(T; \theta + \epsilon) \le L(\mathcal P;
# \theta + \epsilon)$ for almost every $\epsilon$ (Eq. 48). The definition of $\hat\Theta$ says so at $\epsilon = 0$ only. Here is how often the order is reversed, at a $\theta$ that does lie in
# $\hat\Theta$:

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
reversals = {}
for sigma in (0.01, 0.1, 0.3, 1.0, 3.0):
    excess = losses(theta + noise(sigma, theta))
    reversed_order = excess[:, drawn].mean(dim=1) > excess.mean(dim=1)
    reversals[sigma] = int(reversed_order.sum())
Markdown(
    "The order is reversed in "
    + ", ".join(
        f"{count} of {num_draws} (σ = {sigma:g})" for sigma, count in reversals.items()
    )
    + ". For small noise it is kept here, for large noise it is not, and nothing in the theorem tells the two apart."
)

# %% [markdown]
# ## (c) One letter for two lengths
#
# $\rho$ is the deviation of each coordinate on the left of {eq}`eq-gen-printed` and the radius of a ball on the right. In $N$ dimensions a Gaussian vector has a norm near $\sigma \sqrt
# N$. The appendix sets $\rho = \sigma \sqrt N\, (1 + \sqrt{\log n / N})$ to bring them together (and equates $\rho$ with a bound on the *square* of the norm); in the theorem the same letter stands
# for both.


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
def size_of(network):
    parameters = list(network.parameters())
    return sum(p.numel() for p in parameters), math.sqrt(
        sum(float(p.detach().square().sum()) for p in parameters)
    )


resnet, digits_network = (
    models.build("resnet18", num_classes=10, seed=seed),
    models.build("digits-net", num_classes=10, in_channels=1, image_size=8, seed=seed),
)
settings = pd.DataFrame(
    [
        ("ResNet-18, all layers", *size_of(resnet), 50_000),
        ("ResNet-18, last layer", *size_of(resnet.classifier), 50_000),
        ("DigitsNet, all layers", *size_of(digits_network), len(train_set)),
        ("DigitsNet, last layer", *size_of(digits_network.classifier), len(train_set)),
    ],
    columns=["parameters", "N", "norm", "n"],
)
settings["radius / deviation"] = [
    ball_radius(1.0, size, 1 / n)
    for size, n in zip(settings.N, settings.n, strict=True)
]
inside = [chi2.logcdf(1.0, size) / math.log(10) for size in settings.N]
GT(settings, rowname_col="parameters").fmt_integer(["N", "n"]).fmt_number(
    ["norm", "radius / deviation"], n_sigfig=3
).cols_label(norm="norm at initialisation").tab_header(
    title="Radius that holds a Gaussian with probability 1 - 1/n, in deviations"
)

# %% [markdown]
# Read literally, with one and the same $\rho$, the ball on the right holds practically none of the noise on the left: less than a share of
# $10^{-100}$ for each network of the table (check 1).

# %% [markdown]
# ## (d) The remaining noise
#
# What falls outside the ball is bounded in the proof by $\tfrac{1}{\sqrt n}\, l_{max}$, with $l_{max}$ the largest loss there. That is a maximum over an unbounded set, and the first figure
# shows that it is infinite. With a bounded loss the noise outside costs at most $\ell_{\max}$ times the exact probability of the tail.
#
# ## (e) What the O hides
#
# The proof arrives at $\tfrac14 N \log\bigl(1 + \tfrac{\lVert\theta\rVert^2}{\rho^2} (1 + \sqrt{\log(n)/N})^2\bigr)$ under the root, as in {cite:t}`foret2021sam`. The logarithm is no constant:
# it tends to infinity for $\rho \to 0$. The corollary divides the whole inequality by $\rho$, but prints the root without the division.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
rho = 0.1
ratio = 1 + np.sqrt(np.log(settings.n) / settings.N)
hidden = settings.N / 4 * np.log1p((settings.norm / rho * ratio) ** 2)
confidence = np.log(settings.n / delta)
terms = pd.DataFrame(
    {
        "parameters": settings.parameters,
        "constant one for O(.)": np.sqrt((settings.N + confidence) / (settings.n - 1)),
        "with the hidden factor": np.sqrt((hidden + confidence) / (settings.n - 1)),
    }
)
terms["divided by rho"] = terms["with the hidden factor"] / rho
GT(terms, rowname_col="parameters").fmt_number(list(terms)[1:], n_sigfig=3).tab_header(
    title=f"The root of Theorem 3.4, and of Corollary 3.5, at rho = {rho:g}",
    subtitle="a loss in [0, 1] would make a value above one say nothing; norms at initialisation",
)

# %% [markdown]
# ## (f) The assumption of Corollary 3.5
#
# The corollary assumes that $L_{abs}(T, S; \theta) \le L_{abs}(\mathcal P, S; \theta)$. Since $L(T) \le L(\mathcal P)$, this holds if $S$ has a smaller loss than both, and fails if it has a larger one than both. We count
# at two fitted $\theta$, one that fits $T$ almost exactly and one held back by a stronger penalty, over random subsets of 20 and over coresets of LCMat-S.


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the count"}
def assumption_holds(theta):
    values, logits = losses(theta), inputs @ theta.T
    parts = [
        drawn[torch.randperm(num_samples, generator=generator)[:20]]
        for _ in range(num_draws)
    ]
    for strength in (0.0, 0.1, 0.5):
        chosen = select(
            "lcmat-s",
            features[drawn],
            logits[drawn],
            labels[drawn],
            size=20,
            rho=strength,
        )
        parts.append(drawn[chosen.indices])
    subset_losses = torch.stack([values[part].mean() for part in parts])
    return (values[drawn].mean() - subset_losses).abs() <= (
        values.mean() - subset_losses
    ).abs()


decays = (1e-3, 1.0)
held = {decay: assumption_holds(fit(drawn, decay)) for decay in decays}

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
GT(
    pd.DataFrame(
        {
            "penalty": decays,
            "loss on T": [
                float(losses(fit(drawn, decay))[drawn].mean()) for decay in decays
            ],
            "loss on the population": [
                float(losses(fit(drawn, decay)).mean()) for decay in decays
            ],
            "random": [
                f"{int(held[decay][:num_draws].sum())} of {num_draws}"
                for decay in decays
            ],
            "LCMat-S": [
                f"{int(held[decay][num_draws:].sum())} of {len(held[decay]) - num_draws}"
                for decay in decays
            ],
        }
    ),
    rowname_col="penalty",
).fmt_number(["loss on T", "loss on the population"], decimals=3).tab_stubhead(
    "penalty"
).tab_header(title="Subsets for which the assumption of the corollary holds")

# %% [markdown]
# ## The repaired theorem on the same population
#
# Here are both sides of {eq}`eq-gen-triangle`, and the bound {eq}`eq-gen-mcallester` of their difference, over several draws of $T$, each with its own $\theta$ and $S$. Losses are clipped, and the
# mean over the noise is estimated by random draws:


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of both sides"}
def sides(rows, sigma):
    fitted = fit(rows)
    subset = rows[torch.randperm(num_samples, generator=generator)[:20]]
    values = clipped(fitted + noise(sigma, fitted))
    on_population, on_training, on_subset = (
        part.mean(dim=1) for part in (values, values[:, rows], values[:, subset])
    )
    root = pac_bayes_gap(
        float(fitted.square().sum()), sigma, num_parameters, num_samples, delta
    )
    return {
        "sigma": sigma,
        "on the population": float((on_population - on_subset).abs().mean()),
        "on T": float((on_training - on_subset).abs().mean()),
        "population to T": float((on_population - on_training).abs().mean()),
        "bound on that": largest_loss * root,
    }


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the draws"}
draw = [
    torch.randint(len(labels), (num_samples,), generator=generator) for _ in range(10)
]
digits = pd.DataFrame(
    [sides(rows, sigma) for sigma in (0.1, 1.0, 5.0) for rows in draw]
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
GT(digits.groupby("sigma").mean().reset_index(), rowname_col="sigma").fmt_number(
    list(digits)[1:], n_sigfig=3
).tab_stubhead("sigma").tab_header(
    title=f"Mean over {len(draw)} draws of T",
    subtitle=f"largest loss {largest_loss:g}",
)

# %% [markdown]
# **Noise is kinder than the worst case.** Take one random $S$, and so small a radius that no loss of $T$ can reach $\ell_{\max}$ (a logit moves by at most $\rho \lVert\tilde h\rVert$, a
# difference of two by $\sqrt2$ times that). Compare the mean under noise, the value at a perturbation found by ascent, and the bound of {doc}`03_upper_bound`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
sigma = 0.005
radius = ball_radius(sigma, num_parameters, 1 / num_samples)
subset = torch.randperm(num_samples, generator=generator)[:20]
difference = bound.subset_difference(
    features[drawn], (inputs @ theta.T)[drawn], labels[drawn], subset
)
gap = bound.certified_gap(
    difference, radius, generator=generator, num_starts=2, steps=10
)
at_theta = abs(float(bound.difference_at(difference, torch.zeros_like(theta))))
values = clipped(theta + noise(sigma, theta))[:, drawn]
under_noise = float((values.mean(dim=1) - values[:, subset].mean(dim=1)).abs().mean())
attained, certified = at_theta + radius * gap.attained, at_theta + radius * gap.upper
root = largest_loss * pac_bayes_gap(
    squared_norm, sigma, num_parameters, num_samples, delta
)
Markdown(
    f"With σ = {sigma:g} and ρ = {radius:.3f}, $L_{{abs}}(T, S)$ is {at_theta:.3f} at $\\theta$, {under_noise:.3f} on average under "
    f"noise, {attained:.3f} at the worst perturbation found, and nowhere in the ball above {certified:.3f}. To this the theorem adds "
    f"{largest_loss / num_samples:.3f} for the tail and {root:.2f} for the root, against a trivial bound of {largest_loss:g}."
)

# %% [markdown]
# ## Checks
#
# 1. Each step fails in the case shown: (a) the population's loss exceeds what the bound allows, with a probability above $\delta$, and clipping repairs it; (b) the order is kept for small noise and
#    reversed for large; (c) the ball of the deviation's radius holds almost no noise; (d) the difference grows in proportion to the radius; (e) the term with its factor exceeds 1; (f) the assumption
#    fails for a subset.
# 2. The bound on the difference between $\mathcal P$ and $T$ holds in each draw.
# 3. The mean under noise and the attained value stay below the certificate, for losses that cannot be clipped.

# %% tags=["remove-input"]
story.passed("07b_gaps")

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check 1: each gap has a case"}
assert (
    losses(theta)[drawn].mean() < losses(theta).mean()
)  # theta lies in the paper's set
assert population_excess > allowed and probability_unseen > delta  # (a)
assert rare * (0.9 * margin) > allowed  # noise may take a tenth of the margin
assert rare * largest_loss < allowed
assert 0 in reversals.values()  # (b)
assert max(reversals.values()) > num_draws / 5
assert (settings["radius / deviation"] > settings.N.pow(0.5)).all()  # (c)
assert max(inside) < -100
assert all(0.8 < slope < 1.2 for slope in slopes)  # (d)
assert (terms["with the hidden factor"] > 1)[settings.n < settings.N].all()  # (e)
assert not held[1.0].all()  # (f)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Checks 2 and 3: the theorem on the digits"}
assert (digits["population to T"] <= digits["bound on that"]).all()
farthest = math.sqrt(2) * radius * inputs[drawn].norm(dim=1)
assert bool((losses(theta)[drawn] + farthest <= largest_loss).all())
assert under_noise <= certified + largest_loss / num_samples
assert attained <= certified * (1 + 1e-9)

# %% [markdown]
# ## Take-away
#
# - **Shown:** each gap of the proof matters somewhere; none is a matter of taste.
# - **Shown:** on a population that is known, the difference between $\mathcal P$ and $T$ is far below what the repaired theorem allows.
# - **Differs from the paper:** see {doc}`07_generalisation`.
#
# ## Exercises
#
# **1.** Break the repair: clip the loss of gap (a) at a hundred million instead of ten. From which value on does the example beat the bound again?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
# The difference is the rare image's share times its clipped loss; it exceeds what is allowed from this value on.
threshold = allowed / rare
assert rare * threshold * 1.01 > allowed
print(f"from a largest loss of {threshold:.2g}; the theorem's own term grows with it")
