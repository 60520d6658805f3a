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
# # Gradient matching: DC, DSA, DM and IDC in one notation
#
# Four methods learnt images before LCMat-C: DC {cite:p}`zhao2021dc`, DSA {cite:p}`zhao2021dsa`, DM {cite:p}`zhao2023dm` and
# IDC {cite:p}`kim2022idc`. They look unlike each other in print. **Here they are one objective with five choices**, each
# checked by another computation. One finding matters for LCMat-C: DC's distance, which we give it because the paper
# names none, does not see how long gradients are, so that its variance term is the only one with a scale.
#
# ```{admonition} What this chapter reproduces
# :class: note
# - **Paper:** the methods that section 4.2 of {cite:t}`shin2023lcmat` builds on or compares with, on handwritten digits.
# - **Cost:** less than half a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/condensation/01_gradient_matching.ipynb out.ipynb -p seed 1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# DC, DSA, DM and IDC are one objective with five choices:
#
# ```{math}
# :label: eq-cg-objective
# \min_X \; \mathbb E_{\theta_0, \omega} \sum_t \sum_y \mathcal D\Bigl(
#   \Phi_{\theta_t}\bigl(\omega T_y\bigr),\; \Phi_{\theta_t}\bigl(\omega\, \operatorname{dec}(X_y)\bigr) \Bigr)
#   \qquad \text{with} \quad \theta_{t+1} = \theta_t - \eta\, \nabla L(U; \theta_t) .
# ```
#
# $X_y$ are the stored images of class $y$ and $T_y$ the real ones. The choices: *what* $\Phi$ of a network is compared, by which
# *distance* $\mathcal D$, under which *view* $\omega$, how images are *stored* ($\operatorname{dec}$), and the set $U$ on
# which the network is *trained* meanwhile.
#
# **What would count as failing**, and is checked on this page:
#
# 1. a distance does not have the invariance that its formula promises;
# 2. the derivative in a pixel differs from a finite difference, or from gradients taken one image at a time;
# 3. a draw of the augmentation does something else to the second batch than to the first, or blocks the derivative;
# 4. DM is not the limit of gradient matching that {eq}`eq-cg-dm` says;
# 5. images learnt with some networks are no better at networks that they have not met.

# %% tags=["parameters"]
seed = 0
ipc = 5
width = 8
outer_iterations = 12
inner_steps = 5
num_new_networks = 5
num_draws = 10

# %% tags=["hide-cell"]
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from great_tables import GT
from IPython.display import Markdown
from torchvision.utils import make_grid

from lcmat import data
from lcmat.book.literate import show_source
from lcmat.book.slider import image_slider
from lcmat.condensation import (
    OBJECTIVES,
    condense,
    initial_set,
    load_set,
    loop,
    published,
)
from lcmat.condensation.batches import draw_batches
from lcmat.condensation.distances import DISTANCES, choose_layers
from lcmat.condensation.matching import compare, feature_distance
from lcmat.condensation.observation import observe
from lcmat.condensation.preparation import new_network
from lcmat.condensation.step import matching_gradient
from lcmat.condensation.synthetic import decode
from lcmat.data.augmentation import siamese
from lcmat.report import figures

figures.use_style()
train_set, _ = data.load("digits")
num_classes = train_set.num_classes
rows_of_class = [(train_set.labels == y).nonzero()[:, 0] for y in range(num_classes)]

# %% [markdown]
# ## The choices of each method
#
# The settings with which the methods were published, from the package. LCMat-C stands beside them; it adds a term,
# which {doc}`02_variance_in_practice` examines.

