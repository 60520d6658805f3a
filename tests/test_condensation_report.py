"""The page of the condensation benchmark: pairs that share all but the method, labels, tables, and what was tuned."""

import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lcmat.config import CondensationParameters
from lcmat.config.condensation_defaults import GRADIENTS_ALONE, SMALL, TUNED
from lcmat.experiments import code_fingerprint
from lcmat.measurements import condensation_tuning as tuning
from lcmat.records import measurements
from lcmat.report import condensation as page
from lcmat.report import figures
from lcmat.report.page_answers import learnt_answer
from lcmat.report.paired import paired_to
from lcmat.report.plots import draw_differences, draw_strengths
from lcmat.report.runs import ACCURACY, group_seeds
from lcmat.report.sentences import describe_differences
from lcmat.report.statistics import mean_interval
from lcmat.report.tables import accuracy_table, differences_table
from lcmat.report.verdicts import seeds_to_tell
from lcmat.sweep.profiles import PROFILES, condensation
from tests.test_records import make_record

ALONE = (2.1, 1.9, 2.0, 2.1, 1.9)  # of gradients alone over random images
RATE = {"image_learning_rate": 0.01}


def record(accuracy, method, seed=0, **changes):
    parameters = CondensationParameters(method=method, seed=seed, **changes)
    metrics = {"test_accuracy_percent": float(accuracy)}
    code = code_fingerprint(parameters)
    return make_record(parameters, experiment="condensation", metrics=metrics, seed=seed, fingerprint=code)


def frame():
    """Five seeds: random, gradients alone, LCMat-C and a control, at two sizes, with gains known beforehand."""
    gains = [1.0, 2.0, 3.0, 2.0, 2.0]
    records = []
    for seed, gain in enumerate(gains):
        for ipc in (5, 10):
            base = 50 + 7 * seed + ipc
            records += [
                record(base, "random", seed, ipc=ipc),
                record(base + ALONE[seed], "lcmat-c", seed, ipc=ipc, rho=0.0, **RATE),
                record(base + ALONE[seed] + gain, "lcmat-c", seed, ipc=ipc, rho=10.0, **RATE),
                record(base + ALONE[seed] - 0.5 + gain, "mean-control", seed, ipc=ipc, rho=10.0, **RATE),
            ]
    return page.condensation_frame(records), gains


