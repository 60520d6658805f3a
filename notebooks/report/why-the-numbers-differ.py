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
# # Why the numbers differ

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
from IPython.display import HTML, Markdown, display

from lcmat import report
from lcmat.book.slider import image_slider, layer
from lcmat.experiments import stale_keys
from lcmat.measurements import kinds
from lcmat.records.record import load_all
from lcmat.report import figures
from lcmat.report.answer import (
    alternatives,
    headline_answer,
    headline_setting,
    in_order,
    published_gain,
)
from lcmat.report.defects import (
    HEADS,
    best_epoch_gains,
    defect_differences,
    defects_html,
    precision_differences,
    recommendations_html,
)
from lcmat.report.explained import (
    MEASURES,
    correlations_table,
    draw_against_accuracy,
    explained_by_step,
    explained_runs,
    gaps_answer,
    joined,
    modes_answer,
    with_accuracy,
)
from lcmat.report.feature_map import (
    draw_map,
    draw_picks,
    map_limits,
    picks_by_step,
)
from lcmat.report.ledger import (
    AS_CODE,
    DEFINED,
    draw_ledger,
    ledger,
    ledger_html,
    setting_text,
    step_words,
)
from lcmat.report.markup import prose
from lcmat.report.protocol import data_name
from lcmat.report.runs import as_rows
from lcmat.report.schemes import CHOICE
from lcmat.report.studies import unrecorded

figures.use_style()
records, problems = load_all(experiment="selection")
stale = stale_keys(records)
steps = ledger(records, stale)
chosen = headline_setting(records, stale)
maps = {
    dataset: content
    for dataset, content in kinds.stored("feature-map").items()
    if picks_by_step(content, records)
}
SINGLE_CLASS = next(words for words in step_words().values() if "single-class" in words)
COMPARED = {step_words()[DEFINED], step_words()[AS_CODE], SINGLE_CLASS, "Uniform"}

# %% tags=["remove-input"]
if problems:
    display(report.problems_notice(problems))
Markdown(headline_answer(records, stale))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Accuracy minus that of uniform selection with its interval, one row each for LCMat-S as defined, as its official code does it, and with one difference at a time; a vertical line at zero and one at the published difference."}, "figure": {"name": "fig-ledger", "caption": "Accuracy of each way to compute LCMat-S, and of methods that share something with its code, minus that of uniform selection: mean and 95 % paired t interval over the seeds of the setting in the title. The grey line is what the paper prints for its own network at this fraction."}}
if len(chosen):
    first = chosen.iloc[0]
    _, ax = plt.subplots(
        figsize=(figures.WIDE_INCHES, 0.32 * len(chosen) + 1.1), layout="constrained"
    )
    draw_ledger(ax, chosen, published_gain(first["dataset"], first["fraction"]))
    plt.show()
else:
    display(
        report.not_run(
            "LCMat-S both as defined and as its official code does it: lcmat sweep --profile cpu --study ledger"
        )
    )

# %% [markdown]
# ## What differs between the paper and its code
#
# LCMat-S looks at each image through a trained *selecting network*: through the features of its last hidden layer and the
# probabilities that it gives to the classes. The official code differs from the definition as it is run here in three things:
# two that the paper does not say, and another radius (the paper names four and no rule to choose). Each is one option of a
# run, so that its worth is the difference of two runs:
#
# - **Statistics of single-class batches** (`batch_norm: batch`). The program goes through the images class by class and leaves
#   the network in training mode. Batch normalisation then subtracts the mean of a batch in which all images belong to one
#   class, and with it most of what tells the classes apart.
# - **A loss divided by the size of its batch** (`loss_reduction: mean-per-batch`). Gradients and Hessian diagonals
#   are both divided, which leaves their balance; but the last batch of a class is smaller (8 of CIFAR-10's 5,000 images),
#   and what is in it counts 16 times as much as the rest.
# - **Another radius** (`rho: 0.02`). The script's $\varepsilon = 0.01$ stands where the formula has $\rho / 2$.
#
# The authors' program also computes its distances in single precision. That only breaks ties between images that cover nobody
# but each other ({doc}`../selection/04_official_code`), and is no option here. And it reports the best epoch on the test set,
# about which the section below says what it is worth.
#
# ## Step by step

# %% tags=["remove-input"]
for number, rows in enumerate(in_order(steps)):
    display(
        HTML(ledger_html(rows, f"ledger-{number}", f"{setting_text(rows.iloc[0])}."))
    )

