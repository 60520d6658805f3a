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
# # Reproducibility report

# %% tags=["remove-cell"]
from collections import Counter
from math import log

from IPython.display import HTML, Markdown, display

from lcmat import report
from lcmat.config.registry import title_of
from lcmat.measurements import kinds
from lcmat.report.accounts import count_judged, read_accounts
from lcmat.report.answer import headline_answer
from lcmat.report.arms import ONE_A_SEED
from lcmat.report.cells import cells_table
from lcmat.report.chances import (
    chances_by_table,
    describe_assumptions,
    describe_by_chance,
    gains_within_margin,
)
from lcmat.report.claims_table import assess_claims, claims_html, describe_published
from lcmat.report.cost import (
    BUDGET_HOURS,
    describe_cost,
    remaining_work,
    seconds_per_image,
)
from lcmat.report.export import BADGE, REPORT
from lcmat.report.markup import prose
from lcmat.report.moved import describe_moved, moved, moved_rows, read_first_edition
from lcmat.report.protocol import data_name
from lcmat.report.published import STATES, sharing_cells
from lcmat.report.sentences import in_words
from lcmat.report.tables import adoptions_table
from lcmat.report.verdicts import (
    MAX_MARGIN_PERCENT,
    MIN_MARGIN_PERCENT,
    RULES_OF,
    VERDICTS,
)

accounts = read_accounts()
runs = report.runs_frame(accounts.records, stale=accounts.stale)
comparison = accounts.comparison

# %% tags=["remove-input"]
if accounts.problems:
    display(report.problems_notice(accounts.problems))
Markdown(
    count_judged(comparison)
    + " The words are those of the {ref}`rules <rules>`: *compatible* has an interval that contains zero and is narrow enough to mean something.\n\n"
    + headline_answer(accounts.records, accounts.stale)
)

# %% [markdown]
# Each number is compared with runs of its own protocol: the same data, networks, fraction and schedules, by rules that were
# there before the first of these runs ({ref}`below <rules>`). Runs of smaller networks stand apart as reduced protocols, and
# never judge a number. {doc}`why-the-numbers-differ` takes the step from the paper to its code apart.
#
# ## What was judged
#
# Uniform selection needs no selecting network and has no option. Where it differs from the printed number by more than chance,
# what differs is the training or what is reported of it (the official program prints the best epoch on the test set), and every
# other comparison with a number of the same network and fraction may carry this difference along. Where a number has as many seeds in
# float32 as in bfloat16, the float32 ones are judged; differences between methods, here and in {doc}`why-the-numbers-differ`, are
# of one precision, so that the mean of uniform selection can be another there.

# %% tags=["remove-input"]
judged = comparison[comparison["verdict"].isin(VERDICTS)]
if len(judged):
    display(
        HTML(
            cells_table(
                judged, accounts.context, "judged", "The numbers that were judged."
            )
        )
    )
else:
    display(report.not_run("None yet: lcmat sweep --profile paper"))

# %% tags=["remove-input"]
Markdown(describe_by_chance(comparison))

# %% tags=["remove-input"]
counts = report.verdict_counts(comparison)
report.counts_table(counts, "summary")

# %% [markdown]
# ## What was not run, and what it would take
#
# What is missing before every number that can be judged has a verdict, in runs and in images that go through a network and back;
# a selecting network that several runs share counts once. {doc}`../reference/sweeps` says how to run a part of it and how to
# contribute the records; `lcmat plan --profile paper` times it on the machine at hand.

# %% tags=["remove-input"]
report.counts_table(remaining_work(comparison), "remaining")

