import ast
import os
import subprocess
import threading
from pathlib import Path

import pytest
import torch

from lcmat.config import SelectionParameters
from lcmat.config.registry import METHODS
from lcmat.data import Splits
from lcmat.experiments import (
    code_fingerprint,
    embedding,
    learner,
    selecting,
    selection,
    session,
    stale_keys,
)
from lcmat.experiments.held_out import held_out_rows
from lcmat.experiments.seeds import derived_seed
from lcmat.records import machine
from lcmat.records import record as records
from lcmat.selection import select
from lcmat.training import DivergedError, accuracy_percent, embed, train
from tests.test_records import make_record
from tests.test_selection import naive_choice

QUICK = SelectionParameters(selection_epochs=1, epochs=2)
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "benchmarks" / "selection.py"


def reproducible(record):
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data, record.indices


@pytest.fixture(scope="module")
def splits():
    return selection.load_data(QUICK)


def test_run_writes_its_record_and_repeats_bit_for_bit(tmp_path, monkeypatch):
    record = selection.run(QUICK)
    assert records.read(records.path_of(QUICK)) == record
    assert record.metrics["coreset_size"] == 70
    assert record.metrics["test_accuracy_percent"] == record.series["test_accuracy_percent"][-1]
    assert record.versions["torch"] == torch.__version__
    assert record.determinism.threads == 1
    assert record.machine == machine.this_machine() and record.environment == machine.this_environment()
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "another cache"))
    assert reproducible(selection.run(QUICK)) == reproducible(record)


def test_the_pieces_compose_to_the_run(splits):
    whole = selection.run(QUICK)
    begun = session.begin(QUICK)
    view = embedding.selector_view(QUICK, splits, begun.device)
    evidence = selection.gather(QUICK, splits, begun.device)
    choice = selection.choose(QUICK, view, splits, evidence)
    result = selection.train_on_coreset(begun, choice.coreset, splits)
    assert reproducible(selection.finish(begun, splits, view, evidence, choice, result)) == reproducible(whole)
    assert whole.indices == choice.coreset.indices.tolist()


def test_the_choice_is_the_naive_greedys_on_the_view(splits):
    train = splits.train.subset(torch.arange(60))
    few, run = Splits(train, splits.test), QUICK.model_copy(update={"width": 1, "fraction": 0.5})
    view = embedding.selector_view(run, few, "cpu")
    sample = (view.features.double(), view.logits.double(), train.labels)
    expected = naive_choice(sample, fraction=0.5, rho=0.1, top_k=100)
    assert selection.choose(run, view, few).coreset.indices.tolist() == expected


def test_uniform_choices_differ_between_seeds_and_share_the_view(splits, monkeypatch):
    view = embedding.selector_view(QUICK, splits, "cpu")
    monkeypatch.setattr(embedding, "selecting_network", lambda *_: pytest.fail("computed again"))
    uniform = SelectionParameters(method="uniform", selection_epochs=1, epochs=9, fraction=0.1)
    assert embedding.selector_view(uniform, splits, "cpu").features.equal(view.features)
    first, second = (
        selection.choose(uniform.model_copy(update={"seed": seed}), view, splits).coreset.indices for seed in (0, 1)
    )
    assert not first.equal(second)


