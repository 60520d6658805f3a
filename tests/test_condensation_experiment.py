import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lcmat.condensation import EvaluationRecipe, condense, initial_set, load_set, published, train_on_set
from lcmat.condensation.matching import OBJECTIVES
from lcmat.condensation.step import matching_gradient
from lcmat.condensation.synthetic import herding as herding_by_hand
from lcmat.config import CondensationParameters, ParameterError, condensation_defaults, parse
from lcmat.config.condensation import EVALUATION
from lcmat.config.condensation_defaults import (
    CONTROLS,
    DATASET_SETTINGS,
    GRADIENTS_ALONE,
    METHOD_DEFAULTS,
    METHOD_PARAMETERS,
    PUBLISHED,
    REAL_METHODS,
    TUNED,
)
from lcmat.data import DATASETS
from lcmat.data.augmentation import DSA_STRATEGY
from lcmat.experiments import code_fingerprint, condensation, condensing, session
from lcmat.experiments.seeds import derived_seed
from lcmat.records import record as records
from lcmat.training import accuracy_percent

LIGHT = {"outer_iterations": 2, "inner_steps": 2, "network_images": 40, "evaluation_epochs": 3}
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "benchmarks" / "condensation.py"


def quick(method="lcmat-c", **changes):
    own = METHOD_PARAMETERS[method]
    light = {name: value for name, value in LIGHT.items() if name in own or name in EVALUATION}
    return CondensationParameters(method=method, **{**light, "ipc": 3, **changes})


QUICK = quick()


def reproducible(record):
    return record.parameters, record.metrics, record.series, record.fingerprint, record.data, record.artifacts


def generator_of(seed, purpose):
    return torch.Generator().manual_seed(derived_seed(seed, purpose))


@pytest.fixture(scope="module")
def splits():
    return condensation.load_data(QUICK)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_run_writes_its_record_and_repeats_bit_for_bit(own_cache, tmp_path, monkeypatch):
    record = condensation.run(QUICK)
    assert records.read(records.path_of(QUICK)) == record
    assert (record.status, record.metrics["set_size"]) == ("done", 30)
    assert len(record.series["distance"]) == len(record.series["penalty"]) == 4
    (file,) = (own_cache / "condensed" / "digits").glob("*.safetensors")
    assert load_set(file).content_hash == record.artifacts["synthetic_set"]
    assert record.indices is None
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "another cache"))
    assert reproducible(condensation.run(QUICK)) == reproducible(record)


def test_the_pieces_compose_to_the_run(splits):
    whole = condensation.run(QUICK)
    begun = session.begin(QUICK)
    condensed = condensation.condense(begun, splits)
    evaluation = condensation.evaluate(begun, condensed, splits)
    assert reproducible(condensation.finish(begun, splits, condensed, evaluation)) == reproducible(whole)


def test_images_and_accuracy_are_those_of_the_library(splits):
    """The same set and network from `condense` and `train_on_set`, with the settings written out."""
    parameters = quick(rho=20.0, init="real", image_learning_rate=0.01)
    recipe = published(
        "lcmat-c", 3, rho=20.0, init="real", image_learning_rate=0.01, outer_iterations=2, inner_steps=2,
        real_batch=32, network_images=40, augmentation="color_crop", network_augmentation="color_crop", cutmix=0.0,
        network="digits-net", width=16, classes_per_pass=10,
    )  # fmt: skip
    initial = initial_set(splits.train, 3, "real", generator=generator_of(0, "initial images"))
    expected = condense(splits.train, recipe, generator=generator_of(0, "condensation"), initial=initial).synthetic
    begun = session.begin(parameters)
    condensed = condensation.condense(begun, splits)
    assert condensed.synthetic.images.equal(expected.images) and not expected.images.equal(initial.images)
    rate = parameters.evaluation_learning_rate
    evaluation = EvaluationRecipe(
        network="digits-net", width=16, epochs=3, learning_rate=rate, augmentation="color_crop", cutmix=0.0
    )
    network = train_on_set(expected, evaluation, generator=generator_of(0, "evaluation"))
    assert condensation.evaluate(begun, condensed, splits).accuracies == [accuracy_percent(network, splits.test)]


