import hashlib
import json

import pytest
from pydantic import ValidationError

from lcmat.config import (
    ParameterError,
    SelectionParameters,
    expected,
    parse,
    parse_assignments,
)
from lcmat.defaults import DATASET_DEFAULTS, METHOD_EVIDENCE, METHOD_OPTIONS, METHOD_TITLES, NETWORK_WIDTHS


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("fracton=0.1", r"fracton is no parameter .* did you mean 'fraction'"),
        ("seed=1_0", r"seed=1_0: expected a whole number >= 0"),
        ("seed=1e3", r"seed=1e3: expected a whole number"),
        ("seed=1.0", r"seed=1.0: expected a whole number"),
        ("seed=-1", r"seed=-1: expected a whole number >= 0"),
        ("seed=99999999999", r"expected a whole number >= 0 and < 2147483648"),
        ("seed=true", r"seed=true: expected a whole number"),
        ("seed=none", r"seed=none: expected a whole number"),
        ("seed=٣", r"expected a whole number"),
        ("method=lcmatt", r"'lcmatt' is no method; did you mean 'lcmat-s'"),
        ("dataset=", r"'' is no dataset; known: digits"),
        ("network=resnet", r"did you mean 'resnet18'"),
        ("fraction=0", r"fraction=0.0: expected a number > 0 and <= 1"),
        ("fraction=1.01", r"expected a number > 0 and <= 1"),
        ("fraction=nan", r"fraction=nan: expected a number"),
        ("fraction=inf", r"fraction=inf: expected a number"),
        ("fraction=1e400", r"fraction=1e400: expected a number"),
        ("fraction=0.1.2", r"expected a number"),
        ("fraction=", r"fraction=: expected a number"),
        ("rho=-0.1", r"rho=-0.1: expected a number >= 0"),
        ("top_k=0", r"expected a whole number >= 1"),
        ("flip=1", r"flip=1: expected true or false"),
        ("compile=none", r"expected true or false"),
        ("precision=float16", r"expected one of 'float32', 'bfloat16'"),
        ("batch_norm=eval", r"batch_norm=eval: expected 'batch' or none"),
        ("loss_reduction=mean", r"expected 'mean-per-batch' or none"),
        ("fraction", r"'fraction' is no assignment; expected NAME=VALUE"),
        ("=0.1", r"is no assignment"),
    ],
)
def test_refused_with_a_remedy(assignment, message):
    with pytest.raises(ParameterError, match=message):
        parse_assignments("selection", [assignment])


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("fraction=1e-3", 0.001),
        ("fraction=1", 1.0),
        ("fraction=.5", 0.5),
        ("seed=+7", 7),
        ("seed=007", 7),
        ("flip=TRUE", True),
        ("rho=none", 0.1),
        ("rho=0", 0.0),
        ("width= 16", 16),
        ("network=torchvision:inception_v3", "torchvision:inception_v3"),
    ],
)
def test_understood(assignment, value):
    parameters = parse_assignments("selection", [assignment])
    read = getattr(parameters, assignment.partition("=")[0])
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "values",
    [{"seed": True}, {"seed": 1.0}, {"fraction": True}, {"dataset": 3}, {"rho": float("nan")}, {"flip": 1}],
)
def test_values_of_another_type_are_not_converted(values):
    (name,) = values
    with pytest.raises(ParameterError, match=f"{name}=.*expected"):
        parse("selection", values)


def test_a_parameter_given_twice_is_refused_even_when_equal():
    with pytest.raises(ParameterError, match="seed is given twice"):
        parse_assignments("selection", ["seed=0", "seed=0"])


def test_unknown_experiment_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'selection'"):
        parse("selecton", {})


def test_options_belong_to_methods():
    with pytest.raises(ParameterError, match="rho: method 'uniform' has none"):
        parse("selection", {"method": "uniform", "rho": 0.1})
    assert parse("selection", {"method": "uniform", "rho": None}).rho is None


def test_none_is_resolved_by_data_set_network_and_method():
    parameters = SelectionParameters(dataset="cifar10", network="convnet")
    assert (parameters.width, parameters.epochs, parameters.selection_epochs) == (128, 200, 10)
    assert (parameters.rho, parameters.top_k) == (0.1, 100)
    assert SelectionParameters(dataset="cifar10", width=3, epochs=2).epochs == 2
    assert SelectionParameters(network="torchvision:inception_v3").width is None