# %% tags=["hide-input"]
QUESTIONS = {
    "what is compared": lambda r: r.matched.distance,
    "distance": lambda r: (
        r.distance if r.matched.distance == "gradients" else "squared, of means"
    ),
    "whose gradients": lambda r: (
        r.layers if r.matched.distance == "gradients" else "none"
    ),
    "and a penalty": lambda r: "variance" if r.matched.moment else "none",
    "view": lambda r: r.augmentation.replace("_", ", "),
    "operations of one draw": lambda r: r.combine if r.augmentation != "none" else "",
    "network is trained on": lambda r: r.train_on,
    "images start as": lambda r: r.init,
    "learning rate of the images": lambda r: f"{r.image_learning_rate:g}",
    "which is for": lambda r: "pixels in [0, 1]" if r.pixel_units else "normalised",
    "steps of the images per network": lambda r: str(r.inner_steps),
}
recipes = {
    name: published(name, 10) for name in ("dc", "dsa", "dm", "idc-i", "lcmat-c")
}
settings = pd.DataFrame(
    {
        "at ten images per class": list(QUESTIONS),
        **{
            OBJECTIVES[name].title: [ask(recipe) for ask in QUESTIONS.values()]
            for name, recipe in recipes.items()
        },
    }
)
GT(settings, id="choices", rowname_col="at ten images per class").tab_options(
    table_font_size="13px", table_background_color="white"
)

# %% [markdown]
# ## What is compared, and by which distance
#
# DC, DSA and IDC compare the gradients of the mean loss: $\Phi_\theta(U) = \nabla_\theta L(U; \theta)$. Write $\chi$ and $\xi$ for
# the gradients of the real and of the synthetic batch, $\chi_v$ for those of layer $v$, and $\chi_{vo}$ for the weights
# that lead to its output channel $o$. Three distances:
#
# ```{math}
# :label: eq-cg-distances
# \begin{aligned}
# \mathcal D_{\text{layerwise}} &= \sum_v \sum_o \Bigl( 1 - \frac{\chi_{vo} \cdot \xi_{vo}}
#   {\lVert \chi_{vo}\rVert \lVert \xi_{vo}\rVert} \Bigr), \\
# \mathcal D_{\text{squared}} &= \sum_v \lVert \chi_v - \xi_v\rVert^2, \\
# \mathcal D_{\text{cosine}} &= 1 - \frac{\chi \cdot \xi}{\lVert \chi\rVert \lVert \xi\rVert} .
# \end{aligned}
# ```
#
# The first is DC's. The second is the "mse" of IDC's code, which is a sum and no mean. The third puts all layers into one vector.

# %% tags=["hide-input"]
show_source(*DISTANCES.values())

# %% [markdown]
# They differ in what they cannot see. Layerwise: a positive factor for *each channel*. Cosine: one factor for all.
# Squared: nothing is hidden. **Check 1**, on the gradients that thirty-two real digits and five images of noise give an
# untrained network. The factors of a class's channels are drawn between one half and two.

# %%
plain = published(
    "dc",
    ipc,
    network="digits-net",
    width=width,
    outer_iterations=outer_iterations,
    inner_steps=inner_steps,
    network_epochs=2,
    real_batch=32,
    image_learning_rate=1.0,
    classes_per_pass=num_classes,
)
generator = torch.Generator().manual_seed(seed)
probe = new_network(train_set, plain, seed=seed).double().eval()
noise = initial_set(train_set, ipc, "noise", generator=generator)
noise_images = noise.images.double().unflatten(0, (num_classes, ipc))
real_images = torch.stack(
    [train_set.normalized(rows[:32]) for rows in rows_of_class]
).double()


# %%
def view(network, images):
    labels = torch.arange(num_classes)[:, None].expand(images.shape[:2])
    return observe(network, images, labels, create_graph=True)


real_view, noise_view = view(probe, real_images), view(probe, noise_images)
real, synthetic = (
    [g.detach() for g in choose_layers(v.gradients, "weights")]
    for v in (real_view, noise_view)
)

# %%
each = [
    0.5 + 1.5 * torch.rand(g.shape[:2], generator=generator).double() for g in synthetic
]
scaled = {
    "as they are": synthetic,
    "each channel times its own factor": [
        g * f.reshape(*f.shape, *[1] * (g.ndim - 2))
        for g, f in zip(synthetic, each, strict=True)
    ],
    "all times two": [2 * g for g in synthetic],
}
sums = pd.DataFrame(
    {
        name: {kind: float(distance(real, g).sum()) for kind, g in scaled.items()}
        for name, distance in DISTANCES.items()
    }
)

# %%
change = (sums / sums.iloc[0] - 1).abs()
assert change["layerwise"].max() < 1e-2  # up to the 1e-6 beside the norms
assert change.loc["all times two", "cosine"] < 1e-3
assert change.loc["each channel times its own factor", "cosine"] > 1e-3
assert change["squared"].iloc[1:].min() > 1e-2
GT(sums.rename_axis("gradients").reset_index(), id="invariance").fmt_number(
    list(sums), n_sigfig=4
)

