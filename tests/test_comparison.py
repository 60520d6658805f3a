import json
from dataclasses import replace

import pandas as pd
import pytest
import torch

from lcmat.cli import compare as command
from lcmat.cli import main as cli
from lcmat.config import SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.records import machine
from lcmat.records import record as records
from lcmat.records.circumstances import UNKNOWN
from lcmat.sweep import references
from lcmat.sweep.comparison import LARGEST_POINTS, MEAN_POINTS
from lcmat.sweep.profiles import Profile, Study
from lcmat.sweep.references import Entry, Platform
from tests.test_records import ENVIRONMENT, MACHINE, make_record

RUNS = [SelectionParameters(seed=seed) for seed in range(3)]
PLATFORM = Platform(**MACHINE.model_dump(), torch=ENVIRONMENT.torch, numpy=ENVIRONMENT.numpy)


def current(run, **changes):
    return make_record(run, **{"fingerprint": code_fingerprint(run), **changes})


def elsewhere(**facts):
    """What a record says that was made on a machine or with libraries of which some facts are others."""
    machine, environment = (
        part.model_copy(update={name: value for name, value in facts.items() if name in type(part).model_fields})
        for part in (MACHINE, ENVIRONMENT)
    )
    return {"machine": machine, "environment": environment}


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """A profile of three runs, their records, and a reference made from these."""
    monkeypatch.setattr(command, "PROFILES", {"smoke": Profile("", lambda: (Study("small", "?", tuple(RUNS)),))})
    for run in RUNS:
        records.write(current(run))
    path = tmp_path / "smoke.json"
    assert cli.main(["compare", "--update", "--reference", str(path)]) == 0
    return path


@pytest.fixture
def compared(reference, capsys):
    """Compare and return the status and what was said."""

    def run(*words):
        status = cli.main(["compare", "--reference", str(reference), *words])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def test_equal_records_pass(compared):
    status, said = compared("--strict")
    assert status == 0 and "3 runs compared: 0 failures, 0 warnings" in said


def test_a_reference_is_a_line_for_each_run(reference):
    lines = reference.read_text().splitlines()
    assert [line[1:17] for line in lines if line[1:17] in {run.key for run in RUNS}] == sorted(r.key for r in RUNS)
    content = json.loads(reference.read_text())
    assert content["schema_version"] == 4 and content["platforms"] == [PLATFORM.model_dump()]
    records.write(current(RUNS[1], metrics={"test_accuracy_percent": 1 / 3}))
    cli.main(["compare", "--update", "--reference", str(reference)])
    changed = {line[1:17] for line in set(reference.read_text().splitlines()) ^ set(lines)}
    assert RUNS[1].key in changed and not changed & {RUNS[0].key, RUNS[2].key}


def test_references_are_read_back_as_they_were(tmp_path):
    """Two experiments, two machines, which agree on one run, metrics that not every run has, a float of many digits."""
    other = PLATFORM.model_copy(update={"device": "a GPU", "threads": 8})
    entries = {
        "a" * 16: [Entry("one", "1" * 16, other, "done", "f" * 12, {"x": 100 / 3, "y": 0.0})],
        "b" * 16: [Entry("one", "2" * 16, each, "diverged", "e" * 12, {"y": 1e-300}) for each in (PLATFORM, other)],
        "0" * 16: [Entry("two", "1" * 16, each, "done", str(each.threads), {"z": -1.5}) for each in (other, PLATFORM)],
    }
    references.write(tmp_path / "reference.json", entries)
    assert references.read(tmp_path / "reference.json") == entries
    lines = (tmp_path / "reference.json").read_text(encoding="utf-8").splitlines()
    assert sum("1e-300" in line for line in lines) == 1 and not any(line.count("1e-300") > 1 for line in lines)


DIFFERENCES = [
    ({"metrics": {"test_accuracy_percent": 89.5}}, "test_accuracy_percent moved from 90.0 to 89.5"),
    ({"metrics": {"test_accuracy_percent": 90.0 + 2**-46}}, "percent moved from 90.0 to 90.00000000000001"),
    ({"metrics": {"test_accuracy_percent": 90.0}}, "coreset_size moved from 70.0 to nothing"),
    ({"series": {"train_loss": [2.3, 0.2]}}, "the series moved (hash "),
    ({"status": "diverged", "metrics": {}, "error": "nan"}, "the status moved from done to diverged"),
]