def test_differences_are_paired_by_seed_within_a_setting():
    runs, gains = frame()
    alone = (runs["method"] == "lcmat-c") & (runs["rho"] == 0)
    found = paired_to(runs[runs["method"] == "lcmat-c"], alone, scheme=page.CONDENSATION)
    assert list(found["ipc"]) == [5, 10] and list(found["label"]) == ["LCMat-C, ρ = 10"] * 2
    expected = stats.ttest_1samp(gains, 0.0)
    for row in found.to_dict("records"):
        assert row["p_value"] == pytest.approx(expected.pvalue)
        assert (row["interval"].low, row["interval"].high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    to_random = paired_to(runs, runs["method"] == "random", scheme=page.CONDENSATION)
    assert len(to_random) == 6
    smallest = to_random[to_random["ipc"] == 5].sort_values("p_value")
    assert list(smallest["adjusted_p"]) == pytest.approx(_holm(list(smallest["p_value"])))


def _holm(ordered):
    """By its definition, of ascending p-values."""
    adjusted = [min(1.0, p * (len(ordered) - rank)) for rank, p in enumerate(ordered)]
    return [max(adjusted[: rank + 1]) for rank in range(len(ordered))]


def test_the_landing_page_has_the_differences_put_in():
    """LCMat-C gains 4 on random images and 2 on gradients alone, and half a point on the control in every seed."""
    runs, gains = frame()
    chosen = page.condensation_frame([record(70 + 7 * seed, "herding", seed, ipc=10) for seed in range(len(gains))])
    main = pd.concat([runs[runs["ipc"] == 10], chosen], ignore_index=True)
    to_random, to_herding, to_alone, to_control = page.main_differences(main)
    own = [table[(table["method"] == "lcmat-c") & (table["rho"] == 10)] for table in (to_random, to_alone, to_control)]
    assert [round(float(table["interval"].iloc[0].mean), 9) for table in own] == [2 + sum(gains) / 5, 2.0, 0.5]
    assert set(to_alone["method"]) == {"lcmat-c", "mean-control"} and set(to_control["method"]) == {"lcmat-c"}
    assert [float(interval.mean) for interval in to_herding["interval"]] == pytest.approx([sum(gains) / 5 - 8])
    said = learnt_answer(to_random, to_herding, to_control)
    low, high = stats.ttest_1samp(np.add(ALONE, gains), 0.0).confidence_interval(0.95)
    assert f"4.0 points more accurate than random images (95 % interval {low:+.1f} to {high:+.1f}, n = 5)" in said
    assert "6.0 points less accurate than images chosen by herding" in said


def test_the_sentence_names_who_is_higher():
    runs, _ = frame()
    found = paired_to(runs, runs["method"] == "random", scheme=page.CONDENSATION)
    text = describe_differences(found[found["ipc"] == 10], "random images")
    assert text == (
        "Of 3 configurations compared with random images, 3 are significantly more accurate (LCMat-C, ρ = 10, "
        "+4.0 points; "
        "Mean control, ρ = 10, +3.5 points; Gradients alone, +2.0 points) and none is significantly less accurate."
    )


def test_another_tested_network_is_another_setting():
    runs = page.condensation_frame(
        [
            record(50, "random"),
            record(55, "dm"),
            record(90, "random", test_network="convnet", test_width=4),
            record(91, "dm", test_network="convnet", test_width=4),
        ]
    )
    found = paired_to(runs, runs["method"] == "random", scheme=page.CONDENSATION)
    assert sorted(interval.mean for interval in found["interval"]) == [1.0, 5.0]
    assert set(found["p_value"]) == {1.0}


SMALL_SIZES = {
    name: SMALL["cifar10"][name] for name in ("outer_iterations", "inner_steps", "real_batch", "network_images")
}


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({"method": "random"}, "Random"),
        ({"method": "dc", "init": "real"}, "DC"),
        ({"rho": 0.0, "init": "real"}, "Gradients alone"),
        ({"rho": 0.0, "init": "noise"}, "Gradients alone, from noise"),
        ({"rho": 3.0, "init": "real", "train_on": "nothing"}, "LCMat-C, ρ = 3, network learns nothing"),
        ({"rho": 3.0, "init": "real", "distance": "squared"}, "LCMat-C, ρ = 3, distance squared"),
        (
            {"method": "mean-control", "init": "real", "rho": 3.0, "strength_at": "noise"},
            "Mean control, ρ = 3, strength at noise",
        ),
        (
            {
                "dataset": "cifar10",
                "init": "real",
                "rho": 3.0,
                "real_batch": 17,
                "cutmix": 0.0,
                "layers": "convolutions",
            },
            "LCMat-C, ρ = 3, layers convolutions, real batch 17, cutmix 0",
        ),
        ({"dataset": "cifar10", "init": "real", "rho": 3.0, **SMALL_SIZES}, "LCMat-C, ρ = 3"),
        (
            {"dataset": "cifar10", "init": "real", "rho": 3.0, **SMALL_SIZES, "real_batch": 64},  # usual for large runs
            "LCMat-C, ρ = 3, real batch 64",
        ),
    ],
)
def test_labels_say_what_differs(values, label):
    assert page.condensation_label(CondensationParameters(**values).canonical()) == label


def test_seeds_needed_are_those_of_the_t_interval():
    interval = mean_interval([0.0, 1.0, 2.0, 0.5])
    std = pd.Series([0.0, 1.0, 2.0, 0.5]).std()
    enough = [n for n in range(4, 101) if interval.mean > stats.t.ppf(0.975, n - 1) * std / math.sqrt(n)]
    assert seeds_to_tell(interval) == enough[0]
    corrected = [n for n in range(4, 101) if interval.mean > stats.t.ppf(1 - 0.025 / 6, n - 1) * std / math.sqrt(n)]
    assert seeds_to_tell(interval, comparisons=6) == corrected[0] > enough[0]
    assert seeds_to_tell(mean_interval([1.0])) is None
    assert seeds_to_tell(mean_interval([-100.0, 100.0, 0.1])) is None