# %% tags=["hide-input"]
dead = sum(int((g.flatten(2).norm(dim=2) == 0).sum()) for g in real)
own = float(DISTANCES["layerwise"](real, real).sum())
assert own >= dead
Markdown(
    f"A fine point: where a channel has no gradient, as behind a ReLU that never opens, the cosine counts as zero and the channel as one. {dead} of the "
    f"{num_classes * sum(g.shape[1] for g in real)} channels, over all classes, are such. Of the real batches to themselves the layerwise distance is "
    f"therefore {own:.4g} here, not zero. It is a constant, which moves no image."
)

# %% [markdown]
# **What follows.** For the layerwise distance a channel counts by its angle alone, however short its gradient; for the squared one,
# layers with long gradients decide. How much, on networks that are untrained:

# %%
networks = [
    new_network(train_set, plain, seed=1000 + number).double().eval()
    for number in range(num_new_networks)
]
LAYERS = ("first convolution", "second convolution", "classifier")


def shares(network, distance):
    gradients = [
        choose_layers(view(network, images).gradients, "weights")
        for images in (real_images, noise_images)
    ]
    parts = [
        float(distance([a], [b]).detach().sum())
        for a, b in zip(*gradients, strict=True)
    ]
    return [100 * part / sum(parts) for part in parts]


share = {
    name: torch.tensor([shares(network, DISTANCES[name]) for network in networks])
    for name in ("layerwise", "squared")
}
channels = torch.tensor([float(g.shape[1]) for g in real])

# %% tags=["hide-input"] mystnb={"image": {"alt": "Bars for the three layers of a small network, two for each: the share of the layer in the layerwise and in the squared distance of gradients, with a dot for each network."}, "figure": {"name": "fig-cg-shares", "caption": "Share of each layer in the distance between the gradients of real digits and of noise, summed over the ten classes: mean (bars) and single values (dots) of the n untrained networks in the title. The crosses mark the layers' shares of the output channels. Which layer decides depends on the distance."}}
_, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.8))
LOOKS = {"layerwise": (figures.GREEN, -0.2), "squared": (figures.ORANGE, 0.2)}
for name, (color, offset) in LOOKS.items():
    places = torch.arange(len(LAYERS)) + offset
    ax.bar(places, share[name].mean(dim=0), width=0.36, color=color, label=name)
    for values in share[name]:
        ax.scatter(places, values, s=9, color=figures.BLACK, alpha=0.5, zorder=3)
ax.plot(
    torch.arange(len(LAYERS)) - 0.2,
    100 * channels / channels.sum(),
    "x",
    color=figures.VERMILLION,
    label="share of channels",
    linestyle="",
    zorder=4,
)
ax.set_xticks(range(len(LAYERS)), LAYERS)
ax.set(ylabel="share of the distance, %", title=f"n = {len(networks)} networks")
ax.legend()
plt.show()

# %% tags=["hide-input"]
largest = {name: int(values.mean(dim=0).argmax()) for name, values in share.items()}
Markdown(
    "The largest share has "
    + " and ".join(
        f"the {LAYERS[layer]} ({share[name].mean(dim=0)[layer]:.0f} %) in the {name} distance"
        for name, layer in largest.items()
    )
    + f", mean of n = {len(networks)} networks. IDC leaves the classifier out by default, which takes "
    f"{share['squared'].mean(dim=0)[2]:.0f} % from the squared distance here."
)

# %% [markdown]
# ## The derivative in a pixel
#
# The distance compares gradients in $\theta$, and the images move along its gradient in $x$. So it takes a second
# derivative of the loss, mixed in parameters and pixels:
#
# ```{math}
# :label: eq-cg-mixed
# \frac{\partial \mathcal D}{\partial x} = \Bigl( \frac{\partial^2 L(S; \theta)}{\partial \theta\, \partial x} \Bigr)^{\!\top}
#   \frac{\partial \mathcal D}{\partial \xi} .
# ```
#
# No such matrix is built. The gradient $\xi$ of $L(S; \theta)$ is computed with its graph kept, and a second backward pass goes through it.
# *Assumption:* the second derivative exists, which at the kinks of ReLU and max-pooling it does not; a step meets them with
# probability zero.

