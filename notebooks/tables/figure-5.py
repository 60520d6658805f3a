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
# # Figure 5: learning classes in stages
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** Figure 5 of {cite:t}`shin2023lcmat`: accuracy over the classes of CIFAR-100 seen so far, with a
#   memory of ten images a class.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** the command in a row's drawer for its runs, `lcmat chapters` for the page.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# A run of the continual experiment counts if its data set, method, stages and memory are the paper's. Each of the
# five stages of a run measures one number of its row. The network and its schedule are not stated; ours are guesses, so
# runs are shown beside the published numbers and not judged.
#
# - The numbers were read off the vector graphics.
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.

# %% tags=["hide-cell"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "figure 5"

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
