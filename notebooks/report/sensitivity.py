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
# # Sensitivity of LCMat-S

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
from IPython.display import Markdown, display

from lcmat import report
from lcmat.config.registry import METHODS
from lcmat.records.record import load_all
from lcmat.report import figures
from lcmat.report.page_answers import sensitivity_answer
from lcmat.report.plots import draw_band
from lcmat.report.runs import ACCURACY
from lcmat.report.sentences import against, resolution
from lcmat.report.studies import study_runs

figures.use_style()
runs = report.runs_frame(load_all(experiment="selection")[0])
study = study_runs(runs, "sensitivity")
SWEEP = "lcmat sweep --profile smoke"
DEFAULT_RHO = METHODS["lcmat-s"].options["rho"]
plain = report.with_default_selector(study)

curve = plain[(plain["method"] == "lcmat-s") & (plain["top_k"] == 100) & ~plain["weighted"].astype(bool)]  # fmt: skip
grouped = report.group_seeds(curve)
against_zero = report.paired_to(curve, curve["rho"] == 0)

is_default = (
    (plain["method"] == "lcmat-s") & (plain["rho"] == DEFAULT_RHO)
    & (plain["top_k"] == METHODS["lcmat-s"].options["top_k"])
    & ~plain["weighted"].astype(bool)
)  # fmt: skip
others = plain[(plain["method"] != "uniform") & (plain["rho"] == DEFAULT_RHO) | plain["weighted"].astype(bool)]  # fmt: skip
against_default = report.paired_to(others, is_default.reindex(others.index))

ages = {
    age: report.paired_to_baseline(rows)
    for age, rows in report.by_selector_age(study, "digits").items()
}

batch = study_runs(runs, "batch-norm")
statistics = report.paired_to_baseline(batch)
alone = batch[(batch["method"] == "lcmat-s") & batch["loss_reduction"].isna()]
batches = {
    rho: rows
    for rho, group in alone.groupby("rho")
    if len(rows := report.paired_to(group, group["batch_norm"].isna()))
}

# %% tags=["remove-input"]
Markdown(
    sensitivity_answer(against_zero, against_default, ages.values(), batches.values())
    + "\n\n{doc}`why-the-numbers-differ` asks the last question of CIFAR-10 and the paper's own network."
)

# %% tags=["remove-input"] mystnb={"image": {"alt": "Test accuracy of LCMat-S against the radius with error bars; a grey band for uniform selection."}, "figure": {"name": "fig-sensitivity-radius", "caption": "Accuracy of LCMat-S on the digits against the radius, 5 % of each class: mean and 95 % t interval over the n seeds in the legend; grey: interval of uniform selection."}}
if len(grouped):
    figure, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.5, 3.0))
    base = report.done_runs(plain[plain["method"] == "uniform"])
    if len(base):
        draw_band(ax, [float(value) for value in base[ACCURACY]], "Uniform")
    radii = [float(rho) for rho in grouped["rho"]]
    figures.plot_accuracy(ax, radii, list(grouped[ACCURACY]), method="LCMat-S")
    ax.set(xscale="linear", xlabel="radius ρ", ylabel="test accuracy (%)")
    ax.legend(loc="best")
    plt.show()
else:
    display(report.not_run(SWEEP))

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** Figure 4 (the radius), and what it leaves open: K, the age of the selecting network, weights, the exact
#   spectral norm instead of the diagonal, and the statistics of batch normalisation. On the digits.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile smoke`, then `lcmat chapters`. One point:
#   `lcmat run selection -p dataset=digits -p method=lcmat-s -p top_k=10 -p seed=0`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# The paper says that LCMat-S is better than gradient matching ($\rho = 0$) over a range of radii, and that training with
# the weights $\gamma_j$ does worse than training without. **What counts as failing:** a Holm-corrected difference of the
# other sign, or none that the seeds can tell.

# %% [markdown]
# ## The radius
#
# The points of Figure 4, as far as the digits can show them. The grey band is uniform selection.

# %% tags=["remove-input"]
Markdown(
    "**Against $\\rho = 0$.** "
    + report.describe_differences(against_zero, "gradient matching alone")
)

# %% [markdown]
# ## One setting at a time
#
# Each configuration against LCMat-S with our defaults, paired by seed. K is the paper's; $\rho$ is one of its four, among
# which it chooses by an unstated rule, and the selecting network of the digits is younger than its ten epochs.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Differences to LCMat-S with its default settings, a row for each other setting, with intervals."}, "figure": {"name": "fig-sensitivity-settings", "caption": "Accuracy minus that of LCMat-S with the default settings, in percentage points: mean and 95 % paired t interval over n seeds. Digits, 5 % of each class."}}
if len(against_default):
    report.draw_differences(against_default, ["dataset", "fraction"], columns=1)
    plt.show()
else:
    display(report.not_run(SWEEP))

# %% tags=["remove-input"]
Markdown(report.describe_differences(against_default, "LCMat-S with the defaults"))

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show each difference to the default settings", "code_prompt_hide": "Hide the differences"}
report.differences_table(against_default, "settings") if len(against_default) else None

# %% [markdown]
# ## The age of the selecting network
#
# LCMat-S and Craig against uniform selection, which does not look at the network. *This section is exploratory:* it was
# added after test accuracies on the digits had been seen at several ages. The default age, which all other sections use,
# was fixed before and left as it was.

# %% tags=["remove-input"]
for age, rows in ages.items():
    text = report.describe_differences(rows)
    display(Markdown(f"**{age} epoch{'s' if age > 1 else ''}.** {text}"))

# %% [markdown]
# ## Statistics of batch normalisation
#
# The official code never leaves training mode before it takes the per-sample quantities: every batch then holds images of
# one class, normalised by their own statistics. A narrow ResNet-18 has batch normalisation; both ways of looking at the
# images choose from the same trained network.

# %% tags=["remove-input"] mystnb={"image": {"alt": "Differences of LCMat-S with batch statistics and with running statistics to uniform selection."}, "figure": {"name": "fig-sensitivity-batch-norm", "caption": "Accuracy minus that of uniform selection, in percentage points, with the running statistics (eval mode) and with those of single-class batches: mean and 95 % paired t interval over n seeds. Digits, ResNet-18 of width 4."}}
if len(statistics):
    report.draw_differences(statistics, ["dataset", "network"], columns=1)
    plt.show()
else:
    display(report.not_run(SWEEP))

# %% tags=["remove-input"]
for rho, rows in batches.items():
    text = against(rows["interval"].iloc[0], "the same choice with running statistics")
    display(Markdown(f"At radius {rho:g}, LCMat-S with batch statistics {text}."))

# %% [markdown]
# ## Provenance and cost

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show which code, machine and data each run had", "code_prompt_hide": "Hide the provenance"}
used = runs[runs["key"].isin([*study["key"], *batch["key"]])]
report.provenance_table(used, "provenance", SWEEP)

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
Markdown(
    f"**How small a difference this page can show.** {resolution(against_default)}"
)

# %% [markdown]
# - **Not shown:** interactions of settings; larger images and networks.
# - **Differs from the paper:** every radius is shown rather than the best; K, weights, age and mode are varied at all.
