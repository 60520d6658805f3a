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
# # The map: from Eq. 4 to Eq. 12
#
# The method minimises a sum of distances between samples. The paper derives it from a statement about training, in nine
# steps. Some bound a quantity by a larger one, some replace it by a smaller one, and the first is no inequality at all. The map
# marks each: what stands above the sign is $\le$, $\ge$ or $=$ what stands below it, or $\sim$, neither. **A chain of $\le$
# alone would be a guarantee. This one changes its direction, so it is none**; the chapters say how much each arrow costs.
#
# ```{admonition} What this page reproduces
# :class: note dropdown
# - **Paper:** the course of section 3 of {cite:t}`shin2023lcmat`, with its inequalities corrected.
# - **Cost:** seconds.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/00_map.ipynb out.ipynb -p rho 0.1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["parameters", "hide-cell"]
rho = 0.5
top_k = 2

# %% tags=["hide-cell"]
import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown

from lcmat import bound, curvature
from lcmat.book import story
from lcmat.bound import toy
from lcmat.report import figures
from lcmat.selection.lcmat_s import lcmat_distances

figures.use_style()
example = toy.running_example()
distances = lcmat_distances(*example.sample, rho=rho, top_k=top_k)
to_chosen = distances[:, example.chosen]
sizes = torch.bincount(to_chosen.argmin(dim=1), minlength=len(example.chosen))
difference = bound.subset_difference(
    *example.sample, example.chosen, sizes.double() / sizes.sum()
)
gap = bound.certified_gap(difference, rho, generator=torch.Generator().manual_seed(0))
kept = curvature.top_variance_dimensions(*example.sample[:2], top_k)
entries = [rho / 2 * value for value in bound.top_diagonal(difference, kept)]
offset = distances.max()
covered = (offset - to_chosen).amax(dim=1).clamp_min(0).mean()
values = {
    "gap": gap.attained,
    "last layer": gap.attained,
    "bound": gap.theorem,
    "Eq. 6": gap.gradient_term + gap.curvature_term,
    "diagonal": gap.diagonal,
    "K entries": gap.gradient_term + entries[0],
    "sum": gap.gradient_term + entries[1],
    "distances": float(to_chosen.amin(dim=1).mean()),
    "F(S)": float(offset - covered),
}

# %% tags=["hide-input"] mystnb={"image": {"alt": "A column of ten formulas from training on S down to facility location. Between them the signs: about, at least, at most, at least, at least, at least, at most, at most, equal. Beside each the chapter, the reason and a number."}, "figure": {"name": "fig-map", "caption": "The derivation, one arrow a row: the chapter that treats it, what is done, and at the right the value in the model with two parameters that runs through the chapters (one subset, n = 1, cluster sizes as weights). This model has one layer, so the second arrow is an equality there."}}
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 5.6))
story.draw_map(ax, [f"{value:.3f}" for value in values.values()])
plt.show()

# %% tags=["hide-input"]
numbers = list(values.values())
for before, after, arrow in zip(numbers, numbers[1:], story.ARROWS[1:], strict=False):
    slack = 1e-9 * abs(before)
    if arrow.relation in ("<=", "="):
        assert before <= after + slack, arrow
    if arrow.relation in (">=", "="):
        assert before >= after - slack, arrow
assert gap.diagonal < gap.attained
Markdown(
    f"Each sign is checked on these numbers. They also show what the arrows upwards mean: Eq. 7 of the paper, with the diagonal, "
    f"is called an upper bound of the gap, and here it is {gap.diagonal:.3f} while the gap is at least {gap.attained:.3f}. The "
    "last line holds for $S$ weighted by cluster sizes; the paper trains with equal weights, which is one more $\\sim$. What "
    "decides the selection in the end is the subject of the last chapters of this part. Beside the chain stand "
    "{doc}`06_gradient_variance`, which replaces the diagonal by a variance for condensation, and {doc}`07_generalisation`, which "
    "replaces $T$ by the population it came from. The letters are in {doc}`../start/notation`. "
    f"About {story.reading_minutes('00_map')} minutes to read."
)
