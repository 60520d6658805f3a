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
#
# ```{admonition} What this page reproduces
# :class: note
# - **Paper:** no table; the cost of one step of the synthetic images of LCMat-C ({cite:t}`shin2023lcmat`, Eq. 15) at the
#   paper's size: ConvNet of width 128, CIFAR-10, ten images per class, 256 real images of each class.
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

# %% tags=["hide-cell"]
import json

from great_tables import GT
from IPython.display import Markdown, display
from pandas import DataFrame

from lcmat.speed.matching_step import path_of

stored = json.loads(path_of("cpu").read_text(encoding="utf-8"))
result, environment = stored["result"], stored["environment"]
ways = {entry["way"]: entry for entry in result["ways"]}
fastest, without = "bfloat16, compiled", "bfloat16, compiled, rho = 0"

# %% [markdown]
# ## Result
#
# Every way gets the same draws in turn. Processor seconds of one thread, the median over the repetitions; the cosine is
# the smallest between a way's gradient in the synthetic images and that of the sequential formulation, an independent
# one by autograd (`lcmat.speed.sequential`). The first step of a compiled way compiles, or finds on the disk what an
# earlier run has compiled.

# %% tags=["hide-input"]
base = ways["sequential"]["seconds"]


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


side_by_side(result["ways"], "processor seconds", decimals=1)

# %% tags=["hide-input"]
share = ways[fastest]["seconds"] / ways[without]["seconds"] - 1
rates, work = result["gigaflops_per_second"], result["gigaflops_of_the_step"]
Markdown(
    f"The curvature term adds {100 * share:.1f} % to the fastest way ({result['repeats']} repetitions; a negative share is "
    f"noise of the measurement). The step holds {work:.0f} GFLOP of products. This machine multiplies matrices at "
    f"{rates['float32']:.0f} GFLOP/s in float32 and {rates['bfloat16']:.0f} in bfloat16, so that the products alone would take "
    f"{work / rates['float32']:.1f} s in float32: the sequential way takes {base / (work / rates['float32']):.1f} times that, "
    f"ours compiled in float32 {ways['float32, compiled']['seconds'] / (work / rates['float32']):.1f} times. In "
    f"bfloat16 they would take {work / rates['bfloat16']:.1f} s, if the synthetic images' products were in bfloat16 too, "
    f"which they are not; the fastest way takes {ways[fastest]['seconds'] / (work / rates['bfloat16']):.0f} times "
    "that. The rest goes to all that is no product, and to the synthetic images."
)

# %% [markdown]
# ## On a GPU

# %% tags=["hide-input"]
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
# ## Check

# %%
compared = [entry for entry in result["ways"] if entry["cosine"] is not None]
assert all(entry["cosine"] >= 0.998 for entry in compared)
assert share <= 0.05
assert ways[fastest]["seconds"] < base

# %% [markdown]
# ## Environment

# %% tags=["hide-input"]
machine = environment["machine"]
Markdown(
    f"Measured {environment['measured']} with {machine['threads']} thread(s) on {environment['cores']} cores of "
    f"{machine['device']} ({machine['instructions']}), load average between "
    f"{environment['load_average_at_start']:.1f} and {environment['load_average_at_end']:.1f}; torch "
    f"{environment['versions']['torch']}. {result['data']}"
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** the factors above at one size, on one machine, with the directions unchanged as far as the cosine says.
# - **Not shown:** what the small differences of direction do to a whole run. The condensation benchmarks of this book
#   run in float32 and not compiled.
# - **In code:** `CondensationRecipe(precision="bfloat16", compile=True)`.