def test_both_views_are_taken_from_one_training(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    narrow = {"selection_epochs": 1, "network": "resnet18", "width": 2}
    running, batch = (
        embedding.selector_view(SelectionParameters(**narrow, batch_norm=mode), splits, "cpu")
        for mode in (None, "batch")
    )
    assert len(list(tmp_path.glob("selecting-networks/digits/*.safetensors"))) == 1
    assert not running.logits.equal(batch.logits)
    network = selecting.selecting_network(SelectionParameters(**narrow), splits, "cpu").network
    assert running.logits.equal(embed(network, splits.train).logits)  # taken again, from the stored weights
    assert accuracy_percent(network, splits.test) == pytest.approx(running.test_accuracy_percent)


def test_radius_is_chosen_on_held_out_training_images(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    values = {"selection_epochs": 1, "epochs": 4, "fraction": 0.1}
    parameters = SelectionParameters(rho_choice="held-out", **values)
    record = selection.run(parameters)
    # By hand: nine tenths of each class to select from, the last tenth to measure on.
    rows = held_out_rows(splits.train.labels, 0)
    rest = selecting.remaining_rows(splits.train, rows)
    view = embedding.selector_view(parameters, splits, "cpu")
    expected = {}
    for rho in (0.01, 0.05, 0.1, 0.5):
        samples = view.features[rest], view.logits[rest], splits.train.labels[rest]
        size = sum(round(0.1 * count) for count in splits.train.labels.bincount().tolist())
        images = splits.train.subset(rest[select("lcmat-s", *samples, size=size, rho=rho).indices])
        network = selecting.make_network(parameters, images, "learner")
        draws = torch.Generator().manual_seed(derived_seed(0, "learner: draws"))
        train(network, images, recipe=learner.recipe(parameters, size), generator=draws)
        expected[rho] = accuracy_percent(network, splits.train.subset(rows))
    assert dict(zip(record.series["radii"], record.series["held_out_accuracy_percent"], strict=True)) == expected
    best = max(expected, key=expected.get)
    assert record.metrics["chosen_rho"] == best
    fixed = selection.run(SelectionParameters(rho=best, **values))
    assert record.metrics["test_accuracy_percent"] == fixed.metrics["test_accuracy_percent"]


@pytest.mark.parametrize(("steps", "size", "epochs"), [(100, 10, 100), (100, 129, 50), (1, 1000, 1), (20, 300, 7)])
def test_steps_are_the_whole_epochs_nearest_to_them(steps, size, epochs):
    assert learner.recipe(SelectionParameters(training_steps=steps), size).epochs == epochs


def test_uniform_trains_no_network(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    record = selection.run(SelectionParameters(method="uniform", epochs=1))
    assert not (tmp_path / "selecting-networks").exists()
    assert "selector" not in record.seconds and "selector_test_accuracy_percent" not in record.metrics


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"selection_epochs": 2},
        {"width": 8},
        {"learning_rate": 0.05},
        {"selection_learning_rate": 0.05},
        {"selection_optimizer": "adam", "selection_learning_rate": 0.001},
    ],
)
def test_the_view_depends_on_what_trains_the_selector(splits, change):
    view = embedding.selector_view(QUICK, splits, "cpu")
    other = SelectionParameters(**{**QUICK.canonical(), **change})
    logits = embedding.selector_view(other, splits, "cpu").logits
    assert not logits.equal(view.logits)


def view_file(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    view = embedding.selector_view(QUICK, splits, "cpu")
    (path,) = (tmp_path / "cache" / "embeddings" / "digits").glob("*.safetensors")
    return view, path


def test_a_damaged_view_is_made_again_with_a_warning(splits, tmp_path, monkeypatch):
    view, path = view_file(splits, tmp_path, monkeypatch)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=path.name):
        again = embedding.selector_view(QUICK, splits, "cpu")
    assert again.features.equal(view.features)
    assert embedding.selector_view(QUICK, splits, "cpu").features.equal(view.features)


