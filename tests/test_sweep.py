import json
import os
import re
import shlex
import subprocess
import sys
import time
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest

from lcmat.config import SelectionParameters, parse_assignments
from lcmat.experiments import code_fingerprint
from lcmat.files.extras import MissingExtraError
from lcmat.records import record as records
from lcmat.sweep import Engine, batches, discard_outdated, sweep
from lcmat.sweep.batches import Task, perform, perform_file, split, tasks_of
from lcmat.sweep.costs import Estimate, network_of
from lcmat.sweep.engine import first_of_each
from lcmat.sweep.outcome import log_of
from lcmat.sweep.profiles import PROFILES
from lcmat.sweep.runner import RunError
from tests.test_records import make_record, signed

TINY = {"selection_epochs": 1, "epochs": 1}
GOOD = SelectionParameters(method="uniform", **TINY)
ODD = "a {seed}: b, *c#d [e] 'f' $g"
IMPOSSIBLE = SelectionParameters(method="uniform", learner="vgg16", learner_width=4, **TINY)


def task(run, **changes):
    return Task(**{"run": run, "fingerprint": code_fingerprint(run), **changes})


def reproducible(record):
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data, record.versions


@pytest.mark.slow
def test_batches_notebooks_and_one_process_leave_the_same_records(tmp_path, monkeypatch):
    """Two batches at once and a notebook; then all in this process; equal bit for bit. A record that was there stays.

    One run asks for a network that cannot take images so small. The folders are relative, of names that Snakemake,
    papermill and shells read as their own, and lie elsewhere than the repository.
    """
    (tmp_path / ODD).mkdir()
    monkeypatch.chdir(tmp_path / ODD)
    for variable, name in (("LCMAT_RECORDS", "records"), ("LCMAT_RUNS", ODD), ("LCMAT_CACHE", "cache {x}")):
        monkeypatch.setenv(variable, name)
    present = SelectionParameters(seed=5)
    runs = [SelectionParameters(method=m, seed=s, **TINY) for s in (0, 1) for m in ("uniform", "lcmat-s", "el2n")]
    kept = records.write(make_record(present)).read_bytes()
    outcome = sweep([*runs[:3], IMPOSSIBLE, present, *runs[3:]], Engine(jobs=2), notebooks="first")
    assert (outcome.found, outcome.computed, outcome.over_budget) == (1, 6, [])
    assert [failure.run for failure in outcome.failures] == [IMPOSSIBLE]
    assert "cannot take 8x8 images" in outcome.failures[0].log.read_text()
    assert records.path_of(present).read_bytes() == kept
    assert [path.stem for path in (tmp_path / ODD / ODD).rglob("*.ipynb")] == [runs[0].key]
    parallel = [reproducible(records.read(records.path_of(run))) for run in runs]
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))  # nothing is taken over from the other sweep
    assert sweep(list(reversed(runs))).computed == 6
    assert [reproducible(records.read(records.path_of(run))) for run in runs] == parallel


def test_nothing_missing_starts_nothing(monkeypatch):
    records.write(make_record(GOOD))
    monkeypatch.setattr("subprocess.Popen", None)
    assert sweep([GOOD], Engine(jobs=1)).found == 1


@pytest.mark.parametrize("run", [lambda runs: sweep(runs, Engine(jobs=1)), sweep])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:200],
        lambda text: text.replace('"test_accuracy_percent": 90.0', '"test_accuracy_percent": 91.0'),
        lambda text: signed(text.replace('"schema_version": 2', '"schema_version": 1')),
        lambda text: signed(text.replace('"test_accuracy_percent": 90.0', '"test_accuracy_percent": NaN')),
        lambda text: signed(text.replace('"test_accuracy_percent": 90.0', '"test_accuracy_percent": 101.0')),
        lambda text: signed(text.replace('"method": "uniform"', '"method": "<img src=x onerror=alert(1)>"')),
    ],
    ids=["truncated", "edited", "schema", "nan", "101 %", "html"],
)
def test_damaged_records_count_as_failures_and_are_left_alone(run, damage):
    path = records.write(make_record(GOOD))
    text = damage(path.read_text())
    assert text != path.read_text()
    path.write_text(text)
    assert [(failure.run, failure.log) for failure in run([GOOD]).failures] == [(GOOD, path)]
    assert path.read_text() == text