def test_what_is_not_shown_needs_more_seeds_than_it_has():
    """Six comparisons of three seeds each: p of .03 is not shown after Holm's correction, so three do not suffice."""
    gains = {"lcmat-c": 9.0, "dc": 9.2, "dsa": 9.4, "dm": 9.6, "idc-i": 9.8, "herding": 10.0}
    noise = [-1.0, 0.2, 0.8]
    records = [record(50, "random", seed) for seed in range(3)]
    for method, gain in gains.items():
        spread = 0.1 if method == "lcmat-c" else 3.0
        records += [record(50 + gain + spread * noise[seed], method, seed) for seed in range(3)]
    runs = page.condensation_frame(records)
    found = paired_to(runs, runs["method"] == "random", scheme=page.CONDENSATION)
    assert (found["p_value"] < 0.05).sum() == 6 > (found["adjusted_p"] < 0.05).sum() == 1
    needed = re.findall(
        r"<td[^>]*>(\d+)</td>\s*</tr>", differences_table(found, "g", page.CONDENSATION, needed=True).as_raw_html()
    )
    assert sorted(map(int, needed))[0] == 3 < sorted(map(int, needed))[1]
    assert "1 is significantly more accurate (LCMat-C" in describe_differences(found, "random images")


def test_what_is_missing_to_networks_that_learn_from_all_images():
    runs, gains = frame()
    grouped = group_seeds(runs, page.CONDENSATION)
    settings = {"ipc": 139, "evaluation_epochs": 20}
    whole = page.condensation_frame([record(90 + seed, "random", seed, **settings) for seed in range(3)])
    short = page.with_recovery(grouped, group_seeds(whole, page.CONDENSATION))["recovery"]
    random = 91 - (50 + 7 * 2 + 5)  # of five images a class, see `frame`
    expected = {"Random": random, "LCMat-C, ρ = 10": random - 2 - sum(gains) / len(gains)}
    for label, points in expected.items():
        (row,) = grouped.index[(grouped["label"] == label) & (grouped["ipc"] == 5)]
        assert short[row] == f"{points:.2f}"
    assert set(page.with_recovery(grouped, whole.iloc[:0])["recovery"]) == {""}
    others = [
        record(60.0, "random", ipc=5, width=8),
        record(60.0, "random", ipc=5, test_network="convnet", test_width=8),
    ]
    other = group_seeds(page.condensation_frame(others), page.CONDENSATION)
    assert set(page.with_recovery(other, group_seeds(whole, page.CONDENSATION))["recovery"]) == {""}


def test_all_images_are_all_images_of_the_data_set():
    (study,) = (study for study in PROFILES["cpu"].studies if study.name == "condensation-all-images")
    assert {(run.dataset, run.method, run.ipc) for run in study.runs} == {
        ("fashion-mnist", "random", 6_000),
        ("cifar10", "random", 5_000),
    }
    assert all(
        5 * run.canonical()["evaluation_epochs"] == SMALL[run.dataset]["evaluation_epochs"] for run in study.runs
    )


def test_tables_and_figures_of_a_page_with_runs():
    runs, _ = frame()
    collected = group_seeds(runs, page.CONDENSATION)
    assert len(collected) == 8 and all(len(values) == 5 for values in collected[ACCURACY])
    papers = [f"paper {row}" for row in range(len(collected))]
    html = accuracy_table(collected.assign(paper=papers), "means", page.CONDENSATION).as_raw_html()
    assert all(paper in html for paper in papers) and "Best epoch" not in html and "Rate" in html
    assert "Digits, 10 images per class, DigitsNet, width 16" in html
    found = paired_to(runs, runs["method"] == "random", scheme=page.CONDENSATION)
    assert "Seeds that suffice" in differences_table(found, "gains", page.CONDENSATION, needed=True).as_raw_html()
    assert len(draw_differences(found, ["dataset", "ipc"], scheme=page.CONDENSATION).axes) == 2


def test_strengths_are_drawn_with_random_images_as_a_band():
    runs, _ = frame()
    collected = group_seeds(runs, page.CONDENSATION)
    rows = collected[(collected["method"] == "lcmat-c") & (collected["ipc"] == 10)]
    (random,) = collected[(collected["method"] == "random") & (collected["ipc"] == 10)][ACCURACY]
    figure, ax = plt.subplots()
    draw_strengths(ax, rows, random)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "10"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Random (n = 5)", "LCMat-C (n = 5)"]
    plt.close(figure)


def test_every_method_has_a_look_of_its_own():
    looks = [figures.METHOD_STYLES[page.title_of({"method": name, "rho": 1.0})] for name in page.METHOD_PARAMETERS]
    assert len({(look.color, look.marker) for look in looks}) == len(looks)


def test_without_records_there_are_no_rows():
    empty = page.condensation_frame([])
    assert group_seeds(empty, page.CONDENSATION).empty
    assert paired_to(empty, empty["method"] == "random", scheme=page.CONDENSATION).empty