# %% [markdown]
# "Images in common" is the share of a configuration's images that the definition chooses as well, averaged over seeds. A step
# that changes few images cannot change the accuracy by much. Holm's correction counts the rows of one setting, of each of
# the two comparisons by itself. With the paper's network two of the five seeds of single-class statistics alone were added after
# three had left it open ({doc}`history`).
#
# ## Why: what each choice consists of
#
# The suspicion to be tested: the definition compares images by what the last layer would learn from them. An image that the
# network already labels rightly and surely has a gradient near zero, whatever it shows, so the images that stand apart are those
# that the network gets wrong. With single-class statistics the network should be unsure of most images, and gradients should say
# where an image lies among the others of its class. The measurement below says how many of the chosen images the selecting
# network misclassifies in evaluation mode, and how large both terms of the bound are with equal weights, also for the few ways
# that were trained with others. It bears out the first half. Mistakes are not all: at 1 % the official Craig chooses few and is
# far behind, but it trains with weights.

# %% tags=["remove-input"]
explanations = kinds.stored("explanation")
coverage = kinds.stored("coverage")
measured_runs = {
    dataset: explained_runs(joined(content["rows"], coverage[dataset]["rows"]), records)
    for dataset, content in explanations.items()
}
averages = {
    dataset: explained_by_step(content["rows"], records)
    for dataset, content in explanations.items()
}
explained = {dataset: rows for dataset, rows in averages.items() if len(rows)}
places = {setting_text(rows.iloc[0]): n for n, rows in enumerate(in_order(steps))}
for dataset, rows in explained.items():
    ordered = rows.sort_values(
        "group", key=lambda groups: groups.map(places), kind="stable"
    )
    display(report.table(ordered, f"explanation-{dataset}"))
    made_by = kinds.made_by("explanation", explanations[dataset])
    left_out = explanations[dataset].get("chosen_by_other_networks")
    why = (
        f" {left_out} runs are left out: their network is no longer there."
        if left_out
        else ""
    )
    display(Markdown(f"Means over the seeds that were measured, by {made_by}.{why}"))
if not explained:
    display(
        report.not_run(
            "What each choice consists of: lcmat measure explanation cifar10"
        )
    )

# %% tags=["remove-input"]
Markdown(" ".join(map(modes_answer, measured_runs.values())))

# %% tags=["remove-input"]
for place, rows in zip(places, explained.values(), strict=False):
    found = rows[rows["group"] == place].set_index("What is computed")
    if {step_words()[DEFINED], "Uniform"} <= set(found.index):
        own, drawn = found.loc[step_words()[DEFINED]], found.loc["Uniform"]
        display(
            Markdown(
                f"**{place}:** of the images that the definition chooses the network misclassifies {own['misclassified (%)']:.1f} %, "
                f"of all images {drawn['misclassified of all (%)']:.1f} %. With the equal weights of the training, the gradient of "
                f"its coreset is {own['gradient gap']:.3f} from that of all images, that of uniform draws {drawn['gradient gap']:.3f}."
            )
        )

# %% tags=["remove-input"] mystnb={"image": {"alt": "Four panels with the same cloud of dots, the images of one class; those that the network misclassifies lie along one side. LCMat-S as defined chooses mostly there, single-class statistics and uniform draws choose everywhere."}, "figure": {"name": "fig-feature-map", "caption": "The training images of one class, as the selecting network sees them (first two principal components of their features, one seed): grey those that it labels rightly, orange those that it misclassifies. The larger markers are the images chosen, 1 % of the class."}}
for content in maps.values():
    shown = [each for each in picks_by_step(content, records) if each.words in COMPARED]
    figure, panels = plt.subplots(
        2, 2, figsize=(6.6, 5.6), layout="constrained", sharex=True, sharey=True
    )
    for ax, picks in zip(panels.flat, shown, strict=False):
        draw_picks(draw_map(ax, content), picks)
        ax.set_title(
            f"{picks.words}\n{picks.wrong} of {len(picks.places)} misclassified",
            fontsize=8,
        )
    plt.show()

