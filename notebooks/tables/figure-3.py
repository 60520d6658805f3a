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
# # Figure 3: how the selecting network was trained
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** Figure 3 of {cite:t}`shin2023lcmat`: wins of one method over another in 90 pre-trained networks.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile paper` for its runs, `lcmat chapters` for the page.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# The paper varies epochs, weight decay, optimiser and seed of the selecting network. Half of its 90 networks are
# trained by Adam, at a learning rate that is not stated, nor is the fraction. Wins among the runs by SGD are
# therefore **shown and never judged**: a count of other networks is no count of these.
#
# - The paper's rows say how often the row's method wins over the one named; ties count for neither.
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.

# %% tags=["hide-cell"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "figure 3"

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
# - **Differs from the paper:** only SGD. Rows that share a pair of methods are not independent, as in the paper.