# %% tags=["hide-input"]
show_source(matching_gradient)

# %% [markdown]
# **Check 2.** In double precision, for each kind of comparison: (a) the derivative along a random direction of all pixels,
# against $\bigl(\mathcal D(x + \epsilon v) - \mathcal D(x - \epsilon v)\bigr) / 2\epsilon$; (b) every pixel's derivative
# against an explicit loop, which takes one image at a time and averages the gradients.

# %%
batches = draw_batches(rows_of_class, plain, generator)
direction = torch.randn(noise.images.shape, generator=generator).double()
KINDS = {
    "layerwise": replace(plain, distance="layerwise"),
    "squared": replace(plain, distance="squared"),
    "cosine": replace(plain, distance="cosine"),
    "squared, convolutions": replace(plain, distance="squared", layers="convolutions"),
    "features (DM)": replace(plain, objective="dm"),
}


# %%
def matched(images, recipe):
    return matching_gradient(probe, images, train_set, batches, recipe)


def slope(recipe, epsilon=1e-6):
    start = noise.images.double()
    up, down = (
        matched(start + sign * epsilon * direction, recipe).distance for sign in (1, -1)
    )
    return (up - down) / (2 * epsilon)


# %%
def loop_distance(label, batch, stored, recipe):
    """The distance of one class by a loop over images, for two kinds of comparison."""
    real = train_set.normalized(batch.real[label]).double()
    kept = stored[batch.synthetic[label]]
    if recipe.objective == "dm":
        means = [
            sum(probe.features(x[None])[0] for x in part) / len(part)
            for part in (real, kept)
        ]
        return sum((means[0] - means[1]) ** 2)
    means = [mean_of_gradients(part, label) for part in (real, kept)]
    if recipe.distance == "squared":
        return sum(((a - b) ** 2).sum() for a, b in zip(*means, strict=True))
    rows = [[row.flatten() for g in part for row in g] for part in means]
    products = (
        (a @ b) / (a.norm() * b.norm() + 1e-6) for a, b in zip(*rows, strict=True)
    )
    return sum(1 - product for product in products)


# %%
def mean_of_gradients(images, label):
    weights = [p for p in probe.parameters() if p.ndim > 1]
    target = torch.tensor([label])
    each = [
        torch.autograd.grad(
            torch.nn.functional.cross_entropy(probe(x[None]), target),
            weights,
            create_graph=True,
        )
        for x in images
    ]
    return [torch.stack(layer).mean(dim=0) for layer in zip(*each, strict=True)]


# %%
for name, recipe in KINDS.items():
    found = matched(noise.images.double(), recipe)
    along = float((found.gradient * direction).sum())
    assert abs(along) > 1e-3, name  # else the comparison could not fail
    assert abs(along - slope(recipe)) < 1e-5 * abs(along), name
for name in ("layerwise", "squared", "features (DM)"):
    gradient = matched(noise.images.double(), KINDS[name]).gradient
    for label in (3, 8):
        stored = noise_images[label].clone().requires_grad_()
        distance = loop_distance(label, batches[0], stored, KINDS[name])
        (expected,) = torch.autograd.grad(distance, stored)
        computed = gradient.unflatten(0, (num_classes, ipc))[label]
        torch.testing.assert_close(computed, expected, rtol=1e-7, atol=1e-10)

# %% [markdown]
# ## Outer and inner loop
#
# 1. **Outer loop.** Take a new network with random weights. Images should serve any network, so they must not get used to one.
# 2. **Inner loop.** Draw for each class a batch of real images, one of synthetic ones, and a view. Compare. Move the images by
#    one step of gradient descent.
# 3. Train the network a little: on the synthetic images (DC, DSA), on the original ones (IDC, LCMat-C), or not at all (DM).
#    Then the next inner step compares at weights that a training visits. After the last inner step begin anew with 1.
#
# The images stay; the networks come and go. In code:

# %% tags=["hide-input"]
show_source(loop.advance, loop.train_network)

