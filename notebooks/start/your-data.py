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
# # Use it on your data
#
# You need three things to choose a *coreset*, a small part of a training set that stands in for the whole: your images, a
# classifier that was trained on them and ends in a linear layer, and one call, `lcmat.select_images`. Always choose as many
# images at random as well, because on real images random choice is hard to beat: {doc}`should-i-use-it` says where the
# records show that anything does. This page does all of it on a folder of pictures that it makes itself.
#
# ```{admonition} What you need
# :class: note
# - **Needs:** the installed package, no GPU.
# - **Cost:** less than a minute on two cores.
# - **Rerun:** `make notebooks`, then `papermill notebooks/start/your-data.ipynb out.ipynb -p fraction 0.2`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["parameters"]
fraction = 0.1
num_seeds = 5

# %% tags=["hide-cell"]
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

from lcmat import METHODS, condensation, report, select_images
from lcmat.data import ImageDataset
from lcmat.files.paths import project_folder
from lcmat.report import figures
from lcmat.report.statistics import holm, paired_difference
from lcmat.selection.sampler import CoresetSampler
from lcmat.speed.selection_speed import RESULT
from lcmat.training import Recipe, accuracy_percent, train

figures.use_style()

# %% [markdown]
# ## A folder of pictures
#
# A folder is read if it has one sub-folder of PNG or JPEG files for each class. Ours has four classes of unequal size,
# written from scikit-learn's handwritten digits; with pictures of your own you begin at the second cell.

# %%
folder = Path((keep := tempfile.TemporaryDirectory()).name)
digits = load_digits()
classes = {"eight": (8, 140), "five": (5, 100), "nine": (9, 70), "three": (3, 40)}
for name, (digit, in_training) in classes.items():
    for number, row in enumerate(np.flatnonzero(digits.target == digit)):
        place = folder / ("train" if number < in_training else "test") / name
        place.mkdir(parents=True, exist_ok=True)
        pixels = (digits.images[row] * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:03}.png")

# %%
pictures = ImageDataset.from_folder(folder / "train", mode="L")  # "RGB" for colours
test = ImageDataset.from_folder(folder / "test", like=pictures, mode="L", split="test")
sizes = torch.bincount(pictures.labels)
dict(zip(pictures.class_names, sizes.tolist(), strict=True))

# %% [markdown]
# `image_size=` brings pictures of several sizes to one. `like=pictures` gives the test pictures the order of classes and the
# normalisation of the training pictures.
#
# ## Your network
#
# Any `torch.nn.Module` will do whose output is the output of its last `torch.nn.Linear`: the networks of torchvision and timm
# are such, and so is this one.


# %%
class SmallNetwork(nn.Module):
    def __init__(self, num_classes, seed):
        super().__init__()
        first, second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        pool = nn.MaxPool2d(2)
        layers = [first, nn.ReLU(), pool, second, nn.ReLU(), pool, nn.Flatten()]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(128, num_classes)
        generator = torch.Generator().manual_seed(seed)
        for weight in (first.weight, second.weight, self.head.weight):
            nn.init.kaiming_normal_(weight, generator=generator)

    def forward(self, images):
        return self.head(self.body(images))


def trained(data, seed, epochs):
    network = SmallNetwork(pictures.num_classes, seed)
    recipe = Recipe(
        epochs, batch_size=16, learning_rate=0.02, crop_padding=1, flip=False
    )
    generator = torch.Generator().manual_seed(seed)
    train(network, data, recipe=recipe, generator=generator)
    return network


# %%
network = trained(pictures, seed=0, epochs=8)
f"{accuracy_percent(network, test):.1f} % of the test pictures are recognised after training on all."

# %% [markdown]
# ## The coreset
#
# The network looks at each picture once. `method="lcmat-s"` is the default; `fraction` is the share of each class to keep,
# and `size=` in its place a number in all. The call neither trains nor changes the network.

# %%
coreset = select_images(network, pictures, fraction=fraction, rho=0.1)
small = coreset.subset(pictures)
dict(zip(small.class_names, torch.bincount(small.labels).tolist(), strict=True))