# %% tags=["remove-input"]
made = [
    record
    for record in accounts.records
    if record.parameters["dataset"] == "cifar10"
    and (record.parameters.get("network"), record.parameters.get("width"))
    == ("resnet18", 64)
]
paces = {
    circumstance: 1 / seconds
    for circumstance in {(r.parameters["precision"], r.machine.processor) for r in made}
    for seconds in seconds_per_image(
        r
        for r in made
        if (r.parameters["precision"], r.machine.processor) == circumstance
    ).values()
}
Markdown(
    "In the runs on record one core trains a ResNet-18 on CIFAR-10 at "
    + "; ".join(
        f"{pace:.0f} images a second in {precision} ({prose(processor)}), a million in {1e6 / pace / 3600:.0f} hours"
        for (precision, processor), pace in sorted(paces.items())
    )
    + ". At 10,000 images a second, which a large GPU would have to reach and which nobody measured here, a million take "
    "two minutes."
    if paces
    else "No run of the paper's own networks counts, so its pace is not known."
)

# %% [markdown]
# ## The paper's claims
#
# A claim is a set of comparisons "this one is more accurate than that one". Each comparison is a t test of differences
# paired by seed, corrected by {cite:t}`holm1979` for all comparisons of the claim that have three pairs so far: a word can
# change as runs are added, and pages that compare other things correct for those. Both runs of a pair share precision, compilation and interval between evaluations; where several
# do, those with most pairs count. The words are of November 25, 2026: before any record of the paper's protocol, but after the
# first records of the reduced one, three seeds of LCMat-S and uniform selection; the three pairs are of November 29
# ({doc}`history`):
#
# - **supported**: every comparison is significantly as claimed, and with the paper's protocol none that the paper prints
#   is missing;
# - **contradicted**: at least one comparison is significantly the other way, since a claim says "every" or
#   "consistently";
# - **not decided**: neither, with the number n of pairs;
# - **not comparable**: run with settings that are guesses (condensation, replay): shown, not judged;
# - **not run**: no comparison has three pairs.
#
# The paper's own numbers have no seeds to pair: their column says in how many comparisons the claim holds, and in how many
# of these the Welch interval from the stated spreads excludes zero.
#
# What is judged is the methods as defined; the same comparisons of the methods as their official codes do them stand beside.
# Stale runs do not count, and a seed of which one of the two runs diverged makes no pair.
#
# For Figure 3 a seed's difference is its mean over the pre-trained networks, so that the values tested are independent.
# Runs of a reduced protocol stand in a column of their own: they test the ordering on other networks, schedules and
# data, which include the digits, and cannot support or contradict the published numbers.

# %% tags=["remove-input"]
tested = assess_claims(comparison, accounts.current)
HTML(claims_html(tested, "claims"))

# %% tags=["remove-input"]
copies = sorted(
    {
        prose(data_name(record))
        for record in accounts.records
        if record.key not in accounts.stale
    }
)
Markdown(
    "Data of the runs that are tested: "
    + ("; ".join(copies) if copies else "none, nothing has been run")
)

# %% tags=["remove-input"]
open_claims = [
    each
    for each in tested
    if each.published and any(interval.mean <= 0 for interval in each.published)
]
Markdown(
    "The paper's own numbers do not bear out every word of it: "
    + "; ".join(
        f"*{each.claim.statement[:-1]}* {describe_published(each.published)}"
        for each in open_claims
    )
    + "."
    if open_claims
    else "The paper's own numbers agree with all its claims, wherever it prints both."
)

