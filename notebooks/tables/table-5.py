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
# # Table 5: condensed images, other networks
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** Table 5 of {cite:t}`shin2023lcmat`: images condensed with ConvNet-3 and learnt by other networks.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** the command in a row's drawer for its runs, `lcmat chapters` for the page.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# A run counts as in {doc}`table-4`, with the trained network named in the row, and is not judged either.
#
# - ResNet-10 is ours: ResNet-18 for small images without the second block of each stage. Which variant the paper tests
#   with is not stated.
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.

# %% tags=["hide-cell"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "5"

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
# - **Differs from the paper:** the same as in {doc}`table-4`.
