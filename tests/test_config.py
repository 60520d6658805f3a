import hashlib
import inspect
import json

import pytest
from pydantic import ValidationError

from lcmat.config import (
    ParameterError,
    SelectionParameters,
    expected,
    having,
    parse,
    parse_assignments,
)
from lcmat.config.datasets import DATASETS
from lcmat.config.defaults import AUGMENTATIONS, DATASET_DEFAULTS
from lcmat.config.feasibility import class_sizes
from lcmat.config.registry import METHODS, MODELS, OPTIONS


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
        ("method=random", r"'random' is no method; did you mean 'uniform'"),
        ("method=LCMat-S", r"did you mean 'lcmat-s'"),
        ("method=kCenterGreedy", r"did you mean 'k-center'"),
        ("dataset=CIFAR-10", r"did you mean 'cifar10'"),
        ("lr=0.1", r"did you mean 'learning_rate'"),
        ("network=torchvision:", r"'torchvision:' is no network"),
        ("network=torchvision:<img src=x onerror=alert()>", r"is no network"),
        ("network=torchvision:a/../b", r"is no network"),
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
        ("across_classes=false", r"across_classes=False: expected True or none"),
        ("across_classes=1", r"across_classes=1: expected True or none"),
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
        ("fraction=5e-3", 0.005),
        ("fraction=1", 1.0),
        ("fraction=.5", 0.5),
        ("seed=+7", 7),
        ("seed=007", 7),
        ("flip=TRUE", True),
        ("rho=none", 0.1),
        ("rho=0", 0.0),
        ("width= 16", 16),
        ("network=resnet18", "resnet18"),
        ("across_classes=True", True),
        ("across_classes=true", True),
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
    assert SelectionParameters(dataset="cifar10", network="torchvision:inception_v3").width is None


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
        "selection_optimizer": "adam", "selection_learning_rate": 0.3, "training_steps": 98, "compared": "features",
    }  # fmt: skip
    assert different.keys() == SelectionParameters.model_fields.keys()
    method_of = {option: name for name, method in METHODS.items() for option in method.options}
    keys = set()
    for name, value in different.items():
        method = {} if name == "method" else {"method": method_of.get(name, "lcmat-s")}
        beside = {"learner_width": {"learner": "vgg16"}, "batch_norm": {"network": "resnet18"}}.get(name, {})
        keys |= {run.key for run in (SelectionParameters(**method), SelectionParameters(**method, **beside))}
        keys.add(SelectionParameters(**method, **beside, **{name: value}).key)
    assert len(keys) == len(different) + len(set(method_of.values()) | {"lcmat-s"}) + len(["learner", "network"])


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


def test_every_option_of_a_method_is_a_parameter():
    assert SelectionParameters.model_fields.keys() >= OPTIONS
    assert list(DATASETS) == list(DATASET_DEFAULTS)


def test_networks_without_batch_norm_are_those_that_have_none():
    from torch.nn.modules.batchnorm import _BatchNorm

    from lcmat.models import build

    for name, model in MODELS.items():
        parts = build(name, num_classes=2, image_size=32, width=8).modules()
        assert model.batch_norm == any(isinstance(part, _BatchNorm) for part in parts), name


@pytest.mark.parametrize("name", METHODS)
def test_the_signature_read_from_the_source_is_that_of_the_function(name):
    method = METHODS[name]
    parameters = inspect.signature(method.function).parameters.values()
    found = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    told = method.options | dict.fromkeys(method.evidence, inspect.Parameter.empty)
    assert told == {name: default for name, default in found.items() if name != "bias"}
    assert method.sees_bias == ("bias" in found)


def test_augmentations_are_those_that_can_be_done():
    from lcmat.data.augmentation.siamese import DSA_STRATEGY, operations

    assert operations("_".join(AUGMENTATIONS)) == AUGMENTATIONS
    assert DSA_STRATEGY.split("_") == list(AUGMENTATIONS)


@pytest.mark.parametrize("ratio", [1.5, 10.0, 200.0])
def test_classes_of_a_long_tail_are_as_large_as_foreseen(ratio):
    import torch

    from lcmat.data import load
    from lcmat.data.corruption import long_tailed

    tailed = long_tailed(load("digits").train, ratio, torch.Generator().manual_seed(0))
    assert torch.bincount(tailed.labels).tolist() == class_sizes("digits", ratio)