# %% [markdown]
# The classes are compared one by one and their distances added. The reason that DC gives: a batch of one class is easier to imitate. In the
# mean over all classes, their gradients cancel each other in part.

# %% [markdown]
# ## DSA: one draw, replayed
#
# Augmentation of the two batches by independent draws would compare a shifted digit with an unshifted one. DSA draws $\omega$
# once for each class and step and applies the *same* $\omega$ to both batches, whatever their sizes. The derivative goes
# through it: $\partial \mathcal D / \partial x = J_\omega^\top\, \partial \mathcal D / \partial (\omega x)$.

# %% tags=["hide-input"]
show_source(siamese.draw_transformation, siamese.apply_transformation)

# %% [markdown]
# **Check 3.** (a) Five images, alone and among thirty-two, come out alike under one draw. (b) Each operation lets the derivative
# through, by finite differences. (c) Under two draws a batch has a distance to itself; that it has none
# under one is an identity, as a test of the code that replays the draw.

# %%
operations = siamese.DSA_STRATEGY.split("_")
batch = real_images[3]


def draw(strategy=siamese.DSA_STRATEGY, combine="one"):
    return siamese.draw_transformation(strategy, generator=generator, combine=combine)


for _ in range(num_draws):
    omega = draw(combine="all")
    together = siamese.apply_transformation(omega, batch)
    assert torch.equal(together[5:10], siamese.apply_transformation(omega, batch[5:10]))

for operation in operations:
    omega = draw(operation)
    probe_images = batch[:5].clone().requires_grad_()
    v, u = torch.randn(2, *probe_images.shape, generator=generator).double()
    value = (siamese.apply_transformation(omega, probe_images) * u).sum()
    (pulled,) = torch.autograd.grad(value, probe_images)
    ends = [
        siamese.apply_transformation(omega, batch[:5] + e * v) for e in (1e-6, -1e-6)
    ]
    numeric = ((ends[0] - ends[1]) * u).sum() / 2e-6
    torch.testing.assert_close((pulled * v).sum(), numeric, rtol=1e-6, atol=1e-7)


# %%
def class_distance(first, second, label=3):
    labels = torch.full((1, 1), label)
    gradients = [
        choose_layers(
            observe(
                probe, x[None], labels.expand(1, len(x)), create_graph=False
            ).gradients,
            "weights",
        )
        for x in (first, second)
    ]
    return float(DISTANCES["squared"](*gradients))


def under(omega, images):
    return siamese.apply_transformation(omega, images)


other_batch = train_set.normalized(rows_of_class[3][32:64]).double()
pairs = [(draw(), draw()) for _ in range(num_draws)]
one = [class_distance(under(a, batch), under(a, batch)) for a, _ in pairs]
two = [class_distance(under(a, batch), under(b, batch)) for a, b in pairs]
fresh = [class_distance(under(a, batch), under(a, other_batch)) for a, _ in pairs]
assert max(one) < 1e-12 < sum(two) / num_draws

# %% tags=["hide-input"]
Markdown(
    f"Means over n = {num_draws} draws of one operation, for thirty-two threes and an untrained network: the squared distance of the batch to "
    f"itself is {sum(one) / num_draws:.2g} under one draw and {sum(two) / num_draws:.2g} under two. The distance to *another* batch of "
    f"threes under one draw is {sum(fresh) / num_draws:.2g}. "
    + (
        "Two draws would thus put more distance between equal batches than lies between two batches of a class."
        if sum(two) > sum(fresh)
        else "Here two draws disturb less than another batch does."
    )
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of nine small digits: a three and another three, first as they are and then under eight transformations; in each column both are changed in the same way, for instance shifted, brightened or with a hole."}, "figure": {"name": "fig-cg-views", "caption": "Two digits of class 3, first as they are, then under n = 8 draws of all six operations of DSA, one draw for each column. The draw is replayed: both digits of a column are changed alike."}}
draws = [draw(combine="all") for _ in range(8)]
pair = torch.cat([batch[:1], other_batch[:1]])
columns = torch.stack([pair, *(under(omega, pair) for omega in draws)], dim=1)
unit = (columns * train_set.std[0] + train_set.mean[0]).clamp(0, 1)
shown = (255 * unit).round().to(torch.uint8)[:, :, 0].flatten(0, 1).numpy()
_, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 1.6))
figures.image_grid(ax, shown, columns=len(draws) + 1)
plt.show()

