import ast
from pathlib import Path

import pytest
import torch

from lcmat.condensation import OBJECTIVES, condense, published
from lcmat.config import ContinualParameters, ParameterError, parse
from lcmat.config.condensation_defaults import CONTROLS
from lcmat.experiments import continual
from lcmat.experiments.memory import condensed, selected
from lcmat.experiments.memory import stage as stage_streams
from lcmat.experiments.session import begin
from lcmat.records import record as records
from lcmat.sweep.profiles import PROFILES
from lcmat.training import DivergedError

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "benchmarks" / "continual.py"
SMALL = {"num_stages": 2, "ipc": 2, "width": 4, "epochs": 3}
SELECTED = ContinualParameters(method="herding", **SMALL, selection_epochs=1)
CONDENSED = ContinualParameters(method="lcmat-c", **SMALL, outer_iterations=2, inner_steps=2)


def reproducible(record):
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data


@pytest.fixture(scope="module")
def splits():
    return continual.load_data(SELECTED)


def stage_data(parameters, splits, stage):
    return continual.of_classes(splits.train, continual.stages(parameters, splits)[stage])


@pytest.mark.parametrize("parameters", [SELECTED, CONDENSED], ids=lambda p: p.method)
def test_a_run_writes_its_record_and_repeats_bit_for_bit(parameters, tmp_path, monkeypatch):
    record = continual.run(parameters)
    assert records.read(records.path_of(parameters)) == record
    assert record.status == "done"
    assert record.metrics["memory_size"] == 20
    assert record.series["classes_seen"] == [5, 10]
    assert sorted(record.series["class_order"]) == list(range(10))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "another cache"))
    assert reproducible(continual.run(parameters)) == reproducible(record)


def test_the_last_accuracy_is_that_of_the_network_on_the_whole_test_set(splits, monkeypatch):
    networks = []
    train = continual.train_on_set

    def kept(*arguments, **options):
        networks.append(train(*arguments, **options))
        return networks[-1]

    monkeypatch.setattr(continual, "train_on_set", kept)
    session = begin(SELECTED)
    record = continual.finish(session, splits, continual.replay(session, splits))
    order = torch.cat(continual.stages(SELECTED, splits))
    assert [network.classifier.out_features for network in networks[-2:]] == [5, 10]
    with torch.no_grad():
        answers = order[networks[-1].eval()(splits.test.normalized()).argmax(1)]
    correct = int((answers == splits.test.labels).sum())
    assert record.metrics["test_accuracy_percent"] == pytest.approx(100 * correct / len(splits.test))


@pytest.mark.parametrize("parameters", [SELECTED, CONDENSED], ids=lambda p: p.method)
def test_a_stage_looks_at_its_own_training_images_alone(parameters, splits, monkeypatch):
    seen = []
    fill = continual.fill

    def watched(given, data, stage, *rest):
        seen.append((stage, data))
        return fill(given, data, stage, *rest)

    monkeypatch.setattr(continual, "fill", watched)
    session = begin(parameters)
    continual.replay(session, splits)
    order = torch.cat(continual.stages(parameters, splits)).tolist()
    for stage, data in seen:
        wanted = order[5 * stage : 5 * stage + 5]
        assert data.split == "train"
        assert len(data) == sum(int((splits.train.labels == label).sum()) for label in wanted)
        assert data.class_names == tuple(splits.train.class_names[label] for label in wanted)


def test_selected_images_are_images_of_their_class_all_different(splits):
    for method in ("uniform", "lcmat-s"):
        parameters = SELECTED.model_copy(update={"method": method, "rho": 0.1 if method == "lcmat-s" else None})
        data = stage_data(parameters, splits, 1)
        chosen = selected.selected_memory(parameters, data, 1, "cpu").images
        assert chosen.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        own = data.normalized()
        for image, label in zip(chosen.images, chosen.labels, strict=True):
            same = (own == image).flatten(1).all(dim=1).nonzero().flatten()
            assert len(same) >= 1 and (data.labels[same] == label).any()
        assert len({image.numpy().tobytes() for image in chosen.images}) == 10