@pytest.mark.parametrize(
    ("experiment", "words", "message"),
    [
        ("selection", "fraction=0.003", "fraction: 0.003 of the 139 images of a class rounds to 0 samples"),
        ("selection", "dataset=cifar100 fraction=0.001", "use a fraction above 0.001"),
        ("selection", "imbalance=100 fraction=0.05", "of the 1 images of a class"),
        ("selection", "batch_norm=batch", "batch_norm: the network 'digits-net' has no batch norm"),
        ("selection", "batch_norm=batch network=convnet", "'convnet' has no batch norm"),
        ("selection", "method=glister-val fraction=0.95", "142 of 1437 images are held out"),
        ("selection", "rho_choice=held-out fraction=0.95", "142 of 1437 images are held out"),
        ("selection", "method=gradmatch-val imbalance=200 fraction=0.6", "one has but one image"),
        ("selection", "crop_padding=8", "crop_padding: only less than 8 pixels of a 8x8 image"),
        ("selection", "batch_size=1 network=resnet18", "batch_size: batch norm has no variance"),
        ("selection", "batch_size=1 learner=resnet18", "batch_size: batch norm has no variance"),
        ("selection", "network=torchvision:resnet18", "network: 'torchvision:resnet18' takes three channels"),
        ("selection", "learner=torchvision:resnet18", "learner: 'torchvision:resnet18' takes three channels"),
        ("selection", "dataset=svhn network=torchvision:resnet18 width=3", "width: 'torchvision:resnet18' has its own"),
        ("condensation", "evaluation_augmentation=colr", "'colr' is no operation; did you mean 'color'"),
        ("condensation", "augmentation=crop_colour", "augmentation: 'colour' is no operation"),
        ("condensation", "network_augmentation=x", "network_augmentation: 'x' is no operation; known: color, crop"),
        ("condensation", "real_batch=1", "real_batch: the variance of one image is undefined"),
        ("condensation", "method=uniform", "'uniform' is no method; did you mean 'random'"),
        ("continual", "method=lcmat-c real_batch=1", "real_batch: the variance of one image is undefined"),
        ("condensation", "method=herding ipc=140", "ipc: a class of digits has only 139 images"),
        ("condensation", "compile=true", "compile: it works on one class at a time"),
        ("condensation", "test_network=torchvision:vgg11", "takes three channels, and digits has 1"),
        ("continual", "num_stages=3", "num_stages: 10 classes cannot be cut into 3"),
        ("continual", "method=craig ipc=200", "ipc: a class of digits has only 139 images"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(experiment, words, message):
    with pytest.raises(ParameterError, match=message):
        parse_assignments(experiment, words.split())


def test_what_just_works_is_not_refused():
    for words in (
        "fraction=0.0036",
        "fraction=0.001 across_classes=true",
        "method=glister-val fraction=0.9",
        "batch_size=1",
        "network=resnet18 batch_norm=batch",
        "crop_padding=7",
    ):
        parse_assignments("selection", words.split())
    parse_assignments("condensation", ["method=random", "ipc=139"])
    parse_assignments("condensation", ["augmentation=none"])


def test_as_many_images_are_held_out_as_is_foreseen():
    from lcmat.data import load
    from lcmat.experiments.held_out import held_out_rows

    assert len(held_out_rows(load("digits").train.labels, 0)) == 142


def test_runs_are_chosen_by_values():
    runs = [parse("selection", {"seed": seed, "rho": rho}) for seed in range(3) for rho in (0.0, 0.5)]
    runs += [parse("selection", {"method": "uniform", "seed": 1}), parse("condensation", {"seed": 1})]
    assert having(runs, []) == runs
    assert having(runs, ["seed=1", "rho=0"]) == [runs[2]]
    assert having(runs, ["seed=2", "seed=0", "rho=0.5"]) == [runs[1], runs[5]]
    assert having(runs, ["rho=none"]) == [runs[6]]
    assert having(runs, ["ipc=10"]) == [runs[7]]
    assert having(runs, ["test_network=None"]) == [runs[7]]
    with pytest.raises(ParameterError, match="none of the runs has seed=7; there are: 0, 1, 2"):
        having(runs, ["seed=7"])
    with pytest.raises(ParameterError, match="sed is no parameter of these runs; did you mean 'seed'"):
        having(runs, ["sed=1"])