@pytest.mark.parametrize(("change", "said"), DIFFERENCES)
def test_in_an_equal_environment_a_difference_fails_and_is_named(compared, change, said):
    records.write(current(RUNS[0], **change))
    status, output = compared()
    assert status == 1 and f"selection {RUNS[0].key}: " in output and said in output
    assert "another environment" not in output


METRICS = make_record().metrics
FACTS = [
    *(("processor", "model 1, stepping 3"), ("instructions", "AVX512 0"), ("threads", 2), ("device", "a GPU")),
    *(("system", "another"), ("blas", "MKL 2"), ("onednn", "oneDNN 2"), ("torch", "2.16.0"), ("numpy", "2.5.0")),
]
EXPLAINED = [
    ({"metrics": {**METRICS, "test_accuracy_percent": 89.5}}, "test_accuracy_percent moved from 90.0 to 89.5"),
    ({"metrics": {**METRICS, "test_accuracy_percent": 90.0 + 2**-46}}, "percent moved from 90.0 to 90.00000000000001"),
    ({"series": {"train_loss": [2.3, 0.2]}}, "the series moved (hash "),
]
UNEXPLAINED = [
    ({"metrics": {**METRICS, "test_accuracy_percent": 1.25}}, "test_accuracy_percent moved from 90.0 to 1.25, which"),
    ({"metrics": {**METRICS, "best_test_accuracy_percent": 1.25}}, "accuracy_percent moved from 91.25 to 1.25, which"),
    ({"metrics": {**METRICS, "coreset_size": 71.0}}, "coreset_size moved from 70.0 to 71.0, which"),
    ({"metrics": {**METRICS, "more": 1.0}}, "more moved from nothing to 1.0, which"),
    *((change, said) for change, said in DIFFERENCES if "nothing" in said or "status" in said),
]


def computed_elsewhere(fact, value, change, runs=RUNS[:1]):
    """Records of another machine, of which some runs differ from the reference in more than the machine."""
    for run in RUNS:
        records.path_of(run).unlink()
        records.write(current(run, **elsewhere(**{fact: value}), **(change if run in runs else {})))


@pytest.mark.parametrize(("fact", "value"), FACTS)
@pytest.mark.parametrize(("change", "said"), EXPLAINED)
def test_on_another_machine_a_difference_is_said_and_explained(compared, change, said, fact, value):
    computed_elsewhere(fact, value, change)
    status, output = compared()
    assert status == 0 and said in output and f"({fact} {value}, reference {getattr(PLATFORM, fact)})" in output
    assert "0 failures" in output and "3 runs are of another environment" in output
    assert compared("--strict")[0] == 1


@pytest.mark.parametrize(("change", "said"), UNEXPLAINED)
def test_on_another_machine_nonsense_fails(compared, change, said):
    computed_elsewhere("processor", "model 7", change)
    status, output = compared()
    assert status == 1 and said in output


def test_on_another_machine_all_runs_may_not_be_worse_by_what_one_may(compared):
    for points, expected in ((MEAN_POINTS / 2, 0), (2 * MEAN_POINTS, 1)):
        change = {"metrics": {**METRICS, "test_accuracy_percent": 90.0 - points}}
        computed_elsewhere("processor", "model 7", change, RUNS)
        status, output = compared()
        assert status == expected and ("on the average of 3 runs" in output) == bool(expected)


def test_accuracies_differ_less_than_the_tolerance_where_they_were_compared():
    """The four runs of the audit on two kinds of processor; the reference's machines are compared run by run below."""
    lines = (references.repository_folder() / "book/history/two-processors.csv").read_text(encoding="utf-8").split()
    pairs = [tuple(map(float, line.split(","))) for line in lines if line[0].isdigit()]
    assert len(pairs) == 4 and max(abs(a - b) for a, b in pairs) < LARGEST_POINTS
    assert sum(abs(a - b) for a, b in pairs) / 4 < MEAN_POINTS