def test_methods_share_the_stage_view_but_not_the_choice(splits, monkeypatch):
    data = stage_data(SELECTED, splits, 0)
    first = selected.selected_memory(SELECTED, data, 0, "cpu").images
    monkeypatch.setattr(selected, "train", lambda *_, **__: pytest.fail("trained again"))
    other = selected.selected_memory(SELECTED.model_copy(update={"method": "k-center"}), data, 0, "cpu").images
    assert not other.images.equal(first.images)


def test_a_condensed_memory_is_the_result_of_condense(splits):
    data = stage_data(CONDENSED, splits, 1)
    recipe = published(
        "lcmat-c",
        2,
        network="digits-net",
        width=4,
        init="real",
        outer_iterations=2,
        inner_steps=2,
        network_epochs=1,
        real_batch=32,
        augmentation="none",
        network_augmentation="none",
        cutmix=0.0,
        classes_per_pass=10,
    )
    direct = condense(data, recipe, generator=stage_streams.stream(CONDENSED, "condensation", 1)).synthetic
    assert condensed.condensed_memory(CONDENSED, data, 1, "cpu").images.images.equal(direct.images)


def test_a_condensed_memory_is_kept(splits, monkeypatch):
    data = stage_data(CONDENSED, splits, 0)
    first = condensed.condensed_memory(CONDENSED, data, 0, "cpu")
    monkeypatch.setattr(condensed, "condense", lambda *_, **__: pytest.fail("condensed again"))
    again = condensed.condensed_memory(CONDENSED.model_copy(update={"ipc": 2}), data, 0, "cpu")
    assert again.images.images.equal(first.images.images) and again.seconds == first.seconds


def test_a_damaged_state_of_a_condensation_means_a_new_start(splits, tmp_path):
    data = stage_data(CONDENSED, splits, 0)
    whole = condensed._condense(CONDENSED, data, 0, "cpu", tmp_path / "whole", None)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"half")
    with pytest.warns(UserWarning, match="from the first step"):
        again = condensed._condense(CONDENSED, data, 0, "cpu", damaged, None)
    assert again.synthetic.images.equal(whole.synthetic.images)