# %% [markdown]
# **Check.** Each class has its share, and the weights (how many pictures each chosen one stands for) sum to the size of the
# training set.

# %%
expected = [round(fraction * size) for size in sizes.tolist()]
assert torch.bincount(small.labels).tolist() == expected
assert abs(float(coreset.weights.sum()) - len(pictures)) < 1e-6
assert len(set(coreset.indices.tolist())) == len(small)

# %% [markdown]
# ## Training on it, and uniform selection beside it
#
# One comparison says nothing, because another seed would have changed the initial weights, the order of the pictures and the
# random choice. So both choices are made and trained on with several seeds, and compared seed by seed. Three more methods
# come for the price of a line.

# %%
names = ("uniform", "lcmat-s", "herding", "k-center", "graph-cut")
methods = {name: METHODS[name].title for name in names}
accuracies = {method: [] for method in methods}
for seed in range(num_seeds):
    selecting = trained(pictures, seed, epochs=8)
    for method, values in accuracies.items():
        options = {"fraction": fraction, "method": method, "seed": seed}
        chosen = select_images(selecting, pictures, **options).subset(pictures)
        learner = trained(chosen, seed=100 + seed, epochs=40)
        values.append(accuracy_percent(learner, test))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Test accuracy of a network trained on the chosen pictures, one row for each method, with single seeds as points and the mean as a bar."}, "figure": {"name": "fig-your-data", "caption": "Test accuracy after training on a tenth of the pictures, for each method: the bar is the mean, each point one of five seeds (the parameters above can change both numbers). The dotted line is the accuracy after training on all pictures."}}
_, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.5, 2.2), layout="constrained")
for row, (method, values) in enumerate(accuracies.items()):
    look = figures.method_style(methods[method])
    ax.barh(row, np.mean(values), color=look.color, alpha=0.5)
    ax.plot(values, [row] * len(values), linestyle="", marker=look.marker, color=look.color)  # fmt: skip
ax.axvline(accuracy_percent(network, test), color=figures.BLACK, linestyle=":")
ax.set(yticks=range(len(methods)), yticklabels=methods.values(), xlabel="test accuracy (%)")  # fmt: skip
ax.set_xlim(min(map(min, accuracies.values())) - 5, 100)
ax.invert_yaxis()
plt.show()

# %% tags=["hide-input"]
rivals = [method for method in methods if method != "uniform"]
results = [
    paired_difference(accuracies[rival], accuracies["uniform"]) for rival in rivals
]
adjusted = holm([result.p_value for result in results])
lines = []
for rival, result, p in zip(rivals, results, adjusted, strict=True):
    mean, low, high, n = (getattr(result.interval, name) for name in ("mean", "low", "high", "n"))  # fmt: skip
    word = "was better" if mean > 0 else "was worse"
    verdict = word if p < 0.05 else "cannot be told apart by these seeds"
    lines.append(
        f"- {methods[rival]} against uniform selection: **{verdict}**, {np.mean(accuracies[rival]):.1f} % against "
        f"{np.mean(accuracies['uniform']):.1f} %, difference {mean:+.1f} points ({low:+.1f} to {high:+.1f}, n = {n})."
    )
Markdown("\n".join(lines))

# %% [markdown]
# The intervals are 95 % paired $t$ intervals; "better" and "worse" are said at $p < 0.05$ after Holm's correction for the number of
# comparisons. If nothing beats uniform selection on your pictures, use uniform selection: it needs no network.
#
# **Check.** Each method's coresets teach more, on average, than naming the commonest class would achieve.

# %%
commonest = 100 * float(torch.bincount(test.labels).max()) / len(test)
assert all(np.mean(values) > commonest for values in accuracies.values())

# %% [markdown]
# ## Which method and which radius
#
# The radius $\rho$ says how much the curvature counts beside the gradient; $\rho = 0$ leaves gradients alone. Before tuning it,
# look at how many pictures change with it: a radius that leaves the choice as it is cannot change the accuracy.

