import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from lcmat.config import SelectionParameters
from lcmat.data import DATASETS
from lcmat.records import record as records
from lcmat.records.circumstances import Environment, Machine
from lcmat.records.record import DataSource, Record, RecordError

MACHINE = Machine(
    device="CPU", processor="model 1", instructions="AVX2 0", threads=1, system="Linux", blas="MKL 1", onednn="oneDNN 1"
)
ENVIRONMENT = Environment(python="3.11.7", lcmat="0.1.0", numpy="2.4.6", torch="2.15.0", lock=None)


def make_record(parameters=None, /, *, device="CPU", **changes):
    parameters = parameters or SelectionParameters()
    images = DATASETS[parameters.dataset].content
    fields = {
        "experiment": "selection",
        "key": parameters.key,
        "parameters": parameters.canonical(),
        "seed": parameters.seed,
        "status": "done",
        "metrics": {"test_accuracy_percent": 90.0, "best_test_accuracy_percent": 91.25, "coreset_size": 70.0},
        "series": {"train_loss": [2.3, 0.1]},
        "seconds": {"training": 1.0},
        "started": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "wall_seconds": 1.5,
        "peak_memory_mb": 400.0,
        "machine": MACHINE.model_copy(update={"device": device}),
        "environment": ENVIRONMENT,
        "deterministic_algorithms": False,
        "commit": None,
        "dirty": None,
        "fingerprint": "0" * 16,
        "data": {"train": DataSource(content_hash=images.get("train", "ab"), provenance="digits of scikit-learn")},
    }
    return Record(**{**fields, **changes})


def test_written_record_is_read_back_as_it_was(tmp_path):
    record = make_record()
    path = records.write(record, tmp_path)
    assert path == records.path_of(SelectionParameters(), tmp_path)
    assert path.relative_to(tmp_path).parts == ("selection", "digits", f"{record.key}.json")
    assert records.read(path) == record


def test_floats_survive_bit_for_bit(tmp_path):
    value = 100 * (1 / 3)
    record = make_record(metrics={"test_accuracy_percent": value})
    assert records.read(records.write(record, tmp_path)).metrics["test_accuracy_percent"] == value


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"test_accuracy_percent": math.nan}},
        {"metrics": {"test_accuracy_percent": 101.0}},
        {"metrics": {"test_accuracy_percent": 50.0, "best_test_accuracy_percent": -0.1}},
        {"metrics": {}},
        {"series": {"train_loss": [math.inf]}},
        {"status": "diverged"},
        {"status": "failed"},
        {"error": "but done"},
        {"key": "0" * 16},
        {"seed": 1},
        {"parameters": {"dataset": "digits"}},
        {"experiment": "selecton"},
        {"started": datetime(2026, 1, 2)},
        {"schema_version": 1},
        {"surprise": 1},
        {"indices": [3, 1, 3]},
        {"indices": [-1]},
    ],
)
def test_inconsistent_records_cannot_be_made(changes):
    with pytest.raises(ValidationError):
        make_record(**changes)


def test_a_diverged_training_is_a_result():
    record = make_record(status="diverged", metrics={"coreset_size": 7.0}, series={}, error="loss is nan in epoch 3")
    assert record.status == "diverged"


def signed(text):
    """A record's text with the hash of what it says now: only the checks of what it says can notice a change."""
    content = {name: value for name, value in json.loads(text).items() if name != "content_sha256"}
    canonical = json.dumps(content, sort_keys=True).encode()
    return json.dumps(content | {"content_sha256": hashlib.sha256(canonical).hexdigest()})


def edit(path, change, *, sign=True):
    content = json.loads(path.read_text())
    change(content)
    text = json.dumps(content)
    path.write_text(signed(text) if sign else text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r["metrics"].update(test_accuracy_percent=math.nan), "finite"),
        (lambda r: r["metrics"].update(test_accuracy_percent=101), "no percentage"),
        (lambda r: r["metrics"].update(test_accuracy_percent="90"), "valid number"),
        (lambda r: r.update(schema_version=3), "schema_version 3, not 2"),
        (lambda r: r.update(schema_version=1), "schema_version 1, made by the first edition"),
        (lambda r: r["parameters"].update(method="<img src=x onerror=alert(1)>"), "is no method"),
        (lambda r: r["parameters"].update(rho=0.2), "do not belong to the parameters"),
        (lambda r: r["parameters"].update(rho=math.nan), "rho=nan"),
        (lambda r: r.pop("commit"), "commit"),
    ],
)
def test_edited_records_are_refused_and_named(tmp_path, change, reason):
    path = records.write(make_record(), tmp_path)
    edit(path, change)
    with pytest.raises(RecordError, match=reason) as caught:
        records.read(path)
    assert str(path) in str(caught.value)
    assert "delete the file and repeat" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["metrics"].update(test_accuracy_percent=90.5),
        lambda r: r["metrics"].update(test_accuracy_percent=90),  # was 90.0
        lambda r: r.update(wall_seconds=1.25),
        lambda r: r.pop("content_sha256"),
    ],
)
def test_an_edit_that_says_something_valid_is_refused_too(tmp_path, change):
    path = records.write(make_record(), tmp_path)
    edit(path, change, sign=False)
    with pytest.raises(RecordError, match="edited or damaged"):
        records.read(path)


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_every_flipped_bit_is_noticed_or_means_nothing(tmp_path, step):
    record = make_record(metrics={"test_accuracy_percent": 90.0, "loss": 1e-05}, indices=[41, 7, 1203])
    path = records.write(record, tmp_path)
    content, believed = path.read_bytes(), 0
    for bit in range(0, 8 * len(content), step):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert records.read(path) == record
            believed += 1
        except RecordError:
            pass
    # A line break flips into a blank or a tabulator or the like; "e-05" into "E-05".
    assert 0 < believed < 5 * content.count(b"\n") + 5 * content.count(b" ")


