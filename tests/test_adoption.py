"""Records of older code are adopted if it gives the same bits as newer code, and never otherwise."""

import re
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import lcmat
from lcmat import experiments
from lcmat.cli import adopt
from lcmat.config import CondensationParameters, ContinualParameters, SelectionParameters
from lcmat.experiments import code_of, selection, stale_keys, training_fingerprint
from lcmat.measurements import kinds
from lcmat.records import adoptions, caching
from lcmat.records import record as records
from lcmat.records.record import DataSource
from lcmat.sweep.adoption import adopting, stages, trees
from lcmat.sweep.adoption.driven import stages as driven
from lcmat.sweep.adoption.stages import Scale, comparison
from tests.test_fingerprint_mutations import watched
from tests.test_records import make_record

PACKAGE = Path(lcmat.__file__).parent
RUN = SelectionParameters(method="margin", selection_epochs=1, epochs=2, width=4)
TINY = Scale(200, 2, 20, (200, 100), 4, 10, 2, 40)
SEED = ("lcmat/models/__init__.py", "manual_seed(seed)", "manual_seed(seed + 1)")
TIES = ("lcmat/selection/scores.py", "rank * len(order) + order", "rank * len(order) - order")
NETWORK = ("lcmat/config/registry.py", "lcmat.models.convnet:digits_net", "lcmat.models.convnet:convnet")
SAME_SEED = (SEED[0], SEED[1], "manual_seed(1 * seed)")
MEASURED = {kind: kinds.code_of(kind) for kind in kinds.KINDS}
SAME_TIES = (TIES[0], TIES[1], "order + rank * len(order)")


def copy(folder: Path, *edits) -> Path:
    """The package in a new folder, edited."""
    shutil.copytree(PACKAGE, folder / "lcmat", ignore=shutil.ignore_patterns("__pycache__"))
    return edit(folder, *edits)


def edit(folder: Path, *edits) -> Path:
    """A copy of the package, each (file, old text, new text) replaced."""
    for name, old, new in edits:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return folder


def moved(folder: Path) -> None:
    """Another name for a module that training executes, and for one that holds a method."""
    for old, new in (("training.sgd", "models.descent"), ("selection.scores", "selection.by_score")):
        (folder / "lcmat" / f"{old.replace('.', '/')}.py").rename(folder / "lcmat" / f"{new.replace('.', '/')}.py")
        for file in (folder / "lcmat").rglob("*.py"):
            file.write_text(re.sub(rf"\blcmat\.{re.escape(old)}\b", f"lcmat.{new}", file.read_text()))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("base") / "old")


def compared(base: Path, changed: Path) -> dict[str, str]:
    """Stage -> what differs between two copies of the package."""
    needed = comparison([RUN], base, changed, TINY)
    assert not needed.missed
    before, after = (trees.run(tree, needed.tasks, PACKAGE.parent) for tree in (base, changed))
    return {task.stage: adopting.difference(before[task.name], after[task.name]) for task in needed.tasks}


@pytest.mark.slow
def test_another_seed_and_another_tie_rule_are_seen_each_in_its_stage(base, tmp_path):
    found = compared(base, copy(tmp_path / "changed", SEED, TIES))
    assert found["training"].startswith("losses, resumed features.0.weight") and "view None logits" in found["training"]
    assert found["learner"].startswith("losses")
    assert found["selection"] == "indices of 200, indices of 100"
    assert found["evidence"] == ""
    assert "data" not in found  # whose code is the same


@pytest.mark.slow
def test_a_network_that_is_another_one_is_seen(base, tmp_path):
    found = compared(base, copy(tmp_path / "changed", NETWORK))
    assert found["training"] and found["learner"]
    assert "selection" not in found


@pytest.fixture
def repository(tmp_path):
    """A repository with the package, whose head is as the package is, and a record that its code made."""
    folder = copy(tmp_path / "repository")
    git(folder, "init", "-q")
    commit(folder)
    made = head(folder)
    records.write(make_record(RUN, fingerprint=code_of(RUN).fingerprint(folder), commit=made))
    return folder


def git(folder, *arguments):
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True, text=True).stdout


def commit(folder):
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "change")


def head(folder):
    return git(folder, "rev-parse", "HEAD").strip()


