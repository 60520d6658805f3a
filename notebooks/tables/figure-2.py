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
# # Figure 2: terms of the bound
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** Figure 2 of {cite:t}`shin2023lcmat`: the gradient gap and the curvature term of four coresets.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat chapters`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# The figure names neither data set nor fraction, so no run can check its numbers. {doc}`../derivation/03_upper_bound`
# and {doc}`../derivation/04_diagonal` measure both terms on small networks, and
# `python -m lcmat.measurements.explanation cifar10` those of the coresets of our records.
#
# - The numbers were read off the vector graphics.
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.

# %% tags=["hide-cell"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "figure 2"

# %% tags=["hide-input"]
accounts = read_accounts()
describe(accounts.of(TABLE))

# %% [markdown]
# ## Number by number
#
# A dash means that there is nothing to show. *Reduced protocol* is the same question on a smaller network or a shorter
# schedule; it never enters a verdict. The drawer of a row holds the command that checks it and, once it was run, every
# seed's value with its record and what made it.

# %% tags=["hide-input"]
shown = accounts.show(TABLE)
shown

# %% [markdown]
# ## Check
#
# Every number that the paper prints is on this page once, unchanged; the file is read again by other means.

# %%
check_page(shown, TABLE)

# %% [markdown]
# ## Take-away
#
# - **Shown:** for each number whether it was run here under the paper's protocol, and the verdict if so.
# - **Not shown:** anything about the numbers marked *not run*; a reduced protocol says nothing about them.
# - **Differs from the paper:** the paper's curvature term is the largest eigenvalue; the bound needs the spectral
#   norm ({doc}`../derivation/08_errata`).
