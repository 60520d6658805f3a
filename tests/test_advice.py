"""The decision table against records made up so that the answer is known, and against SciPy."""

import pytest
from scipy import stats

from lcmat import report
from lcmat.config import CondensationParameters
from lcmat.config.condensation_defaults import TUNED
from lcmat.experiments import code_fingerprint
from lcmat.report.advice import (
    NOT_RUN,
    TOO_FEW,
    advise,
    answer_in_counts,
    datasets_of,
    decision_table,
    situations,
)
from lcmat.report.runs import ACCURACY
from lcmat.sweep.profiles import PROFILES
from tests.synthetic_records import make_record, make_sweep
from tests.test_records import make_record as make_run

NO_CONDENSATION = report.runs_frame([], CondensationParameters)


def rows_of(records):
    return situations(report.runs_frame(records), NO_CONDENSATION)


@pytest.mark.parametrize(
    ("gain", "use", "word"), [(5.0, "LCMat-S, ρ = 0.1", "better"), (-5.0, "uniform selection", "worse")]
)
def test_what_is_clearly_better_is_recommended_and_what_is_worse_is_not(gain, use, word):
    records = make_sweep(fractions=(0.05,), rhos=(0.1,), gain=gain)
    (row, *others) = rows_of(records)
    found = advise(row, "digits")
    assert (row.title, found.use, found.word) == ("Images to keep: 5 %", use, word)
    values = {
        method: [r.metrics["test_accuracy_percent"] for r in records if r.parameters["method"] == method]
        for method in ("lcmat-s", "uniform")
    }
    expected = stats.ttest_rel(values["lcmat-s"], values["uniform"]).confidence_interval()
    assert (found.own.low, found.own.high) == pytest.approx(tuple(expected))
    assert [advise(other, "digits").use for other in others] == [NOT_RUN] * len(others)


def test_a_difference_that_the_seeds_cannot_tell_recommends_uniform_selection():
    noise = (3.0, -3.0, 2.0, -2.0)
    shared = {"fraction": 0.05, "dataset": "digits"}
    records = [make_record(50, method="uniform", seed=seed, **shared) for seed in range(4)]
    records += [make_record(50.5 + noise[seed], method="lcmat-s", seed=seed, **shared) for seed in range(4)]
    found = advise(rows_of(records)[0], "digits")
    assert (found.use, found.gain, found.word) == ("uniform selection", None, "undecided")
    assert found.own.mean == pytest.approx(0.5)


def test_two_seeds_that_happen_to_agree_decide_nothing():
    shared = {"fraction": 0.05, "dataset": "digits"}
    records = [make_record(50 + seed, method="uniform", seed=seed, **shared) for seed in range(3)]
    records += [make_record(55 + 1.01 * seed, method="lcmat-s", seed=seed, **shared) for seed in range(3)]
    two, three = (rows_of([r for r in records if r.seed < count])[0] for count in (2, 3))
    assert (advise(two, "digits").use, advise(two, "digits").word) == (TOO_FEW, TOO_FEW)
    assert (advise(three, "digits").use, advise(three, "digits").word) == ("LCMat-S, ρ = 0.1", "better")


@pytest.mark.parametrize("records", [[], make_sweep(seeds=1), [make_record(fingerprint="0" * 16)]])
def test_one_seed_or_none_or_another_codes_are_no_advice(records):
    rows = rows_of(records)
    assert {advise(row, "digits").use for row in rows} == ({NOT_RUN, TOO_FEW} if len(records) > 1 else {NOT_RUN})
    assert answer_in_counts(rows, ["digits"]).splitlines()[1:] == ["- **LCMat-C, which learns them:** not run."]
    assert answer_in_counts(rows, ["digits"]).startswith("- **LCMat-S, which chooses images:** not run.\n")
    assert "| [Unequal classes](../report/hard-conditions.ipynb) | not run |" in decision_table(rows, datasets_of(rows))


def test_records_of_other_code_do_not_count():
    old = [
        record.model_copy(update={"fingerprint": "0" * 16})
        for record in make_sweep(fractions=(0.05,), rhos=(0.1,), gain=5.0)
    ]
    assert advise(rows_of(old)[0], "digits").use == NOT_RUN


def test_the_setting_with_most_comparisons_speaks():
    wide = make_sweep(fractions=(0.05,), rhos=(0.0, 0.1), gain=5.0)
    narrow = [
        make_record(50 - 9 * (method == "lcmat-s"), method=method, seed=seed, fraction=0.05, network="resnet18")
        for method in ("uniform", "lcmat-s")
        for seed in range(5)
    ]
    found = advise(rows_of(narrow + wide)[0], "digits")
    assert found.word == "better" and "DigitsNet" in found.setting


@pytest.mark.parametrize("dataset", TUNED)
def test_learnt_images_are_those_of_the_radius_that_was_chosen_for_the_data_set(dataset):
    profile = PROFILES["smoke" if dataset == "digits" else "cpu"]
    (study,) = (each for each in profile.studies if each.name == "condensation")
    runs = [
        run for run in study.runs if run.dataset == dataset and run.method in ("random", "lcmat-c") and run.rho != 0
    ]
    records = [
        make_run(
            run,
            experiment="condensation",
            seed=run.seed,
            metrics={ACCURACY: 50.0 if run.method == "random" else 55 + 0.1 * run.seed},
            fingerprint=code_fingerprint(run),
        )
        for run in runs
    ]
    few = situations(report.runs_frame([]), report.runs_frame(records, CondensationParameters))[-1]
    found = advise(few, dataset)
    assert (found.word, found.use) == ("better", f"LCMat-C, ρ = {TUNED[dataset]['lcmat-c']['rho']:g}")
    assert found.own.mean == pytest.approx(5 + 0.1 * sum({run.seed for run in runs}) / len({run.seed for run in runs}))