# %% [markdown]
# ## DM: means of features
#
# DM takes $\Phi_\theta(U) = \tfrac1{|U|} \sum_{x \in U} h_\theta(x)$, the mean of the last layer's inputs at an untrained network, and the
# squared distance. No second derivative is needed, and no inner loop. Labels enter only by which images are compared.

# %% tags=["hide-input"]
show_source(feature_distance)

# %% [markdown]
# *What has it to do with gradients?* The last layer's mean gradient is the mean of $(p_i - y) h_i^\top$. Let the classifier be
# zero, $W = 0$ and $b = 0$. Then $p_i = \tfrac1c \mathbf 1$ for every image, the residual is the same for all images of a class and leaves
# the mean, and nothing flows to the layers below. The squared gradient distance of **all** layers is then
#
# ```{math}
# :label: eq-cg-dm
# \mathcal D_{\text{squared}} = \Bigl\lVert \tfrac1c \mathbf 1 - y \Bigr\rVert^2
#   \bigl\lVert \bar h_T - \bar h_S \bigr\rVert^2 = \frac{c - 1}{c}\; \mathcal D_{\text{DM}} .
# ```
#
# DM is gradient matching with a classifier that does not know anything yet. **Check 4.**

# %%
ignorant = new_network(train_set, plain, seed=seed).double().eval()
torch.nn.init.zeros_(ignorant.classifier.weight)
torch.nn.init.zeros_(ignorant.classifier.bias)
views = [view(ignorant, images) for images in (real_images, noise_images)]
of_gradients = compare(OBJECTIVES["dc"], *views, distance="squared", layers="all")
of_features = compare(OBJECTIVES["dm"], *views).distance
factor = (num_classes - 1) / num_classes
torch.testing.assert_close(of_gradients.distance, factor * of_features)

knowing = compare(
    OBJECTIVES["dc"], real_view, noise_view, distance="squared", layers="all"
)
known_features = compare(OBJECTIVES["dm"], real_view, noise_view).distance
ratio = (knowing.distance / known_features).detach()
assert (ratio - factor).abs().max() > 0.01  # now all layers count
Markdown(
    f"With the classifier's random weights the ratio is no longer {factor:g} but lies between {float(ratio.min()):.3g} and "
    f"{float(ratio.max()):.3g}, class by class."
)

# %% [markdown]
# ## IDC: more images than are stored
#
# IDC cuts each stored image into $f \times f$ parts and enlarges each to full size by bilinear interpolation. Training sees $f^2$
# times as many images, coarser ones. The map $\operatorname{dec}$ is linear, so that derivatives come back by its transpose. With $f = 1$
# the method is called IDC-I; it keeps IDC's other choices: the squared distance of the convolutions' gradients, a network
# trained on real images, their augmentation by CutMix, and longer training.

# %% tags=["hide-input"]
show_source(decode)

# %% [markdown]
# **Check 5.** The matrix of $\operatorname{dec}$ for one digit and $f = 2$: it gives four images, it is the same at any image (linear), and its
# rank is the number of stored pixels. Multi-formation makes more images, not more unknowns.

# %%
stored = noise.images[:2, None].double()
matrix, elsewhere = (
    torch.autograd.functional.jacobian(lambda x: decode(x, 2), x).reshape(-1, x.numel())
    for x in stored
)
assert torch.equal(matrix, elsewhere)
torch.testing.assert_close(matrix @ stored[0].flatten(), decode(stored[0], 2).flatten())
rank = int(torch.linalg.matrix_rank(matrix))
assert rank == stored[0].numel()
Markdown(
    f"{decode(stored[0], 2).numel()} decoded pixels, {stored[0].numel()} stored, rank {rank}."
)

# %% [markdown]
# ## A short run
#
# Three ways to move the same noise, without augmentation: DC, the squared distance of all weights' gradients, and DM. Their
# learning rates were set by hand so that the loss falls in a few dozen steps; nothing is compared by accuracy here. Each step's images are read
# from the state that a run leaves on disk.