def test_key_is_the_documented_hash():
    parameters = SelectionParameters(method="uniform")
    content = {"experiment": "selection", "parameters": parameters.canonical()}
    assert "rho" not in content["parameters"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert parameters.key == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_equal_runs_have_equal_keys_however_they_are_written():
    keys = {
        SelectionParameters(rho=0.1).key,
        SelectionParameters().key,
        parse("selection", {"rho": "1e-1", "top_k": "100"}).key,
        parse("selection", SelectionParameters().canonical()).key,
        parse("selection", SelectionParameters().model_dump()).key,
    }
    assert len(keys) == 1
    assert SelectionParameters(rho=-0.0).key == SelectionParameters(rho=0.0).key
    assert SelectionParameters(fraction=1).key == SelectionParameters(fraction=1.0).key


def test_what_replaces_a_default_leaves_it_out():
    chosen = SelectionParameters(rho_choice="held-out", training_steps=50).canonical()
    assert not {"rho", "epochs", "evaluate_every"} & chosen.keys()
    for values, message in (
        ({"rho_choice": "held-out", "rho": "0.1"}, "rho: rho_choice= is given too"),
        ({"training_steps": "50", "epochs": "3"}, "epochs: training_steps= is given too"),
        ({"method": "craig", "rho_choice": "held-out"}, "rho_choice: method 'craig' has no rho"),
    ):
        with pytest.raises(ParameterError, match=message):
            parse("selection", values)


def test_each_parameter_enters_the_key():
    different = {
        "dataset": "mnist", "method": "uniform", "fraction": 0.1, "seed": 1, "rho": 0.2, "top_k": 99, "weighted": True,
        "network": "convnet", "width": 31, "selection_epochs": 99, "epochs": 99, "evaluate_every": 99,
        "batch_size": 127, "learning_rate": 0.2, "crop_padding": 2, "flip": True, "precision": "bfloat16",
        "compile": True, "loss_reduction": "mean-per-batch", "batch_norm": "batch",
        "double_softmax": True, "gradients": "last-layer", "ridge": 0.1, "eta": 0.2, "rounds": 3, "damping": 0.3,
        "official_kernel": True, "cut_lambda": 0.4, "raw_logits": True, "official_order": True, "num_neighbours": 5,
        "across_classes": True, "label_noise": 0.1, "imbalance": 10.0, "selection_weight_decay": 0.1,
        "learner": "convnet", "learner_width": 7, "rho_choice": "held-out", "official_weights": True,
        "selection_optimizer": "adam", "selection_learning_rate": 0.3, "training_steps": 98,
    }  # fmt: skip
    assert different.keys() == SelectionParameters.model_fields.keys()
    method_of = {option: method for method, options in METHOD_OPTIONS.items() for option in options}
    keys = set()
    for name, value in different.items():
        method = {} if name == "method" else {"method": method_of.get(name, "lcmat-s")}
        beside = {"learner": "vgg16"} if name == "learner_width" else {}
        keys |= {run.key for run in (SelectionParameters(**method), SelectionParameters(**method, **beside))}
        keys.add(SelectionParameters(**method, **beside, **{name: value}).key)
    assert len(keys) == len(different) + len(set(method_of.values()) | {"lcmat-s"}) + len(["beside"])


def test_a_learner_like_the_selecting_network_is_none():
    plain = SelectionParameters(network="convnet")
    assert SelectionParameters(network="convnet", learner="convnet") == plain
    assert SelectionParameters(network="convnet", selection_weight_decay=5e-4) == plain
    other = SelectionParameters(network="convnet", learner="vgg16")
    assert (other.width, other.learner_width) == (128, 64)
    assert SelectionParameters(network="convnet", width=8, learner="convnet").learner_width == 128
    with pytest.raises(ParameterError, match="learner_width: name the trained network too"):
        parse("selection", {"learner_width": 8})
    with pytest.raises(ParameterError, match="no network; did you mean 'convnet'"):
        parse("selection", {"learner": "convnett"})


def test_parameters_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        SelectionParameters().seed = 1


def test_each_parameter_is_described_in_one_line():
    for field in SelectionParameters.model_fields.values():
        assert field.description and len(field.description) < 100
        assert expected(field)


def test_tables_agree_with_the_registries():
    from lcmat.data import DATASETS
    from lcmat.models import MODELS
    from lcmat.selection import METHODS

    assert {name: method.options for name, method in METHODS.items()} == METHOD_OPTIONS
    assert {name: method.title for name, method in METHODS.items()} == METHOD_TITLES
    assert {name: model.width for name, model in MODELS.items()} == NETWORK_WIDTHS
    assert {name: method.evidence for name, method in METHODS.items() if method.evidence} == METHOD_EVIDENCE
    assert list(DATASETS) == list(DATASET_DEFAULTS)
    options = {option for known in METHOD_OPTIONS.values() for option in known}
    assert options <= SelectionParameters.model_fields.keys()
