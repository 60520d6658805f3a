"""The answers with which the pages of results open: sentences written by hand for differences that are made up."""

import pandas as pd
import pytest

from lcmat import report
from lcmat.report import page_answers, sentences, wall_clock
from lcmat.report.ledger import DEFINED
from lcmat.report.statistics import Interval
from lcmat.sweep.profiles import PROFILES
from tests.synthetic_records import make_record, make_sweep
from tests.test_hostile_records import ROOT, Page, outputs_of, records

BETTER, WORSE, OPEN = Interval(3.0, 2.0, 4.0, 5), Interval(-9.0, -11.0, -7.0, 5), Interval(0.5, -1.0, 2.0, 5)
ONE = Interval(1.5, float("-inf"), float("inf"), 1)


def differences(*rows, dataset="digits", **shared):
    """Rows of (label, method, interval, corrected p), at 1 % of the images if nothing else is said."""
    table = [
        {"dataset": dataset, "label": label, "method": method, "rho": 0.1, "fraction": 0.01, "interval": interval}
        | {"adjusted_p": adjusted_p, "network": "digits-net", "width": 16, **shared}
        for label, method, interval, adjusted_p in rows
    ]
    return pd.DataFrame(table, columns=[*(table[0] if table else [*EMPTY])])


EMPTY = ("dataset", "label", "method", "rho", "fraction", "interval", "adjusted_p", "label_noise")
OWN = (DEFINED, "lcmat-s", BETTER, 0.01)


@pytest.mark.parametrize(
    ("interval", "adjusted_p", "words"),
    [
        (BETTER, 0.01, "is 3.0 points more accurate than it (95 % interval +2.0 to +4.0, n = 5)"),
        (WORSE, 0.01, "is 9.0 points less accurate than it (95 % interval -11.0 to -7.0, n = 5)"),
        (OPEN, 1.0, "does not differ significantly from it (+0.5 points, 95 % interval -1.0 to +2.0, n = 5)"),
        (ONE, 1.0, "differed from it by +1.5 points in the one run there is"),
        (Interval(1.5, 1.4, 1.6, 2), 0.01, "differed from it by +1.5 points in the 2 seeds there are"),
        (
            BETTER,
            0.2,
            "is 3.0 points more accurate than it, though not after Holm's correction for all comparisons "
            "(95 % interval +2.0 to +4.0, n = 5)",
        ),
    ],
)
def test_a_comparison_in_words(interval, adjusted_p, words):
    assert sentences.against(interval, "it", adjusted_p) == words


@pytest.mark.parametrize(
    ("intervals", "word"),
    [
        ((BETTER,), "Yes."),
        ((BETTER, OPEN), "In 1 of 2 comparisons."),
        ((BETTER, WORSE), "It depends."),
        ((WORSE, OPEN), "No."),
        ((OPEN,), "Undecided."),
        ((ONE,), "Fewer than 3 seeds decide nothing."),
    ],
)
def test_the_verdict_is_a_word(intervals, word):
    rows = [("A", "a", each, 1.0 if each in (OPEN, ONE) else 0.01) for each in intervals]
    assert sentences.verdict(differences(*rows)) == word


def test_several_comparisons_are_one_sentence():
    rows = [
        (name, "x", Interval(gain, gain - 1, gain + 1, 5), 0.01)
        for name, gain in zip("ABCD", (2, 5, 3, 4), strict=True)
    ]
    found = differences(*rows, ("E", "x", WORSE, 0.02), ("F", "x", OPEN, 1.0))
    assert sentences.describe_differences(found, "it all") == (
        "Of 6 configurations compared with it all, 4 are significantly more accurate (B, +5.0 points; D, +4.0 points; "
        "C, +3.0 points; and 1 more) and 1 is significantly less accurate (E, -9.0 points); the other 1 does not "
        "differ significantly from it after Holm's correction."
    )
    undecided = differences(("E", "x", OPEN, 1.0), ("F", "x", Interval(-2.0, -9.0, 5.0, 5), 1.0))
    assert sentences.describe_differences(undecided) == (
        "None of 2 configurations differs significantly from uniform selection after Holm's correction; their mean "
        "differences lie between -2.0 and +0.5 points."
    )
    assert sentences.describe_differences(undecided[:1]) == (
        "E does not differ significantly from uniform selection (+0.5 points, 95 % interval -1.0 to +2.0, n = 5)."
    )
    single = differences(("E", "x", ONE, 1.0), ("F", "x", ONE, 1.0))
    assert "none has 3 seeds, and fewer decide nothing" in sentences.describe_differences(single)
    assert "not run" in sentences.describe_differences(undecided[:0])


def test_fractions_are_named_where_they_differ():
    found = pd.concat([differences(("A", "a", WORSE, 0.01), fraction=each) for each in (0.01, 0.05)])
    assert "(A at 1 %, -9.0 points; A at 5 %, -9.0 points)" in sentences.describe_differences(found)


