"""The kinds of measurements: how one is made, stored and read again. Importing this module does not import torch."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from lcmat.config import ParameterError, nearest
from lcmat.experiments import Code
from lcmat.files.paths import check_writable
from lcmat.records import adoptions, measurements

_NETWORKS = ("convnet", "digits-net")
Measure = Callable[..., tuple[dict[str, Any], list[measurements.Row]]]


class Kind(NamedTuple):
    """A kind of measurement.

    Attributes:
        title: what is measured.
        function: `module:function` in this package. The function takes the name of a data set, and options by keyword;
            it returns the content of the file but for what is said of every measurement, and rows.
        datasets: those whose measurement is stored, in the order in which chapters show them.
        methods: selection methods that it calls.
        digits: significant digits that are stored.
        clock: `wall_seconds`, or `processor_seconds` where other programs should not count.
    """

    title: str
    function: str
    datasets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    digits: int = 6
    clock: str = "wall_seconds"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "curvature-gap": Kind(
            "each inequality of the derivation, over many subsets and radii",
            "curvature_gap:measure_dataset",
            datasets=("fashion-mnist", "cifar10"),
            methods=("lcmat-s",),
            digits=7,
        ),
        "loss-surface": Kind(
            "the loss of all images and of coresets around a trained network (Figure 1)",
            "loss_surface:measure_dataset",
            datasets=("fashion-mnist",),
            methods=("lcmat-s", "uniform"),
        ),
        "gradient-variance": Kind(
            "the gradient variance beside the Hessian diagonal, epoch by epoch",
            "gradient_variance:measure_dataset",
            datasets=("fashion-mnist", "cifar10"),
            digits=5,
        ),
        "selected-images": Kind(
            "the images that each method selects, and how typical they are (Figure 7)",
            "selected_images:measure_dataset",
            datasets=("fashion-mnist", "cifar10"),
            methods=("craig", "k-center", "lcmat-s", "uniform"),
            digits=5,
        ),
        "explanation": Kind(
            "both terms of the bound for the coreset of each record (Figure 2)",
            "explanation:measure_dataset",
            datasets=("cifar10",),
        ),
        "coverage": Kind(
            "how well the chosen images stand for the others of their class",
            "coverage:measure_dataset",
            datasets=("cifar10",),
        ),
        "feature-map": Kind(
            "where the chosen images lie among the others of a class",
            "feature_map:measure_dataset",
            datasets=("cifar10",),
            digits=4,
        ),
        "condensation-tuning": Kind(
            "settings of the small condensation benchmarks, on held-out images",
            "condensation_tuning:measure_dataset",
            datasets=("digits", "fashion-mnist", "cifar10"),
            digits=5,
            clock="processor_seconds",
        ),
        "condensation-evaluation": Kind(
            "the spread of networks that are trained on the same images",
            "condensation_evaluation:measure_dataset",
            datasets=("digits",),
            digits=5,
            clock="processor_seconds",
        ),
    }
)
"""Name -> kind; a measurement of it is stored in `book/measurements/<name>/`."""


def options_of(name: str) -> dict[str, Any]:
    """The options of a kind with their defaults.

    Raises:
        ParameterError: there is no such kind.

    >>> options_of("condensation-evaluation")
    {'held_out': 359}
    """
    parameters = inspect.signature(_function(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def make(name: str, dataset: str, options: Mapping[str, Any]) -> Path:
    """Measure a data set on one thread and store the result.

    Args:
        name: of the kind.
        dataset: name of the data set.
        options: values of some of `options_of`.

    Returns:
        The file.

    Raises:
        ParameterError: there is no such kind, or it cannot measure this data set.
        OSError: the result could not be written.
    """
    function, kind = _function(name), KINDS[name]
    check_writable(measurements.path_of(name, dataset).parent)
    import torch

    torch.set_num_threads(1)
    clock = time.process_time if kind.clock == "processor_seconds" else time.perf_counter
    code, started = fingerprint_of(name), clock()
    content, rows = function(dataset, **options)
    about = {"torch": torch.__version__, "fingerprint": code, kind.clock: round(clock() - started)}
    return measurements.write(name, dataset, about | content, rows, digits=kind.digits)


def stored(name: str) -> dict[str, dict[str, Any]]:
    """The stored measurements of a kind, by data set.

    Raises:
        FileNotFoundError: one is missing; the message tells how to make it.
    """
    return {dataset: measurements.read(name, dataset) for dataset in KINDS[name].datasets}


def code_of(name: str) -> Code:
    """The present code of a kind."""
    module = KINDS[name].function.partition(":")[0]
    return Code(f"{__package__}.{module}", KINDS[name].methods, _NETWORKS)


def fingerprint_of(name: str) -> str:
    """Fingerprint of the present code of a kind."""
    return code_of(name).fingerprint()


def is_current(name: str, content: Mapping[str, Any]) -> bool:
    """Whether the present code made a stored measurement of a kind, or code in which nothing that counts was other."""
    return content["fingerprint"] in adoptions.lineage(fingerprint_of(name))


def made_by(name: str, content: Mapping[str, Any]) -> str:
    """`is_current`, in words for a page."""
    return "the present code" if is_current(name, content) else "**other code than the present (stale)**"


def _function(name: str) -> Measure:
    if name not in KINDS:
        raise ParameterError(f"{name!r} is no kind of measurement; {nearest(name, KINDS)}")
    module, _, function = KINDS[name].function.partition(":")
    return cast("Measure", getattr(import_module(f"{__package__}.{module}"), function))