def test_a_move_needs_no_adoption(base, tmp_path):
    changed = copy(tmp_path / "changed")
    moved(changed)
    assert code_of(RUN).fingerprint(changed) == code_of(RUN).fingerprint(base)
    assert not comparison([RUN], base, changed, TINY).tasks


def test_code_that_computes_the_same_is_adopted_and_caches_honour_it(repository, tmp_path, capsys):
    edit(repository, SAME_SEED, SAME_TIES)
    with pytest.raises(ValueError, match=r"differs from the last commit"):
        adopting.adopt(repository=repository, scale=TINY)
    old = head(repository)
    commit(repository)
    outcome = adopting.adopt(repository=repository, scale=TINY, rerun=False, measured=MEASURED)
    assert adopt.report(outcome) == 0 and "training of selection: network=digits-net" in capsys.readouterr().out
    (adoption,) = adoptions.read()
    assert (adoption.old, adoption.new) == (old, head(repository))
    assert set(adoption.stages) == {"training", "evidence", "selection", "learner"}
    new = code_of(RUN).fingerprint(repository)
    assert adoptions.lineage(new) == [new, code_of(RUN).fingerprint(PACKAGE.parent)]
    selecting = training_fingerprint("digits-net", "lcmat.experiments.selecting")
    taken = {before for before, _ in adoption.fingerprints}
    assert selecting in taken
    assert not taken & {kinds.fingerprint_of(kind) for kind in kinds.KINDS}  # whose models are seeded otherwise
    with pytest.raises(ValueError, match="nothing to adopt: of 0 stale records"):
        adopting.adopt(repository=repository, scale=TINY)


def test_measurements_are_taken_along_where_only_the_rule_of_comparison_changed(tmp_path):
    rule, today = "lcmat/records/fingerprint.py", "return _hash(self.module(name).text, *used)"
    folder = copy(tmp_path / "repository", (rule, today, f"{today[:-1]}, 'another rule')"))
    git(folder, "init", "-q")
    commit(folder)
    made = trees.run(folder, adopting._asking([RUN]), PACKAGE.parent)[RUN.key]
    records.write(make_record(RUN, fingerprint=made["run"], commit=head(folder)))
    edit(folder, (rule, f"{today[:-1]}, 'another rule')", today))
    commit(folder)
    stored = {kind: {"fingerprint": made["measurements"][kind]} for kind in kinds.KINDS}
    assert not any(kinds.is_current(kind, content) for kind, content in stored.items())
    assert adopting.adopt(repository=folder, scale=TINY, rerun=False, measured=MEASURED).adoption.stages == {}
    assert all(kinds.is_current(kind, content) for kind, content in stored.items())


def test_what_no_stage_executes_keeps_records_stale(base, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "STAGES", [stage for stage in stages.STAGES if stage.name == "training"])
    needed = comparison([RUN], base, copy(tmp_path / "changed", SEED, TIES), TINY)
    assert [task.stage for task in needed.tasks] == ["training"]
    assert "lcmat.selection.scores" in needed.missed


SELECTION = {"width": 4, "selection_epochs": 1, "epochs": 1, "label_noise": 0.1}
SMALL = [
    *(SelectionParameters(method=method, **SELECTION) for method in ("margin", "lcmat-s", "glister-val", "grand")),
    CondensationParameters(method="lcmat-c", width=4, ipc=2),
    ContinualParameters(method="dm", width=4, ipc=2),
    ContinualParameters(method="margin", width=4, ipc=2),
]


@pytest.mark.parametrize("stage", stages.STAGES, ids=lambda stage: f"{stage.name} of {stage.experiment}")
def test_no_stage_executes_what_it_is_said_to_leave_alone(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    runs = {stage.kind(run): stage.small(run) for run in SMALL if run.experiment == stage.experiment}
    for run in runs.values():
        executed = watched(lambda: driven.STAGES[stage.name](run, asdict(TINY)))  # noqa: B023
        handing_on = {"lcmat.config"}
        assert executed - handing_on <= code_of(run).modules(without=stage.apart).keys()


@pytest.mark.slow
def test_a_record_is_repeated_by_lot(base, monkeypatch, tmp_path):
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path))
    record = selection.run(RUN)
    results = trees.run(base, [stages.Task("repeat", f"repeating selection {RUN.key}", RUN)], PACKAGE.parent)
    monkeypatch.setattr(adopting, "run", lambda *_: results)
    other = record.model_copy(update={"metrics": {**record.metrics, "test_accuracy_percent": 1.0}})
    assert adopting._repeat([record], base) == (f"selection {RUN.key}: equal", False)
    assert adopting._repeat([other], base) == (f"selection {RUN.key}: other metrics", True)
    machine = record.machine.model_copy(update={"device": "Another"})
    text, contradicts = adopting._repeat([other.model_copy(update={"machine": machine})], base)
    assert text.startswith(f"selection {RUN.key}: other metrics, made with Another") and not contradicts


