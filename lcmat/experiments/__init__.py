"""The experiments: what a run computes, and which code that involves. Importing this package does not import torch."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from lcmat.config import Experiment
from lcmat.defaults import METHOD_EVIDENCE, METHOD_OPTIONS, ZOO_PREFIX
from lcmat.fingerprint import fingerprint
from lcmat.records import Record

NETWORK_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "digits-net": "lcmat.models.convnet",
        "convnet": "lcmat.models.convnet",
        "resnet18": "lcmat.models.resnet",
        "wrn16-8": "lcmat.models.resnet",
        "resnet10": "lcmat.models.resnet10",
        "vgg16": "lcmat.models.vgg",
        "inception-v3": "lcmat.models.inception",
    }
)

EVIDENCE_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "boundary_distances": "lcmat.experiments.evidence.boundary",
        "error_norms": "lcmat.experiments.evidence.norms",
        "forgetting_events": "lcmat.experiments.evidence.forgetting",
        "gradient_norms": "lcmat.experiments.evidence.norms",
        "validation": "lcmat.experiments.evidence.validation",
    }
)

# What a record states otherwise (data by their hash, parameters by their values), what only carries results to and
# fro, and the registries, so that a new method or network leaves the records of the others valid.
_NO_PART = (
    "lcmat.checkpoints",
    "lcmat.config",
    "lcmat.config.condensation",
    "lcmat.config.condensation_defaults",
    "lcmat.data",
    "lcmat.data.own",
    "lcmat.defaults",
    "lcmat.experiments",
    "lcmat.experiments.caching",
    "lcmat.experiments.evidence",
    "lcmat.experiments.memory",
    "lcmat.experiments.session",
    "lcmat.models",
    "lcmat.paths",
    "lcmat.records",
    "lcmat.selection",
    "lcmat.selection.registry",
    "lcmat.training",
    "lcmat.training.resume",
)
_TRAINING = ("lcmat.data.dataset", "lcmat.models.network", "lcmat.training.evaluation", "lcmat.training.loop")


def code_fingerprint(parameters: Experiment) -> str:
    """Fingerprint of the code behind a run with these parameters; a record that has another one is stale."""
    return fingerprint(*code_modules(parameters.experiment, parameters.canonical()), without=_NO_PART)


def code_fingerprints(runs: Iterable[Experiment]) -> dict[str, str]:
    """`code_fingerprint` of each run by its key; what runs have in common is read once."""
    fingerprint_of = cache(lambda modules: fingerprint(*modules, without=_NO_PART))
    return {run.key: fingerprint_of(code_modules(run.experiment, run.canonical())) for run in runs}


def stale_keys(records: Iterable[Record]) -> set[str]:
    """Keys of the records that other code made than today's."""
    fingerprint_of = cache(lambda modules: fingerprint(*modules, without=_NO_PART))
    return {r.key for r in records if r.fingerprint != fingerprint_of(code_modules(r.experiment, r.parameters))}


def code_modules(experiment: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that a run's numbers come from, besides what these import.

    Args:
        experiment: a key of `lcmat.config.EXPERIMENTS`.
        parameters: as `Experiment.canonical` gives them.
    """
    return _MODULES_OF[experiment](parameters)


@cache  # a process computes with the code that it has imported, and asks for this at every stage
def training_fingerprint(network: str) -> str:
    """Fingerprint of the code that trains this network and applies it."""
    return fingerprint(network_module(network), *_TRAINING, without=_NO_PART)


def measurement_fingerprint(module: str, *methods: str, networks: Iterable[str] = ("convnet", "digits-net")) -> str:
    """Fingerprint of the code behind a stored measurement.

    Args:
        module: dotted name of the module that makes it.
        methods: selection methods that it calls.
        networks: the networks that it trains.
    """
    selection = ["lcmat.selection.selector", *(f"lcmat.selection.{method_module(method)}" for method in methods)]
    parts = (module, *(selection if methods else ()), *map(network_module, networks), *_TRAINING)
    return fingerprint(*parts, without=_NO_PART)


def method_module(method: str) -> str:
    """Module of `lcmat.selection` that defines a method.

    >>> method_module("lcmat-s")
    'lcmat_s'
    """
    return method.replace("-", "_")


def network_module(network: str) -> str:
    """Module that defines a network."""
    return "lcmat.models.zoo" if network.startswith(ZOO_PREFIX) else NETWORK_MODULES[network]


def _modules_of_selection(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    method = parameters["method"]
    own = ("lcmat.experiments.selection", "lcmat.selection.selector", f"lcmat.selection.{method_module(method)}")
    evidence = (EVIDENCE_MODULES[name] for name in METHOD_EVIDENCE.get(method, ()))
    networks = (network_module(parameters[name]) for name in ("network", "learner") if name in parameters)
    return (*own, *evidence, *networks, *_TRAINING)


def _modules_of_continual(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    method, network = parameters["method"], network_module(parameters["network"])
    selection = ("lcmat.experiments.memory.selected", f"lcmat.selection.{method_module(method)}")
    filling = selection if method in METHOD_OPTIONS else ("lcmat.experiments.memory.condensed",)
    return ("lcmat.experiments.continual", *filling, network, *_TRAINING)


def _modules_of_condensation(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    own = ["lcmat.experiments.condensation", "lcmat.condensation", "lcmat.data.dataset", "lcmat.training.evaluation"]
    if "selection_epochs" in parameters:  # the methods that look at a trained network
        own += [f"lcmat.selection.{method_module(parameters['method'])}", *_TRAINING]
    networks = (network_module(parameters[name]) for name in ("network", "test_network") if name in parameters)
    return (*own, *networks, "lcmat.models.network")


_MODULES_OF: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, ...]]] = MappingProxyType(
    {
        "selection": _modules_of_selection,
        "condensation": _modules_of_condensation,
        "continual": _modules_of_continual,
    }
)