def test_the_history_says_how_far_runs_differ_between_two_processors():
    root = references.repository_folder()
    runs = pd.read_csv(root / "book/history/two-processors-ledger.csv")
    change = runs["AMD EPYC"] - runs["Intel Xeon"]
    means = change.groupby(runs["Run"]).mean()
    said = " ".join((root / "book/report/history.md").read_text(encoding="utf-8").split())
    assert f"The {len(runs)} runs of the narrow ResNet-18" in said and set(change.groupby(runs["Run"]).size()) == {3}
    assert f"differ by {change.min():.1f} to {change.max():+.1f} points (standard deviation {change.std():.1f})" in said
    assert f"the means of three by {means.min():.1f} to {means.max():+.1f}, all {len(runs)} on average" in said
    assert f"by {change.mean():.1f}." in said


def test_each_kind_of_machine_has_its_own_digits(compared):
    """A second machine joins the reference; then each is held to its own numbers, and a third to no digit."""
    change = {"metrics": {**METRICS, "test_accuracy_percent": 88.75}}
    computed_elsewhere("processor", "model 7", change)
    status, output = compared("--update")
    assert status == 0 and "beside those of 1 other machines" in output
    assert "0 warnings" in compared("--strict")[1]
    computed_elsewhere("processor", "model 7", {})
    assert compared()[0] == 1
    for run in RUNS:
        records.path_of(run).unlink()
        records.write(current(run))
    assert "0 warnings" in compared("--strict")[1]
    records.path_of(RUNS[0]).unlink()
    records.write(current(RUNS[0], **change))
    assert compared()[0] == 1
    computed_elsewhere("processor", "model 8", {"metrics": {**METRICS, "test_accuracy_percent": 89.375}})
    assert compared()[0] == 0


@pytest.mark.parametrize(("numbers", "kept"), [({}, 2), ({"test_accuracy_percent": 89.75}, 1)])
def test_other_machines_stay_as_long_as_new_code_gives_the_same_numbers_here(reference, numbers, kept):
    older = references.read(reference)
    other = PLATFORM.model_copy(update={"processor": "model 7"})
    both = {key: [e, replace(e, platform=other, fingerprint="0" * 16)] for key, (e,) in older.items()}
    old = {key: [replace(entry, fingerprint="0" * 16) for entry in each] for key, each in both.items()}
    new = {key: replace(e, metrics={**e.metrics, **numbers}) for key, (e,) in older.items()}
    found = references.renewed(old, new)
    assert {len(each) for each in found.values()} == {kept}
    assert {entry.fingerprint for each in found.values() for entry in each} == {
        entry.fingerprint for entry in new.values()
    }


def test_python_and_the_lock_file_explain_nothing(compared):
    records.write(current(RUNS[0], **elsewhere(python="3.12.0", lock="0" * 16), metrics={"test_accuracy_percent": 1.0}))
    status, output = compared()
    assert status == 1 and "another environment" not in output


def test_a_machine_that_does_not_say_what_it_is_equals_none(compared):
    for run in RUNS:
        records.write(current(run, **elsewhere(processor=UNKNOWN)))
    status, output = compared("--update")
    assert status == 0 and "3 of them are of a machine not fully known" in output
    other = {**METRICS, "test_accuracy_percent": 89.0}
    records.write(current(RUNS[0], **elsewhere(processor=UNKNOWN), metrics=other))
    status, output = compared()
    assert status == 0 and f"(processor {UNKNOWN}, reference {UNKNOWN})" in output


CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Processor
stepping\t: 8
flags\t\t: fpu avx2 fma hypervisor