def test_outdated_records_of_a_disposable_profile_are_removed():
    current = SelectionParameters(seed=1)
    old, damaged, missing = (SelectionParameters(seed=seed) for seed in (2, 3, 4))
    records.write(make_record(current, fingerprint=code_fingerprint(current)))
    records.write(make_record(old))
    records.path_of(damaged).write_text("{")
    assert discard_outdated([current, old, damaged, missing]) == 2
    assert [record.key for record in records.load_all()[0]] == [current.key]


def test_the_first_run_of_each_experiment_executes_its_notebook():
    runs = PROFILES["smoke"].runs()
    firsts = first_of_each(runs, "first")
    assert [run.experiment for run in runs if run.key in firsts] == list(dict.fromkeys(run.experiment for run in runs))
    assert runs[0].key in firsts
    assert first_of_each(runs, "all") == {run.key for run in runs}
    assert first_of_each(runs, "none") == set()


@pytest.mark.parametrize(("count", "jobs", "largest"), [(0, 2, 5), (1, 4, 5), (11, 2, 50), (23, 2, 5), (24, 3, 4)])
def test_batches_are_balanced_and_keep_networks_together(count, jobs, largest):
    tasks = [Task(SelectionParameters(seed=number % 3, rho=number / 100), "") for number in range(count)]
    parts = split(tasks, jobs, largest)
    assert sorted(t.run.key for part in parts for t in part) == sorted(t.run.key for t in tasks)
    sizes = [len(part) for part in parts]
    assert all(sizes) and max(sizes, default=0) <= largest and max(sizes, default=0) - min(sizes, default=0) <= 1
    assert len(parts) == min(count, jobs) or len(parts) % jobs == 0
    in_order = [t.run.seed for part in parts for t in part]
    assert in_order == sorted(in_order)


def test_every_batch_gets_its_share_of_the_dear_runs():
    """One batch of all condensation runs would keep one job busy long after the others."""
    parts = split([Task(run, "") for run in PROFILES["smoke"].runs()], jobs=2)
    dear = [sum(task.run.experiment == "condensation" for task in part) for part in parts]
    assert min(dear) > 0 and max(dear) <= 2 * batches.STRETCH
    for part in parts:
        networks = [network_of(task.run) for task in part]
        assert sum(a != b for a, b in pairwise(networks)) < len(part) / 2


def test_a_failing_run_leaves_its_traceback_and_stops_no_other():
    ticks = []
    perform([task(IMPOSSIBLE), task(GOOD)], after_each=lambda: ticks.append(1))
    assert "Traceback" in log_of(IMPOSSIBLE).read_text()
    assert records.is_done(GOOD) and not log_of(GOOD).exists()
    assert len(ticks) == 2


def test_runs_planned_with_other_code_are_not_done():
    perform([task(GOOD, fingerprint="0" * 16)])
    assert "the code has changed since the sweep was started" in log_of(GOOD).read_text()
    assert not records.path_of(GOOD).exists()


def test_no_run_starts_that_would_end_after_the_deadline(monkeypatch):
    started = []
    monkeypatch.setattr(batches, "run_directly", lambda run, progress: started.append(run.seed))
    runs = [SelectionParameters(seed=seed) for seed in range(4)]
    costs = [Estimate(40.0, 10.0), Estimate(500.0), None, Estimate(49.0, 50.0)]
    perform(tasks_of(runs, costs), time.time() + 100)
    assert started == [0, 2, 3]
    perform(tasks_of(runs, costs), time.time() - 1)
    assert started == [0, 2, 3]


def test_what_the_budget_does_not_allow_is_no_failure(monkeypatch):
    """A run like it took an hour; nothing like the other one was measured, so it is tried."""
    dear = SelectionParameters(method="craig", **TINY)
    measured = SelectionParameters(method="craig", seed=9, **TINY)
    records.write(make_record(measured, seconds={"training": 3600.0}))
    outcome = sweep([dear, GOOD], budget=300)
    assert (outcome.computed, outcome.failures, outcome.over_budget) == (1, [], [dear])
    monkeypatch.setattr("subprocess.Popen", None)
    outcome = sweep([dear, GOOD], Engine(jobs=2), budget=300)
    assert (outcome.found, outcome.failures, outcome.over_budget) == (1, [], [dear])