# %% tags=["remove-input"]
for content in maps.values():
    limits, choices = map_limits(content), picks_by_step(content, records)[::-1]
    display(
        image_slider(
            [
                draw_picks(layer(5.0, 4.2, axis=False, **limits), picks)
                for picks in choices
            ],
            [
                f"{picks.words}: {picks.wrong} of {len(picks.places)} misclassified; test accuracy {picks.accuracy:.1f} %"
                for picks in choices
            ],
            name="Way to choose",
            ground=draw_map(layer(5.0, 4.2, axis=False, **limits), content),
            alt="the images of one class as dots, the chosen ones larger",
            caption=f"The same for every way to choose: class {content['class']}, with the accuracy of the network trained on "
            "the whole coreset, n = 1 seed.",
        )
    )

# %% [markdown]
# ## What goes with accuracy?
#
# The paper's principle is that a set with small gaps trains well. Each dot of {numref}`fig-gaps` is a way to choose that was trained
# with equal weights. *Gradient gap* and *curvature gap* are the two terms of {doc}`../derivation/03_upper_bound` in the last layer, the
# second as a spectral norm. Two more look at the features alone: how far an image is on average from the *nearest* chosen one
# of its class, and how far the *mean* of the chosen ones is from that of the class, both in units of the mean distance of an image to the
# mean of its class, and in the features of one network for all choices of a seed, trained again for the measurement; choices
# by a network that was trained for longer are left out. The table has Spearman's rank correlation of accuracy with each measure over the configurations of a
# setting, seed by seed: -1 if the smaller measure always has the higher accuracy. *With few mistakes* are those that choose no
# larger share of misclassified images than all images have. The question was put on November 30, 2026, when all but gap herding (see the
# next section) had been seen, and a correlation is no cause.

# %% tags=["remove-input"]
Markdown(" ".join(map(gaps_answer, measured_runs.values())))

# %% tags=["remove-input"] mystnb={"image": {"alt": "Five panels of test accuracy against gradient gap, curvature gap, share of misclassified images, distance to the nearest chosen image and distance of the means. In each, one group of dots is low and to the right, LCMat-S as defined among them, and another high and to the left, with uniform selection and the official code. Gap herding is low, but in the first three panels to the left."}, "figure": {"name": "fig-gaps", "caption": "Test accuracy against what was measured of each choice, in the setting with most configurations: means over its seeds."}}
for runs in measured_runs.values():
    for ranks in with_accuracy(runs)[:1].itertuples():
        figure, panels = plt.subplots(
            2, 3, figsize=(6.6, 4.4), layout="constrained", sharey=True
        )
        for ax, measure in zip(panels.flat, MEASURES, strict=False):
            draw_against_accuracy(ax, runs[runs["group"] == ranks.group], measure)
        for ax in panels[:, 1:].flat:
            ax.set_ylabel("")
        panels[1, 2].set_axis_off()
        looks = panels[0, 0].get_legend_handles_labels()
        panels[1, 2].legend(*looks, loc="center", frameon=False)
        plt.show()

# %% tags=["remove-input"]
for dataset, runs in measured_runs.items():
    if len(rows := correlations_table(runs)):
        display(report.table(rows, f"gaps-{dataset}"))

# %% [markdown]
# ## Would a choice with a reason do the same?
#
# If those statistics help because they turn the choice into one that covers a class, others that cover should do as well.
# **Facility location of features**, **k-Center**, **herding** and **moderate** look at features alone; **facility location** proper
# compares directions of gradients, in which a sure image counts as much as a doubtful one; **Craig** with single-class statistics
# has no Hessian. And the definition might do with its weights, with a radius chosen on held-out images, or with a selecting
# network trained three times as long. The list was fixed before these runs, but for those of the tables above and the next.
#
# **Gap herding** separates the paper's principle from its algorithm: it makes the two terms small for the equal weights that are
# trained, the second as a sum over the dimensions that vary most, without the bound by which LCMat-S chooses
# ({doc}`../derivation/09_what-the-bound-buys`). It was added on November 30, 2026, when all others were known but the longest trained and one
# seed of the radius on held-out images, and before its first result it was said what would follow. Above uniform selection: the
# principle is right, and its bound is what fails. Level with it: small gaps are had by chance as well, and buy nothing more. Below:
# gaps of the last layer are no guide. That an interval which contains zero leaves all three open was added afterwards.

# %% tags=["remove-input"]
frame = report.runs_frame(records, stale=stale)
choices = alternatives(frame)
for place, rows in choices.groupby([*map(CHOICE.describe, as_rows(choices))]):
    display(Markdown(f"**{place}.** {report.describe_differences(rows)}"))
if len(choices):
    display(report.differences_table(choices, "alternatives", CHOICE))