def test_an_interrupted_run_goes_on_after_the_last_complete_stage(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    whole = continual.run(SELECTED)
    records.path_of(SELECTED).unlink()
    learn, trained = continual._learn, []

    def interrupted(session, joined, seen, stage, done):
        if stage == 1 and not trained:
            raise KeyboardInterrupt
        learn(session, joined, seen, stage, done)

    monkeypatch.setattr(continual, "_learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        continual.run(SELECTED)
    monkeypatch.setattr(continual, "_learn", lambda *a: (trained.append(a[3]), learn(*a)))
    assert reproducible(continual.run(SELECTED)) == reproducible(whole)
    assert trained == [1]
    assert not list((tmp_path / "cache" / "checkpoints").glob("*"))


def test_a_damaged_checkpoint_means_a_new_start(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    whole = continual.run(SELECTED)
    path = continual._checkpoint(begin(SELECTED))
    path.write_bytes(b"half")
    with pytest.warns(UserWarning, match="from the first stage"):
        assert reproducible(continual.run(SELECTED)) == reproducible(whole)


def test_a_loss_that_diverges_is_a_result(monkeypatch):
    def diverge(*_, **__):
        raise DivergedError("step 3: lower image_learning_rate")

    monkeypatch.setattr(continual, "fill", diverge)
    record = continual.run(CONDENSED.model_copy(update={"seed": 9}))
    assert (record.status, record.error) == ("diverged", "step 3: lower image_learning_rate")


def test_logits_that_are_not_finite_are_a_divergence(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(continual, "predict", lambda *_, **__: torch.full((3, 5), torch.nan))
    outcome = continual.replay(begin(SELECTED), splits)
    assert isinstance(outcome, DivergedError) and "lower learning_rate" in str(outcome)


def test_a_single_stage_has_no_forgetting():
    record = continual.run(ContinualParameters(method="herding", **{**SMALL, "num_stages": 1}, selection_epochs=1))
    assert "forgetting_points" not in record.metrics and record.series["forgetting_points"] == []
    assert record.metrics["own_classes_accuracy_percent"] == record.metrics["test_accuracy_percent"]


def test_all_methods_of_a_seed_meet_the_same_order_and_learner(splits):
    orders = {
        torch.cat(continual.stages(ContinualParameters(method=method, seed=4), splits)).numpy().tobytes()
        for method in ("uniform", "dm", "lcmat-c")
    }
    assert len(orders) == 1
    assert torch.cat(continual.stages(ContinualParameters(seed=5), splits)).numpy().tobytes() not in orders
    fixed = ContinualParameters(seed=5, class_order_seed=4)
    assert torch.cat(continual.stages(fixed, splits)).numpy().tobytes() in orders


def test_mirroring_is_left_out_where_it_changes_the_class():
    svhn, cifar = (ContinualParameters(dataset=name, method="dsa") for name in ("svhn", "cifar10"))
    assert "flip" not in condensed.condensation_recipe(svhn).augmentation
    assert condensed.condensation_recipe(cifar) == published(
        "dsa", 10, network="convnet", width=128, classes_per_pass=10
    )
    assert continual.learner_recipe(svhn).augmentation == "color_crop_scale_rotate"
    assert continual.learner_recipe(cifar).augmentation == "color_crop_flip_scale_rotate"


def test_too_small_a_class_is_named(splits):
    data = stage_data(SELECTED, splits, 0)
    with pytest.raises(ValueError, match="lower ipc"):
        selected.selected_memory(SELECTED.model_copy(update={"ipc": 500}), data, 0, "cpu")


def test_what_has_a_moment_has_the_published_rho():
    for name, objective in OBJECTIVES.items():
        if name in CONTROLS:
            with pytest.raises(ValueError, match="is no method"):
                ContinualParameters(method=name)
            continue
        rho = ContinualParameters(method=name).rho
        assert rho == (None if objective.moment is None else published(name, 10).rho)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "el2n"}, "'el2n' needs error_norms"),
        ({"method": "lcmat-d"}, "did you mean 'lcmat-"),
        ({"method": "uniform", "rho": 0.1}, "rho: method 'uniform' has none"),
        ({"method": "dc", "rho": 1.0}, "rho: method 'dc' has none"),
        ({"method": "craig", "inner_steps": 3}, "inner_steps: method 'craig' has none"),
        ({"method": "dm", "selection_epochs": 3}, "selection_epochs: method 'dm' has none"),
        ({"method": "lcmat-c", "ipc": 1}, "two images of each class"),
        ({"num_stages": 0}, "num_stages=0: expected a whole number >= 1"),
        ({"network": "resnet"}, "did you mean 'resnet18'"),
        ({"dataset": ["digits"]}, "dataset="),
    ],
)
def test_impossible_parameters_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        parse("continual", values)


def test_resolved_parameters_are_a_fixed_point_with_the_same_key():
    for study in (study for profile in PROFILES.values() for study in profile.studies):
        for run in study.runs:
            if run.experiment == "continual":
                assert parse("continual", run.canonical()).key == run.key


def test_parameters_cell_states_the_defaults_of_the_model():
    cell = NOTEBOOK.read_text().split('# %% tags=["parameters"]\n')[1].split("\n# %%")[0]
    stated = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell).body}
    defaults = {name: field.default for name, field in ContinualParameters.model_fields.items()}
    assert stated == defaults and list(stated) == list(defaults)


def test_studies_have_a_uniform_partner_for_every_seed():
    for profile in PROFILES.values():
        (study,) = (study for study in profile.studies if study.name == "continual-learning")
        settings = {}
        for run in study.runs:
            settings.setdefault(run.method, set()).add((run.dataset, run.ipc, run.num_stages, run.seed, run.epochs))
        assert all(found == settings["uniform"] for found in settings.values())
        assert study.tables == ("figure 5",)


def test_the_papers_setting_is_that_of_figure_5():
    (study,) = (study for study in PROFILES["paper"].studies if study.name == "continual-learning")
    assert {(r.dataset, r.num_stages, r.ipc, r.network, r.width) for r in study.runs} == {
        ("cifar100", 5, 10, "convnet", 128)
    }
    assert not any(run.init or run.outer_iterations for run in study.runs)  # hence as published