# %% [markdown]
# (rules)=
# ## Rules, of November 28, 2026
#
# They were committed before the first record of the paper's protocol was made, but after results of reduced protocols had
# been seen; {doc}`history` says what they replace and why. A check below compares their date with that of the records.
#
# **Which runs count.** A published number is compared with our runs only if these follow its protocol: the same data set,
# networks, fraction, epochs of both trainings, method options, augmentation and optimiser. Runs of smaller networks or
# shorter schedules stand apart, as a reduced protocol, and are never matched. Arithmetic precision does not count as
# protocol. A copy of the data set that is not the canonical one counts, and its name stands beside every number that stems
# from it. Records that other code made than today's are *stale*: they are shown, and neither a verdict nor the badge counts
# them.
#
# **Two arms.** Where the official code does something else than the method's definition, a number has two arms. The verdict
# is said of the first, the method as its official code does it, in the configuration that {doc}`../selection/04_official_code`
# describes (of LCMat-S with the radius of its script), because that is where the published number comes from. The method as
# defined, at our default radius, stands beside it. Claims, "A is more accurate than B", are judged on the methods as
# defined.
#
# **The comparison.** With $\Delta$ = our mean (last epoch) - published mean, its 95 % interval by {cite:t}`welch1947` from
# both means, spreads and numbers of seeds, and a margin $\delta$, the verdict is the first of these that applies:
#
# 1. **reproduced**: the whole interval lies in $[-\delta, \delta]$, whether or not it contains zero;
# 2. **compatible**: the interval contains zero and its half-width is at most two published spreads, so that a difference of
#    two of the paper's own standard deviations would be seen at least about every other time;
# 3. **higher**, **lower**: the interval excludes zero and $|\Delta| > \delta$;
# 4. **inconclusive**: none of them; with the number of our seeds that would settle it if means and spreads stayed as they
#    are (none is given where no number would: the published spread is too wide, or the means as they are lie too near to
#    the margin). This includes an interval that excludes zero around a
#    $\Delta$ within the margin and reaches beyond it: there is a difference, and whether it matters is open.
#
# Other states have no such comparison:
#
# - **diverged**: the training of at least one seed diverged, in whichever precision. A diverged seed has no accuracy, and
#   the mean of the others would be that of the lucky ones: they are shown, and no word speaks of agreement or difference;
# - **not comparable**: run, but a part of the protocol is a guess or cannot be the paper's, so ours are shown and not
#   judged: all of condensation and replay (Tables 4 and 5, Figure 5), seconds on unnamed hardware, half of the pre-trained
#   networks of Figure 3, the unstated size of TinyImageNet;
# - **over budget**: not run, and the records of the same data and networks say that it would take longer than the budget;
# - **not run**: no run of that protocol.
#
# **What the published numbers leave open.** The paper does not say what its $\pm$ means; it is read as the standard deviation
# over seeds. Where it gives a spread but no number of seeds, the smallest number of any of its tables is assumed, three:
# such a number is not exact. Only a number without a spread, read off a figure, or with one that is printed as zero is
# taken as exact, and the interval then shows our uncertainty alone.

# %% tags=["remove-input"]
Markdown(
    f"The margin is $\\delta$ = (published accuracy - chance)/4, but at most {MAX_MARGIN_PERCENT:g} and at least "
    f"{MIN_MARGIN_PERCENT:g} percentage points; chance is 100/number of classes. The budget is {BUDGET_HOURS:g} hours for all "
    f"seeds of a number on one device.\n\n**One record a seed.** {ONE_A_SEED}"
)

# %% [markdown]
# ## What these rules can say, and cannot
#
# There is no smallest number of our seeds: Welch's interval keeps its level with two, and the verdict is read anew as seeds
# come. Before anything is run it is known which verdicts our seeds can reach: if the truth is the same and so is the spread, the
# published spread and both numbers of seeds decide how often each comes out. The table has the expected numbers, by
# simulation; *decided* are all that are not inconclusive, with the few that come out higher or lower by chance, and
# *too wide* is a published spread that forbids "reproduced" in the limit of many seeds. Numbers without a spread are left out of the expectations. The drawer of each number has its own chances.

# %% tags=["remove-input"]
chances = chances_by_table(comparison)
report.counts_table(chances.round(1), "chances")

# %% tags=["remove-input"]
shared = sharing_cells(comparison)
twice = comparison["cell"].isin(shared)
judged_twice = int((twice & comparison["margin"].notna()).sum())
smaller, gains = gains_within_margin(comparison, "cifar10")
Markdown(
    f"- {describe_assumptions(comparison)}\n"
    f"- On CIFAR-10 the margin of Table 1 is larger than the gain of LCMat-S over uniform selection that the paper prints at "
    f"{smaller} of {gains} fractions: a reproduced number is no evidence for a claim. Claims are judged by paired differences "
    "of our own runs.\n"
    f"- {len(shared)} numbers, {judged_twice} of them judged, are printed twice for the same protocol, with different values: "
    "one set of runs then gives two verdicts, which are not independent. The drawers say which."
)

