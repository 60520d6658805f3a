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
# # Appendix D.2: seconds of selection
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** the table of appendix D.2 of {cite:t}`shin2023lcmat`: time of pre-training and selection.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile paper` for its runs, `lcmat chapters` for the page.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What is compared
#
# Our number is the sum of the seconds that a run's record states for the selecting network and for the selection;
# for *Uniform* that of the selection alone, as in the paper. The paper does not name its hardware, so **they are shown
# and never judged**: the verdict is *not comparable*, whatever they are. Methods are as defined.
#
# - The unit is not printed; seconds fit the text around the table.
#
# **What would count as failing** to reproduce is fixed in {doc}`../report/reproducibility`, together with the words
# of the verdicts.

# %% tags=["hide-cell"]
from lcmat.report.accounts import describe, read_accounts
from lcmat.report.page_check import check_page

TABLE = "D.2"

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
# - **Differs from the paper:** nothing is claimed. {doc}`../report/speed` compares implementations on one machine.