@pytest.mark.parametrize("method", METHOD_PARAMETERS)
def test_every_method_makes_a_set_of_the_asked_size(method):
    record = condensation.run(quick(method))
    assert (record.status, record.metrics["set_size"]) == ("done", 30)
    assert ("distance" in record.series) == (method not in REAL_METHODS)


def test_random_images_are_those_that_learning_starts_from(splits):
    random = condensation.condense(session.begin(quick("random")), splits).synthetic
    start = condensation.condense(session.begin(quick(init="real", outer_iterations=0)), splits).synthetic
    assert random.images.equal(start.images)
    other = condensation.condense(session.begin(quick("random", seed=1)), splits).synthetic
    assert not other.images.equal(random.images)


def test_herding_follows_the_mean_of_the_features(splits, monkeypatch):
    """Against the other implementation, which works on vectors and not on their Gram matrix."""
    from lcmat.experiments import real_images

    parameters = quick("herding")
    seen = {}
    original = real_images.selector_view

    def spy(*arguments):
        seen["view"] = original(*arguments)
        return seen["view"]

    monkeypatch.setattr(real_images, "selector_view", spy)
    chosen = condensation.condense(session.begin(parameters), splits).synthetic
    for label in (0, 7):
        rows = (splits.train.labels == label).nonzero()[:, 0]
        expected = rows[herding_by_hand(seen["view"].features[rows], 3)]
        assert chosen.images[3 * label : 3 * label + 3].equal(splits.train.normalized(expected))


def test_k_center_takes_the_same_number_of_different_images_of_each_class(splits):
    chosen = condensation.condense(session.begin(quick("k-center")), splits).synthetic
    assert torch.bincount(chosen.labels).tolist() == [3] * 10
    assert len(chosen.images.flatten(1).unique(dim=0)) == 30


def test_a_network_that_learns_the_set_sees_as_many_images():
    on_originals = condensing.recipe(quick(network_images=200), 10)
    on_itself = condensing.recipe(quick("dc", network_images=200), 10)
    assert (on_originals.network_epochs, on_originals.network_images) == (1, 200)
    assert on_itself.network_epochs * 30 == 180
    assert condensing.recipe(quick("dc", network_images=20), 10).network_images == 20


def test_by_default_all_methods_take_as_many_steps():
    learnt = [name for name in METHOD_PARAMETERS if name not in REAL_METHODS]
    for dataset in ("digits", "cifar10"):
        recipes = [condensing.recipe(CondensationParameters(dataset=dataset, method=name), 10) for name in learnt]
        assert len({(recipe.num_steps, recipe.real_batch) for recipe in recipes}) == 1
    assert condensing.recipe(CondensationParameters(method="dm"), 10).inner_steps == 1


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_pulls_as_hard_as_the_penalty(splits, control):
    """Difference of the whole gradients with and without the penalty, at the images where strength is set equal."""
    from dataclasses import replace

    from lcmat.condensation.batches import draw_batches
    from lcmat.condensation.preparation import new_network

    parameters = quick(control, rho=20.0)
    recipe = condensing.recipe(parameters, 10)
    scaled = condensing._scaled_rho(parameters, recipe, splits.train)
    images = initial_set(splits.train, 3, "real", generator=generator_of(0, "strength")).images
    network = new_network(splits.train, recipe, derived_seed(0, "strength: initial weights")).eval()
    rows = [(splits.train.labels == label).nonzero()[:, 0] for label in range(10)]

    def gradient(objective, rho):
        drawn = draw_batches(rows, replace(recipe, objective=objective), torch.Generator().manual_seed(0))
        settings = replace(recipe, objective=objective, rho=rho)
        return matching_gradient(network, images, splits.train, drawn, settings).gradient

    pulls = [(gradient(name, rho) - gradient(name, 1e-12)).norm() for name, rho in (("lcmat-c", 20), (control, scaled))]
    torch.testing.assert_close(pulls[0], pulls[1], rtol=1e-3, atol=0)
    as_given = quick(control, rho=20.0, strength_at="nowhere")
    assert condensing._scaled_rho(as_given, condensing.recipe(as_given, 10), splits.train) == 20.0