# %% [markdown]
# ## What was easy
#
# - The method for selection is described completely: its embedding, its distance and its greedy maximisation can be
#   written down from the paper alone, and each was tested against an independent reference.
# - The last layer has closed forms for gradients and Hessian diagonals, so no automatic differentiation of second order
#   is needed, and the derivation can be checked on real networks ({doc}`curvature-gap`).
# - The official code of the selection is public.
#
# ## What was difficult
#
# - The official code does other things than the paper says ({doc}`../derivation/08_errata`, {doc}`why-the-numbers-differ`), so that a
#   difference to a published number can have several causes.
# - The code of the condensation was never published and its settings are not printed.
# - The rule by which $\rho$ was chosen, the meaning of the $\pm$, the hardware, and the data set and fraction of some
#   figures are not stated.
# - The paper's protocol takes a GPU at the larger fractions; at the small ones it takes hours of a processor core for each
#   selecting network.
# - The last bits of a training depend on the kind of processor, and a training enlarges them: {doc}`history` shows by how
#   much single runs differed. The table says where a number stands on several kinds.

# %% tags=["remove-input"]
GUESSING = log(10)  # the loss if ten classes are equally likely
FITTED = 0.1  # the loss of images that are learnt
few = [
    record
    for record in accounts.records
    if record.key not in accounts.stale
    and record.experiment == "selection"
    and record.parameters["dataset"] == "cifar10"
    and (record.parameters["network"], record.parameters["width"]) == ("resnet18", 64)
    and record.parameters.get("learner") is None
    and record.parameters["fraction"] <= 0.01
    and record.status == "done"
]
rose = [r for r in few if max(r.series["train_loss"]) > 2 * GUESSING]
unfitted = [r for r in few if r.series["train_loss"][-1] > FITTED]
where = Counter(title_of(r.parameters["method"]) for r in unfitted)
Markdown(
    f"- On few images the paper's schedule is unsteady: it begins at its highest rate. In {len(rose)} of the {len(few)} runs of "
    "its ResNet-18 on 1 % of CIFAR-10 or less the training loss rose to more than twice that of guessing before it fell, and "
    f"{len(unfitted)} had not learnt their own images after the last epoch (loss above {FITTED}; "
    + ", ".join(f"{title} {count}" for title, count in where.most_common())
    + "). How well a network starts is a part of the spread that no choice of images removes; runs of one seed start alike."
) if few else None

# %% [markdown]
# ## Deviations
#
# - The last epoch is judged. The official code prints the best of all epochs on the test set. Beside the last one stands the
#   best of those that were measured, every fiftieth in most runs, which is less of a gain.
# - One radius is used in all tables, that of the official script in the arm of the official code and our default in the
#   other, because choosing it by the test set would be circular. The paper chooses among four and does not say how.
# - What each deviation of an official code is worth alone is measured in {doc}`why-the-numbers-differ`.
# - The paper does not say which variants of Inception-v3, ResNet-10 and DenseNet-121 for small images it trains; ours are
#   described in {doc}`../tables/table-6` and {doc}`../tables/table-5`.
# - GradMatch-Val and Glister-Val hold out a tenth of the training images here and keep a fraction of all; by default the official
#   code holds out a fifth and keeps a fraction of the rest. The paper says neither.
# - The selecting network is trained by SGD, but for half of those of Figure 3, which is not judged.
#
# ## Cost
#
# What the recorded runs took in all, whichever protocol they follow.

# %% tags=["remove-input"]
Markdown(describe_cost(accounts.records))

