"""The report: each published cell once, only runs of the paper's protocol matched, hostile text harmless."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lcmat import report
from lcmat.config import parse
from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.config.official import OFFICIAL
from lcmat.experiments import code_fingerprint
from lcmat.records.record import Problem
from lcmat.report.paired import paired_to
from lcmat.report.published import STATES, sharing_cells
from lcmat.report.runs import ACCURACY
from tests.synthetic_records import make_record, make_sweep

PUBLISHED = report.read_published()
PAPER = {"dataset": "cifar10", "network": "resnet18"}


def compare(*records):
    return report.compare(PUBLISHED, records)


def cell(comparison, **conditions):
    rows = comparison
    for name, value in conditions.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_published_row_appears_once_and_counts_add_up():
    comparison = compare(*make_sweep())
    assert list(comparison["cell"]) == list(range(len(PUBLISHED)))
    pd.testing.assert_frame_equal(comparison[PUBLISHED.columns], PUBLISHED)
    counts = report.verdict_counts(comparison)
    assert counts.iloc[-1]["all"] == len(PUBLISHED)
    assert (counts[list(STATES)].sum(axis=1) == counts["all"]).all()
    assert counts.iloc[:-1]["all"].sum() == len(PUBLISHED)


def test_without_records_every_cell_is_not_run():
    assert set(compare()["verdict"]) == {"not run"}


def test_runs_of_the_papers_protocol_are_matched_and_judged():
    values = [20.4, 20.5, 20.3, 20.6, 20.2]
    runs = [make_record(v, method="uniform", fraction=0.001, seed=s, **PAPER) for s, v in enumerate(values)]
    comparison = compare(*runs)
    found = cell(comparison, table="1", dataset="cifar10", method="Uniform", budget="0.001")
    assert found["values"] == values
    assert found["keys"] == [run.key for run in runs]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert found["best"] == pytest.approx(np.mean(values) + 1)
    assert (comparison["n"] > 0).sum() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"network": "convnet"},
        {"width": 16},
        {"epochs": 30},
        {"selection_epochs": 2},
        {"dataset": "fashion-mnist"},
        {"fraction": 0.002},
        {"weighted": True},
        {"learning_rate": 0.01},
        {"flip": False},
    ],
)
def test_a_run_of_another_protocol_is_never_matched(change):
    runs = [
        make_record(20.0, **{"method": "uniform", "fraction": 0.001, "seed": s, **PAPER, **change}) for s in range(3)
    ]
    assert not compare(*runs)["n"].any()


def test_rho_is_the_scripts_in_table_1_and_the_stated_one_in_figure_4():
    official = {**OFFICIAL["lcmat-s"], "fraction": 0.005, **PAPER}
    tables = {rho: compare(make_record(33.0, **official | {"rho": rho})) for rho in (0.0, 0.02, 0.25)}
    matched = {rho: set(table.loc[table["n"] > 0, "table"]) for rho, table in tables.items()}
    assert matched == {0.0: {"figure 4"}, 0.02: {"1"}, 0.25: {"figure 4"}}


def test_the_official_codes_arm_is_judged_and_the_definition_stands_beside_it():
    shared = {"method": "lcmat-s", "fraction": 0.005, **PAPER}
    official = [make_record(33.0 + s / 10, seed=s, **shared, **OFFICIAL["lcmat-s"]) for s in range(5)]
    defined = [make_record(20.0 + s / 10, seed=s, **shared) for s in range(5)]
    found = cell(compare(*official, *defined), table="1", dataset="cifar10", method="LCMat-S", budget="0.005")
    assert (found["verdict"], found["ours"]) == ("reproduced", pytest.approx(33.2))
    assert found["defined"].values == [20.0, 20.1, 20.2, 20.3, 20.4]
    alone = cell(compare(*defined), table="1", dataset="cifar10", method="LCMat-S", budget="0.005")
    assert (alone["verdict"], alone["n"], alone["defined"].interval.n) == ("not run", 0, 5)


def test_a_method_without_quirks_has_one_arm():
    defined = {row["method"]: row["defined"] for row in compare().query("table == '1'").to_dict("records")}
    assert {name for name, arm in defined.items() if arm is None} == {
        *("Uniform", "Full", "C-Div", "k-Center", "Entropy", "Margin")
    }


def test_full_is_training_on_everything():
    comparison = compare(make_record(95.0, method="uniform", fraction=1.0, **PAPER))
    assert set(comparison.loc[comparison["n"] > 0, "method"]) == {"Full"}


UNIFORM = {"method": "uniform", "fraction": 0.001, **PAPER}


def uniform_cell(*records):
    return cell(compare(*records), table="1", dataset="cifar10", method="Uniform", budget="0.001")


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        ({"precision": "bfloat16"}, {}, [20.0]),
        ({"evaluate_every": 1}, {"evaluate_every": 50}, [20.0]),
        ({"compile": True}, {"precision": "bfloat16"}, [10.0]),
        ({"precision": "bfloat16", "evaluate_every": 50}, {"evaluate_every": 1}, [20.0]),
    ],
)
def test_a_seed_counts_once_by_a_fixed_order_of_circumstances(first, second, counted):
    """Whatever the accuracies, and in whichever order the files are read."""
    runs = [make_record(10.0, **UNIFORM, **first), make_record(20.0, **UNIFORM, **second)]
    assert uniform_cell(*runs)["values"] == uniform_cell(*reversed(runs))["values"] == counted


def test_seeds_of_different_precision_are_never_mixed_and_the_larger_set_counts():
    main = [make_record(20.0 + s, seed=s, precision="bfloat16", **UNIFORM) for s in range(5)]
    control = [make_record(40.0 + s, seed=s, **UNIFORM) for s in range(3)]
    found = uniform_cell(*main, *control)
    assert found["values"] == [20.0, 21.0, 22.0, 23.0, 24.0]
    assert len(found["records"]) == 8


def test_stale_records_are_shown_and_never_counted():
    old = [make_record(20.4 + s / 10, seed=s, fingerprint="f" * 16, **UNIFORM) for s in range(5)]
    found = uniform_cell(*old)
    assert (found["verdict"], found["n"], len(found["records"])) == ("not run", 0, 5)
    renewed = make_record(20.4, **UNIFORM)
    assert uniform_cell(*old[1:], renewed)["values"] == [20.4]


@pytest.mark.parametrize("done", [{}, {"precision": "bfloat16"}])
def test_a_divergence_never_vanishes(done):
    """One of five diverged, or diverged in float32 and done in bfloat16: no word that speaks of agreement."""
    runs = [make_record(20.4 + s / 10, seed=s, **UNIFORM, **done) for s in range(1 if not done else 0, 5)]
    found = uniform_cell(*runs, make_record(status="diverged", seed=0, **UNIFORM))
    assert (found["verdict"], found["diverged"]) == ("diverged", [0])
    assert found["n"] == len(runs) and np.isnan(found["difference"])
    stale = make_record(status="diverged", seed=0, fingerprint="f" * 16, **UNIFORM)
    assert uniform_cell(*runs[1:], stale)["verdict"] == "compatible"


def test_runs_that_measure_two_published_numbers_are_named():
    comparison = compare()
    shared = sharing_cells(comparison)
    assert {tuple(sorted((cell, *others))) for cell, others in shared.items() if not others[1:]} >= {(179, 204)}
    tables = comparison.set_index("cell").loc[sorted(shared), "table"]
    assert dict(tables.value_counts()) == {"1": 12, "2": 12, "4": 8, "5": 8}


def test_condensation_and_replay_are_shown_and_not_judged():
    checks = compare().query("table in ('4', '5', 'figure 5')")["check"]
    assert all(len(check.reason) > 30 for check in checks)
    assert sum(check.experiment is not None for check in checks) > 80


def test_diverged_runs_have_no_accuracy_but_are_counted():
    runs = report.runs_frame([make_record(status="diverged", method="uniform")])
    assert report.group_seeds(runs).empty
    assert "made up" in report.provenance_table(runs, "p").as_raw_html()


def test_seeds_are_grouped_in_order():
    records = [make_record(float(50 + seed), seed=seed) for seed in (2, 0, 1)]
    grouped = report.group_seeds(report.runs_frame(records))
    assert (grouped["seeds"][0], grouped[ACCURACY][0]) == ([0, 1, 2], [50.0, 51.0, 52.0])


def test_paired_differences_use_common_seeds_and_equal_scipys_test():
    records = make_sweep(fractions=(0.05,), rhos=(0.1,))
    without_last = [r for r in records if not (r.parameters["method"] == "uniform" and r.seed == 4)]
    row = report.paired_to_baseline(report.runs_frame(without_last)).iloc[0]
    values = {
        name: [r.metrics[ACCURACY] for r in records if r.parameters["method"] == name and r.seed < 4]
        for name in ("uniform", "lcmat-s")
    }
    expected = stats.ttest_rel(values["lcmat-s"], values["uniform"])
    assert row["interval"].n == 4
    assert row["p_value"] == pytest.approx(expected.pvalue)


def test_holm_counts_the_comparisons_with_the_same_baseline():
    differences = report.paired_to_baseline(report.runs_frame(make_sweep()))
    assert len(differences) == 9
    for _, family in differences.groupby("fraction"):
        smallest = family["p_value"].min()
        assert family["adjusted_p"].min() == pytest.approx(min(1, len(family) * smallest))


def test_a_marked_configuration_is_a_baseline_as_a_method_is():
    runs = report.runs_frame(make_sweep(rhos=(0.0, 0.1)))
    curvature = runs[runs["method"] == "lcmat-s"]
    differences = paired_to(curvature, curvature["rho"] == 0)
    assert list(differences["rho"].unique()) == [0.1]
    at = {rho: rows.set_index(["fraction", "seed"])[ACCURACY] for rho, rows in curvature.groupby("rho")}
    expected = (at[0.1] - at[0.0]).groupby("fraction").mean()
    for _, row in differences.iterrows():
        assert row["interval"].mean == pytest.approx(expected[row["fraction"]])


def test_a_seed_counts_once_however_many_runs_of_it_the_baseline_has():
    both = [
        make_record(method="uniform", seed=seed, across_classes=flag) for seed in (0, 1, 2) for flag in (None, True)
    ]
    runs = report.runs_frame([*both, *(make_record(method="lcmat-s", seed=seed) for seed in (0, 1, 2))])
    assert [interval.n for interval in report.paired_to_baseline(runs)["interval"]] == [3]


def test_runs_of_different_settings_are_not_paired():
    runs = report.runs_frame([make_record(method="uniform", epochs=10), make_record(method="lcmat-s", epochs=20)])
    assert report.paired_to_baseline(runs).empty


def test_hostile_text_is_escaped():
    hostile = "<img src=x onerror=alert(1)>"
    runs = report.runs_frame(make_sweep(seeds=2)).assign(method=hostile, data=hostile, dataset=hostile)
    shown = [
        report.provenance_table(runs, "b").as_raw_html(),
        report.accuracy_table(report.group_seeds(runs), "c").as_raw_html(),
        report.not_run(hostile).data,
        report.problems_notice([Problem(Path("/x/y.json"), f"/x/y.json {hostile}")]).data,
    ]
    for text in shown:
        assert hostile not in text
        assert "&lt;img" in text


def test_a_damaged_record_is_named_without_its_folder():
    text = report.problems_notice([Problem(Path("/x/y.json"), "/x/y.json is no valid record")]).data
    assert "y.json is no valid record" in text
    assert "/x/" not in text


def test_difference_and_accuracy_tables_show_single_seeds_without_interval():
    runs = report.runs_frame(make_sweep(seeds=1, fractions=(0.05,), rhos=(0.5,)))
    assert "none (one seed)" in report.accuracy_table(report.group_seeds(runs), "a").as_raw_html()
    text = report.differences_table(report.paired_to_baseline(runs), "d").as_raw_html()
    assert "LCMat-S, ρ = 0.5" in text
    assert "none (one seed)" in text


def test_the_provenance_of_nothing_is_said():
    assert "nothing here" in report.provenance_table(report.runs_frame([]), "p", "nothing here").data


def test_records_of_other_code_are_shown_as_stale():
    old = make_record(fingerprint="f" * 16)
    current = old.model_copy(update={"fingerprint": code_fingerprint(parse("selection", old.parameters))})
    stale = report.provenance_table(report.runs_frame([old]), "p").as_raw_html()
    assert "ffffffff (stale)" in stale
    assert "(stale)" not in report.provenance_table(report.runs_frame([current]), "p").as_raw_html()


def test_executions_are_read_from_papermills_metadata(tmp_path):
    metadata = {"start_time": "2026-01-01T00:00:00", "duration": 3.5, "exception": None}
    (tmp_path / "part").mkdir()
    (tmp_path / "part/a.ipynb").write_text(json.dumps({"metadata": {"papermill": metadata}}))
    (tmp_path / "part/b.ipynb").write_text(json.dumps({"metadata": {}}))
    assert [(e.page, e.seconds, e.failed) for e in report.executions(tmp_path)] == [("part/a", 3.5, False)]


def test_ages_of_the_selecting_network_share_uniform_runs_and_fractions():
    young = [
        make_record(70.0, dataset="digits", method="lcmat-s", selection_epochs=1, fraction=0.05, seed=s) for s in (0, 1)
    ]
    runs = report.runs_frame([*make_sweep(fractions=(0.01, 0.05), seeds=2), *young])
    ages = report.by_selector_age(runs, "digits")
    default = DATASET_DEFAULTS["digits"]["selection_epochs"]
    assert list(ages) == [1, default]
    assert all(set(rows["fraction"]) == {0.05} for rows in ages.values())
    assert [sorted(rows[rows["method"] == "uniform"]["seed"]) for rows in ages.values()] == [[0, 1], [0, 1]]
    compared = report.paired_to_baseline(ages[1])
    expected = 70.0 - ages[1].loc[ages[1]["method"] == "uniform", "test_accuracy_percent"].mean()
    assert [interval.mean for interval in compared["interval"]] == pytest.approx([expected])
    assert set(report.with_default_selector(runs)["selection_epochs"]) == {default}


def test_the_age_figure_has_a_line_for_lcmat_s_and_a_band_for_uniform():
    sweep = make_sweep(fractions=(0.05,), seeds=2, rhos=(0.0, 0.1))
    ages = report.by_selector_age(report.runs_frame(sweep), "digits")
    ax = report.plot_selector_age(Figure().gca(), ages, rho=0.1)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Uniform (n = 2)", "LCMat-S (n = 2)"]


@pytest.mark.parametrize("pairs", [1, 2])
def test_too_few_pairs_are_shown_but_take_no_part_in_the_correction(pairs):
    """Two pairs whose differences agree to a hundredth of a point would have p < 0.001."""
    sweep = make_sweep(fractions=(0.05,), seeds=3, rhos=(0.0, 0.1))
    drawn = [record for record in sweep if record.parameters["method"] == "uniform"][:pairs]
    few = [
        make_record(r.metrics["test_accuracy_percent"] + gain, method="lcmat-s", rho=0.5, fraction=0.05, seed=r.seed)
        for r, gain in zip(drawn, (9.0, 9.01), strict=False)
    ]
    without, together = (report.paired_to_baseline(report.runs_frame(r)) for r in (sweep, [*sweep, *few]))
    assert list(together["rho"]) == [0.0, 0.1, 0.5]
    assert list(together["adjusted_p"]) == [*without["adjusted_p"], 1.0]


def test_data_of_which_one_split_says_more_are_named_once():
    splits = {"train": "Digits. 9 labels wrong.", "test": "Digits."}
    data = {name: {"content_hash": "0", "provenance": words} for name, words in splits.items()}
    runs = report.runs_frame([make_record().model_copy(update={"data": data})], stale=set())
    assert list(runs["data"]) == ["Digits. 9 labels wrong."]
