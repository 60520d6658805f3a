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
# # One run of the selection benchmark
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** one point of Table 1 of {cite:t}`shin2023lcmat`: select a share of the training images with the help of a
#   network trained for a few epochs, train a fresh network on them alone, measure its test accuracy.
# - **Cost:** seconds on one core with the parameters below; minutes to hours with the paper's on a GPU.
# - **Rerun:** `lcmat run selection -p dataset=digits -p method=lcmat-s -p fraction=0.05 -p seed=0`, with any of the
#   parameters below. Every run executes this notebook and leaves a record, from which {doc}`../report/selection` is made.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# `None` stands for the default of the data set, the network or the method.

# %% tags=["parameters"]
dataset = "digits"
method = "lcmat-s"
fraction = 0.05
seed = 0
rho = None
rho_choice = None
top_k = None
loss_reduction = None
double_softmax = None
gradients = None
compared = None
ridge = None
eta = None
rounds = None
damping = None
official_kernel = None
cut_lambda = None
raw_logits = None
official_order = None
official_weights = None
num_neighbours = None
batch_norm = None
across_classes = None
label_noise = None
imbalance = None
weighted = False
network = None
width = None
learner = None
learner_width = None
selection_epochs = None
selection_weight_decay = None
selection_optimizer = None
selection_learning_rate = None
epochs = None
training_steps = None
evaluate_every = None
batch_size = 128
learning_rate = 0.1
crop_padding = None
flip = None
precision = "float32"
compile = False

# %% [markdown]
# Misspelt names and impossible values end the run here. The resolved parameters identify it: its record bears a hash of
# them as its name.

# %%
from lcmat.config import from_namespace

parameters = from_namespace("selection", globals())

from lcmat.book import display
from lcmat.experiments import selection
from lcmat.experiments.session import begin
from lcmat.report import figures

session = begin(parameters)
display.parameter_table(parameters)

# %% [markdown]
# ## Data
#
# The method sees the training images only. The test images serve for the accuracies.

# %%
splits = selection.load_data(parameters)
print(splits.train.provenance)
print(
    f"{len(splits.train)} training and {len(splits.test)} test images, {splits.train.num_classes} classes"
)

# %% [markdown]
# ## The selecting network
#
# A network is trained on all training images for `selection_epochs` epochs. The method sees its features $h_i$ and
# logits of every image, in evaluation mode; network and view are computed once for each seed and shared by all methods
# and fractions. Uniform selection needs neither. Methods with a validation set hold out a tenth of each class: the network does not learn from these images,
# and they cannot be selected.

# %%
view = selection.attempt(selection.selector_view, parameters, splits, session.device)
if isinstance(view, Exception):
    print(f"diverged: {view}")
elif view.test_accuracy_percent is not None:
    print(
        f"features {tuple(view.features.shape)}, test accuracy {view.test_accuracy_percent:.2f} %"
    )

# %% [markdown]
# ## The coreset
#
# Most methods need no more than this view. Some are told beyond it how training went (`lcmat methods` says which):
# how often each image was forgotten, how wrong other networks were about it, how far it is from the decision boundary,
# or what the network makes of training images that were held out. This evidence is kept like the view.
#
# `round(fraction * n_c)` images of each class. The figure shows the first of each class, one row per class, in the
# order in which the method chose them.

# %%
evidence = selection.attempt(selection.gather, parameters, splits, session.device)
choice = selection.attempt(
    selection.choose, parameters, view, splits, evidence, session.device
)
if isinstance(choice, Exception):
    print(f"nothing can be chosen: {choice}")
else:
    print(f"{len(choice.coreset)} images chosen in {choice.seconds:.2f} s")

# %%
if display.figures_wanted() and not isinstance(choice, Exception):
    display.picks_figure(choice.coreset, splits.train)

# %% [markdown]
# ## Training on the coreset
#
# A fresh network, by the paper's protocol. The accuracy after the *last* epoch is the result; the best of the evaluated
# epochs, which the official code reports, is chosen on the test set and stands beside it.

# %%
result = (
    choice
    if isinstance(choice, Exception)
    else selection.train_on_coreset(session, choice.coreset, splits)
)

# %%
if display.figures_wanted() and not isinstance(result, Exception):
    figures.use_style()
    display.training_figure(result)

# %% [markdown]
# ## The record
#
# The last act of the run. It is all that the other pages know of it.

# %%
record = selection.finish(session, splits, view, evidence, choice, result)
selection.save(session, record)
display.record_table(record)
