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
# # Speed of the selection
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** the selection stage of the wall-clock table (appendix D.2), for data of CIFAR-10's size behind a
#   ResNet-18: ten classes of 5000 samples, 512 features, 10 classes. Random numbers stand for the features; the
#   distances take the same work whatever they are, the greedy choice takes more or less.
# - **Cost of the page:** seconds, because the measurement is stored, with its environment.
# - **Rerun:** `pip install .[peers]`, then `python -m lcmat.speed.selection_speed`, on a machine with nothing else to
#   do; `--largest 50000` adds the largest group, `--sections` measures only some parts again.
# ```
#
# ## Claim
#
# The distances of LCMat-S need neither the $n \times c(d+1)$ matrix of gradients nor an $n \times n \times K$ temporary,
# the exact greedy choice need not evaluate every candidate at every step, and above 16,384 samples not even the matrix
# of distances is needed. **What would count as failing:** other samples than the naive formulation chooses on the same
# inputs, another choice than other libraries make before gains tie, or less speed than either.

# %% tags=["hide-cell"]
import json

import matplotlib.pyplot as plt
from great_tables import GT
from IPython.display import Markdown
from pandas import DataFrame

from lcmat.config.registry import METHODS
from lcmat.files.paths import project_folder
from lcmat.report import figures
from lcmat.speed.selection_speed import RESULT

figures.use_style()
stored = json.loads((project_folder() / RESULT).read_text(encoding="utf-8"))
results = {name: section["result"] for name, section in stored.items()}


def processor(costs):
    """Processor seconds of one measurement, or of several together."""
    return (
        costs["processor_seconds"]
        if "processor_seconds" in costs
        else sum(map(processor, costs.values()))
    )


# %% [markdown]
# Ratios are of processor seconds of one thread, which other programs on the machine lengthen less than the time on the
# clock; both are stored.
#
# ## The greedy choice on given distances
#
# apricot {cite:p}`schreiber2020apricot` and submodlib {cite:p}`kaushal2022submodlib` maximise similarities; they get the largest distance minus the distance. Their lazy greedy is exact as
# well, but where gains tie within rounding each takes what it finds first, and two samples that are each other's nearest
# tie whenever both are still far from all chosen ones. From there on the choices part, and what they reach in the end
# differs a little either way. So the table states the step of the first difference and how much less the other pick
# gained there, relative to ours; zero is a tie. Below stand the same distances with a small random distance of each
# sample to itself, which leaves no ties: there every choice must be the same.

# %% tags=["hide-input"]
choices = [
    {
        "distances": "with ties" if entry["ties"] else "without ties",
        "budget": entry["budget"],
        "way": way,
        "processor seconds": processor(costs),
        "ours": processor(entry["ours"]),
        "faster by": processor(costs) / processor(entry["ours"]),
        "common picks": costs["same_picks"],
        "first difference": costs["first_difference"],
        "loss": costs["loss_at_first_difference"],
        "objective": costs["relative_difference_of_objectives"],
    }
    for entry in results["greedy"]
    for way, costs in entry["others"].items()
]
GT(DataFrame(choices), groupname_col="distances").fmt_number(
    ["processor seconds", "ours"], decimals=2
).fmt_number("faster by", decimals=0, pattern="{x} x").fmt_percent(
    "common picks", decimals=1
).fmt_integer("first difference").fmt_scientific(
    ["loss", "objective"], decimals=0
).cols_label(
    loss="its gain less than ours by", objective="final objective, relative difference"
).sub_missing(missing_text="none")

# %% tags=["hide-input"]
absent = {"apricot", "submodlib"} - {choice["way"] for choice in choices}
Markdown(
    "apricot compiles its inner loop; the first fit of a process pays for that."
    if not absent
    else f"Not installed when this was measured, so not compared: {', '.join(sorted(absent))}."
)

# %% [markdown]
# ## All of the training set

# %% tags=["hide-input"]
whole = results["whole_data_set"]
own, naive = whole["one_class"], whole["naive_class"]
rows = [
    {
        "part": part,
        "ours": processor(ours),
        "naive": processor(theirs),
        "faster by": processor(theirs) / processor(ours),
    }
    for part, ours, theirs in [
        ("distances of one class", own["kernel"], naive["kernel"]),
        (
            f"greedy choice of {100 * whole['fraction']:g} %",
            own["greedy"],
            naive["greedy"],
        ),
        ("both", own, naive),
    ]
]
GT(DataFrame(rows)).fmt_number(["ours", "naive"], decimals=2).fmt_number(
    "faster by", decimals=0, pattern="{x} x"
).tab_spanner("processor seconds", ["ours", "naive"])

# %% tags=["hide-input"]
Markdown(
    f"All {whole['classes']} classes through `select` took {processor(whole['ours']):.1f} processor seconds "
    f"({whole['ours']['seconds']:.1f} s on the clock) and raised the resident memory by {whole['ours']['peak_mb']:.0f} MB "
    f"at most; the $n \\times n \\times K$ temporary of the direct formulation alone would be "
    f"{whole['naive_temporary_mb'] / 1024:.1f} GB in float32 (the naive side computes it in slices, for one class). The "
    f"largest difference between both distance matrices, relative to the largest distance, is "
    f"{whole['relative_difference_of_distances']:.0e}."
)

# %% [markdown]
# ## Parts of the distances beside other libraries
#
# BackPACK {cite:p}`dangel2020backpack` gives all columns of the gradients and Hessian diagonals; ours are the closed forms
# of the 100 columns that vary most, which is all that the distances need.

# %% tags=["hide-input"]
parts = DataFrame(results["kernel_parts"])[
    ["part", "way", "processor_seconds", "peak_mb"]
]
GT(parts, groupname_col="part").fmt_number("processor_seconds", decimals=3).fmt_number(
    "peak_mb", decimals=0
).cols_label(processor_seconds="processor seconds", peak_mb="peak memory, MB")

