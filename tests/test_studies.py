import pandas as pd
import pytest

from lcmat import report
from lcmat.report import studies
from lcmat.report.cost import STAGES, stage_seconds
from lcmat.report.runs import ACCURACY
from lcmat.report.schemes import CHOICE
from lcmat.sweep.profiles import PROFILES
from tests.synthetic_records import make_record


def test_runs_of_a_study_are_those_of_its_keys():
    study = next(study for study in PROFILES["smoke"].studies if study.name == "label-noise")
    inside = make_record(**study.runs[3].canonical())
    outside = make_record(epochs=3)
    found = studies.study_runs(report.runs_frame([inside, outside]), "label-noise")
    assert list(found["key"]) == [inside.key]
    with pytest.raises(ValueError, match="no profile has a study 'noise'"):
        studies.study_runs(found, "noise")


def test_wins_are_counted_for_each_configuration_and_seed():
    runs = report.runs_frame(
        [
            make_record(accuracy, method=method, seed=seed, selection_epochs=epochs)
            for method, accuracies in {"uniform": [50.0, 60.0, 70.0, 70.0], "craig": [51.0, 60.0, 60.0, 80.0]}.items()
            for accuracy, (seed, epochs) in zip(accuracies, [(0, 2), (1, 2), (0, 5), (1, 5)], strict=True)
        ]
    )
    counted = studies.wins(runs, ["selection_epochs"])
    assert counted.loc["Craig", "Uniform"] == 2 and counted.loc["Uniform", "Craig"] == 1
    assert counted.loc["Uniform", "Uniform"] == 0


def test_two_runs_of_one_configuration_cannot_be_counted():
    runs = report.runs_frame([make_record(method="uniform"), make_record(method="uniform", epochs=3)])
    with pytest.raises(ValueError, match="duplicate"):
        studies.wins(runs, ["selection_epochs"])


def test_as_defined_leaves_out_quirks_but_no_radius():
    records = [make_record(method="lcmat-s", rho=rho) for rho in (0.0, 0.5)]
    records += [make_record(method="craig"), make_record(method="craig", double_softmax=True)]
    records += [make_record(method="uniform", across_classes=True), make_record(method="lcmat-s", weighted=True)]
    kept = report.as_defined(report.runs_frame(records))
    assert list(kept["key"]) == [record.key for record in records[:3]]


def test_choices_are_compared_however_their_radius_was_found_and_their_network_trained():
    settings = [{"method": "uniform"}, {"rho": 0.1}, {"rho_choice": "held-out"}, {"rho": 0.1, "selection_epochs": 30}]
    records = [make_record(50.0 + 2 * i + seed, seed=seed, **s) for i, s in enumerate(settings) for seed in range(3)]
    found = report.paired_to_baseline(report.runs_frame(records), scheme=CHOICE).set_index("label")["interval"]
    assert {label: round(each.mean, 9) for label, each in found.items()} == {
        "LCMat-S, ρ = 0.1": 2.0,
        "LCMat-S, ρ chosen on held-out images": 4.0,
        "LCMat-S, ρ = 0.1, selecting network: 30 epochs": 6.0,
    }


def test_means_are_those_of_the_seeds():
    runs = report.runs_frame(
        [make_record(50.0 + seed + 100 * noise, method="uniform", seed=seed, label_noise=noise)
         for seed in range(3) for noise in (0.1, 0.3)]
    )  # fmt: skip
    means = studies.means_by(runs, ACCURACY, "label_noise")
    assert means.loc["uniform"].tolist() == pytest.approx([61.0, 81.0])


def test_a_panel_has_its_best_configuration_on_top():
    rows = [make_record(50.0 + seed % 2, method="uniform", seed=seed) for seed in range(3)]
    for method, gain in (("craig", 5.0), ("k-center", 9.0), ("el2n", -3.0)):
        rows += [make_record(50.0 + seed % 2 + gain + seed / 7, method=method, seed=seed) for seed in range(3)]
    figure = report.draw_differences(report.paired_to_baseline(report.runs_frame(rows)), ["dataset", "fraction"])
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["k-Center", "Craig", "EL2N"]
    titles = {figure.axes[0].get_title(loc) for loc in ("left", "center")}  # the style decides where
    assert "Digits, 5 % (n = 3)" in titles


def test_stages_are_medians_over_seeds():
    records = [
        make_record(method="craig", seed=seed).model_copy(update={"seconds": {"selector": float(s), "selection": 1.0}})
        for seed, s in enumerate((1, 2, 9))
    ]
    row = stage_seconds(records).iloc[0]
    assert (row["n"], row["selector"], row["selection"]) == (3, 2.0, 1.0)
    assert pd.isna(row["evidence"])
    assert stage_seconds([]).empty and set(STAGES) < set(stage_seconds([]).columns)


def test_what_a_profile_asks_for_and_nobody_ran_is_counted():
    study = next(study for study in PROFILES["cpu"].studies if study.name == "selection")
    done = [make_record(**run.canonical()) for run in study.runs if run.method != "adacore"]
    text = studies.unrecorded(report.runs_frame(done), "selection", "cpu")
    assert text == (
        "20 of 340 runs of the profile `cpu` are not recorded yet; `lcmat sweep --profile cpu --study "
        "selection` runs them."
    )
    done += [make_record(**run.canonical()) for run in study.runs if run.method == "adacore"]
    whole = studies.unrecorded(report.runs_frame(done), "selection", "cpu")
    assert whole == "All 340 runs of the profile `cpu` are recorded."


def test_runs_are_described_by_their_state():
    runs = [make_record(), make_record(seed=1, status="diverged"), make_record(seed=2, fingerprint="f" * 16)]
    assert studies.describe_runs(report.runs_frame(runs[:2])) == (
        "2 runs are recorded; 1 of them diverged; all were made by the present code."
    )
    assert "3 runs are recorded; 1 of them diverged; **1 were made by other" in studies.describe_runs(
        report.runs_frame(runs)
    )