# %%
RUNS = {
    "DC": plain,
    "squared distance": replace(plain, distance="squared", image_learning_rate=3.0),
    "DM": replace(
        plain,
        objective="dm",
        train_on="nothing",
        inner_steps=1,
        image_learning_rate=10.0,
    ),
}
RUNS["DM"] = replace(RUNS["DM"], outer_iterations=plain.num_steps)


# %%
def run(recipe, every=3):
    """The result, and the images at the beginning and after every third step."""
    seen = {0: noise}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.safetensors"

        def look(step, *_):
            if step > 1 and (step - 1) % every == 0:  # the file holds the step before
                seen[step - 1] = load_set(state)

        result = condense(
            train_set,
            recipe,
            generator=torch.Generator().manual_seed(seed),
            initial=noise,
            checkpoint=state,
            checkpoint_seconds=0,
            progress=look,
        )
    return result, {**seen, recipe.num_steps: result.synthetic}


results = {name: run(recipe) for name, recipe in RUNS.items()}
assert all(torch.equal(path[0].images, noise.images) for _, path in results.values())

# %% [markdown]
# **The images on their way.** Choose an objective and move the slider, with the mouse or the arrow keys. Three of the images of
# each class, a column for each digit.


# %% tags=["hide-input"]
def sheet(synthetic, rows=3):
    pixels = synthetic.pixels().unflatten(0, (num_classes, ipc))[:, :rows]
    tiles = pixels.transpose(0, 1).flatten(0, 1)
    return make_grid(tiles, nrow=num_classes, padding=1, pad_value=128)[0].numpy()


stages = [*list(results["DC"][1])[:-1:2], plain.num_steps]
image_slider(
    [sheet(path[step]) for _, path in results.values() for step in stages],
    [f"{name}, step {step}" for name in results for step in stages],
    name="Step",
    choices=list(results),
    alt="three rows of ten small images, one column for each digit; noise at first, shapes of digits later",
    caption=f"Condensed digits from noise (step 0) to step {plain.num_steps}; n = 1 run each. Grey values outside the range of a "
    "pixel are clipped.",
)

# %% [markdown]
# **Check 6.** Are the images better at networks that they have not met? Five untrained networks that took no part in any run, and *all* real
# images of each class. Each result is measured by all three distances, as a share of what the noise has.


# %%
def measured(synthetic):
    images = synthetic.images.double().unflatten(0, (num_classes, ipc))
    totals = dict.fromkeys(("DC", "squared distance", "DM"), 0.0)
    for network in networks:
        fake = view(network, images)
        for label, rows in enumerate(rows_of_class):
            whole = train_set.normalized(rows)[None].double()
            real = observe(
                network, whole, torch.full((1, len(rows)), label), create_graph=False
            )
            own = fake._replace(
                gradients=tuple(g[label : label + 1] for g in fake.gradients),
                features=fake.features[label : label + 1],
                logits=fake.logits[label : label + 1],
            )
            for name, recipe in RUNS.items():
                terms = compare(recipe.matched, real, own, distance=recipe.distance)
                totals[name] += float(terms.distance.detach().sum())
    return totals


at_noise = measured(noise)
remaining = pd.DataFrame(
    {
        name: {k: v / at_noise[k] for k, v in measured(result.synthetic).items()}
        for name, (result, _) in results.items()
    }
).T
assert all(remaining.loc[name, name] < 0.7 for name in RUNS)

# %% tags=["hide-input"]
GT(remaining.rename_axis("learnt by").reset_index(), id="remaining").fmt_percent(
    list(remaining), decimals=0
).tab_spanner("what is left of the noise's distance, measured by", list(remaining))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three curves against the step of the run, which fall on the whole, one for each objective: the loss of each at new networks as a share of the first value."}, "figure": {"name": "fig-cg-run", "caption": "Distance at each new network that the run itself takes, as a share of the first, for n = 1 run of each objective; DM takes a new network at every step, the others at every fifth. The batches are drawn anew at every step, so that the curves are noisy."}}
_, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.7))
LOOKS = {"DC": "DC", "squared distance": "IDC-I", "DM": "DM"}
for name, (result, _) in results.items():
    losses = result.losses[:: RUNS[name].inner_steps, 0]
    steps = torch.arange(len(losses)) * RUNS[name].inner_steps
    look = figures.method_style(LOOKS[name])
    ax.plot(steps, losses / losses[0], color=look.color, label=name)