def test_a_batch_stops_when_a_newer_sweep_has_removed_its_file(tmp_path, monkeypatch):
    path, started = tmp_path / "batch.json", []

    def run_directly(run, progress):
        started.append(run)
        path.unlink()

    monkeypatch.setattr(batches, "run_directly", run_directly)
    batches.write(path, [task(GOOD), task(IMPOSSIBLE)])
    perform_file(path)
    assert started == [GOOD]


@pytest.mark.parametrize("content", ["{", "[]", '{"deadline": null, "runs": [{}]}'])
def test_files_that_are_no_batches_are_refused(tmp_path, content):
    path = tmp_path / "batch.json"
    path.write_text(content)
    with pytest.raises(ValueError):
        perform_file(path)


def test_a_batch_survives_the_way_through_its_file(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(batches, "perform", lambda tasks, deadline, wanted: done.append((tasks, deadline)))
    tasks = [task(GOOD, cost=Estimate(0.1 + 0.2, 3.0, 0.01, "CPU", 2)), task(IMPOSSIBLE)]
    for deadline in (inf, 12.5):
        batches.write(tmp_path / "batch.json", tasks, deadline)
        perform_file(tmp_path / "batch.json")
        assert done.pop() == (tasks, deadline)


BLOCKED = ("IPython", "great_tables", "ipykernel", "jupytext", "matplotlib", "nbformat", "papermill", "platformdirs")
WITHOUT = """
import sys
for name in {blocked}:
    sys.modules[name] = None  # importing it fails as if it were not installed
from lcmat.cli.main import main
main(["sweep", "--profile", "smoke", "--study", "selection", "--in-process", "--budget", "1s"])
sys.exit(main(["run", "selection", "--no-notebook", "-p", "selection_epochs=1", "-p", "epochs=1"]))
"""


def test_one_process_needs_neither_snakemake_nor_jupyter(tmp_path):
    code = WITHOUT.format(blocked=(*BLOCKED, "pulp", "seaborn", "snakemake"))
    environment = {**os.environ, "LCMAT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stdout
    assert "over budget" in done.stdout


@pytest.mark.parametrize(
    "engine", [Engine(1, "slurm"), Engine(1, None, ("--executor", "slurm")), Engine(1, None, ("--executor=slurm",))]
)
def test_a_missing_plugin_is_named_before_anything_starts(engine, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)
    with pytest.raises(MissingExtraError, match=r"no executor 'slurm' here: pip install snakemake-\w+-plugin-slurm"):
        sweep([GOOD], engine, notebooks="none")


def test_what_snakemake_refuses_is_said_and_no_run_has_failed():
    with pytest.raises(RunError, match=r"Snakemake has started no run: .*--no-such-word.*snakemake\.log"):
        sweep([GOOD], Engine(1, None, ("--no-such-word",)), notebooks="none")


def test_a_cluster_is_left_to_snakemake():
    """A dry run of Snakemake itself: executor, resources, and the commands that it would submit."""
    other = SelectionParameters(method="uniform", seed=1, **TINY)
    engine = Engine(7, "dryrun", ("--default-resources", "slurm_partition=main", "--printshellcmds"))
    (log,) = {failure.log for failure in sweep([GOOD, other], engine, notebooks="first").failures}
    assert log.name == "snakemake.log"
    text = log.read_text()
    assert "--jobs 7" in text
    assert len(re.findall("resources: .*slurm_partition=main", text)) == 3  # of the notebook, the batch and their end
    # Snakemake orders jobs that do not wait for one another by chance; "batch" comes before "run".
    commands = (shlex.split(line)[3:] for line in re.findall("Shell command: (.*lcmat.cli.*) > ", text))
    batch, notebook = sorted(commands)
    assert batch[0] == "batch" and notebook[:2] == ["run", "selection"]
    assert parse_assignments("selection", notebook[3::2]).key == GOOD.key
    assert [task["parameters"] for task in json.loads(Path(batch[1]).read_bytes())["runs"]] == [other.canonical()]