def test_the_papers_cells_are_those_of_its_own_network():
    cells = page.published_cells()
    assert cells["cifar10", "LCMat-C", 10] == "56.83 ± 0.2" and cells["cifar100", "DM", 50] == "43.35 ± 0.2"
    assert all(ipc in (10, 50) for _, _, ipc in cells)


@pytest.mark.parametrize("dataset", TUNED)
def test_settings_are_those_that_the_trials_chose(dataset):
    content = measurements.read("condensation-tuning", dataset)
    assert {len(trials) for trials in tuning.TRIALS.values()} == {6}
    for competitor, trials in tuning.TRIALS.items():
        rows = [row for row in content["rows"] if row["competitor"] == competitor]
        assert [{name: row[name] for name in tuning.CHOSEN} for row in rows[:6]] == [*trials]
        top = max(row["accuracy_percent"] for row in rows if row["accuracy_percent"] is not None)
        first = next(row for row in rows if row["accuracy_percent"] == top)
        chosen = {name: first[name] for name in tuning.CHOSEN if first[name] is not None}
        assert {"init": "real", **chosen} == TUNED[dataset][competitor]
        tried = {row["image_learning_rate"] for row in rows if row["rho"] == first["rho"]}
        assert min(tried) < first["image_learning_rate"] < max(tried)
        if first["rho"]:
            tried = {row["rho"] for row in rows if row["image_learning_rate"] == first["image_learning_rate"]}
            assert min(tried) < first["rho"] < max(tried)
    rates = {row["evaluation_learning_rate"] for row in content["rows"] if row["competitor"] != "random"}
    (run,) = condensation.small(dataset, ({"method": "random"},))
    assert rates == {run.evaluation_learning_rate}


def test_trials_look_at_held_out_training_images_alone(monkeypatch):
    from lcmat.data import load

    train = load("digits").train
    kept, held_out = tuning.split(train, 300)
    assert len(kept) + len(held_out) == len(train)
    together = sorted(map(bytes, [*kept.images.numpy().reshape(len(kept), -1)]))
    together += map(bytes, held_out.images.numpy().reshape(300, -1))
    assert sorted(together) == sorted(map(bytes, train.images.numpy().reshape(len(train), -1)))
    settings = {"dataset": "digits", "outer_iterations": 1, "inner_steps": 1, "evaluation_epochs": 1}
    settings |= {"evaluation_learning_rate": 0.1, "network_images": 20}
    row = tuning.trial_row("dc", {"image_learning_rate": 1e300, "rho": None}, settings, kept, held_out)
    assert row["accuracy_percent"] is None  # it diverged
    alone = tuning.trial_row(GRADIENTS_ALONE, {"image_learning_rate": 0.01, "rho": 0.0}, settings, kept, held_out)
    right = alone["accuracy_percent"] / 100 * len(held_out)  # of the held-out images, hence a whole number of them
    assert 0 < right < len(held_out) and right == pytest.approx(round(right))


@pytest.mark.parametrize("profile", ["smoke", "cpu"])
def test_runs_of_a_study_share_work_and_have_a_random_partner(profile):
    runs = next(study for study in PROFILES[profile].studies if study.name == "condensation").runs
    settings = {(run.dataset, run.ipc, run.seed) for run in runs}
    assert {(run.dataset, run.ipc, run.seed) for run in runs if run.method == "random"} == settings
    for dataset in {run.dataset for run in runs}:
        own = [run for run in runs if run.dataset == dataset and run.outer_iterations is not None]
        assert len({(run.outer_iterations * run.inner_steps, run.real_batch, run.init) for run in own}) == 1


def test_each_step_of_an_order_is_tested_by_itself():
    values = {"random": [50, 51, 52], "herding": [53, 55, 54], "dc": [53, 54, 56]}
    records = [record(value, method, seed) for method in values for seed, value in enumerate(values[method])]
    steps = page.order_differences(page.condensation_frame(records), ["Random", "Herding", "DC"])
    assert list(steps["label"]) == ["Herding − Random", "DC − Herding"]
    expected = [stats.ttest_rel(values["herding"], values["random"]), stats.ttest_rel(values["dc"], values["herding"])]
    assert list(steps["p_value"]) == pytest.approx([each.pvalue for each in expected])
    low, high = sorted(each.pvalue for each in expected)
    assert sorted(steps["adjusted_p"]) == pytest.approx([min(1, 2 * low), max(high, min(1, 2 * low))])
    assert list(steps["interval"].map(lambda interval: interval.mean)) == pytest.approx([3.0, 1 / 3])