processor\t: 1
model\t\t: 9
"""


def test_a_machine_is_its_model_and_its_extensions(tmp_path):
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    found = machine.this_machine(cpuinfo=tmp_path / "cpuinfo")
    assert (
        found.processor
        == "vendor_id GenuineIntel, cpu family 6, model 143, model name Intel(R) Xeon(R) Processor, stepping 8"
    )
    (tmp_path / "cpuinfo").write_text(CPUINFO.replace("fpu avx2 fma hypervisor", "fma avx2"))
    assert machine.this_machine(cpuinfo=tmp_path / "cpuinfo") == found  # the others compute nothing
    (tmp_path / "cpuinfo").write_text(CPUINFO.replace("fma", "fma amx_bf16"))
    assert machine.this_machine(cpuinfo=tmp_path / "cpuinfo").instructions != found.instructions


def test_a_machine_of_another_make_says_what_it_can(tmp_path):
    (tmp_path / "cpuinfo").write_text("CPU implementer\t: 0x41\nCPU part\t: 0xd40\nFeatures\t: fp asimd sve\n")
    assert machine.this_machine(cpuinfo=tmp_path / "cpuinfo").processor == "CPU implementer 0x41, CPU part 0xd40"
    nothing = machine.this_machine(cpuinfo=tmp_path / "absent")
    assert (nothing.processor, nothing.instructions) == (UNKNOWN, UNKNOWN)
    assert nothing.device and not nothing.known


def test_the_libraries_are_those_that_torch_was_built_with(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(torch.__config__, "show", lambda: "- Intel(R) MKL-DNN v3.13.3 (Git\n BLAS_INFO=accelerate, ")
    found = machine.this_machine()
    assert (found.onednn, found.blas, found.threads) == ("MKL-DNN v3.13.3", "BLAS_INFO=accelerate", 5)
    monkeypatch.setattr(torch.__config__, "show", lambda: "oneAPI Math Kernel Library Version 2024.2-Product Build 1")
    found = machine.this_machine()
    assert (found.onednn, found.blas) == (UNKNOWN, "Math Kernel Library Version 2024.2-Product")


def test_the_environment_names_the_lock_file_by_its_content(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_LOCK", tmp_path / "requirements.lock")
    assert machine.this_environment().lock is None
    (tmp_path / "requirements.lock").write_bytes(b"abc")
    found = machine.this_environment()
    assert found.lock == "ba7816bf8f01cfea"  # of FIPS 180-2
    assert found.torch == torch.__version__


def test_missing_extra_outdated_and_damaged_runs_fail(compared, monkeypatch):
    extra, (gone, old, damaged) = SelectionParameters(seed=9), RUNS
    records.write(current(extra))
    records.write(make_record(old))
    records.path_of(damaged).write_text("{")
    profile = Profile("", lambda: (Study("small", "?", (old, damaged, extra)),))
    monkeypatch.setattr(command, "PROFILES", {"smoke": profile})
    status, output = compared()
    assert status == 1
    assert f"{gone.key}: no run of the profile any more" in output
    assert f"{old.key}: the reference was made by older code: update it" in output
    assert f"{damaged.key}: there is no record of it" in output
    assert f"{extra.key}: not in the reference" in output
    assert f"{records.path_of(damaged)} is no valid record" in output


def test_no_reference_is_a_warning_and_one_that_was_named_a_failure(compared, reference, capsys, monkeypatch):
    reference.unlink()
    status, output = compared()
    assert status == 1 and f"there is no reference {reference}" in output
    monkeypatch.setattr(references, "reference_path", lambda profile: reference)
    assert cli.main(["compare"]) == 0
    assert "so nothing was compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"schema_version": 5}', '{"schema_version": 4}', '{"schema_version": 4, "platforms": [[]]}'],
)
def test_files_that_are_no_references_are_named(compared, reference, content):
    reference.write_text(content)
    status, output = compared()
    assert status == 1 and f"{reference} is no reference" in output and "lcmat compare --update" in output


def test_a_reference_of_the_older_schema_is_refused_with_the_remedy(compared, reference):
    old = {"schema_version": 1, "environments": [["a processor", "2.15.0", "2.4.6"]], "experiments": {}}
    reference.write_text(json.dumps(old))
    status, output = compared()
    assert status == 1 and "its schema_version is 1, not 4" in output and "lcmat compare --update" in output
    assert compared("--update")[0] == 0 and compared()[0] == 0


def test_the_reference_under_version_control_is_of_two_known_machines():
    entries = references.read(references.reference_path("smoke"))
    machines = {entry.platform for each in entries.values() for entry in each}
    assert len(machines) == 2 and all(machine.known for machine in machines)


def test_no_reference_is_made_from_incomplete_or_outdated_records(compared, reference):
    before = reference.read_bytes()
    records.path_of(RUNS[0]).unlink()
    records.write(make_record(RUNS[1]))
    status, output = compared("--update")
    assert status == 1 and f"missing: {records.path_of(RUNS[0])}" in output and "stale: " in output
    assert reference.read_bytes() == before
