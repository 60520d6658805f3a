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
# # $title

# %% tags=["remove-input"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "$table"

# %% tags=["remove-input"]
accounts = read_accounts()
describe(accounts.of(TABLE))

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** $paper
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** $rerun
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# $compared
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.
#
# ## Number by number
#
# $legend
# The drawer of a row holds the command that checks it and, once it was run, every seed's value with its record and what made
# it; also the runs of *reduced protocols*: the same question on a smaller network or a shorter schedule. They never enter a
# verdict.

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
# - **Differs from the paper:** $differs
