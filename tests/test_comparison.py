import json

import pytest

from lcmat import cli, comparison, records
from lcmat.commands import compare as command
from lcmat.config import SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.profiles import Profile, Study
from tests.test_records import make_record

RUNS = [SelectionParameters(seed=seed) for seed in range(3)]
HERE = {"device": "a processor", "versions": {"python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.6"}}


def current(run, **changes):
    return make_record(run, **{"fingerprint": code_fingerprint(run), **HERE, **changes})


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """A profile of three runs, their records, and a reference made from these."""
    monkeypatch.setattr(command, "PROFILES", {"smoke": Profile("", (Study("small", "?", tuple(RUNS)),))})
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
    assert content["environments"] == [["a processor", "2.15.0", "2.4.6"]]
    records.write(current(RUNS[1], metrics={"test_accuracy_percent": 1 / 3}))
    cli.main(["compare", "--update", "--reference", str(reference)])
    changed = {line[1:17] for line in set(reference.read_text().splitlines()) ^ set(lines)}
    assert RUNS[1].key in changed and not changed & {RUNS[0].key, RUNS[2].key}


def test_references_are_read_back_as_they_were(tmp_path):
    """Two experiments, two environments, metrics that not every run has, a float that needs all its digits."""
    entries = {
        "a" * 16: comparison.Entry("one", "1" * 16, ("GPU", "2", "3"), "done", "f" * 12, {"x": 100 / 3, "y": 0.0}),
        "b" * 16: comparison.Entry("one", "2" * 16, ("CPU", "2", "3"), "diverged", "e" * 12, {"y": 1e-300}),
        "0" * 16: comparison.Entry("two", "1" * 16, ("GPU", "2", "3"), "done", "f" * 12, {"z": -1.5}),
    }
    comparison.write(tmp_path / "reference.json", entries)
    assert comparison.read(tmp_path / "reference.json") == entries


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": {"test_accuracy_percent": 89.5}}, "test_accuracy_percent 89.5, reference 90.0"),
        ({"metrics": {"test_accuracy_percent": 90.0}}, "coreset_size None, reference 70.0"),
        ({"series": {"train_loss": [2.3, 0.2]}}, "the series differ"),
        ({"status": "diverged", "metrics": {}, "error": "nan"}, "status diverged, reference done"),
    ],
)
def test_differences_fail_here_and_warn_elsewhere(compared, change, said):
    records.write(current(RUNS[0], **change))
    status, output = compared()
    assert status == 1 and f"{RUNS[0].key}: {said}" in output
    elsewhere = {**HERE, "device": "another processor"}
    records.write(current(RUNS[0], **{**elsewhere, **change}))
    status, output = compared()
    assert status == 0 and said in output and "(device another processor, reference a processor)" in output
    assert compared("--strict")[0] == 1


@pytest.mark.parametrize("versions", [{"torch": "2.16.0"}, {"numpy": "2.5.0"}])
def test_another_version_explains_a_difference(compared, versions):
    changed = {"versions": {**HERE["versions"], **versions}, "metrics": {"test_accuracy_percent": 1.0}}
    records.write(current(RUNS[0], **changed))
    status, output = compared()
    assert status == 0 and f"{next(iter(versions))} {next(iter(versions.values()))}, reference" in output


def test_missing_extra_outdated_and_damaged_runs_fail(compared, monkeypatch):
    extra, (gone, old, damaged) = SelectionParameters(seed=9), RUNS
    records.write(current(extra))
    records.write(make_record(old, **HERE))
    records.path_of(damaged).write_text("{")
    profile = Profile("", (Study("small", "?", (old, damaged, extra)),))
    monkeypatch.setattr(command, "PROFILES", {"smoke": profile})
    status, output = compared()
    assert status == 1
    assert f"{gone.key}: no run of the profile any more" in output
    assert f"{old.key}: the reference was made by older code: update it" in output
    assert f"{damaged.key}: there is no record of it" in output
    assert f"{extra.key}: not in the reference" in output
    assert f"{records.path_of(damaged)} is no valid record" in output


def test_no_reference_is_a_warning(compared, reference):
    reference.unlink()
    status, output = compared()
    assert status == 0 and f"there is no reference {reference}, so nothing was compared" in output


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "experiments": {}']
)
def test_files_that_are_no_references_are_named(compared, reference, content):
    reference.write_text(content)
    status, output = compared()
    assert status == 1 and f"{reference} is no reference" in output and "--update" in output


def test_no_reference_is_made_from_incomplete_or_outdated_records(compared, reference):
    before = reference.read_bytes()
    records.path_of(RUNS[0]).unlink()
    records.write(make_record(RUNS[1], **HERE))
    status, output = compared("--update")
    assert status == 1 and f"missing: {records.path_of(RUNS[0])}" in output and "stale: " in output
    assert reference.read_bytes() == before