Markdown(" ".join(unrecorded(frame, "alternatives", name) for name in ("cpu", "paper")))

# %% [markdown]
# ## The other methods: as defined, as shipped, recommended
#
# The same question for every method of which the official code does something else than the definition: shipped minus
# defined, paired by seed. What is recommended follows a rule of November 25, 2026, made when these differences had been seen
# on the digits but not on real images ({doc}`history`), with differences corrected by {cite:t}`holm1979` over all rows:
#
# - *as shipped* if it is significantly better in at least one setting and significantly worse in none;
# - *as defined* if it is significantly worse in at least one and better in none;
# - *as defined (mixed)* if both occur, and *as defined (no difference shown)* if neither does: a definition that can be
#   looked up is preferred unless it costs accuracy.

# %% tags=["remove-input"]
differences = defect_differences(frame)
HTML(recommendations_html(differences, "recommendations"))

# %% tags=["remove-input"]
if len(differences):
    display(HTML(defects_html(differences, "defects")))
else:
    display(
        report.not_run(
            "No method has been run both ways: lcmat sweep --profile smoke, or cpu"
        )
    )

# %% [markdown]
# ## The best epoch on the test set
#
# The official code reports the best epoch on the test set. It is never lower than the last; how much higher it is
# depends on how often a run was evaluated: the official code looks after every epoch, most of ours on real images after every
# fiftieth, so that these gains are too small for it. The values tested are means over all runs of a seed.


# %% tags=["remove-input"]
def measured(differences):
    """A line for each difference; `differences`: words -> interval."""
    lines = [
        f"- {words}: {each.mean:+.2f} points"
        + (f" ({each.low:.2f} to {each.high:.2f})" if each.n > 1 else "")
        + f", n = {each.n}"
        for words, each in differences.items()
    ]
    return Markdown("\n".join(lines) or "Not run.")


gains = best_epoch_gains(frame)
measured(gains)

# %% [markdown]
# ## Half precision
#
# Where a processor has instructions for bfloat16, the paper's protocol is run in it, because that is faster. Accuracy in bfloat16
# minus that in float32, paired by seed, with 95 % intervals. A method that looks at no network, such as uniform selection, has the
# same images and the same initial weights in both. The two may come from different kinds of processor, whose effect is then
# part of the difference. What half precision does to the choices of LCMat-S is not measured, unless a line below names it.

# %% tags=["remove-input"]
measured(precision_differences(frame))

# %% tags=["remove-input"]
copies = sorted({prose(data_name(record)) for record in records})
Markdown(f"Data of this page: {'; '.join(copies)}." if copies else "")

# %% [markdown]
# ## What stays open
#
# Only the authors can answer:
#
# 1. Were the printed numbers of LCMat-S made with the network in training mode, as the released program leaves it?
# 2. By which data was $\rho$ chosen among the four values that the paper names, and is one value used in all cells of a table?
# 3. Are the printed accuracies those of the best epoch on the test set, as the program reports them?
# 4. What does the $\pm$ of the tables mean, and over how many seeds?
#
# What would refute that single-class statistics make the difference, with the paper's network: LCMat-S as defined above uniform
# selection, which five seeds at 1 % contradict and nobody has run at 5 %; or the official code staying where it is without
# them, which is not run.

# %% [markdown]
# ## Checks
#
# The differences are recomputed from the two columns of means; no best epoch is below the last one; the definition has all its
# images in common with itself.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the check"}
for row in differences.to_dict("records"):
    assert abs(row["interval"].mean - (row["first"] - row["second"])) < 1e-9
for row in steps.to_dict("records"):
    assert abs(row["to_uniform"].mean - (row["accuracy"] - row["uniform"])) < 1e-9
    assert row["label"] != DEFINED or row["shared"] == 100
assert all(gain.mean >= 0 for gain in gains.values())
assert {DEFINED, AS_CODE} <= set(steps["label"]) or steps.empty
assert len(HEADS) == 10

# %% [markdown]
# ## Take-away
#
# - **Shown:** what each documented difference between paper and code is worth in the settings above, with its uncertainty.
# - **Not shown:** its worth with the paper's networks and schedules where these are not among the settings. A row without a
#   significant difference may still hide one: the seeds cannot tell.
# - **Rerun:** `lcmat sweep --profile cpu --study ledger` on a processor, `lcmat sweep --profile paper --study ledger` for the
#   paper's own network; `lcmat sweep --profile smoke` for the digits; then `lcmat chapters`.