ax.set(xlabel="step", ylabel="distance / first distance", ylim=(0, None))
ax.legend()
plt.show()

# %% tags=["hide-input"]
raised = [
    f"{row} raises {column}"
    for row in remaining.index
    for column in remaining
    if remaining.loc[row, column] > 1
]
lowered = sum(
    remaining.loc[row, column] < 1
    for row in remaining.index
    for column in remaining
    if row != column
)
best = remaining.idxmin()
Markdown(
    f"Each objective lowers its own distance at networks that it never saw. Of the six other entries, {lowered} are below one as well"
    + (f"; above one: {', '.join(raised)}. " if raised else ". ")
    + "The smallest entry of each column: "
    + "; ".join(f"{column}, the run of {row}" for column, row in best.items())
    + f". So {sum(column == row for column, row in best.items())} of 3 distances are lowest after their own run."
)

# %% [markdown]
# **How to read this.** The runs have learning rates of their own and few steps, and the five networks are untrained, as all networks of DM are; those
# of DC are trained in between. So the table ranks nothing. It says that the distances are related, and that a small distance of one kind is no
# privilege of the method that is named after it. What the images are worth to a network that trains on them is another question, which
# {doc}`../report/condensation` measures.

# %% [markdown]
# ## Take-away
#
# - **Shown:** DC, DSA, DM and IDC are choices in {eq}`eq-cg-objective`. The derivative in the pixels agrees with finite differences and with a
#   loop over images for each kind of comparison (check 2). One draw is replayed on both batches (check 3). DM is the squared gradient distance
#   at a classifier that is zero (check 4). Each distance falls at networks not met before (check 6).
# - **Shown:** layerwise and cosine distances do not see how long gradients are (check 1). For LCMat-C with DC's distance this means that its
#   penalty is the only term with a scale, the confound of {doc}`02_variance_in_practice`.
# - **Not shown:** which method trains better networks. {doc}`../report/condensation` measures it.
# - **Differs from the methods' papers:** digits, a small network without normalisation, a few dozen steps, learning rates by hand, no augmentation in the runs.
#
# ## Exercises
#
# **1.** What can gradient matching not tell apart? Replace each condensed image by two copies of itself.

# %% tags=["hide-cell"]
# The mean gradient stays, so every distance of gradients or mean features stays. Nothing rewards variety within a class;
# only a second moment, such as LCMat-C's variance with 1/(n - 1), changes with the number of copies.
doubled = view(probe, torch.cat([noise_images, noise_images], dim=1))
for distance in DISTANCES.values():
    copies = [g.detach() for g in choose_layers(doubled.gradients, "weights")]
    torch.testing.assert_close(distance(real, copies), distance(real, synthetic))
torch.testing.assert_close(
    feature_distance(real_view.features, doubled.features),
    feature_distance(real_view.features, noise_view.features),
)

# %% [markdown]
# **2.** Show that a single image per class can have distance zero by DM at one network although it equals no real image.

# %% tags=["hide-cell"]
# The mean of the features is one point of feature space, and gradient descent on one image can move towards it: one image
# has 64 pixels, as many as there are features here. New networks at every step are what prevents this.
lone = torch.zeros(1, 1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
target = real_view.features[3:4].detach()
adam, history = torch.optim.Adam([lone], lr=0.1), []
for _ in range(150):
    loss = feature_distance(target, probe.features(lone[0])[None]).sum()
    adam.zero_grad()
    loss.backward()
    adam.step()
    history.append(float(loss.detach()))
assert min(history) < 0.1 * history[0]
nearest = (real_images[3] - lone.detach()[0]).flatten(1).norm(dim=1).min()
print(
    f"distance {history[0]:.3g} -> {min(history):.2g}; nearest of the threes: {nearest:.2f}"
)

# %% [markdown]
# **3.** Break check 3: draw anew for the second batch.

# %% tags=["hide-cell"]
omega, again = draw(combine="all"), draw(combine="all")
try:
    assert torch.equal(under(omega, batch)[5:10], under(again, batch[5:10]))
except AssertionError:
    print("the check fails, as it should: two draws are two views")
else:
    raise RuntimeError("two draws passed for one")
