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

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from lcmat import report
from lcmat.config.datasets import DATASETS
from lcmat.records.record import load_all
from lcmat.report import figures
from lcmat.report.cost import stage_seconds
from lcmat.report.studies import study_runs
from lcmat.report.wall_clock import (
    draw_ratios,
    speaking_costs,
    wall_clock_answer,
    with_ratio,
)

figures.use_style()
records, _ = load_all(experiment="selection")
keys = set(study_runs(report.runs_frame(records), "selection")["key"])
costs = stage_seconds(
    record for record in records if record.key in keys and record.status == "done"
)
shown = with_ratio(costs)
speaking = speaking_costs(shown)

# %% tags=["remove-input"]
Markdown(wall_clock_answer(speaking))

# %% tags=["remove-input"] mystnb={"image": {"alt": "A bar for each method, as long as the seconds of selecting network, evidence and selection together over those of the selecting network alone, with a line at one."}, "figure": {"name": "fig-wall-clock", "caption": "Seconds before the training on the coreset, over those of the selecting network alone, for each method as its source defines it: medians over the n seeds in the title. At the line the choice itself costs nothing."}}
panels = [rows for _, rows in speaking.groupby(["dataset", "fraction"])]
if panels:
    _, axes = plt.subplots(
        -(-len(panels) // 2), 2, figsize=(figures.WIDE_INCHES, 3.4 * -(-len(panels) // 2)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, rows in zip(axes.flat, panels, strict=False):
        draw_ratios(ax, rows)
        first = rows.iloc[0]
        ax.set_title(
            f"{DATASETS[first['dataset']].title}, {100 * first['fraction']:g} % (n = {first['n']})"
        )
    plt.show()
else:
    display(report.not_run("The seconds of each method: lcmat sweep --profile smoke"))

# %% [markdown]
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
# failing:** a choice that costs a much smaller part of the training here than there. It does. But training on one thread of
# a processor is slow, and these networks are not the paper's, so the ratio says little about the paper's hardware.
#
# Times are those on the clock while other programs ran, medians over the seeds. They are comparable within a setting
# only, and roughly.

# %% [markdown]
# ## Selection against the training of the selecting network
#
# *Selection* is the choice alone, *evidence* what some methods need beyond one view of the last layer (other networks,
# training histories), *selecting network* its training and the pass over all images, which uniform selection does
# without. The last column is the paper's quantity, the sum, over the selecting network alone.

# %% tags=["remove-input", "hide-output"] mystnb={"code_prompt_show": "Show the seconds of each method, fraction and device", "code_prompt_hide": "Hide the seconds"}
rows = pd.DataFrame(
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
report.table(rows, "wall-clock") if len(rows) else report.not_run(
    "No run of the selection benchmark is recorded."
)

# %% [markdown]
# ## Check
#
# Every run of the study is in exactly one row, and each sum is that of its parts.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the check"}
assert costs["n"].sum() == len(
    {record.key for record in records if record.status == "done"} & keys
)
parts = shown["selector"].fillna(0) + shown["evidence"].fillna(0) + shown["selection"]
assert ((parts - shown["total"]).abs() < 1e-9).all()

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
paid = shown.dropna(subset=["selector"])
shares = (paid["selection"] / (paid["total"] + paid["training"])).dropna()
Markdown(
    f"The choice itself is {100 * shares.median():.1f} % of a run's seconds in the middle one of {len(shares)} rows of the "
    f"table, and {100 * shares.max():.1f} % at most; the rest trains networks."
    if len(shares)
    else "No seconds are recorded yet."
)

# %% [markdown]
# - **Not shown:** times on the paper's hardware, which it does not name; hence no verdict on its seconds.
# - **Differs from the paper:** the greedy choice and its distances are computed by other algorithms with the same picks.