def test_another_network_is_tested_on_the_same_images(splits, monkeypatch):
    other = quick(test_network="convnet", test_width=4)
    first = condensation.run(QUICK)
    monkeypatch.setattr(condensing, "learn", lambda *_: pytest.fail("learnt again"))
    second = condensation.run(other)
    assert second.artifacts == first.artifacts and second.key != first.key
    assert condensation.evaluation_recipe(other).network == "convnet"
    assert condensation.evaluation_recipe(other).width == 4
    assert code_fingerprint(quick(test_network="resnet18", test_width=4)) != first.fingerprint


def test_several_networks_are_averaged():
    record = condensation.run(quick("random", evaluations=3))
    accuracies = record.series["test_accuracy_percent"]
    assert len(set(accuracies)) > 1
    assert record.metrics["test_accuracy_percent"] == pytest.approx(sum(accuracies) / 3)
    assert condensation.run(quick("random")).series["test_accuracy_percent"] == accuracies[:1]


KILLED = """
import os, signal, sys
from lcmat.experiments import condensation, condensing
from tests.test_condensation_experiment import QUICK
condensing.CHECKPOINT_SECONDS = 0.0
def stage(name):
    return lambda step, *_: step == 3 and os.kill(os.getpid(), signal.SIGKILL)
condensation.run(QUICK, stage)
"""


@pytest.mark.slow
def test_after_a_kill_the_same_command_gives_the_same_images(own_cache, tmp_path, monkeypatch):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((own_cache / "condensed" / "digits").glob("*.training"))
    steps = []
    resumed = condensation.run(QUICK, lambda _: lambda step, *_: steps.append(step))
    assert steps == [3, 4]
    assert not list((own_cache / "condensed" / "digits").glob("*.training"))
    monkeypatch.setenv("LCMAT_CACHE", str(tmp_path / "another cache"))
    assert reproducible(condensation.run(QUICK)) == reproducible(resumed)


def test_a_damaged_state_means_a_new_start(own_cache, monkeypatch):
    whole = condensation.run(QUICK)
    (file,) = (own_cache / "condensed" / "digits").glob("*.safetensors")
    file.rename(file.with_suffix(".training"))
    file.with_suffix(".training").write_bytes(b"half")
    with pytest.warns(UserWarning, match="Starting again"):
        assert reproducible(condensation.run(QUICK)) == reproducible(whole)


def test_divergence_is_recorded_and_the_last_finite_images_are_kept(own_cache):
    record = condensation.run(quick("dc", image_learning_rate=1e38))
    assert record.status == "diverged" and "lower image_learning_rate" in record.error
    assert "test_accuracy_percent" not in record.metrics
    (state,) = (own_cache / "condensed" / "digits").glob("*.training")
    assert load_set(state).images.isfinite().all()


def test_a_network_that_diverges_on_the_set_is_recorded(splits):
    record = condensation.run(quick("random", evaluation_learning_rate=1e30))
    assert record.status == "diverged" and "not finite" in record.error
    assert record.artifacts


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "lcmat"}, "no method; did you mean 'lcmat-c'"),
        ({"dataset": "cifar"}, "no dataset; did you mean 'cifar10'"),
        ({"ipc": 0}, "ipc=0: expected a whole number >= 1"),
        ({"ipc": 1}, "the variance of one image per class is undefined; take 2, or rho=0"),
        ({"layers": "all"}, "layers: the layerwise distance compares the rows of matrices"),
        ({"ipc": 1, "method": "mean-control"}, "take 2, or strength_at=nowhere"),
        ({"rho": float("nan")}, "rho=nan: expected a number >= 0"),
        ({"rho": -1.0}, "rho=-1.0: expected a number >= 0"),
        ({"outer_iterations": -1}, "outer_iterations=-1: expected a whole number >= 0"),
        ({"inner_steps": 0}, "inner_steps=0: expected a whole number >= 1"),
        ({"method": "random", "inner_steps": 2}, "inner_steps: method 'random' has none"),
        ({"method": "dc", "rho": 1.0}, "rho: method 'dc' has none"),
        ({"test_width": 3}, "test_width: name the tested network too"),
        ({"norm": "max"}, "expected one of 'l2', 'l1', 'squared'"),
    ],
)
def test_refused_with_a_remedy(values, message):
    with pytest.raises(ParameterError, match=message):
        parse("condensation", values)