def test_of_several_that_need_a_view_one_computes_it(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    train, calls, views = selecting.train_resumable, [], []

    def counted(*arguments, **options):
        calls.append(1)
        return train(*arguments, **options)

    monkeypatch.setattr(selecting, "train_resumable", counted)
    threads = [
        threading.Thread(target=lambda: views.append(embedding.selector_view(QUICK, splits, "cpu"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(calls), len(views)) == (1, 3)
    assert all(view.logits.equal(views[0].logits) for view in views)


def test_an_interrupted_training_goes_on_to_the_same_record(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    parameters = SelectionParameters(selection_epochs=1, epochs=6, evaluate_every=2)
    whole = selection.run(parameters)
    records.path_of(parameters).unlink()
    real = selecting.train
    monkeypatch.setattr(selecting, "train", lambda *a, **o: real(*a, **o, checkpoint_seconds=0.0))

    def interrupt(stage):
        def update(epoch, *_):
            if stage == "learner" and epoch == 4:
                raise KeyboardInterrupt

        return update

    with pytest.raises(KeyboardInterrupt):
        selection.run(parameters, interrupt)
    (checkpoint,) = (tmp_path / "cache" / "checkpoints").glob("*.safetensors")
    epochs = []
    resumed = selection.run(parameters, lambda stage: lambda epoch, *_: epochs.append((stage, epoch)))
    assert epochs[0] == ("learner", 4)
    assert reproducible(resumed) == reproducible(whole)
    assert not checkpoint.exists()


def test_a_damaged_checkpoint_means_a_new_start(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    whole = selection.run(QUICK)
    checkpoint = selection._checkpoint(session.begin(QUICK))
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_bytes(b"half")
    with pytest.warns(UserWarning, match="Starting again"):
        assert reproducible(selection.run(QUICK)) == reproducible(whole)
    assert not checkpoint.exists()


def test_divergence_is_recorded_as_a_result(monkeypatch):
    def diverge(*_, **__):
        raise DivergedError("the training loss is nan in epoch 3")

    begun = session.begin(QUICK)
    data = selection.load_data(QUICK)
    view = embedding.selector_view(QUICK, data, "cpu")
    monkeypatch.setattr(selecting, "train", diverge)
    evidence = selection.gather(QUICK, data, "cpu")
    choice = selection.choose(QUICK, view, data, evidence)
    result = selection.train_on_coreset(begun, choice.coreset, data)
    record = selection.finish(begun, data, view, evidence, choice, result)
    assert (record.status, record.error) == ("diverged", "the training loss is nan in epoch 3")
    assert "test_accuracy_percent" not in record.metrics


CHOOSING = [{}, {"method": "el2n"}, {"method": "forgetting"}, {"method": "deepfool"}, {"method": "glister-val"}]


@pytest.mark.parametrize(
    "options", [*CHOOSING, {"rho_choice": "held-out", "selection_learning_rate": 0.1, "epochs": 3}]
)
def test_a_network_that_chooses_and_diverges_leaves_a_record_and_is_not_trained_again(options, monkeypatch):
    run = SelectionParameters(**{"learning_rate": 1e30, "selection_epochs": 1, "epochs": 1, **options})
    record = selection.run(run)
    assert record.status == "diverged" and "loss is nan in epoch" in record.error
    assert records.is_done(run) and record.metrics == {} and record.indices is None
    records.path_of(run).unlink()
    monkeypatch.setattr(selecting, "train", None)  # calling it would fail otherwise
    assert selection.run(run).error == record.error


@pytest.mark.parametrize(("module", "name"), [(selecting, "train"), (embedding, "embed")])
def test_a_network_whose_last_step_overflows_diverged_too(module, name, monkeypatch, tmp_path):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path))
    real = getattr(module, name)

    def overflowing(network, *arguments, **options):
        result = real(network, *arguments, **options)
        (result.logits if name == "embed" else next(network.parameters()).data).fill_(torch.inf)
        return result

    monkeypatch.setattr(module, name, overflowing)
    run = SelectionParameters(selection_epochs=1, epochs=1)
    assert "not finite: lower its learning rate" in selection.run(run).error


def test_weights_reach_the_training_of_the_learner_alone(splits, monkeypatch):
    given, real = [], selecting.train
    monkeypatch.setattr(selecting, "train", lambda *a, **o: given.append(o.get("weights")) or real(*a, **o))
    selection.run(SelectionParameters(selection_epochs=1, epochs=1, seed=7, weighted=True))
    assert [weights is None for weights in given] == [True, False]
    assert given[1].sum() == len(splits.train)  # each image counts for the chosen one nearest to it
    assert given[1].min() >= 1 and given[1].equal(given[1].round())


def test_streams_of_random_numbers_are_independent():
    seeds = {derived_seed(seed, purpose) for seed in range(50) for purpose in ("a", "b")}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_fingerprint_depends_on_method_and_network_alone():
    of = {
        (method, network): code_fingerprint(SelectionParameters(method=method, network=network))
        for method in METHODS
        for network in ("convnet", "resnet18")
    }
    assert len(set(of.values())) == len(of)
    assert code_fingerprint(SelectionParameters(seed=3, fraction=0.5)) == code_fingerprint(SelectionParameters())


def test_records_of_other_code_are_stale():
    fresh = make_record(QUICK, fingerprint=code_fingerprint(QUICK))
    other = make_record(SelectionParameters(seed=9), fingerprint="0" * 16)
    assert stale_keys([fresh, other]) == {other.key}


def test_session_knows_the_commit_of_its_repository_alone(tmp_path, monkeypatch):
    assert session.begin(QUICK).commit == session._git("rev-parse", "HEAD")
    monkeypatch.setattr(session, "_ROOT", tmp_path)
    assert (session.begin(QUICK).commit, session.begin(QUICK).dirty) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert session.begin(QUICK).commit is None


def test_a_commit_is_changed_by_code_and_not_by_records(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_ROOT", tmp_path)
    code, record = tmp_path / "code.py", tmp_path / "book" / "records" / "a.json"
    record.parent.mkdir(parents=True)
    code.touch(), record.touch()
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for arguments in (("init",), ("add", "."), (*author, "commit", "-m", "first")):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)
    assert session.begin(QUICK).dirty is False
    record.unlink()
    assert session.begin(QUICK).dirty is False
    code.write_text("1")
    assert session.begin(QUICK).dirty is True


def test_device_and_threads_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("LCMAT_DEVICE", "cpu")
    monkeypatch.setenv("LCMAT_THREADS", "2")
    try:
        assert session.begin(QUICK).device == "cpu"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def parameters_cell():
    """The assignments of the notebook's parameters cell."""
    text = NOTEBOOK.read_text()
    cell = text.split('# %% tags=["parameters"]\n')[1].split("\n# %%")[0]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell).body}


def test_parameters_cell_states_the_defaults_of_the_model():
    defaults = {name: field.default for name, field in SelectionParameters.model_fields.items()}
    assert parameters_cell() == defaults
    assert list(parameters_cell()) == list(defaults)


def test_importing_the_command_line_does_not_load_torch():
    code = "import sys, lcmat.cli.main, lcmat.sweep, lcmat.experiments; sys.exit('torch' in sys.modules)"
    assert os.system(f'"{os.sys.executable}" -c "{code}"') == 0


def test_another_network_learns_from_the_coreset_of_the_selecting_one():
    other = QUICK.model_copy(update={"learner": "convnet", "learner_width": 4})
    train = selection.load_data(QUICK).train
    assert (
        selecting.make_network(other, train, "learner").classifier.in_features
        != selecting.make_network(other, train, "selector").classifier.in_features
    )
    assert selection.run(other).fingerprint == code_fingerprint(other)


def test_the_learner_counts_for_the_fingerprint():
    other = QUICK.model_copy(update={"learner": "vgg16", "learner_width": 4})
    assert code_fingerprint(other) != code_fingerprint(QUICK)


def test_classes_may_compete_for_the_budget():
    parameters = SelectionParameters(method="uniform", across_classes=True, fraction=0.05)
    splits = selection.load_data(parameters)
    view = embedding.selector_view(parameters, splits, "cpu")
    chosen = selection.choose(parameters, view, splits).coreset.indices
    counts = torch.bincount(splits.train.labels[chosen], minlength=10)
    assert counts.sum() == round(0.05 * len(splits.train)) and counts.unique().numel() > 1


def test_the_selecting_networks_weight_decay_is_its_alone():
    parameters = SelectionParameters(selection_weight_decay=0.01)
    assert selecting.selector_recipe(parameters).weight_decay == 0.01
    assert learner.recipe(parameters, 10).weight_decay == selecting.selector_recipe(QUICK).weight_decay == 5e-4
