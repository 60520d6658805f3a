"""The stages of the experiments in small: each takes a run's parameters and the scale, and gives values by name."""

import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import drawn

Values = dict[str, Any]


def fingerprints(run: Any, scale: Values) -> Values:
    """Of the code behind a run and behind what it keeps in the cache, as this tree names it."""
    from lcmat import experiments

    found = {"run": experiments.code_fingerprint(run)}
    if run.experiment == "condensation":
        plain = run.model_copy(update={"test_network": None, "test_width": None})
        found["set"] = experiments.code_fingerprint(plain)
    if run.experiment == "continual":
        found["stage view"] = experiments.training_fingerprint(run.network, "lcmat.experiments.memory.selected")
    elif run.selection_epochs is not None:
        for part in ("selecting", "embedding"):
            found[part] = experiments.training_fingerprint(run.network, f"lcmat.experiments.{part}")
    for name in drawn.evidence_of(run.method) if run.experiment == "selection" else ():
        found[name] = experiments.measurement_fingerprint(_provider(name), networks=[run.network])
    return {**found, "measurements": _of_measurements()}


@cache
def _of_measurements() -> Values:
    """Fingerprints of the code behind stored measurements; none of a tree so old that it has no such module."""
    try:
        kinds = import_module("lcmat.measurements.kinds")
    except ImportError:
        return {}
    return {name: kinds.fingerprint_of(name) for name in kinds.KINDS}


def data(run: Any, scale: Values) -> Values:
    """The images themselves, made worse where the run asks for it, and how they are normalised."""
    found: Values = {}
    for split in _experiment(run).load_data(run):
        found |= {f"{split.split} images": split.images, f"{split.split} labels": split.labels}
        found[f"{split.split} normalised"] = split.normalized(slice(0, 100))
    return found