@pytest.mark.parametrize("values", [{"ipc": 1, "rho": 0.0}, {"ipc": 1, "method": "dm"}, {"outer_iterations": 0}])
def test_one_image_per_class_and_no_step_at_all_are_runs(values):
    record = condensation.run(quick(**values))
    assert record.status == "done"


def test_more_images_than_a_class_has(splits):
    with pytest.raises(ValueError, match=r"ipc: a class of digits has only 139 images"):
        quick("random", ipc=500)
    assert condensation.load_data(quick("dm", ipc=500)).train.content_hash == splits.train.content_hash


def test_tables_agree_with_the_library():
    assert [name for name in METHOD_PARAMETERS if name not in REAL_METHODS] == [
        *("dm", "dc", "dsa", "idc-i", "lcmat-c"), *CONTROLS
    ]  # fmt: skip
    assert set(METHOD_PARAMETERS) == {*OBJECTIVES, *REAL_METHODS} and set(METHOD_DEFAULTS) == set(OBJECTIVES)
    assert list(DATASET_SETTINGS) == list(DATASETS)
    varying = {name for known in METHOD_PARAMETERS.values() for name in known}
    assert varying <= CondensationParameters.model_fields.keys()
    for dataset, competitors in TUNED.items():
        assert dataset in DATASETS and set(competitors) == {*OBJECTIVES, GRADIENTS_ALONE} - {*CONTROLS}
        for competitor, values in competitors.items():
            method = "lcmat-c" if competitor == GRADIENTS_ALONE else competitor
            assert set(values) <= {*METHOD_PARAMETERS[method]}


def test_published_settings_are_a_literal():
    """The fingerprint of code that imports a value from the configuration can see it only so."""
    tree = ast.parse(Path(condensation_defaults.__file__).read_text(encoding="utf-8"))
    (value,) = [node.value for node in tree.body if getattr(getattr(node, "target", None), "id", "") == "PUBLISHED"]
    assert ast.literal_eval(value) == PUBLISHED


@pytest.mark.parametrize("method", ["dm", "dc", "dsa", "idc-i", "lcmat-c"])
def test_defaults_for_natural_images_are_the_published_settings_but_for_equal_work(method):
    own = condensing.recipe(CondensationParameters(dataset="cifar10", method=method), 10)
    other = published(method, 10)
    same = ["rho", "norm", "distance", "layers", "init", "train_on", "image_learning_rate", "image_momentum"]
    assert own.combine == "idc" and (other.combine == "one") == (method in ("dsa", "dm"))
    for name in [*same, "pixel_units", "network_momentum", "weight_decay", "network_learning_rate"]:
        if method != "dm" or not name.startswith("network_"):
            assert getattr(own, name) == getattr(other, name), name


@pytest.mark.parametrize(
    ("method", "momentum", "batch", "strategy"),
    [("dc", 0.5, 256, "none"), ("dsa", 0.0, 256, DSA_STRATEGY), ("idc-i", 0.9, 64, "color_crop")],
)
def test_networks_learn_as_in_the_authors_code(method, momentum, batch, strategy):
    """Read in main.py of VICO-UoE/DatasetCondensation, its first release (DC) and a later one, and in IDC's."""
    recipe = published(method, 10)
    assert (recipe.network_momentum, recipe.network_batch) == (momentum, batch)
    assert (recipe.network_learning_rate, recipe.image_momentum) == (0.01, 0.5)
    assert recipe.network_augmentation == strategy