# %%
default = set(coreset.indices.tolist())
shared = {}
for rho in (0.0, 0.01, 0.1, 1.0, 10.0):
    again = select_images(network, pictures, fraction=fraction, rho=rho)
    shared[rho] = 100 * len(default & set(again.indices.tolist())) / len(default)
assert shared[0.1] == 100
report.table(
    [
        {"rho": rho, "in common with 0.1 (%)": round(share)}
        for rho, share in shared.items()
    ],
    "radius",
)

# %% [markdown]
# Keep the default, 0.1, unless you can compare radii with several seeds on pictures that are in neither training nor test set;
# {doc}`../report/sensitivity` has the measured curves. For the method {doc}`should-i-use-it` computes a recommendation from the
# records, by budget, wrong labels and unequal classes.
#
# ## Learnt pictures in place of chosen ones
#
# *Condensation* changes the pixels: it starts from real pictures, here three of each class, and
# moves them so that a network's gradients on them, and the spread of these, match those on all pictures. A real run takes thousands of steps; these
# forty show how it is done.

# %%
recipe = condensation.CondensationRecipe(
    ipc=3, init="real", network="digits-net", width=16, rho=10.0,
    outer_iterations=4, inner_steps=10, real_batch=32, network_images=100,
    augmentation="color_crop", image_learning_rate=0.03, cutmix=0.0, classes_per_pass=4,
)  # fmt: skip
start = condensation.initial_set(
    pictures, 3, "real", generator=torch.Generator().manual_seed(0)
)
learnt = condensation.condense(
    pictures, recipe, initial=start, generator=torch.Generator().manual_seed(0)
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of small pictures: the real ones that condensation started from, and the same ones after forty steps."}, "figure": {"name": "fig-your-data-condensed", "caption": "The pictures that condensation started from (top) and what forty steps made of them (bottom), three of each class."}}
_, axes = plt.subplots(2, 1, figsize=(figures.NARROW_INCHES * 1.5, 1.4))
for ax, images in zip(axes, (start, learnt.synthetic), strict=True):
    figures.image_grid(ax, images.pixels()[:, 0].numpy(), columns=12)
plt.show()

# %%
evaluation = condensation.EvaluationRecipe(
    network="digits-net", width=16, epochs=60, learning_rate=0.03,
    augmentation="color_crop", cutmix=0.0,
)  # fmt: skip


def worth(images, seed):
    generator = torch.Generator().manual_seed(seed)
    learner = condensation.train_on_set(images, evaluation, generator=generator)
    return accuracy_percent(learner, test)


before = [worth(start, seed) for seed in range(num_seeds)]
after = [worth(learnt.synthetic, seed) for seed in range(num_seeds)]
gain = paired_difference(after, before).interval
moved = learnt.synthetic.images - start.images
assert moved.abs().max() > 0 and gain.n == num_seeds

# %% tags=["hide-input"]
Markdown(
    f"A network trained on the {len(start.images)} real pictures recognises {np.mean(before):.1f} % of the test pictures, on the learnt ones "
    f"{np.mean(after):.1f} %: a difference of {gain.mean:+.1f} points ({gain.low:+.1f} to {gain.high:+.1f}, n = {gain.n}) over "
    "initial weights of the network; the pictures were learnt once."
)

# %% [markdown]
# {doc}`../report/condensation` compares condensation methods, and {doc}`../condensation/lcmat-c` explains the one used here.
#
# ## How long, and how much memory
#
# Write $n$ for the number of training pictures, $d$ for the inputs of the last layer and $c$ for the classes. Looking at the
# pictures is one pass of the network and keeps $4\,n\,(d + c)$ bytes, and twice that again in double precision while it chooses.
# Choosing goes class by class: time grows with the square of a class's size, and so does memory, up to 16,384 pictures in a class; above that distances are computed again when they are needed, which
# takes longer but less memory. The table was measured with LCMat-S on one core, for one class, and is stored with its
# environment.

# %% tags=["hide-input"]
stored = json.loads((project_folder() / RESULT).read_text(encoding="utf-8"))
whole = stored["whole_data_set"]["result"]
cost = [
    {
        "pictures in the class": entry["samples"],
        "seconds": round(entry["ours"]["processor_seconds"], 1),
        "memory (MB)": round(entry["ours"]["peak_mb"]),
    }
    for entry in stored["one_group"]["result"]
]
report.table(cost, "cost")

# %% tags=["hide-input"]
Markdown(
    f"All of a training set of {whole['classes']} classes with {whole['samples']:,} pictures each and d = {whole['features']} took "
    f"{whole['ours']['processor_seconds']:.0f} seconds and {whole['ours']['peak_mb']:.0f} MB. {{doc}}`../report/speed` has the other methods. "
    "Uniform selection takes no time, because it does not look at the pictures; training the selecting network usually "
    "takes longer than choosing."
)

# %% [markdown]
# ## A table of features: scikit-learn
#
# If you have features and labels rather than images, `CoresetSampler` has the interface of imbalanced-learn's samplers. It trains
# a logistic regression, whose inputs and outputs play the part of the last layer.

# %%
X, y = digits.data / 16, np.array([f"digit {label}" for label in digits.target])
sampler = CoresetSampler("lcmat-s", fraction=fraction, options={"rho": 0.1})
X_selected, y_selected = sampler.fit_resample(X, y)
assert np.array_equal(X_selected, X[sampler.sample_indices_])
X_selected.shape, sampler.sample_indices_[:5], sampler.sample_weights_[:5]

# %% [markdown]
# ## A Hugging Face data set
#
# A data set of the package `datasets` gives dictionaries such as `{"image": <PIL picture>, "label": 3}`. Anything with a length and
# items serves as an example here. Pairs of picture and label are all that `ImageDataset.from_torch` asks for.


# %%
class Rows:
    """Stands for `datasets.load_dataset(...)["train"]`."""

    def __len__(self):
        return 200

    def __getitem__(self, index):
        picture = Image.fromarray((digits.images[index] * 255 / 16).astype(np.uint8))
        return {"image": picture, "label": int(digits.target[index])}


rows = Rows()
pairs = [(rows[i]["image"].convert("L"), rows[i]["label"]) for i in range(len(rows))]
from_rows = ImageDataset.from_torch(pairs, class_names=[str(d) for d in range(10)])
assert from_rows.images[7, 0].tolist() == np.asarray(rows[7]["image"]).tolist()
len(from_rows), tuple(from_rows.images.shape[1:])

# %% [markdown]
# ## Take-away
#
# - **Shown:** the whole way from a folder to a network trained on a coreset, with uniform selection beside it, and to learnt pictures.
# - **Not shown:** that these methods rank alike on your pictures. Run the comparison there, with several seeds.
# - **Differs from the paper:** it has no such page; its networks and schedules are in {doc}`../report/reproducibility`.
#
# ## Exercises
#
# **1.** Use a ResNet-18 of torchvision on pictures of 32 x 32 pixels in place of the small network.

# %% tags=["hide-cell"]
# Any image size that the network takes will do. Untrained, it shows the call; train it on all pictures first, as above.
import torchvision

larger = ImageDataset.from_folder(folder / "train", image_size=32)
resnet = torchvision.models.resnet18(num_classes=larger.num_classes)
assert len(select_images(resnet, larger, fraction=fraction)) == sum(expected)

# %% [markdown]
# **2.** Let the classes compete: choose as many pictures in all, without a share for each class. Which class gains?

# %% tags=["hide-cell"]
# `balanced=False` lets LCMat-S put pictures where the gradients differ most, whatever the class.
free = select_images(network, pictures, size=sum(expected), balanced=False)
counts = torch.bincount(pictures.labels[free.indices], minlength=4)
assert int(counts.sum()) == sum(expected)
print(dict(zip(pictures.class_names, (counts - torch.tensor(expected)).tolist(), strict=True)))  # fmt: skip

# %% [markdown]
# **3.** Break it: let the network end in a softmax, and watch the call refuse it.

# %% tags=["hide-cell"]
try:
    select_images(nn.Sequential(network, nn.Softmax(dim=1)), pictures, size=8)
except ValueError as error:
    print(error)
else:
    raise RuntimeError("a network that ends in a softmax was accepted")