def training(run: Any, scale: Values) -> Values:
    """The selecting network's view in both modes of batch norm, and a training that is killed and resumed."""
    run = run.model_copy(update={"selection_epochs": scale["epochs"]})
    whole, part = (drawn.splits(run.dataset, scale["images"] // by, scale["test_images"]) for by in (1, 4))
    found = _resumed(run, part.train)
    for mode, splits in ((None, whole), ("batch", part)):
        try:
            view = _experiment(run).selector_view(run.model_copy(update={"batch_norm": mode}), splits, "cpu")
        except ValueError as error:  # a network without batch norm
            found[f"view {mode}"] = str(error)
        else:
            found |= {f"view {mode} features": _finite(view.features), f"view {mode} logits": view.logits}
            found[f"view {mode} accuracy"] = view.test_accuracy_percent
    return found


def _resumed(run: Any, images: Any) -> Values:
    from lcmat.experiments.selecting import make_network, selector_recipe
    from lcmat.training import train

    calls = []

    def kill(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise InterruptedError

    def attempt(state: Path, progress: Callable[..., None] | None) -> Values:
        network, recipe = make_network(run, images, "selector"), selector_recipe(run)
        options: Values = {"checkpoint": state, "checkpoint_seconds": 0.0, "progress": progress}
        result = train(network, images, recipe=recipe, generator=drawn.generator(), **options)
        return {"losses": _finite(result.losses), **_weights("resumed", network)}

    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state.safetensors")
        try:
            attempt(state, kill)
        except InterruptedError:
            return attempt(state, None)
    raise AssertionError("the training was not killed: it reports too rarely")


def evidence(run: Any, scale: Values) -> Values:
    """What the method is told beyond the selecting network's view, and the rows that are held out."""
    from lcmat.experiments.held_out import held_out

    run = run.model_copy(update={"selection_epochs": scale["epochs"]})
    splits = drawn.splits(run.dataset, scale["images"] // 10, scale["test_images"])
    found: Values = {"held out": held_out(run, splits)}
    for name, value in _experiment(run).gather(run, splits, "cpu").items():
        parts = {"": value} if isinstance(value, Tensor) else value._asdict()
        found |= {f"{name} {part}": tensor for part, tensor in parts.items()}
    return found


def selection(run: Any, scale: Values) -> Values:
    """What is chosen from drawn features, for each size of a class."""
    found: Values = {}
    for size in scale["class_sizes"]:
        splits = drawn.labelled(torch.arange(2 * size) % 2)
        view, told = drawn.view(run, splits, scale["features"])
        coreset = _experiment(run).choose(run, view, splits, told).coreset
        parts = {"indices": coreset.indices, "weights": coreset.weights, "gains": coreset.gains}
        found |= {f"{name} of {size}": value for name, value in parts.items()}
    return found


def learner(run: Any, scale: Values) -> Values:
    """A network trained on a few images for all epochs."""
    from lcmat.experiments.session import begin
    from lcmat.selection import Coreset

    count, epochs = scale["coreset"], scale["learner_epochs"] or run.epochs or run.training_steps
    every = max(run.evaluate_every or epochs, epochs // 4)
    run = run.model_copy(update={"epochs": epochs, "training_steps": None, "evaluate_every": every})
    splits = drawn.splits(run.dataset, 2 * count, scale["test_images"])
    weights = torch.rand(count, generator=drawn.generator(), dtype=torch.float64) + 0.5
    coreset = Coreset(torch.arange(count).flip(0), weights, torch.full((count,), torch.nan, dtype=torch.float64))
    result = _experiment(run).train_on_coreset(begin(run), coreset, splits)
    if isinstance(result, Exception):
        return {"diverged": str(result)}
    return {"losses": result.losses, "accuracies": result.accuracies_percent}


def condensation(run: Any, scale: Values) -> Values:
    """A set learnt in some steps, or taken, and a network trained on it."""
    from lcmat.experiments.session import begin

    experiment, session = _experiment(run), begin(run)
    splits = drawn.splits(run.dataset, scale["condensed_images"], scale["test_images"])
    condensed = experiment.condense(session, splits)
    if isinstance(condensed, Exception):
        return {"diverged": str(condensed)}
    evaluation = experiment.evaluate(session, condensed, splits)
    found = {"images": condensed.synthetic.images, "labels": condensed.synthetic.labels, "losses": condensed.losses}
    found |= {"rho": condensed.rho, "accuracies": getattr(evaluation, "accuracies", str(evaluation))}
    return {**found, **_learnt(condensed.synthetic, experiment.evaluation_recipe(run))}


def replay(run: Any, scale: Values) -> Values:
    """Two stages of class-incremental learning."""
    from lcmat.experiments.session import begin

    experiment = _experiment(run)
    splits = drawn.splits(run.dataset, scale["condensed_images"], scale["test_images"])
    outcome = experiment.replay(begin(run), splits)
    if isinstance(outcome, Exception):
        return {"diverged": str(outcome)}
    found = {"images": outcome.memory.images, "labels": outcome.memory.labels, "accuracies": outcome.accuracies}
    return {**found, **_learnt(outcome.memory, experiment.learner_recipe(run))}


def repeat(run: Any, scale: Values) -> Values:
    """A whole run, on the real images."""
    record = _experiment(run).run(run)
    return {
        "status": record.status,
        "metrics": record.metrics,
        "series": record.series,
        "device": record.device,
        "versions": record.versions,
    }


STAGES: dict[str, Callable[[Any, Values], Values]] = {
    stage.__name__: stage
    for stage in (fingerprints, data, training, evidence, selection, learner, condensation, replay, repeat)
}


def _learnt(images: Any, recipe: Any) -> Values:
    """The weights of a network trained on a set: accuracies alone would not show their last bits."""
    from lcmat.condensation import train_on_set

    return _weights("learner", train_on_set(images, recipe, generator=drawn.generator()))


def _weights(name: str, network: Any) -> Values:
    return {f"{name} {part}": _finite(tensor) for part, tensor in network.state_dict().items()}


def _finite(values: Any) -> Any:
    """What is not finite would be equal whatever made it."""
    if not bool(torch.as_tensor(values).isfinite().all()):
        raise ArithmeticError("a training on made-up images diverged, which compares nothing")
    return values


def _provider(evidence: str) -> str:
    """The module that computes evidence."""
    try:
        from lcmat.config.registry import EVIDENCE
    except ImportError:  # a tree of the first edition
        module: str = import_module("lcmat.experiments.evidence").PROVIDERS[evidence].__module__
        return module
    return EVIDENCE[evidence].partition(":")[0]


def _experiment(run: Any) -> Any:
    return import_module(f"lcmat.experiments.{run.experiment}")
