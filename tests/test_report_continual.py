import pytest
from scipy import stats

from lcmat.config import ContinualParameters
from lcmat.experiments import code_fingerprint
from lcmat.records.record import write
from lcmat.report import continual as report
from tests.test_records import make_record


def record_of(method, seed, matrix, own, fingerprint=None):
    """A record of two stages with these matrices; its curve is the mean of the rows."""
    parameters = ContinualParameters(method=method, seed=seed, num_stages=2)
    series = {"classes_seen": [5.0, 10.0], "own_classes_accuracy_percent": [sum(row) / len(row) for row in own]}
    series["test_accuracy_percent"] = [sum(row) / len(row) for row in matrix]
    for name, rows in (("accuracy_percent", matrix), ("own_classes_accuracy_percent", own)):
        series |= {f"{name}_after_stage_{stage}": row for stage, row in enumerate(rows, start=1)}
    metrics = {"test_accuracy_percent": series["test_accuracy_percent"][-1]}
    fingerprint = fingerprint or code_fingerprint(parameters)
    return make_record(parameters, experiment="continual", metrics=metrics, series=series, fingerprint=fingerprint)


RECORDS = [
    record_of("uniform", 0, [[90.0], [50.0, 70.0]], [[90.0], [85.0, 75.0]]),
    record_of("uniform", 1, [[80.0], [60.0, 60.0]], [[80.0], [90.0, 65.0]]),
    record_of("lcmat-c", 0, [[95.0], [70.0, 80.0]], [[95.0], [90.0, 85.0]]),
    record_of("lcmat-c", 1, [[85.0], [65.0, 75.0]], [[85.0], [80.0, 80.0]], fingerprint="0" * 16),
]


def test_transfer_is_split_into_own_classes_and_rivals():
    first = report.replay_runs(RECORDS).iloc[0]
    assert first.own_transfer_points == 85 - 90
    assert first.rivals_points == (50 - 90) - (85 - 90)


def test_stale_runs_are_marked_and_titles_are_the_papers():
    runs = report.replay_runs(RECORDS)
    assert list(runs.stale) == [False, False, False, True]
    assert list(runs.title) == ["Uniform", "Uniform", "LCMat-C", "LCMat-C"]


def test_stages_have_a_row_each():
    stages = report.replay_stages(RECORDS)
    assert len(stages) == 8
    last = stages[(stages.method == "lcmat-c") & (stages.seed == 0) & (stages.stage == 2)].iloc[0]
    assert (last.classes_seen, last.accuracy, last.own_accuracy) == (10, 75, 87.5)


def test_differences_are_paired_by_seed():
    (row,) = report.replay_differences(report.replay_runs(RECORDS)).itertuples()
    reference = stats.ttest_rel([75.0, 70.0], [60.0, 60.0])
    assert row.interval.mean == 12.5 and row.interval.n == 2
    assert row.p_value == pytest.approx(reference.pvalue) and row.adjusted_p == row.p_value
    low, high = reference.confidence_interval()
    assert (row.interval.low, row.interval.high) == pytest.approx((low, high))


def test_without_records_the_tables_are_empty():
    assert report.replay_runs([]).empty and report.replay_stages([]).empty


def test_a_study_has_its_runs_and_those_records_that_are_current():
    found, planned = report.study_records("smoke")
    assert found == [] and len(planned) == len({run.key for run in planned}) == 24
    series = {"classes_seen": [], "test_accuracy_percent": []}
    for run, fingerprint in zip(planned[:2], (code_fingerprint(planned[0]), "0" * 16), strict=True):
        write(make_record(run, experiment="continual", series=series, fingerprint=fingerprint))
    found, _ = report.study_records("smoke")
    assert [record.key for record in found] == [planned[0].key]
