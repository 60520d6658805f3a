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
# # Wrong labels and unequal classes

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from lcmat import report
from lcmat.config.registry import METHODS
from lcmat.records.record import load_all
from lcmat.report import figures
from lcmat.report.page_answers import hard_conditions_answer
from lcmat.report.sentences import resolution
from lcmat.report.studies import means_by, study_runs

figures.use_style()
runs = report.runs_frame(load_all(experiment="selection")[0])
noisy, unequal = (study_runs(runs, name) for name in ("label-noise", "class-imbalance"))
SWEEP = "lcmat sweep --profile smoke"

noise_differences = report.paired_to_baseline(noisy)
shares = means_by(
    noisy[(noisy["rho"].isna()) | (noisy["rho"] > 0)],
    "wrong_labels_percent",
    "label_noise",
)
shares_of_classes = unequal["across_classes"].isna() & (unequal["method"] == "uniform")
imbalance_differences = report.paired_to(unequal, shares_of_classes)

# %% tags=["remove-input"]
Markdown(hard_conditions_answer(noise_differences, shares, imbalance_differences))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Differences to uniform selection for each method, one panel for each share of wrong labels."}, "figure": {"name": "fig-hard-noise", "caption": "Accuracy minus that of uniform selection on the same noisy labels, in percentage points: mean and 95 % paired t interval over n seeds. Digits, 5 % of each class."}}
if len(noise_differences):
    report.draw_differences(noise_differences, ["dataset", "label_noise"])
    plt.show()
else:
    display(report.not_run(SWEEP))

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** nothing: neither is in it. Users of coresets ask for both.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile smoke`, then `lcmat chapters`. One point:
#   `lcmat run selection -p dataset=digits -p method=lcmat-s -p label_noise=0.3 -p seed=0`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Questions
#
# A method that looks for large or unusual gradients may collect mislabelled images, whose gradients are large and unusual.
# A method that selects a share of each class keeps the imbalance of the classes; one that lets all images compete may
# correct it or make it worse. The test images are clean and balanced as always. **What would count as an answer:** a
# Holm-corrected difference to uniform selection on the same damaged training set.

# %% [markdown]
# ## Wrong labels
#
# A share of the training labels, drawn at random, is replaced by labels of other classes, for the selecting network as
# for the methods and for the network that learns from the coreset.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Share of wrong labels among the chosen images against the share in the training set, a line for each method, with the diagonal."}, "figure": {"name": "fig-hard-wrong", "caption": "Share of chosen images that bear a wrong label against the share in the training set; mean over the seeds. Below the dotted diagonal a method avoids wrong labels, above it collects them."}}
if len(shares):
    _, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.6, 3.2))
    levels = [100 * level for level in shares.columns]
    for method, row in shares.iterrows():
        look = figures.method_style(METHODS[method].title)
        ax.plot(levels, list(row), color=look.color, marker=look.marker, label=METHODS[method].title)  # fmt: skip
    ax.plot([0, 100], [0, 100], color=figures.BLACK, linestyle=":", linewidth=0.8)
    ax.set(xlabel="wrong labels in the training set (%)", ylabel="wrong labels in the coreset (%)")  # fmt: skip
    ax.legend(fontsize=6, ncols=2)
    plt.show()

# %% tags=["remove-input"]
for level, rows in noise_differences.groupby("label_noise"):
    display(
        Markdown(
            f"**{100 * level:g} % wrong labels.** {report.describe_differences(rows)}"
        )
    )

# %% [markdown]
# ## Unequal classes
#
# Class sizes fall exponentially {cite:p}`cui2019classbalanced`; the largest has ten times the images of the smallest. The
# coreset is a tenth of the training set: of each class its share, or of all images together ("across classes").

# %% tags=["remove-input"] mystnb={"image": {"alt": "Differences to uniform selection within classes, for methods within and across classes."}, "figure": {"name": "fig-hard-imbalance", "caption": "Accuracy on balanced test images minus that of uniform selection within each class, in percentage points: mean and 95 % paired t interval over n seeds. Digits with class sizes falling by a factor of ten, a tenth of the images kept."}}
if len(imbalance_differences):
    report.draw_differences(imbalance_differences, ["dataset", "imbalance"], columns=1)
    plt.show()
else:
    display(report.not_run(SWEEP))

# %% tags=["remove-input"]
display(
    Markdown(
        report.describe_differences(
            imbalance_differences, "uniform selection within classes"
        )
    )
)
# %% [markdown]
# ## Check
#
# The share of wrong labels in a uniform choice is that of the training set, up to chance: over all seeds and levels the
# deviation stays within four standard errors of a binomial draw.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the check"}
uniform = report.done_runs(noisy[noisy["method"] == "uniform"])
for level, rows in uniform.groupby("label_noise"):
    size = rows["coreset_size"].astype(float).sum()
    found = (
        rows["wrong_labels_percent"].astype(float) * rows["coreset_size"].astype(float)
    ).sum() / (100 * size)
    assert abs(found - level) < 4 * (level * (1 - level) / size) ** 0.5

# %% [markdown]
# ## Provenance and cost

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show which code, machine and data each run had", "code_prompt_hide": "Hide the provenance"}
used = runs[runs["key"].isin([*noisy["key"], *unequal["key"]])]
report.provenance_table(used, "provenance", SWEEP)

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
both = pd.concat([noise_differences, imbalance_differences])
Markdown(f"**How small a difference this page can show.** {resolution(both)}")

# %% [markdown]
# - **Not shown:** label noise that depends on the image, and larger data sets.
# - **Differs from the paper:** it does not ask these questions.