def test_digits_are_silent_where_others_speak_and_single_seeds_where_others_are_tested():
    kept = differences(OWN, dataset="cifar10")
    single = differences((DEFINED, "lcmat-s", ONE, 1.0), dataset="fashion-mnist")
    assert set(sentences.speaking(pd.concat([differences(OWN), kept, single]))["dataset"]) == {"cifar10"}
    assert set(sentences.speaking(pd.concat([differences(OWN), single]))["dataset"]) == {"digits"}
    assert set(sentences.speaking(single)["dataset"]) == {"fashion-mnist"}


def test_the_smallest_difference_is_the_median_half_width():
    found = differences(("A", "a", BETTER, 0.0), ("B", "b", WORSE, 0.0), ("C", "c", OPEN, 1.0), ("D", "d", ONE, 1.0))
    assert sentences.resolution(found) == (
        "On the digits, half of the 95 % intervals reach further than 1.5 points to either side (n = 5), so "
        "smaller differences "
        "cannot be told from chance."
    )
    assert sentences.resolution(found[3:]) == "No comparison has 3 seeds, so nothing is shown."


def test_the_answer_about_selection():
    at_one = differences(OWN, ("Craig", "craig", WORSE, 0.01), ("EL2N", "el2n", OPEN, 1.0))
    at_five = differences((DEFINED, "lcmat-s", OPEN, 1.0), fraction=0.05)
    radii = differences(("LCMat-S, ρ = 0.5", "lcmat-s", OPEN, 1.0))
    assert page_answers.selection_answer(pd.concat([at_one, at_five]), radii).split("\n\n") == [
        "**Does LCMat-S beat uniform selection?** In 1 of 2 comparisons. On the digits, at 1 % of the images it "
        "is 3.0 points "
        "more accurate than uniform selection (95 % interval +2.0 to +4.0, n = 5); at 5 % of the images it "
        "does not differ significantly from uniform selection (+0.5 points, 95 % interval -1.0 to +2.0, n = 5). "
        "Network: DigitsNet, width 16 (usually 32).",
        "**Does any other method?** On the digits, of 2 configurations compared with uniform selection, none is "
        "significantly more accurate and 1 is significantly less accurate (Craig, -9.0 points); the other 1 does not "
        "differ significantly from it after Holm's correction.",
        "**Does a radius above zero help LCMat-S?** On the digits, LCMat-S, ρ = 0.5 does not differ "
        "significantly from gradient matching alone (ρ = 0) (+0.5 points, 95 % interval -1.0 to +2.0, n = 5).",
    ]


def test_the_answer_about_condensation():
    own = ("LCMat-C, ρ = 10", "lcmat-c", BETTER, 0.01)
    random = differences(own, ("k-Center", "k-center", Interval(5.0, 4.0, 6.0, 5), 0.01), ipc=10)
    undecided = differences(("LCMat-C, ρ = 10", "lcmat-c", OPEN, 1.0), ipc=10)
    first, chosen, second, third, use = page_answers.condensation_answer(random, *[undecided] * 3).split("\n\n")
    assert first.endswith(
        "Yes. On the digits, with 10 images per class it is 3.0 points more accurate than random images (95 % "
        "interval +2.0 to "
        "+4.0, n = 5)."
    )
    assert "it does not differ significantly from images chosen by herding" in chosen
    assert "it does not differ significantly from gradients alone" in second
    assert "it does not differ significantly from the mean control" in third
    assert use == (
        "**What to use?** On the digits, with 10 images per class, use k-Center, which is 5.0 points more "
        "accurate than random "
        "images (95 % interval +4.0 to +6.0, n = 5)."
    )


def test_the_answer_about_hard_conditions():
    parts = [
        differences((DEFINED, "lcmat-s", WORSE, 0.01), ("EL2N", "el2n", WORSE, 0.01), label_noise=level)
        for level in (0.1, 0.3)
    ]
    shares = pd.DataFrame({0.1: [9.0, 60.0, 20.0], 0.3: [31.0, 97.6, 50.0]}, index=["uniform", "el2n", "lcmat-s"])
    unequal = differences(("Craig, across classes", "craig", BETTER, 0.01), imbalance=10.0)
    suffering, own, classes, use = page_answers.hard_conditions_answer(pd.concat(parts), shares, unequal).split("\n\n")
    assert suffering.startswith(
        "**Which methods suffer from wrong labels?** On the digits, with 30 % wrong labels, of 2 conf"
    )
    assert suffering.endswith(
        "Where 30 % of all labels are wrong, so are 98 % of those that EL2N chooses, 50 % of those that LCMat-S "
        "chooses and 31 % of those that Uniform chooses."
    )
    assert "No. On the digits, with 10 % wrong labels it is 9.0 points less accurate" in own
    assert "Craig, across classes is 3.0 points more accurate than uniform selection within classes" in classes
    assert use == (
        "**What to use?** On the digits, with 10 % wrong labels and with 30 % wrong labels, use uniform selection, "
        "because nothing is significantly more accurate. On the digits, with classes that differ by a factor of 10, "
        "use Craig, across classes, which is 3.0 points more accurate than uniform selection within classes "
        "(95 % interval +2.0 to +4.0, "
        "n = 5)."
    )


