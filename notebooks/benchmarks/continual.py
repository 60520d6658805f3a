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
# # One run of class-incremental learning
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** one curve of Figure 5 of {cite:t}`shin2023lcmat`: classes arrive in stages, a few images of each are kept,
#   and after each stage a new network is trained on what is kept.
# - **Cost:** seconds on one core with the parameters below; hours with the paper's on a GPU.
# - **Rerun:** `lcmat run continual -p dataset=digits -p method=lcmat-c -p ipc=10 -p seed=0`, with any of the
#   parameters below. Every run executes this notebook and leaves a record; {doc}`../condensation/04_replay` compares them.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# `None` stands for the default of the data set, the network or the method. Where a condensation has none on this data
# set, it is the published value.

# %% tags=["parameters"]
dataset = "digits"
method = "lcmat-c"
num_stages = 5
ipc = 10
seed = 0
class_order_seed = None
rho = None
network = None
width = None
augment = None
flip = None
selection_epochs = None
init = None
outer_iterations = None
inner_steps = None
network_epochs = None
network_images = None
real_batch = None
image_learning_rate = None
epochs = None
batch_size = 64
learning_rate = None

# %% [markdown]
# Misspelt names and impossible values end the run here. The resolved parameters identify it: its record bears a hash of
# them as its name.

# %%
from lcmat.config import from_namespace

parameters = from_namespace("continual", globals())

from lcmat.book import display
from lcmat.experiments import continual
from lcmat.experiments.session import begin

session = begin(parameters)
display.parameter_table(parameters)

# %% [markdown]
# ## Data and stages
#
# The order of the classes is drawn from `class_order_seed`. Test images serve for the accuracies alone.

# %%
splits = continual.load_data(parameters)
classes = continual.stages(parameters, splits)
print(splits.train.provenance)
for number, labels in enumerate(classes, start=1):
    print(
        f"stage {number}: {', '.join(splits.train.class_names[label] for label in labels)}"
    )

# %% [markdown]
# ## Memory and networks
#
# For each stage, `ipc` images of each new class are selected or condensed. Whatever networks this takes are trained on the
# training images of *this stage* alone. What is kept is never changed afterwards. Then a new network, with one output for each
# class seen so far, is trained on the whole memory; all methods are trained in the same way, from the same initial weights.
# An interrupted run goes on after its last complete stage.

# %%
outcome = continual.replay(session, splits)

# %% [markdown]
# The memory after the last stage: one row for each class, in the order in which they came.

# %%
if display.figures_wanted() and not isinstance(outcome, Exception):
    display.set_figure(outcome.memory)

# %% [markdown]
# Accuracy on the test images of each stage (column) after each stage (row), in percent. Down a column one sees what is
# forgotten: the images that are kept stay the same, but more classes compete.

# %%
if not isinstance(outcome, Exception):
    print(outcome.accuracies.numpy().round(1))

# %% [markdown]
# ## The record
#
# The last act of the run. It is all that the other pages know of it. `test_accuracy_percent` is the accuracy over all classes
# after the last stage, `average_accuracy_percent` the mean over the stages of the accuracy over the classes seen,
# `own_classes_accuracy_percent` the accuracy if the stage of each image were known.

# %%
record = continual.finish(session, splits, outcome)
continual.save(session, record)
display.record_table(record)
