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
# # Speed of a condensation step

# %% tags=["remove-cell"]
import json

import matplotlib.pyplot as plt
from great_tables import GT
from IPython.display import Markdown, display
from pandas import DataFrame

from lcmat.report import figures
from lcmat.report.findings import step_answer
from lcmat.report.markup import prose
from lcmat.report.measured import compression, drawer, timed_on
from lcmat.speed.matching_step import path_of

figures.use_style()
stored = json.loads(path_of("cpu").read_text(encoding="utf-8"))
result, environment = stored["result"], stored["environment"]
ways = {entry["way"]: entry for entry in result["ways"]}
base = ways["sequential"]
fastest = ways["bfloat16, compiled"]
without = ways["bfloat16, compiled, rho = 0"]
share = fastest["seconds"] / without["seconds"] - 1

# %% tags=["remove-input"]
note = compression({"cifar10": result["data"]})
Markdown(f"{step_answer(base, fastest, without)}\n\n*{note}*".removesuffix("\n\n**"))

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "Bars of processor seconds a step, one for each way of computing it. All classes together take longest; the compiled way in bfloat16 takes least, with and without the curvature term."}, "figure": {"name": "fig-speed-step", "caption": "Processor seconds of one thread for one step of the synthetic images, by the way it is computed: medians, dots are the single repetitions. The last way leaves the curvature term out."}}
_, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 2.6))
for place, entry in enumerate(result["ways"]):
    ax.barh(place, entry["seconds"], color=figures.SKY_BLUE)
    ax.plot(
        entry["all"],
        [place] * len(entry["all"]),
        "o",
        color=figures.BLACK,
        markersize=3,
    )
ax.set_yticks(range(len(ways)), list(ways))
ax.invert_yaxis()
ax.set_xlabel("processor seconds a step")
plt.show()

# %% [markdown]
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** no table; the cost of one step of the synthetic images of LCMat-C ({cite:t}`shin2023lcmat`, Eq. 15) at the
#   paper's width and images per class (ConvNet of width 128, CIFAR-10, ten) with DC's 256 real images of each class, four times
#   the package's default; the paper prints no batch size.
# - **Cost of the page:** seconds. The measurement took some minutes; it is stored with its environment.
# - **Rerun:** `python -m lcmat.speed.matching_step`, on a machine with nothing else to do.
# ```
#
# ## Claim
#
# The published methods take the classes one after another: draw, differentiate the network on the real images,
# differentiate twice on the synthetic ones. The step is bound by the arithmetic of the real images, so it does not get
# faster by taking the classes together; it does by a compiled network and by products in bfloat16 for the real images,
# whose gradient is a target and is not differentiated again. The variance of the last layer's gradients is a product of
# thin matrices and costs next to nothing. **What would count as failing:** a gradient that points elsewhere, a curvature
# term that costs more than a twentieth of the step, or no gain.

# %% [markdown]
# ## Result
#
# Every way gets the same draws in turn. Processor seconds of one thread, the median over the repetitions; the cosine is
# the smallest between a way's gradient in the synthetic images and that of the sequential formulation, an independent
# one by autograd (`lcmat.speed.sequential`). The first step of a compiled way compiles, or finds on the disk what an
# earlier run has compiled.


# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the code of the table's columns"}
def side_by_side(entries, unit, decimals):
    table = DataFrame(
        {
            "way": entry["way"],
            "seconds": entry["seconds"],
            "faster by": entries[0]["seconds"] / entry["seconds"],
            "cosine": entry["cosine"],
            "first step": entry["first"],
        }
        for entry in entries
    )
    return (
        GT(table)
        .fmt_number(["seconds", "first step"], decimals=decimals)
        .fmt_number("faster by", decimals=2, pattern="{x} x")
        .fmt_number("cosine", decimals=4)
        .sub_missing(missing_text="another loss")
        .cols_label({"seconds": unit, "first step": "first step, seconds on the clock"})
    )


# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
side_by_side(result["ways"], "processor seconds", decimals=1)

# %% tags=["remove-input"]
rates, work = result["gigaflops_per_second"], result["gigaflops_of_the_step"]
Markdown(
    f"The step holds {work:.0f} GFLOP of products. This machine multiplies matrices at "
    f"{rates['float32']:.0f} GFLOP/s in float32 and {rates['bfloat16']:.0f} in bfloat16, so that the products alone would take "
    f"{work / rates['float32']:.1f} s in float32: the sequential way takes {base['seconds'] / (work / rates['float32']):.1f} times that, "
    f"ours compiled in float32 {ways['float32, compiled']['seconds'] / (work / rates['float32']):.1f} times. In "
    f"bfloat16 they would take {work / rates['bfloat16']:.1f} s, if the synthetic images' products were in bfloat16 too, "
    f"which they are not; the fastest way takes {fastest['seconds'] / (work / rates['bfloat16']):.0f} times "
    "that. The rest goes to all that is no product, and to the synthetic images."
)

# %% [markdown]
# ## On a GPU

# %% tags=["remove-input"]
gpu = path_of("cuda")
if gpu.exists():
    other = json.loads(gpu.read_text(encoding="utf-8"))
    shown = side_by_side(other["result"]["ways"], "seconds on the clock", decimals=3)
    display(Markdown(f"On an {other['environment']['machine']['device']}."), shown)
else:
    display(
        Markdown(
            "Not measured yet: this takes a GPU. `python -m lcmat.speed.matching_step --device cuda` measures the same "
            "there, and this page shows it."
        )
    )

# %% [markdown]
# ## Take-away

# %% tags=["remove-input"]
alone = ways["float32"]["seconds"]
together = ways["float32, classes together"]["seconds"] / alone
compiled = alone / ways["float32, compiled"]["seconds"]
low = alone / ways["bfloat16"]["seconds"]
Markdown(
    f"""- **Shown:** compiling alone makes the step {compiled:.1f} times as fast, bfloat16 alone {low:.1f} times. Taking the classes together makes it {together:.1f} times as long.
- **Not shown:** what the small differences of direction do to a whole run. The condensation benchmarks of this book run in float32 and not compiled.
- **In code:** `CondensationRecipe(precision="bfloat16", compile=True)`."""
)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Check: the same direction, a cheap curvature term, and a gain"}
compared = [entry for entry in result["ways"] if entry["cosine"] is not None]
assert all(entry["cosine"] >= 0.998 for entry in compared)
assert share <= 0.05
assert fastest["seconds"] < base["seconds"]

# %% tags=["remove-input"]
drawer(timed_on(environment), prose(result["data"]))