# %% [markdown]
# Of the runs of the selection benchmark: on which data, where and with which code. A commit is *changed* if tracked files
# differed from it; runs up to November 25, 2026 count the records that they renewed among these. Code is *stale* if it has
# been changed since, so that a run today might give another number.

# %% tags=["remove-input"]
report.provenance_table(runs, "provenance")

# %% [markdown]
# Code that was changed without meaning to change a number is run beside the older code, stage by stage and on the same
# processor (`lcmat adopt`). Only if all results agree in every bit do the older records count as made by the newer code.

# %% tags=["remove-input"]
adoptions_table("adoptions")

# %% [markdown]
# On November 30, 2026 three of the 79 records of ResNet-18 were drawn by lot (`random.Random` of the full name of commit
# `6d867bb`, `sample` of the sorted keys): `8397f003ba378d23`, `a2a94d0acef1d5a2`, `5b0b463b0fcdb406`. Run again by the code of that
# commit on the same kind of processor, with the trained selecting networks that were there, each gave the same images, losses
# and accuracies to the bit.
#
# Measurements that pages show beside the runs (`lcmat measure`) are made again when their code changes; an adoption takes along
# those of which nothing changed but the rule by which code is compared.

# %% tags=["remove-input"]
waiting = [
    f"{name} of {in_words(dataset)}"
    for name in kinds.KINDS
    for dataset, content in kinds.stored(name).items()
    if not kinds.is_current(name, content)
]
Markdown(
    f"Made by older code (stale), until then: {', '.join(waiting)}."
    if waiting
    else "The present code made all of them."
)

# %% [markdown]
# ## What exact images and today's code changed
#
# The first edition ran reduced protocols on a JPEG copy of CIFAR-10; Fashion-MNIST was exact. Selection was trained in
# half precision, now in float32. So CIFAR-10 shows all that was changed, and Fashion-MNIST all but the images.

# %% tags=["remove-input"]
first = read_first_edition()
changes = moved(first, accounts.records, accounts.stale)
Markdown(describe_moved(first, changes))

# %% tags=["remove-input"]
if len(changes):
    display(report.table(moved_rows(changes), "moved"))

# %% [markdown]
# ## Check
#
# Each published number appears exactly once, unchanged, the states add up, and no judged record is older than the rules.

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Show the check"}
import pandas as pd

published = report.read_published()
assert list(comparison["cell"]) == list(range(len(published)))
pd.testing.assert_frame_equal(comparison[published.columns], published)
total = counts.iloc[-1]
assert total["all"] == len(published) == sum(total[state] for state in STATES)
assert sum(len(accounts.of(table)) for table in accounts.tables) == len(published)
of_judged = comparison.loc[comparison["margin"].notna(), "records"]
assert all(
    record.started.date() >= RULES_OF for records in of_judged for record in records
)

# %% [markdown]
# ## Number by number
#
# - Selection: {doc}`../tables/table-1`, {doc}`../tables/table-2`, {doc}`../tables/table-3`, {doc}`../tables/table-6`,
#   {doc}`../tables/table-d2`
# - Condensation: {doc}`../tables/table-4`, {doc}`../tables/table-5`
# - Figures: {doc}`../tables/figure-2`, {doc}`../tables/figure-3`, {doc}`../tables/figure-4`, {doc}`../tables/figure-5`

# %% tags=["remove-input"]
HTML(
    f'<p>For machines: <a href="../../{REPORT}">{REPORT}</a>, and the endpoint of a badge, '
    f'<a href="../../{BADGE}">{BADGE}</a>. Both are written when the site is built.</p>'
)

# %% [markdown]
# ## Take-away
#
# - **Shown:** for each number of the paper whether it was run here under its own protocol, and the verdict if so; for
#   each claim what the published numbers say and what ours say, as defined and by the official code.
# - **Not shown:** anything about the numbers marked "not run". A reduced protocol tests a method, not a table.
# - **Differs from the paper:** the verdict uses the last epoch, claims are tested paired by seed and corrected for their
#   number.