def test_a_refusal_is_said_with_its_stage(capsys):
    assert adopt.report(adopting.Outcome(None, {"training of x": "losses", "data of x": ""}, ["why"], 2)) == 1
    said = capsys.readouterr()
    assert "training of x: DIFFERS: losses\ndata of x: equal\n2 further stale records" in said.out
    assert "lcmat: why\nlcmat: nothing was adopted" in said.err


def entry(*pairs):
    about = {"day": "2026-01-02", "old": "a", "new": "b", "processor": "Some", "stages": {"data": 2}, "repeated": None}
    return adoptions.Adoption(**about, fingerprints=pairs)


A, B, C, D = (letter * 16 for letter in "abcd")


def test_adoptions_compose_and_are_listed():
    adoptions.add(entry((A, B), (D, B)))
    adoptions.add(entry((B, C), (C, B)))  # back and forth ends, too
    assert adoptions.lineage(C) == [C, B, A, D]
    assert adoptions.lineage(A) == [A]
    assert len(adoptions.path().read_text().splitlines()) == 4
    assert [row["Compared"] for row in adoptions.rows()] == ["data (2)"] * 2


def test_a_damaged_list_of_adoptions_is_named():
    records.records_folder().mkdir(parents=True)
    adoptions.path().write_text('[{"day": "2026-01-02"}]')
    with pytest.raises(ValueError, match=r"adoptions\.json is damaged \(0\.old: Field required\): take it"):
        adoptions.read()


def test_adopted_records_and_what_is_in_the_cache_count_as_made_by_the_present_code(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    new, record = code_of(RUN).fingerprint(), make_record(RUN, fingerprint=A)
    kept = caching.Stored({"x": torch.ones(2)}, {})
    caching.cached("kind", "digits", {"code": A, "evidence code": B}, lambda _: kept)
    caching.unfinished("key", A).parent.mkdir()
    caching.unfinished("key", A).touch()
    wanted = {"code": new, "evidence code": C}
    assert stale_keys([record]) == {record.key}
    assert caching.unfinished("key", new).name.startswith(f"key-{new}-")
    adoptions.add(entry((A, new), (B, C)))
    assert stale_keys([record]) == set()
    assert caching.unfinished("key", new).name.startswith(f"key-{A}-")
    found = caching.cached("kind", "digits", wanted, lambda _: pytest.fail("it is there"))
    assert torch.equal(found.tensors["x"], kept.tensors["x"])
    begun = next((tmp_path / "kind" / "digits").glob("*.safetensors")).with_suffix(".training")
    begun.touch()
    begun.with_suffix(".safetensors").unlink()
    assert caching.cached("kind", "digits", wanted, lambda state: kept if state == begun else None) is kept


def test_records_of_other_images_are_stale(monkeypatch):
    hashes = {"train": "one", "test": "two"}
    used = {split: DataSource(content_hash=value, provenance="here") for split, value in hashes.items()}
    fresh, noisy = (
        make_record(run, fingerprint=code_of(run).fingerprint(), data=used)
        for run in (RUN, RUN.model_copy(update={"label_noise": 0.1}))
    )

    def catalogue(content):
        monkeypatch.setattr(experiments, "DATASETS", {"digits": SimpleNamespace(content=content, unproven={})})
        return stale_keys([fresh, noisy])

    assert catalogue(hashes) == catalogue({}) == set()
    assert catalogue({**hashes, "train": "other"}) == {fresh.key}
    assert catalogue({**hashes, "test": "other"}) == {fresh.key, noisy.key}
