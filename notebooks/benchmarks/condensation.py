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
# # One run of the condensation benchmark
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** one point of Table 4 of {cite:t}`shin2023lcmat`, or of Table 5 where another network is tested: make a few
#   images per class, train a network on them alone, measure its test accuracy.
# - **Cost:** seconds on one core with the parameters below. One run with the paper's network and IDC's loops, which the
#   paper builds on, is 200 000 steps of the images: days on a CPU; on a GPU nobody has measured it here.
# - **Rerun:** `lcmat run condensation -p dataset=digits -p method=lcmat-c -p ipc=10 -p seed=0`, with any of the
#   parameters below. Every run executes this notebook and leaves a record, from which {doc}`../report/condensation` is
#   made.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# {doc}`../condensation/lcmat-c` explains the method. `None` stands for the default of the data set, the network or the
# method.

# %% tags=["parameters"]
dataset = "digits"
method = "lcmat-c"
ipc = 10
seed = 0
rho = None
norm = None
strength_at = None
distance = None
layers = None
init = None
outer_iterations = None
inner_steps = None
real_batch = None
image_learning_rate = None
augmentation = None
train_on = None
network_learning_rate = None
network_images = None
network_augmentation = None
cutmix = None
network = None
width = None
classes_per_pass = None
selection_epochs = None
test_network = None
test_width = None
evaluations = 1
evaluation_epochs = None
evaluation_learning_rate = None
evaluation_augmentation = None
evaluation_cutmix = None
precision = "float32"
compile = False

# %% [markdown]
# Misspelt names and impossible values end the run here. The resolved parameters identify it: its record bears a hash of
# them as its name.

# %%
from lcmat.config import from_namespace

parameters = from_namespace("condensation", globals())

from lcmat.book import display
from lcmat.experiments import condensation
from lcmat.experiments.session import begin

session = begin(parameters)
display.parameter_table(parameters)

# %% [markdown]
# ## Data
#
# The images are made from the training images alone. The test images serve for the accuracy.

# %%
splits = condensation.load_data(parameters)
print(splits.train.provenance)
print(
    f"{len(splits.train)} training and {len(splits.test)} test images, {splits.train.num_classes} classes"
)

# %% [markdown]
# ## The images
#
# Random images, herding and k-center take real images. All other methods learn images: `outer_iterations` new networks,
# `inner_steps` steps of the images for each, and between two steps the network learns on. By default all of them take as
# many steps against as many original images. The result stays in the cache, so that another network can be tested on the
# same images. A run that was interrupted goes on where it stopped.
#
# The figure shows the first images of each class, one row per class.

# %%
condensed = condensation.condense(session, splits)
if isinstance(condensed, Exception):
    print(f"diverged: {condensed}")
else:
    images, _ = condensed.synthetic.decoded()
    print(f"images {tuple(images.shape)} after {condensed.seconds:.2f} s")

# %%
if display.figures_wanted() and not isinstance(condensed, Exception):
    display.set_figure(condensed.synthetic)

# %% [markdown]
# ## What they are worth
#
# A new network is trained on these images alone, with the same initial weights and draws for every method of this seed.
# The accuracy after the *last* epoch is the result.

# %%
evaluation = (
    None
    if isinstance(condensed, Exception)
    else condensation.evaluate(session, condensed, splits)
)

# %% [markdown]
# ## The record
#
# The last act of the run. It is all that the other pages know of it.

# %%
record = condensation.finish(session, splits, condensed, evaluation)
condensation.save(session, record)
display.record_table(record)
