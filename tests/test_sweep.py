import os
import random
import signal
import subprocess
import sys
import time

import pytest

from lcmat import comparison, records
from lcmat.config import ParameterError, SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.merging import merge
from lcmat.profiles import PROFILES
from lcmat.sweep import Engine, discard_outdated, sweep, sweep_here
from lcmat.sweep.costs import by_kind, estimate, expected_seconds
from lcmat.sweep.engine import first_of_each
from lcmat.sweep.plan import plan, select_studies
from tests.test_records import make_record

TWO = Engine(jobs=2)
GOOD = SelectionParameters(method="uniform", selection_epochs=1, epochs=2)
IMPOSSIBLE = SelectionParameters(method="uniform", selection_epochs=1, epochs=2, fraction=0.001)


def numbers(record):
    """What must not depend on how a run was started."""
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data


def test_missing_runs_are_done_and_failures_named():
    """One run is there already, one is missing, and one asks for a share of a class that is less than an image."""
    present = SelectionParameters(seed=5)
    kept = records.write(make_record(present)).read_bytes()
    outcome = sweep([present, GOOD, IMPOSSIBLE], TWO, notebooks="none")
    assert (outcome.found, outcome.computed) == (1, 1)
    assert [failure.run for failure in outcome.failures] == [IMPOSSIBLE]
    assert "rounds to 0 samples" in outcome.failures[0].log.read_text()
    assert records.is_done(GOOD)
    assert records.path_of(present).read_bytes() == kept


def test_nothing_missing_starts_nothing(monkeypatch):
    records.write(make_record(GOOD))
    monkeypatch.setattr("subprocess.Popen", None)
    assert sweep([GOOD], TWO).found == 1


def test_damaged_records_count_as_failures_and_are_left_alone():
    path = records.path_of(GOOD)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert [(failure.run, failure.log) for failure in sweep([GOOD], TWO).failures] == [(GOOD, path)]
    assert path.read_text() == "{"


def test_outdated_records_of_a_disposable_profile_are_removed():
    current = SelectionParameters(seed=1)
    old, damaged, missing = (SelectionParameters(seed=seed) for seed in (2, 3, 4))
    records.write(make_record(current, fingerprint=code_fingerprint(current)))
    records.write(make_record(old))
    records.path_of(damaged).write_text("{")
    assert discard_outdated([current, old, damaged, missing]) == 2
    assert [record.key for record in records.load_all()[0]] == [current.key]


def test_a_notebook_batches_and_one_process_give_the_same_numbers(tmp_path, monkeypatch):
    runs = [GOOD.model_copy(update={"seed": seed}) for seed in range(3)]
    results = []
    for way in (
        lambda: sweep(runs, TWO, notebooks="first"),
        lambda: sweep(runs, Engine(jobs=1), notebooks="none"),
        lambda: sweep_here(runs),
    ):
        monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / f"records-{len(results)}"))
        monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / f"cache-{len(results)}"))
        assert way().computed == 3
        results.append([numbers(records.read(records.path_of(run))) for run in runs])
    assert results[0] == results[1] == results[2]


def test_a_budget_leaves_out_what_would_take_too_long():
    records.write(make_record(GOOD, seconds={"training": 1000.0}))
    long, unknown = GOOD.model_copy(update={"seed": 1}), SelectionParameters(method="k-center", epochs=1)
    outcome = sweep_here([long, unknown], budget=60.0, device="CPU")
    assert [run.key for run in outcome.over_budget] == [long.key]
    assert outcome.computed == 1


KILLED = [GOOD.model_copy(update={"seed": seed, "epochs": epochs}) for seed in range(10) for epochs in (1, 2, 3, 4)]
SWEEP = "from tests.test_sweep import KILLED, TWO; from lcmat.sweep import sweep; sweep(KILLED, TWO, notebooks='none')"


def start():
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def workers(sweep_id):
    """Processes of the sweep's session that do batches."""
    listed = subprocess.run(["ps", "-s", str(sweep_id), "-o", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if " batch " in line]


@pytest.mark.skipif(sys.platform != "linux", reason="ps lists sessions otherwise")
def test_kills_at_random_moments_lose_nothing_and_repeat_nothing():
    """The coordinator, then a worker is killed; the same command completes the rest, and no record is written twice."""
    draw = random.Random(0)
    written = {}
    for victim in ("coordinator", "worker"):
        process = start()
        deadline = time.monotonic() + 60
        while len(list(records.records_folder().glob("*/*/*.json"))) <= len(written) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 0.5))
        pids = [process.pid] if victim == "coordinator" else workers(process.pid)[:1]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if victim == "worker":
            process.wait(timeout=60)
        written |= {path: path.stat().st_ino for path in records.records_folder().glob("*/*/*.json")}
        assert written
    outcome = sweep(KILLED, TWO, notebooks="none")
    assert not outcome.failures
    found, problems = records.load_all()
    assert sorted(record.key for record in found) == sorted(run.key for run in KILLED) and not problems
    assert all(path.stat().st_ino == inode for path, inode in written.items())


def test_each_experiment_shows_one_notebook():
    runs = PROFILES["smoke"].runs()
    shown = first_of_each(runs, "first")
    assert {run.experiment for run in runs if run.key in shown} == {run.experiment for run in runs}
    assert len(shown) == len({run.experiment for run in runs})
    assert first_of_each(runs, "none") == set() and len(first_of_each(runs, "all")) == len(runs)