def test_indices_keep_their_order_and_one_line(tmp_path):
    path = records.write(make_record(indices=[41, 7, 1203]), tmp_path)
    assert '"indices": [41, 7, 1203],' in path.read_text().splitlines()
    assert records.read(path).indices == [41, 7, 1203]


def test_what_was_said_of_a_run_can_still_be_asked():
    record = make_record(device="GPU", machine=MACHINE.model_copy(update={"device": "GPU", "threads": 3}))
    assert record.device == "GPU" and record.determinism.threads == 3
    assert record.versions == {"python": "3.11.7", "lcmat": "0.1.0", "numpy": "2.4.6", "torch": "2.15.0"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"schema_version"'])
def test_files_that_are_no_records_are_refused(tmp_path, content):
    path = records.write(make_record(), tmp_path)
    path.write_bytes(content)
    with pytest.raises(RecordError, match="is no valid record"):
        records.read(path)


def test_truncation_at_any_byte_is_noticed(tmp_path):
    path = records.write(make_record(), tmp_path)
    content = path.read_bytes().rstrip()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(RecordError):
            records.read(path)


def test_a_renamed_record_is_refused(tmp_path):
    path = records.write(make_record(), tmp_path)
    with pytest.raises(RecordError, match=f"belongs at selection/digits/{path.name}"):
        records.read(path.rename(path.with_stem("1" * 16)))


@pytest.mark.parametrize("copy", ["selection/digits-backup", "selection/mnist", "continual/digits"])
def test_copies_in_other_folders_are_problems_and_not_more_runs(tmp_path, copy):
    for seed in range(3):
        records.write(make_record(SelectionParameters(seed=seed)), tmp_path)
    shutil.copytree(tmp_path / "selection" / "digits", tmp_path / copy)
    found, problems = records.load_all(tmp_path)
    assert len(found) == 3
    assert [problem.path.parent for problem in problems] == [tmp_path / copy] * 3
    assert all("belongs at selection/digits/" in problem.message for problem in problems)


def test_records_are_found_by_a_relative_path(tmp_path, monkeypatch):
    path = records.write(make_record(), tmp_path)
    monkeypatch.chdir(path.parent)
    assert records.read(Path(path.name)) == make_record()


def test_load_all_reports_problems_beside_records(tmp_path):
    good = [make_record(SelectionParameters(seed=seed)) for seed in range(3)]
    for record in good:
        records.write(record, tmp_path)
    bad = tmp_path / "selection" / "digits" / f"{'f' * 16}.json"
    bad.write_text("{")
    (bad.parent / ".half-written.json.tmp").write_text("{")
    found, problems = records.load_all(tmp_path)
    assert sorted(record.key for record in found) == sorted(record.key for record in good)
    assert [problem.path for problem in problems] == [bad]
    assert records.load_all(tmp_path, "other") == ([], [])
    assert records.load_all(tmp_path / "absent") == ([], [])


def test_is_done_is_about_valid_records(tmp_path):
    assert not records.is_done(SelectionParameters(), tmp_path)
    path = records.write(make_record(), tmp_path)
    assert records.is_done(SelectionParameters(), tmp_path)
    path.write_text("{")
    with pytest.raises(RecordError):
        records.is_done(SelectionParameters(), tmp_path)


def test_a_record_that_says_the_same_keeps_its_file(tmp_path):
    path = records.write(make_record(), tmp_path)
    before = path.stat().st_ino, path.read_bytes()
    later = {"started": datetime(2027, 1, 1, tzinfo=UTC), "wall_seconds": 9.0, "seconds": {"training": 8.0}}
    records.write(make_record(**later, peak_memory_mb=1.0, commit="a" * 40, dirty=True), tmp_path)
    assert (path.stat().st_ino, path.read_bytes()) == before


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"test_accuracy_percent": 90.00000000000001}},
        {"series": {"train_loss": [2.3, 0.2]}},
        {"fingerprint": "1" * 16},
        {"device": "another"},
        {"environment": ENVIRONMENT.model_copy(update={"python": "3.12.0"})},
        {"indices": [1]},
    ],
)
def test_a_record_that_says_something_else_replaces_the_older_one(tmp_path, change):
    records.write(make_record(), tmp_path)
    assert records.read(records.write(make_record(**change), tmp_path)) == make_record(**change)


WRITER = """
import itertools, os, sys
from pathlib import Path
from lcmat.files import paths
sys.path.insert(0, sys.argv[2])
from test_records import make_record
from lcmat.records import record as records
from lcmat.config import SelectionParameters
folder = Path(sys.argv[1])
print("ready", flush=True)
for seed in itertools.count():
    records.write(make_record(SelectionParameters(seed=seed)), folder)
    records.write(make_record(), folder)
"""


@pytest.mark.parametrize("milliseconds", [3, 29])
def test_sigkill_while_writing_leaves_whole_records(tmp_path, milliseconds):
    here = os.path.dirname(__file__)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), here], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    time.sleep(milliseconds / 1000)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    _, problems = records.load_all(tmp_path)
    assert problems == []
    assert records.read(records.write(make_record(), tmp_path)) == make_record()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_sigkill_at_each_step_of_the_write(tmp_path, step):
    """Kill at the worst moments: everything written but not yet flushed, and flushed but not yet renamed."""
    script = WRITER.replace("folder = Path", f"os.{step} = lambda *a: os.kill(os.getpid(), 9)\nfolder = Path")
    here = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path), here], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert records.load_all(tmp_path) == ([], [])
    assert not list(tmp_path.rglob("*.json"))
