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
# A *coreset* is a small part $S$ of a training set $T$, on which a network is to be trained in place of $T$. The method
# chooses $S$ by a sum of distances between samples, which it makes as small as it can. The paper derives this sum, in nine steps,
# from the wish that training on $S$ goes as it would on $T$. Some steps bound a quantity by a larger one, some replace it by a
# smaller one, and the first is no inequality at all. The map marks each: what stands above the sign is $\le$, $\ge$ or $=$ what
# stands below it, or $\sim$, neither. **A chain of $\le$ alone would be a guarantee. This one changes its direction, so it is
# none.** The chapters say how much each step costs.
#
# ```{admonition} What this page reproduces
# :class: note dropdown
# - **Paper:** the course of section 3 of {cite:t}`shin2023lcmat`, with its inequalities corrected.
# - **Cost:** seconds.
# - **Rerun:** `make notebooks`, then `papermill notebooks/derivation/00_map.ipynb out.ipynb -p rho 0.1`.
# - **Launch or download:** the rocket and the arrow at the top of the page.
# ```

# %% tags=["parameters", "hide-cell"] mystnb={"code_prompt_show": "Show the parameters"}
rho = 0.5
top_k = 2

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the set-up"}
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

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the figure", "image": {"alt": "A column of ten formulas from training on S down to facility location. Between them the signs: about, at least, at most, at least, at least, at least, at most, at most, equal. Beside each the chapter, the reason and a number."}, "figure": {"name": "fig-map", "caption": "The derivation, one arrow a row: the chapter that treats it, what is done, and at the right the value in the model with two parameters that runs through the chapters (one subset, n = 1, cluster sizes as weights). This model has one layer, so the second arrow is an equality there."}}
figure, ax = plt.subplots(figsize=(figures.WIDE_INCHES, 5.6))
story.draw_map(ax, [f"{value:.3f}" for value in values.values()])
plt.show()

# %% [markdown]
# In the map $\Delta$ is the mean loss on $T$ minus that on $S$, a function of the network's parameters $\theta$. The parameters
# may move by $\epsilon$, no farther than the radius $\rho$; $V$ is such a step of the last layer. $g$ and $H$ are the gradient and
# the Hessian of $\Delta$, and $\kappa$ bounds its third derivative. $\mathcal K$ is a set of $K$ parameters, $d_{ij}$ the distance of
# two samples, $d_0$ a constant, and $F$ what the method maximises. Each chapter introduces its letters again; all of them are in
# {doc}`../start/notation`.

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of these numbers"}
numbers = list(values.values())
for before, after, arrow in zip(numbers, numbers[1:], story.ARROWS[1:], strict=False):
    slack = 1e-9 * abs(before)
    if arrow.relation in ("<=", "="):
        assert before <= after + slack, arrow
    if arrow.relation in (">=", "="):
        assert before >= after - slack, arrow
assert gap.diagonal < gap.attained
Markdown(
    f"Each sign is checked on these numbers. They also show what a $\\ge$ costs: the paper calls its Eq. 7, with the diagonal, "
    f"an upper bound of the gap, and here it is {gap.diagonal:.3f} while the gap is at least {gap.attained:.3f}. The last two "
    "lines hold if each chosen sample counts for all samples nearest to it; the paper trains with equal weights, which is one "
    "more $\\sim$."
)

# %% tags=["hide-input"] mystnb={"code_prompt_show": "Show the code of the table"}
PATH = {
    "00_map": "Which steps lead from training to distances, and which way does each point?",
    "01_matching": "Why should the losses agree around the parameters, and not only at them?",
    "02_worst_case_gap": "How much can the two losses part within a radius, and in which direction?",
    "03_upper_bound": "Which bound of this gap holds, and why does the printed one fail?",
    "04_diagonal": "What is lost from the Hessian to K of its diagonal entries?",
    "04b_coreset": "Does that loss change which samples are chosen?",
    "05_facility_location": "When do distances between samples bound the difference of two means?",
    "05b_greedy": "How good is a set that is chosen greedily?",
}
minutes = {chapter: story.reading_minutes(chapter) for chapter in PATH}
Markdown(
    "| Chapter | Its question | Minutes |\n| --- | --- | ---: |\n"
    + "\n".join(f"| {{doc}}`{c}` | {PATH[c]} | {minutes[c]} |" for c in PATH)
    + f"\n\nThis is the reader's path, about {sum(minutes.values())} minutes without the advanced boxes, the folded code and "
    "the exercises. Beside the chain stand {doc}`06_gradient_variance`, which replaces the diagonal by a variance for "
    "condensation, and {doc}`07_generalisation`, which replaces $T$ by the population it came from. {doc}`08_errata` says where "
    "each statement of the paper is treated, and {doc}`09_what-the-bound-buys` which of the terms decides the selection in the end."
)
