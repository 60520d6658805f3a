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

# %% tags=["remove-cell"]
import json

import matplotlib.pyplot as plt
from great_tables import GT
from IPython.display import Markdown
from pandas import DataFrame

from lcmat.config.registry import METHODS
from lcmat.files.paths import project_folder
from lcmat.report import figures
from lcmat.report.findings import speed_answer
from lcmat.report.measured import drawer, listed, timed_on
from lcmat.speed import large_selection
from lcmat.speed.selection_speed import RESULT

figures.use_style()
stored = json.loads((project_folder() / RESULT).read_text(encoding="utf-8"))
results = {name: section["result"] for name, section in stored.items()}


# %% tags=["remove-cell"]
def processor(costs):
    """Processor seconds of one measurement, or of several together."""
    return (
        costs["processor_seconds"]
        if "processor_seconds" in costs
        else sum(map(processor, costs.values()))
    )


# %% tags=["remove-cell"]
whole = results["whole_data_set"]
own, naive = whole["one_class"], whole["naive_class"]
choices = DataFrame(
    {
        "ties": entry["ties"],
        "budget": entry["budget"],
        "way": "the naive formulation" if way == "naive" else way,
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
)

# %% tags=["remove-input"]
Markdown(speed_answer(choices, processor(own), processor(naive)))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Processor seconds on a logarithmic axis against the number of chosen samples: the line of this package lies lowest at each budget, those of apricot and submodlib more than ten times higher, and a single point of the naive formulation higher still."}, "figure": {"name": "fig-speed-greedy", "caption": "Processor seconds of one thread to choose samples out of 5,000, the distances given: this package, two other libraries, and the naive formulation where it was run. One measurement each."}}
shown = choices[choices["ties"]]
_, ax = plt.subplots(figsize=(figures.NARROW_INCHES * 1.5, 2.6))
ours = shown.drop_duplicates("budget")
look = figures.method_style("LCMat-S")
ax.plot(
    ours["budget"], ours["ours"], color=look.color, marker=look.marker, label="here"
)
colors = (figures.BLUE, figures.GREEN, figures.BLACK)
for color, (way, part) in zip(colors, shown.groupby("way", sort=False), strict=False):
    ax.plot(
        part["budget"], part["processor seconds"], color=color, marker="D", label=way
    )
ax.set(xscale="log", yscale="log", xlabel="samples chosen", ylabel="processor seconds")
ax.set_xticks(ours["budget"], ours["budget"])
ax.minorticks_off()
ax.legend(ncols=2)
plt.show()

# %% [markdown]
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

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
GT(
    choices.assign(
        ties=choices["ties"].map({True: "with ties", False: "without ties"})
    ),
    groupname_col="ties",
).fmt_number(["processor seconds", "ours"], decimals=2).fmt_number(
    "faster by", decimals=0, pattern="{x} x"
).fmt_percent("common picks", decimals=1).fmt_integer(
    "first difference"
).fmt_scientific(["loss", "objective"], decimals=0).cols_label(
    loss="its gain less than ours by", objective="final objective, relative difference"
).sub_missing(missing_text="none")

# %% tags=["remove-input"]
absent = {"apricot", "submodlib"} - set(choices["way"])
Markdown(
    "apricot compiles its inner loop; the first fit of a process pays for that."
    if not absent
    else f"Not installed when this was measured, so not compared: {', '.join(sorted(absent))}."
)

# %% [markdown]
# ## All of the training set

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
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

# %% tags=["remove-input"]
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

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
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

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
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

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Two panels against the number of samples on logarithmic axes: processor seconds grow with the square; peak memory grows with the square and is bounded above sixteen thousand samples."}, "figure": {"name": "fig-speed-size", "caption": "LCMat-S at 10 % of one group of n samples, one run for each n: processor seconds of one thread and growth of the resident memory."}}
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
# ## As many images as ImageNet
#
# Synthetic features and logits of the size that a ResNet-50 gives, float16, in files that are mapped into memory; one class at a
# time is held in float64.

# %% tags=["remove-input"]
large_stored = json.loads(
    (project_folder() / large_selection.RESULT).read_text(encoding="utf-8")
)
large = large_stored["result"]
single = large["one_class"]
others = listed(
    f"{name} chooses in {costs['processor_seconds']:.2f} s"
    for name, costs in single["others"].items()
)
assert all(costs["same_picks"] == 1 for costs in single["others"].values())
Markdown(
    f"LCMat-S chooses {large['chosen']:,} of {large['samples']:,} samples in {large['classes']:,} classes, of "
    f"{large['features']:,} features each, in {large['ours']['seconds'] / 60:.0f} minutes on "
    f"{large_stored['environment']['threads']} threads, and needs {large['ours']['peak_mb'] / 1000:.1f} GB of memory beside "
    f"the files' {large['file_megabytes'] / 1000:.1f} GB. Nearly all of it goes into the distances: for one class, "
    f"{processor(single['distances']):.1f} processor seconds, after which the choice takes "
    f"{1000 * processor(single['greedy']):.0f} ms. From the same distances {others}, the same samples."
)

# %% [markdown]
# ## Every method
#
# Those that need nothing beyond the last layer's view, one class, processor seconds. LCMat-S by exact spectral norms is left
# out: it computes eigenvalues for every pair of samples and is a reference for small sets.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
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

# %% tags=["remove-input"]
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
# ## Take-away

# %% tags=["remove-input"]
largest = results["one_group"][-1]
slowest = min(steps, key=lambda step: step["faster by"])
worst = choices["objective"].abs().max()
Markdown(
    f"""- **Shown:** the value that the greedy choice reaches differs from that of the other libraries by at most {worst:.0e} of itself, and only where gains tie.
- **Shown:** the methods that choose one sample after another are at least {slowest["faster by"]:.0f} times as fast as their direct formulation ({slowest["method"]}), with the same picks.
- **Shown:** a single group of {largest["samples"]:,} samples takes {processor(largest["ours"]) / 60:.0f} minutes and {largest["ours"]["peak_mb"] / 1024:.1f} GB.
- **Not shown:** the features of a trained network (these are random numbers), the forward pass over the training set, a GPU.
- **Differs from the paper:** its wall-clock table counts the training of the selecting network too."""
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: the same picks, and less time"}
assert whole["same_picks"]
assert whole["relative_difference_of_distances"] < 1e-9
assert (choices["loss"].abs() < 1e-9).all()  # what differs first is a tie
exact = choices[~choices["ties"]]
assert (exact["common picks"] == 1).all() and (exact["objective"].abs() < 1e-9).all()
assert (choices["objective"].abs() < 1e-5).all()
assert all(step["common picks"] == 1 for step in steps)
assert (choices["faster by"] > 1).all()
assert all(row["faster by"] > 1 for row in [*rows, *steps])

# %% tags=["remove-input"]
drawer(
    timed_on(*(section["environment"] for section in stored.values())),
    timed_on(large_stored["environment"]),
)