def test_equal_runs_have_equal_keys_and_each_parameter_enters_them():
    assert parse("condensation", QUICK.canonical()).key == QUICK.key
    assert quick(test_network="digits-net", test_width=16).key == QUICK.key
    different = {
        "dataset": "mnist", "method": "dm", "ipc": 4, "seed": 1, "rho": 3.0, "norm": "l1", "distance": "cosine",
        "layers": "convolutions", "init": "herding", "outer_iterations": 3, "inner_steps": 3, "real_batch": 7,
        "image_learning_rate": 0.7, "augmentation": "crop", "train_on": "nothing", "network_learning_rate": 0.7,
        "network_images": 7, "network_augmentation": "crop", "cutmix": 0.7, "network": "convnet", "width": 7,
        "classes_per_pass": 2, "test_network": "resnet18", "evaluations": 2, "evaluation_epochs": 7,
        "evaluation_learning_rate": 0.7, "evaluation_augmentation": "crop", "evaluation_cutmix": 0.7,
        "precision": "bfloat16",
    }  # fmt: skip
    special = {"compile", "strength_at", "selection_epochs", "test_width"}
    assert {*different, *special} == CondensationParameters.model_fields.keys()
    assert len({CondensationParameters(**{name: value}).key for name, value in different.items()}) == len(different)
    assert CondensationParameters().key not in {CondensationParameters(**{n: v}).key for n, v in different.items()}
    pairs = [
        (quick("mean-control"), quick("mean-control", strength_at="noise")),
        (quick("herding"), quick("herding", selection_epochs=2)),
        (quick(classes_per_pass=1), quick(classes_per_pass=1, compile=True)),
        (quick(test_network="convnet"), quick(test_network="convnet", test_width=7)),
    ]
    assert all(one.key != other.key for one, other in pairs)


def test_the_figure_shows_the_first_images_of_each_class(splits):
    import matplotlib.pyplot as plt

    from lcmat.book import display

    chosen = condensation.condense(session.begin(quick("random")), splits).synthetic
    figure = display.set_figure(chosen)
    (drawn,) = figure.axes[0].images
    rows, columns = ((side + 1) // 9 for side in drawn.get_array().shape[:2])  # 8 pixels and a gap of one
    assert (rows, columns) == (10, 3)
    plt.close(figure)


def test_a_network_of_the_zoo_has_its_own_width():
    run = CondensationParameters(dataset="cifar10", test_network="torchvision:densenet121")
    assert run.test_width is None and condensation.evaluation_recipe(run).width is None
    assert CondensationParameters(dataset="svhn", network="torchvision:densenet121").width is None
    assert CondensationParameters(network="digits-net").width == 32 and CondensationParameters().width == 16


def parameters_cell():
    """The assignments of the notebook's parameters cell."""
    cell = NOTEBOOK.read_text().split('# %% tags=["parameters"]\n')[1].split("\n# %%")[0]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell).body}


def test_parameters_cell_states_the_defaults_of_the_model():
    defaults = {name: field.default for name, field in CondensationParameters.model_fields.items()}
    assert parameters_cell() == defaults
    assert list(parameters_cell()) == list(defaults)


def test_each_parameter_is_described_in_one_line():
    from lcmat.config import expected

    for field in CondensationParameters.model_fields.values():
        assert field.description and len(field.description) < 100
        assert expected(field)


def test_what_is_learnt_on_depends_on_the_code_of_its_network_alone():
    assert code_fingerprint(quick(seed=5, rho=3.0)) == code_fingerprint(QUICK)
    assert code_fingerprint(quick(network="resnet18", width=4)) != code_fingerprint(QUICK)
    assert code_fingerprint(quick("herding")) != code_fingerprint(quick("k-center"))