def test_a_plan_knows_what_is_done_stale_and_missing():
    study = PROFILES["smoke"].studies[0]
    done, stale, damaged, *missing = study.runs
    records.write(make_record(done, fingerprint=code_fingerprint(done)))
    records.write(make_record(stale))
    records.path_of(damaged).write_text("{")
    planned = plan([study])
    assert [entry.finding.state for entry in planned[:3]] == ["done", "stale", "failed"]
    assert {entry.finding.state for entry in planned[3:]} == {"missing"} and len(planned) == len(missing) + 3
    assert planned[2].finding.unreadable and "no valid record" in planned[2].finding.reason


def test_studies_are_chosen_by_name_or_table_and_misspelt_ones_refused():
    smoke = PROFILES["smoke"]
    assert [study.name for study in select_studies(smoke, ["label-noise"])] == ["label-noise"]
    assert [study.name for study in select_studies(smoke, tables=["figure 4"])] == ["sensitivity"]
    with pytest.raises(ParameterError, match="did you mean 'label-noise'"):
        select_studies(smoke, ["label-nose"])


def test_costs_scale_with_what_lengthens_a_stage_and_a_network_counts_once():
    measured = make_record(GOOD, seconds={"selector": 10.0, "selection": 1.0, "training": 4.0})
    longer = GOOD.model_copy(update={"seed": 1, "epochs": 20, "selection_epochs": 2})
    cost = estimate(longer, by_kind([measured]))
    assert (cost.shared, cost.own) == (20.0, 1.0 + 40.0)
    pair = [longer, longer.model_copy(update={"fraction": 0.1})]
    assert expected_seconds(pair, by_kind([measured])) == [61.0, 1.0 + 80.0]
    assert estimate(SelectionParameters(method="craig"), by_kind([measured])) is None


def current(run, **changes):
    return make_record(run, fingerprint=code_fingerprint(run), **changes)


def test_records_from_elsewhere_are_brought_in_once(tmp_path):
    records.write(current(GOOD), tmp_path)
    assert [record.key for record in merge([tmp_path]).new] == [GOOD.key]
    assert records.read(records.path_of(GOOD)) == current(GOOD)
    again = merge([tmp_path])
    assert (again.new, again.known, again.refused) == ([], 1, [])


def test_contradicting_stale_and_misplaced_records_are_refused_and_nothing_is_written(tmp_path):
    records.write(current(GOOD))
    elsewhere = {"test_accuracy_percent": 12.0, "best_test_accuracy_percent": 12.0}
    records.write(current(GOOD, metrics=elsewhere), tmp_path)
    records.write(make_record(SelectionParameters(seed=7)), tmp_path)
    fine = SelectionParameters(seed=8)
    records.write(current(fine), tmp_path)
    result = merge([tmp_path])
    assert len(result.refused) == 2
    assert any("contradict each other" in text for text in result.refused)
    assert any("other code than today's" in text for text in result.refused)
    assert not records.path_of(fine).exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("90.0", "101.0"),
        lambda text: text.replace("90.0", "NaN"),
        lambda text: text.replace('"schema_version": 1', '"schema_version": 99'),
        lambda text: text.replace('"uniform"', '"<img src=x onerror=alert(1)>"'),
    ],
)
def test_damaged_records_are_named_and_refused(damage, tmp_path):
    path = records.write(current(GOOD), tmp_path)
    path.write_text(damage(path.read_text()))
    result = merge([tmp_path])
    assert len(result.refused) == 1 and str(path) in result.refused[0]
    assert not records.path_of(GOOD).exists()


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no records"):
        merge([tmp_path])


def test_a_reference_survives_writing_and_tells_which_number_moved(tmp_path):
    runs = [GOOD, SelectionParameters(seed=3)]
    reference = {run.key: comparison.entry_of(current(run)) for run in runs}
    comparison.write(tmp_path / "smoke.json", reference)
    assert comparison.read(tmp_path / "smoke.json") == reference
    keys = [run.key for run in runs]
    assert not comparison.compare(reference, reference, keys).failures
    moved = {"test_accuracy_percent": 90.5, "best_test_accuracy_percent": 91.25, "coreset_size": 70.0}
    found = reference | {GOOD.key: comparison.entry_of(current(GOOD, metrics=moved))}
    assert comparison.compare(reference, found, keys).failures == [
        f"{GOOD.key}: test_accuracy_percent 90.5, reference 90.0"
    ]


def test_another_processor_makes_a_difference_a_warning(tmp_path):
    reference = {GOOD.key: comparison.entry_of(current(GOOD))}
    found = {GOOD.key: comparison.entry_of(current(GOOD, device="another", series={"train_loss": [1.0]}))}
    result = comparison.compare(reference, found, [GOOD.key])
    assert not result.failures
    assert "the series differ" in result.warnings[0] and "device another, reference CPU" in result.warnings[0]


def test_missing_extra_and_older_entries_fail():
    reference = {GOOD.key: comparison.entry_of(make_record(GOOD)), "gone": comparison.entry_of(make_record(GOOD))}
    found = {GOOD.key: comparison.entry_of(current(GOOD))}
    failures = comparison.compare(reference, found, [GOOD.key, "new"]).failures
    assert len(failures) == 3
    assert {text.split(":")[0] for text in failures} == {GOOD.key, "gone", "new"}


def test_a_file_that_is_no_reference_is_named(tmp_path):
    path = tmp_path / "smoke.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"is no reference .* lcmat compare --update"):
        comparison.read(path)