# %% [markdown]
# ## Methods that choose one sample after another
#
# Beside their direct formulation, in which nothing is kept from one step to the next. Ours is the median of three runs, the
# direct one is run once. A share of common picks below 100 % would be a failure here, for there are no ties.

# %% tags=["hide-input"]
steps = [
    {
        "method": METHODS[entry["method"]].title,
        "direct formulation": entry["way"],
        "budget": entry["budget"],
        "ours": processor(entry["ours"]),
        "direct": processor(entry["naive"]),
        "faster by": processor(entry["naive"]) / processor(entry["ours"]),
        "common picks": entry["same_picks"],
    }
    for entry in results["one_by_one"]
]
GT(DataFrame(steps)).fmt_number(["ours", "direct"], decimals=2).fmt_number(
    "faster by", decimals=0, pattern="{x} x"
).fmt_percent("common picks", decimals=1).tab_spanner(
    "processor seconds", ["ours", "direct"]
)

# %% [markdown]
# ## Time and memory against the size of one group
#
# Time grows with the square of n. Memory does too, up to the number of samples above which the matrix is no longer made.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels against the number of samples on logarithmic axes: processor seconds grow with the square; peak memory grows with the square and is bounded above sixteen thousand samples."}, "figure": {"name": "fig-speed-size", "caption": "LCMat-S at 10 % of one group of n samples, one run for each n: processor seconds of one thread and growth of the resident memory."}}
groups = results["one_group"]
sizes = [entry["samples"] for entry in groups]
style = figures.method_style("LCMat-S")
_, axes = plt.subplots(1, 2, figsize=(figures.WIDE_INCHES, 2.6))
for ax, key, label in zip(
    axes,
    ("processor_seconds", "peak_mb"),
    ("processor seconds", "peak memory (MB)"),
    strict=True,
):
    ax.plot(
        sizes,
        [entry["ours"][key] for entry in groups],
        color=style.color,
        marker=style.marker,
    )
    ax.set(xscale="log", yscale="log", xlabel="samples n", ylabel=label)
plt.show()

# %% [markdown]
# ## Every method
#
# Those that need nothing beyond the last layer's view, one class, processor seconds. LCMat-S by exact spectral norms is left
# out: it computes eigenvalues for every pair of samples and is a reference for small sets.

# %% tags=["hide-input"]
frame = DataFrame(results["methods"])
frame["size"] = [
    f"n = {row.samples}, c = {row.classes}, budget {row.budget}"
    for row in frame.itertuples()
]
frame["method"] = [METHODS[name].title for name in frame["method"]]
times = frame.pivot(index="method", columns="size", values="processor_seconds")[
    frame["size"].unique()
]
memory = frame.pivot(index="method", columns="size", values="peak_mb").max(axis=1)
times["peak memory, MB"] = memory
GT(times.reset_index()).fmt_number(list(frame["size"].unique()), decimals=2).fmt_number(
    "peak memory, MB", decimals=0
)

# %% [markdown]
# ## The machine's limits

# %% tags=["hide-input"]
limits, n, d = results["limits"], whole["samples"], whole["features"]
product = (
    n**2 * d / limits["gemm_gigaflops"] / 1e9
)  # of one half of the symmetric product
reading = n**2 * 8 / limits["read_gigabytes"] / 1e9
greedy = {
    entry["budget"]: processor(entry["ours"])
    for entry in results["greedy"]
    if entry["ties"]
}
Markdown(
    f"One thread multiplies float64 matrices at {limits['gemm_gigaflops']:.0f} GFLOP/s and reads "
    f"{limits['read_gigabytes']:.0f} GB/s here. The distances of one class hold a matrix product that takes "
    f"{product:.2f} s at that rate, and took {processor(own['kernel']) / product:.1f} times as long with everything else. "
    f"Reading the matrix of distances once takes {reading:.3f} s; the greedy choice took "
    + ", ".join(
        f"{seconds / reading:.0f} times that for {budget}"
        for budget, seconds in greedy.items()
    )
    + " samples."
)

# %% [markdown]
# ## Check

# %%
assert whole["same_picks"]
assert whole["relative_difference_of_distances"] < 1e-9
assert all(
    abs(choice["loss"]) < 1e-9 for choice in choices
)  # what differs first is a tie
assert all(
    abs(choice["objective"]) < 1e-5
    if choice["distances"] == "with ties"
    else choice["common picks"] == 1 and abs(choice["objective"]) < 1e-9
    for choice in choices
)
assert all(step["common picks"] == 1 for step in steps)
assert all(row["faster by"] > 1 for row in [*choices, *rows, *steps])

# %% [markdown]
# ## Environment

# %% tags=["hide-input"]
about = {name: section["environment"] for name, section in stored.items()}
environment = about["greedy"]
machine = environment["machine"]
loads = [
    about[name][f"load_average_at_{when}"]
    for name in about
    for when in ("start", "end")
]
versions = ", ".join(
    f"{name} {version or 'missing'}"
    for name, version in environment["versions"].items()
)
Markdown(
    f"Measured from {min(section['measured'] for section in about.values())} with {machine['threads']} thread(s) on "
    f"{environment['cores']} cores of {machine['device']} ({machine['instructions']}), load average between "
    f"{min(loads):.1f} and {max(loads):.1f}; {versions}."
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** the same picks as the naive formulations and the same objective as other libraries, faster by the factors
#   above, in the memory stated, for random inputs.
# - **Not shown:** the features of a trained network, the forward pass over the training set, a GPU, more than one thread.
# - **Differs from the paper:** its wall-clock table counts the training of the selecting network too.
