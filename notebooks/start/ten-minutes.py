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
# # LCMat-S in ten minutes
#
# A *coreset* is a small part of a training set that is trained on in place of the whole. Below, every grey dot is a
# handwritten digit, and digits that look alike to a network lie together. Choose a method and a budget, with the mouse or the
# arrow keys, and see which digits it keeps and how well networks do that have seen no others. The digits that
# LCMat-S, the paper's method, keeps teach the networks of this page less than as many drawn at random.
#
# ```{admonition} What this chapter reproduces
# :class: note dropdown
# - **Paper:** section 3 of {cite:t}`shin2023lcmat`, on handwritten digits.
# - **Cost:** about a minute on one core.
# - **Rerun:** `make notebooks`, then `papermill notebooks/start/ten-minutes.ipynb out.ipynb -p rho 0.5`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["parameters", "remove-input"]
seed = 0
fraction = 0.05
rho = 0.1
num_seeds = 5

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code: data, network, training"}
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from sklearn.manifold import TSNE

import lcmat
from lcmat import METHODS, data, models, training
from lcmat.book.slider import image_slider, layer
from lcmat.report import figures
from lcmat.report.sentences import against
from lcmat.report.statistics import mean_interval, paired_difference

figures.use_style()
train_set, test_set = data.load("digits")


def learn(images, *, epochs=40, seed=0):
    """A new network, trained on the images given."""
    network = models.build(
        "digits-net", num_classes=10, in_channels=1, image_size=8, seed=seed
    )
    recipe = training.Recipe(epochs, crop_padding=1, flip=False)
    generator = torch.Generator().manual_seed(seed)
    training.train(network, images, recipe=recipe, generator=generator)
    return network


network = learn(train_set, epochs=5, seed=seed)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the picture"}
SHOWN = ("k-center", "herding", "uniform", "lcmat-s")
FRACTIONS = (0.01, 0.02, 0.05)
seen = training.embed(network, train_set).features.numpy()
places = TSNE(random_state=seed, init="pca", max_iter=500).fit_transform(seen)


low, high = places.min(axis=0) - 3, places.max(axis=0) + 3
limits = {"xlim": (low[0], high[0]), "ylim": (low[1], high[1]), "axis": False}


def picks_on_map(coreset, method):
    ax, sizes = layer(5.5, 4.0, **limits), 12.0
    look = figures.method_style(METHODS[method].title)
    if coreset.weights is not None:
        sizes = 8 + 1.5 * coreset.weights.numpy()
    at = places[coreset.indices.numpy()].T
    looks = {"color": look.color, "marker": look.marker, "alpha": 0.8}
    ax.scatter(*at, s=sizes, linewidths=0, **looks)
    return ax


def accuracies(coreset, count):
    chosen = coreset.subset(train_set)
    networks = [learn(chosen, seed=number) for number in range(count)]
    return [training.accuracy_percent(each, test_set) for each in networks]


ground = layer(5.5, 4.0, **limits)
ground.scatter(*places.T, s=5, color="#BBBBBB", linewidths=0, rasterized=True)
for digit in range(10):
    middle = np.median(places[train_set.labels.numpy() == digit], axis=0)
    ground.text(*middle, str(digit), fontsize=18, ha="center", va="center", alpha=0.6)
frames, labels = [], []
for method in SHOWN:
    for share in FRACTIONS:
        coreset = lcmat.select_images(
            network, train_set, method=method, fraction=share, seed=seed
        )
        mean = np.mean(accuracies(coreset, 3))
        frames.append(picks_on_map(coreset, method))
        labels.append(
            f"{METHODS[method].title}, {len(coreset.indices)} of {len(train_set)} digits: "
            f"{mean:.1f} % of the test digits recognised (mean of n = 3 networks)"
        )
image_slider(
    frames,
    labels,
    name="Budget",
    choices=[METHODS[method].title for method in SHOWN],
    ground=ground,
    alt="the digits as grey dots in ten groups, the chosen ones in colour",
    caption="Digits in the plane (t-SNE of what the last layer sees) and those that a method chooses, n = 1 choice each. "
    "With LCMat-S a larger dot stands for more digits.",
)

