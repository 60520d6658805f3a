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
# # Reproducibility report
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** every published number of {cite:t}`shin2023lcmat`, once: tables 1 to 6, appendix D.2, figures 2 to 5.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile paper` for the runs, `lcmat chapters` for the page.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## Rules, fixed before anything was run
#
# A published cell is compared with our runs only if these follow its protocol: the same data set, network, fraction,
# epochs of both trainings, method options, augmentation and optimiser. Runs of smaller networks or shorter schedules
# are listed apart, as a reduced protocol, and never matched. Where the paper tunes $\rho$ without naming the rule, our
# default stands. Arithmetic precision does not count as protocol; the table of provenance shows it.
#
# With $\Delta$ = our mean (last epoch) - published mean, its 95 % interval by {cite:t}`welch1947` from both means,
# spreads and numbers of seeds, and a margin $\delta$:
#
# - **reproduced**: the whole interval lies in $[-\delta, \delta]$;
# - **higher**, **lower**: the interval excludes zero and $|\Delta| > \delta$;
# - **inconclusive**: neither; with the number of our seeds that would settle it if means and spreads stayed as they are
#   (none is given where the published spread alone is too wide);
# - **not run**: no run of that protocol.
#
# The paper does not say what its $\pm$ means; it is read as the standard deviation over seeds. A number without one, as
# those read off figures, is taken as exact.

# %% tags=["hide-cell"]
from IPython.display import Markdown, display

from lcmat import report
from lcmat.records import load_all
from lcmat.statistics import ACCURACY_MARGIN_PERCENT, VERDICTS

# %% tags=["hide-input"]
Markdown(
    f"The margin is $\\delta$ = {ACCURACY_MARGIN_PERCENT:g} percentage points of accuracy."
)

# %% [markdown]
# ## Summary

# %% tags=["hide-input"]
records, problems = load_all(experiment="selection")
runs = report.runs_frame(records)
published = report.read_published()
comparison = report.compare(published, runs)
counts = report.verdict_counts(comparison)

if problems:
    display(report.problems_notice(problems))
report.counts_table(counts, "summary")

# %% tags=["hide-input"]
total = counts.iloc[-1]
parts = ", ".join(f"{total[name]} {name}" for name in VERDICTS)
Markdown(f"Of {total['all']} published numbers: {parts}.")

# %% [markdown]
# ## Check
#
# Each published number appears exactly once, unchanged, and the verdicts add up.

# %%
import pandas as pd

assert list(comparison["cell"]) == list(range(len(published)))
pd.testing.assert_frame_equal(comparison[published.columns], published)
assert total["all"] == len(published) == sum(total[name] for name in VERDICTS)

# %% [markdown]
# ## Cell by cell
#
# Empty fields belong to cells that were not run. *Records* are the first letters of the records' names.

# %% tags=["hide-input"]
for table, rows in comparison.groupby("table", sort=False):
    title = (
        table[0].upper() + table[1:] if table.startswith("figure") else f"Table {table}"
    )
    display(Markdown(f"**{title}**"))
    display(
        report.comparison_table(
            rows, "cells-" + table.replace(" ", "-").replace(".", "-")
        )
    )

# %% [markdown]
# ## Reduced protocol
#
# Runs on smaller networks, shorter schedules or other data sets. They show how the methods compare there and say
# nothing about the published numbers; {doc}`selection` draws them.

# %% tags=["hide-input"]
matched = {key for keys in comparison["keys"] for key in keys}
reduced = runs[~runs["key"].isin(matched)]
grouped = report.group_seeds(reduced)
report.accuracy_table(grouped, "reduced") if len(grouped) else report.not_run(
    "No run of a reduced protocol is recorded."
)

# %% [markdown]
# ## Provenance and cost

# %% tags=["hide-input"]
report.provenance_table(runs, "provenance") if len(runs) else report.not_run(
    "No run has been recorded."
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** for each number of the paper whether it was run here under its own protocol, and the verdict if so.
# - **Not shown:** anything about the cells marked "not run".
# - **Differs from the paper:** the verdict uses the last epoch. The official code reports the best epoch on the test
#   set, which is shown beside it and is never lower.
