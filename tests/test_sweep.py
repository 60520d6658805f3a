from lcmat import records
from lcmat.config import SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.sweep import discard_outdated, sweep
from tests.test_records import make_record

GOOD = SelectionParameters(method="uniform", selection_epochs=1, epochs=2)
IMPOSSIBLE = SelectionParameters(method="uniform", selection_epochs=1, epochs=2, fraction=0.001)


def test_missing_runs_are_done_and_failures_named():
    """One run is there already, one is missing, and one asks for a share of a class that is less than an image."""
    present = SelectionParameters(seed=5)
    kept = records.write(make_record(present)).read_bytes()
    outcome = sweep([present, GOOD, IMPOSSIBLE], jobs=2, notebooks=False)
    assert (outcome.found, outcome.computed) == (1, 1)
    assert [failure.parameters for failure in outcome.failures] == [IMPOSSIBLE]
    assert "rounds to 0 samples" in outcome.failures[0].log.read_text()
    assert records.is_done(GOOD)
    assert records.path_of(present).read_bytes() == kept


def test_nothing_missing_starts_nothing(monkeypatch):
    records.write(make_record(GOOD))
    monkeypatch.setattr("subprocess.Popen", None)
    assert sweep([GOOD], jobs=1).found == 1


def test_damaged_records_count_as_failures_and_are_left_alone():
    path = records.path_of(GOOD)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert [(failure.parameters, failure.log) for failure in sweep([GOOD], jobs=1).failures] == [(GOOD, path)]
    assert path.read_text() == "{"


def test_outdated_records_of_a_disposable_profile_are_removed():
    current = SelectionParameters(seed=1)
    old, damaged, missing = (SelectionParameters(seed=seed) for seed in (2, 3, 4))
    records.write(make_record(current, fingerprint=code_fingerprint(current)))
    records.write(make_record(old))
    records.path_of(damaged).write_text("{")
    assert discard_outdated([current, old, damaged, missing]) == 2
    assert [record.key for record in records.load_all()[0]] == [current.key]
