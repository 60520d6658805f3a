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
# # Wall-clock time of the methods
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** appendix D.2, the seconds of pre-training and selection for each method on CIFAR-10; here for the runs that
#   are recorded. {doc}`speed` measures the selection stage alone, against other libraries on the same inputs.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile smoke`, then `lcmat chapters`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Claim
#
# In the paper LCMat-S costs several times the pre-training of the network that it selects with. **What would count as
# failing:** a selection stage that takes as many times the selecting network's training here as there.
#
# Times are those on the clock while other programs ran, on one thread, medians over the seeds. They are comparable within
# a setting only, and roughly.

# %% tags=["hide-cell"]
import pandas as pd
from great_tables import GT
from IPython.display import Markdown

from lcmat import report
from lcmat.records.record import load_all
from lcmat.report.cost import stage_seconds
from lcmat.report.studies import study_runs

records, _ = load_all(experiment="selection")
keys = set(study_runs(report.runs_frame(records), "selection")["key"])
costs = stage_seconds(
    record for record in records if record.key in keys and record.status == "done"
)

# %% [markdown]
# ## Selection against the training of the selecting network
#
# *Selection* is the choice alone, *evidence* what some methods need beyond one view of the last layer (other networks,
# training histories), *selecting network* its training and the pass over all images, which uniform selection does
# without. The last column is the paper's quantity, the sum, over the selecting network alone.

# %% tags=["hide-input"]
shown = costs.assign(
    total=costs[["selector", "evidence", "selection"]].sum(axis=1),
)
shown = shown.assign(ratio=shown["total"] / shown["selector"])
table = pd.DataFrame(
    {
        "group": shown["dataset"] + ", " + shown["network"] + ", " + shown["device"],
        "Method": shown["method"],
        "Fraction": [f"{100 * fraction:g} %" for fraction in shown["fraction"]],
        "n": shown["n"],
        **{
            title: [f"{seconds:.2f}" if seconds == seconds else "" for seconds in shown[name]]
            for title, name in (
                ("Selecting network (s)", "selector"), ("Evidence (s)", "evidence"),
                ("Selection (s)", "selection"), ("Training (s)", "training"), ("Sum / selecting network", "ratio"),
            )
        },
    }
)  # fmt: skip
if len(table):
    out = GT(table, groupname_col="group", id="wall-clock").tab_options(
        table_font_size="13px", data_row_padding="3px", table_background_color="white"
    )
else:
    out = report.not_run("No run of the selection benchmark is recorded.")
out

# %% [markdown]
# ## The paper's ratio and ours

# %% tags=["hide-input"]
published = report.read_published()
wall = published[published["table"] == "D.2"].set_index(["method", "budget"])["mean"]
cheapest = wall.sort_index().drop("Uniform").groupby("budget").min()
theirs = [
    f"{float(budget) * 100:g} %: {wall['LCMat-S', budget] / cheapest[budget]:.1f}"
    for budget in cheapest.index
]
ours = [
    f"{row.dataset}, {100 * row.fraction:g} %: {row.ratio:.2f}"
    for row in shown[shown["method"] == "LCMat-S, ρ = 0.1"].itertuples()
]
Markdown(
    "Pre-training and LCMat-S together, as a multiple of pre-training and the cheapest method together, in the paper: "
    + "; ".join(theirs)
    + ". As a multiple of the selecting network's training, here: "
    + ("; ".join(ours) if ours else "not run")
    + "."
)

# %% [markdown]
# ## Check
#
# Every run of the study is in exactly one row, and each sum is that of its parts.

# %%
assert costs["n"].sum() == len(
    {record.key for record in records if record.status == "done"} & keys
)
parts = shown["selector"].fillna(0) + shown["evidence"].fillna(0) + shown["selection"]
assert ((parts - shown["total"]).abs() < 1e-9).all()

# %% [markdown]
# ## Take-away
#
# - **Shown:** what each stage took in the recorded runs.
# - **Not shown:** times on the paper's hardware, which it does not name; hence no verdict on its seconds.
# - **Differs from the paper:** the greedy choice and its distances are computed by other algorithms with the same picks.