def test_the_answer_about_robustness():
    crossed = pd.concat(
        [differences((DEFINED, "lcmat-s", OPEN, 1.0), learner=name) for name in (None, "convnet")], ignore_index=True
    )
    names = ["Uniform", "LCMat-S", "Craig"]
    counts = pd.DataFrame([[0, 5, 9], [7, 0, 8], [3, 4, 0]], index=names, columns=names)
    first, second = page_answers.robustness_answer(crossed, counts, differences(OWN)).split("\n\n")
    assert first.endswith(
        "On the digits, with 5 seeds it does not differ significantly from uniform selection when the selecting "
        "architecture itself learns "
        "(+0.5 points, 95 % interval -1.0 to +2.0), when ConvNet-3 learns (+0.5 points, 95 % interval -1.0 to +2.0)."
    )
    assert second.endswith(
        "(95 % interval +2.0 to +4.0, n = 5). It wins more often than it loses against 2 of 2 methods "
        "(Uniform, Craig); "
        "against uniform selection it wins 7 comparisons and loses 5."
    )


def test_the_answer_about_sensitivity():
    ages = [differences(OWN, selection_epochs=age) for age in (1, 5)]
    text = page_answers.sensitivity_answer(differences(OWN), differences(), ages, [])
    radius, other, age, batch = text.split("\n\n")
    assert "is 3.0 points more accurate than gradient matching alone (ρ = 0)" in radius
    assert other.endswith("Not run yet.") and batch.endswith("Not run yet.")
    assert "Yes. On the digits, after 1 epoch it is 3.0 points more accurate" in age and "; after 5 epochs it is" in age


def test_the_answer_about_seconds():
    rows = [
        {
            "dataset": "digits",
            "network": "digits-net",
            "width": 32,
            "device": device,
            "method": method,
            "fraction": 0.05,
            "n": n,
        }
        | {"selector": selector, "evidence": evidence, "selection": 1.0, "training": 9.0}
        for device, method, n, selector, evidence in (
            ("a", DEFINED, 5, 4.0, None),
            ("a", "GraNd", 5, 4.0, 3.0),
            ("a", "Uniform", 5, None, None),
            ("a", "GraNd, some option", 5, 4.0, 99.0),
            ("b", "GraNd", 1, 1.0, 99.0),
        )
    ]
    costs = wall_clock.speaking_costs(wall_clock.with_ratio(pd.DataFrame(rows).astype({"evidence": float})))
    ours, theirs = wall_clock.wall_clock_answer(costs).split("\n\n")
    assert ours.endswith(
        "On the digits, training the selecting network (DigitsNet, width 32) takes 4 s; with the choice by LCMat-S it "
        "is 1.25 times that at 5 %. The most expensive method is GraNd, 2.00 times that at 5 % (medians over 5 seeds)."
    )
    assert "2.3 times (at 0.1 %), 3.1 times (at 1 %), 7.1 times (at 10 %) as long" in theirs  # read off appendix D.2


PAGES = ("selection", "condensation", "hard-conditions", "robustness", "sensitivity", "wall-clock")


def text_of(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    return Page(outputs_of(ROOT / "notebooks" / "report" / f"{page}.py", monkeypatch)).text


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_records_names_the_command_that_runs_them(page, monkeypatch):
    assert text_of(page, monkeypatch).startswith("Not run yet. The runs that answer are lcmat sweep --profile smoke.")


@pytest.mark.parametrize("page", PAGES[2:])
def test_a_page_of_one_seed_decides_nothing_and_passes_over_what_diverged(page, monkeypatch):
    studies = {study.name: study.runs for study in PROFILES["smoke"].studies}
    for name in ("selection", "label-noise", "class-imbalance", "cross-architecture", "pretraining-robustness"):
        for run in studies[name]:
            if run.seed == 0:
                status = "diverged" if run.method == "craig" else "done"
                record = make_record(status=status, **run.canonical())
                wrong = {"coreset_size": 100.0, "wrong_labels_percent": 100 * (run.label_noise or 0.0)}
                changes = {"seconds": {"selector": 2.0, "selection": 1.0, "training": 3.0}}
                if status == "done":
                    changes["metrics"] = {**record.metrics, **wrong}
                records.write(record.model_copy(update=changes))
    shown = text_of(page, monkeypatch)
    assert ("Not run yet" in shown) is (page == "sensitivity")
    assert "Craig" not in shown.partition("What this page")[0] or page == "robustness"


def test_the_sentences_follow_the_records():
    runs = report.runs_frame(make_sweep(gain=5.0, rhos=(0.0, 0.1)))
    text = page_answers.selection_answer(report.paired_to_baseline(runs), report.paired_to_baseline(runs)[:0])
    assert "**Does LCMat-S beat uniform selection?** Yes. On the digits, at 1 % of the images it is" in text
    assert text.endswith("**Does a radius above zero help LCMat-S?** Not run yet.")