# %% [markdown]
# ## What LCMat-S looks for
#
# LCMat stands for *loss-curvature matching*. Training follows the slope of a loss. If the loss on the coreset had the same
# slope as the loss on all the data, the first step would be the same; if it also *bent* the same way, its curvature, the two
# would stay together for further steps. LCMat-S makes a bound on how far they differ in both small, as seen by the last layer of
# a network that was trained for a few epochs. The bound is for chosen images that count as often as the images they stand for;
# the paper trains with equal weights, for which it promises nothing ({doc}`../selection/02_gradient_matching`).
#
# Each digit gets a gradient $g_i$ and a list of curvatures $\hat\lambda_i$. Two digits are as far apart as these differ,
#
# $$
# d_{ij} = \lVert g_i - g_j\rVert_2 + \frac{\rho}{2} \sum_{k \in \mathcal K} |\hat\lambda_{i,k} - \hat\lambda_{j,k}| ,
# $$
#
# where $\mathcal K$ are the curvatures that vary most, and the *radius* $\rho$ says how much the bending counts. A coreset is
# good if the digits are near to their nearest chosen one *on average*. So LCMat-S goes through each class and adds, again and again, the digit that brings the others nearest.
#
# ## Choose
#
# It takes a trained network, the data, and one line.

# %%
coreset = lcmat.select_images(network, train_set, fraction=fraction, rho=rho)
chosen = coreset.subset(train_set)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A grid of handwritten digits, one column for each class, showing the first samples that LCMat-S chose, best first."}, "figure": {"name": "fig-ten-minutes-digits", "caption": "The first digits chosen by LCMat-S, one column for each class, best first (n = 1 selection)."}}
rows = [(chosen.labels == label).nonzero().flatten()[:5] for label in range(10)]
order = torch.stack(rows, dim=1).flatten()
_, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.4, 2.4))
figures.image_grid(ax, 255 - chosen.images[order, 0].numpy(), columns=10)
plt.show()

# %% [markdown]
# ## Train on it
#
# New networks see the coreset alone, and as many digits drawn at random, the comparison that every method has to win.

# %%
accuracy = {"Uniform": [], "LCMat-S": []}
for number in range(num_seeds):
    drawn = lcmat.select_images(
        network, train_set, fraction=fraction, method="uniform", seed=number
    )
    for name, images in (("Uniform", drawn.subset(train_set)), ("LCMat-S", chosen)):
        trained = learn(images, seed=number)
        accuracy[name].append(training.accuracy_percent(trained, test_set))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two horizontal bars, the test accuracy of networks trained on uniformly drawn digits and on those of LCMat-S, with error bars and the accuracy of each network as a dot."}, "figure": {"name": "fig-ten-minutes-accuracy", "caption": "Test accuracy of networks trained on the few digits that were chosen: means with 95 % t intervals, one dot for each network. Uniform draws anew for each network; the coreset of LCMat-S is the same for all."}}
_, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 1.6))
for name, values in accuracy.items():
    interval, look = mean_interval(values), figures.method_style(name)
    bar = {"xerr": interval.half_width, "capsize": 3, "alpha": 0.6}
    ax.barh(f"{name} (n = {len(values)})", interval.mean, color=look.color, **bar)
    ax.plot(values, [f"{name} (n = {len(values)})"] * len(values), "k.", alpha=0.5)
ax.set(xlabel="test accuracy (%)", xlim=(0, 100))
plt.show()

# %% tags=["hide-input"]
means = {name: np.mean(values) for name, values in accuracy.items()}
gain = paired_difference(accuracy["LCMat-S"], accuracy["Uniform"]).interval
Markdown(
    f"With {len(chosen)} of {len(train_set)} digits, uniform draws reach {means['Uniform']:.1f} %, the coreset of LCMat-S "
    f"{means['LCMat-S']:.1f} %: **it {against(gain, 'uniform draws')}**. "
    "That is one coreset and several networks trained on it; {doc}`../report/selection` chooses anew for each seed."
)

# %% [markdown]
# ## Where to go on
#
# Whether that holds on real images, and for which budgets: {doc}`../report/selection`. Why choosing well by this measure need
# not train well: {doc}`../report/why-the-numbers-differ`. Your own pictures: {doc}`your-data`. Each step with its proof and
# its checks: {doc}`../derivation/00_map`; each line of the algorithm: {doc}`../selection/01_lcmat-s`.
#
# **Exercise.** Choose with $\rho = 0$, so that only gradients count. How many of the chosen digits stay?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the solution"}
other = lcmat.select_images(network, train_set, fraction=fraction, rho=0.0)
common = set(other.indices.tolist()) & set(coreset.indices.tolist())
print(f"{len(common)} of {len(coreset.indices)}")
