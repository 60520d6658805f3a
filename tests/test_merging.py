import json
import math
from datetime import UTC, datetime

import pytest

from lcmat.cli import main as cli
from lcmat.config import SelectionParameters
from lcmat.experiments import code_fingerprint
from lcmat.records import record as records
from tests.test_records import edit, make_record

RUNS = [SelectionParameters(seed=seed) for seed in range(3)]
LATER = {"started": datetime(2027, 1, 1, tzinfo=UTC), "wall_seconds": 99.0}


def current(run, **changes):
    return make_record(run, **{"fingerprint": code_fingerprint(run), **changes})


@pytest.fixture
def elsewhere(tmp_path):
    """Records of all three runs, made elsewhere."""
    for run in RUNS:
        records.write(current(run), tmp_path / "elsewhere")
    return tmp_path / "elsewhere"


def test_records_are_brought_in_once_and_nothing_else(elsewhere, tmp_path, capsys):
    (elsewhere / "selection" / "notes.txt").write_text("not a record")
    (elsewhere / "smoke.json").write_text("{}")
    kept = records.write(current(RUNS[0], **LATER)).read_bytes()
    other = tmp_path / "other"
    records.write(current(RUNS[1], **LATER), other)
    assert cli.main(["merge", str(elsewhere), str(other)]) == 0
    assert "2 records brought in, 2 were here already" in capsys.readouterr().out
    assert records.path_of(RUNS[0]).read_bytes() == kept
    assert sorted(path.name for path in records.records_folder().rglob("*.*")) == sorted(f"{r.key}.json" for r in RUNS)
    assert [records.read(records.path_of(run)).key for run in RUNS] == [run.key for run in RUNS]
    assert cli.main(["merge", str(elsewhere)]) == 0
    assert "0 records brought in, 3 were here already" in capsys.readouterr().out


def refused(folders, capsys, *words):
    """What the command has to say when it brings nothing in."""
    before = {path: path.read_bytes() for path in records.records_folder().rglob("*.json")}
    assert cli.main(["merge", *map(str, folders), *words]) == 1
    assert {path: path.read_bytes() for path in records.records_folder().rglob("*.json")} == before
    return capsys.readouterr().err


def test_contradictions_are_named_here_and_among_the_folders(elsewhere, tmp_path, capsys):
    changed = current(RUNS[1], metrics={"test_accuracy_percent": 12.0})
    other = records.write(changed, tmp_path / "other")
    message = refused([elsewhere, tmp_path / "other"], capsys)
    assert str(other) in message and str(records.path_of(RUNS[1], elsewhere)) in message
    here = records.write(changed)
    message = refused([elsewhere], capsys)
    assert str(here) in message and "contradict" in message
    assert "1 files were refused" in message


def test_the_same_found_by_another_machine_is_known_and_by_older_code_is_renewed(elsewhere, capsys):
    other = current(RUNS[0]).machine.model_copy(update={"processor": "Another"})
    kept = records.write(current(RUNS[0], machine=other)).read_bytes()
    older = records.write(make_record(RUNS[1]))
    assert cli.main(["merge", str(elsewhere)]) == 0
    assert "2 records brought in, 1 were here already" in capsys.readouterr().out
    assert records.path_of(RUNS[0]).read_bytes() == kept
    assert records.read(older).fingerprint == code_fingerprint(RUNS[1])


def test_records_of_other_code_need_a_word(elsewhere, capsys):
    path = records.write(make_record(RUNS[0]), elsewhere)
    assert f"{path}: other code" in refused([elsewhere], capsys)
    assert cli.main(["merge", str(elsewhere), "--stale"]) == 0
    assert records.is_done(RUNS[0])


DAMAGES = {
    "schema_version": lambda r: r.update(schema_version=7),
    "finite": lambda r: r["metrics"].update(test_accuracy_percent=math.nan),
    "no percentage": lambda r: r["metrics"].update(test_accuracy_percent=101.0),
    "is no method": lambda r: r["parameters"].update(method="<img src=x onerror=alert(1)>"),
    "do not belong": lambda r: r["parameters"].update(fraction=0.06),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_one_damaged_record_keeps_all_out(elsewhere, capsys, reason):
    path = records.path_of(RUNS[2], elsewhere)
    edit(path, DAMAGES[reason])
    message = refused([elsewhere], capsys)
    assert str(path) in message and reason in message


def test_a_truncated_or_edited_record_keeps_all_out(elsewhere, capsys):
    path = records.path_of(RUNS[2], elsewhere)
    text = path.read_text()
    path.write_text(text[:150])
    assert f"{path} is no valid record" in refused([elsewhere], capsys)
    path.write_text(text.replace('"test_accuracy_percent": 90.0', '"test_accuracy_percent": 91.0'))
    assert f"{path} is no valid record (it was edited or damaged" in refused([elsewhere], capsys)


def test_records_in_the_wrong_place_are_refused(elsewhere, capsys):
    path = records.path_of(RUNS[0], elsewhere)
    moved = path.parents[1] / "mnist" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    assert f"{moved} belongs at {path.relative_to(elsewhere)}" in refused([elsewhere], capsys)
    path = records.path_of(RUNS[1], elsewhere)
    renamed = path.rename(path.with_stem("f" * 16))
    assert f"{renamed} belongs at {path.relative_to(elsewhere)}" in refused([elsewhere], capsys)


def test_a_folder_without_records_is_named(tmp_path, capsys):
    assert cli.main(["merge", str(tmp_path / "absent")]) == 1
    assert f"{tmp_path / 'absent'} holds no records" in capsys.readouterr().err


def test_formatting_does_not_matter(elsewhere):
    path = records.path_of(RUNS[0], elsewhere)
    path.write_text(json.dumps(json.loads(path.read_text())))
    records.write(current(RUNS[0]))
    assert cli.main(["merge", str(elsewhere)]) == 0
