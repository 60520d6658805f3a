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
# # Should I use LCMat?
#
# Are the paper's methods more accurate than images drawn *at random*, which cost nothing? (LCMat-S as the paper defines it, at
# its default radius; LCMat-C at the radius that held-out training images chose.)

# %% tags=["remove-cell"]
from IPython.display import HTML, Markdown
from scipy import stats

from lcmat import report
from lcmat.config import CondensationParameters
from lcmat.records.record import load_all
from lcmat.report import advice
from lcmat.report.runs import ACCURACY

selection = report.runs_frame(load_all(experiment="selection")[0])
selection = selection[~selection["stale"].astype(bool)]
learnt = load_all(experiment="condensation")[0]
rows = advice.situations(selection, report.runs_frame(learnt, CondensationParameters))
datasets = advice.datasets_of(rows)

# %% tags=["remove-input"]
Markdown(
    advice.answer_in_counts(rows, datasets)
    + "\n\nMore accurate than random is not most accurate: the table says what gained most."
)

# %% [markdown]
# ```{admonition} How the cells are computed
# :class: note dropdown
# - **Rule:** of the methods that were significantly more accurate than random images, the one with the largest mean gain;
#   random images if there is none. Differences are paired by seed, and "significant" means $p < 0.05$ after the correction of
#   {cite:t}`holm1979` for all methods compared in one setting, from three seeds on. The rule favours whatever happened to
#   come out largest, so read the intervals below, too.
# - **Networks:** where a data set has several, the one with which most methods were compared speaks; mostly it is not the
#   paper's, which {doc}`../report/why-the-numbers-differ` is about. The last table names it.
# - **Cost of the page:** seconds, because it only reads records.
# - **Rerun:** `lcmat sweep --profile smoke` for the digits, `lcmat sweep --profile cpu` for real images, then `lcmat chapters`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```
#
# ## What to use instead
#
# Find your situation: each cell names what the records of one data set say to use, and
# the link leads to the evidence.

# %% tags=["remove-input"]
Markdown(advice.decision_table(rows, datasets))

# %% [markdown]
# **Your own images** are in no column. Random choice is the safe beginning; {doc}`your-data` shows how to compare it with the
# other methods on a folder of yours. {doc}`../report/why-the-numbers-differ` asks why the paper found more.
#
# The digits are pictures of 8 x 8 pixels, and their network is one that a processor trains in a second. They say how a method
# works, not whether it works on photographs. A cell that says "not run" is no recommendation.
#
# ## What stands behind each cell

# %% tags=["remove-input"]
HTML(advice.advice_html(rows, datasets, "advice"))

# %% [markdown]
# Under wrong labels and unequal classes, random images are drawn from the same damaged training set. The number of seeds, n,
# is that of the method to use, or of LCMat where random images are to be used. A difference can be "undecided" although its
# interval excludes zero: the correction asks for more where many methods are compared. Pages that compare other things correct
# for those, so that the same difference, with the same interval, can be significant on one and not on another.
#
# **Check.** The differences of LCMat-S to uniform selection where labels are wrong, computed once more from the single runs with
# SciPy.

# %%
for row in (row for row in rows if row.title.startswith("Wrong labels")):
    level = row.differences["label_noise"].iloc[0] if len(row.differences) else None
    noisy = selection[(selection["label_noise"] == level) & (selection["dataset"] == "digits")]  # fmt: skip
    noisy = noisy.set_index("seed")[["method", "rho", ACCURACY]]
    uniform = noisy[noisy["method"] == "uniform"][ACCURACY]
    lcmat = noisy[(noisy["method"] == "lcmat-s") & (noisy["rho"] == 0.1)][ACCURACY]
    both = uniform.to_frame("uniform").join(lcmat.rename("lcmat"), how="inner")
    found = advice.advise(row, "digits").own
    if found is not None:
        again = stats.ttest_rel(*both[["lcmat", "uniform"]].astype(float).T.to_numpy())
        assert abs(again.confidence_interval().low - found.low) < 1e-9

# %% [markdown]
# ## Take-away
#
# - **Shown:** what the records recommend, situation by situation, on the data sets named.
# - **Not shown:** anything about data sets without records, and about images of yours.
# - **Differs from the paper:** the paper recommends LCMat-S throughout, and chooses $\rho$ without saying on which data.
