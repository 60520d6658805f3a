"""Which stages of recorded runs are compared, how they are made small, and which code each of them executes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lcmat.config import EXPERIMENTS, Experiment, parse
from lcmat.config.registry import METHODS, OPTIONS
from lcmat.experiments import Code, code_of

_CHOICE = {
    "method",
    "fraction",
    "rho_choice",
    "across_classes",
    "batch_norm",
    *OPTIONS,
}
_SELECTOR = {"network", "width", "selection_epochs", "selection_weight_decay"}
_SELECTOR |= {"selection_optimizer", "selection_learning_rate"}
_LEARNER = {
    "training_steps",
    "learner",
    "learner_width",
    "epochs",
    "evaluate_every",
    "crop_padding",
    "flip",
    "weighted",
}
_BOTH = {"batch_size", "learning_rate", "precision", "compile"}
_WORSE = {"label_noise", "imbalance"}

_CHOOSING = ("lcmat.selection.selector", "lcmat.experiments.choosing")
_LOOKING = ("lcmat.experiments.embedding", "lcmat.experiments.batch_statistics")
_TRAINING = ("lcmat.training*", "lcmat.models*", "lcmat.experiments.selecting", "lcmat.experiments.learner", *_LOOKING)
_EVIDENCE = ("lcmat.experiments.evidence*",)
_COMPUTING = (
    *("lcmat.selection*", "lcmat.condensation*", *_TRAINING, *_EVIDENCE),
    *("lcmat.experiments.condensing", "lcmat.experiments.real_images", "lcmat.experiments.memory*"),
)


@dataclass(frozen=True)
class Scale:
    """How small the stages are made.

    Attributes:
        images: of a training; a quarter of them where it is killed and where batch norm sees single classes, a tenth
            where evidence is gathered.
        epochs: of it.
        test_images: on which networks are evaluated.
        class_sizes: samples of a class to select from.
        features: of each of them.
        coreset: images that a learner is trained on.
        learner_epochs: of it; None: as recorded.
        condensed_images: original images where some are condensed or replayed.
    """

    images: int = 2000
    epochs: int = 2
    test_images: int = 100
    class_sizes: tuple[int, ...] = (5000, 500)
    features: int = 128
    coreset: int = 50
    learner_epochs: int | None = None
    condensed_images: int = 1000


FULL = Scale()


@dataclass(frozen=True)
class Stage:
    """A part of an experiment.

    Attributes:
        name: of the function in `lcmat.sweep.adoption.driven.stages`.
        experiment: whose part it is.
        apart: patterns of the experiment's modules that it does not execute.
        chooses: whether it executes the run's method.
        unused: parameters that it does not look at.
        alike: parameters whose values do not matter to the code.
        standing_for: method -> another that is the same to this stage.
        most: parameter -> largest value, so that it is done soon.
        instead: parameter -> value.
    """

    name: str
    experiment: str
    apart: tuple[str, ...] = ()
    chooses: bool = True
    unused: Collection[str] = ()
    alike: Collection[str] = ("dataset", "seed", "class_order_seed")
    standing_for: Mapping[str, str] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    instead: Mapping[str, Any] = field(default_factory=dict)

    def small(self, run: Experiment) -> Experiment:
        """The run with what this stage takes of it, made small."""
        values = self._used(run)
        values |= {name: min(values[name], most) for name, most in self.most.items() if name in values}
        return parse(self.experiment, {**values, **self.instead})

    def kind(self, run: Experiment) -> str:
        """What runs have in common that this stage need see but once: numbers only differ in being zero or not."""
        values = {name: value for name, value in self._used(run).items() if name not in self.alike}
        return " ".join(name if _is_some(value) else f"{name}={value}" for name, value in values.items())

    def code(self, run: Experiment) -> Code:
        """The code that it executes, and that of `apart`."""
        code = code_of(run)
        return code if self.chooses else code._replace(methods=())

    def _used(self, run: Experiment) -> dict[str, Any]:
        values = {name: value for name, value in run.canonical().items() if name not in self.unused}
        if values.get("method") in self.standing_for:
            values["method"] = self.standing_for[values["method"]]
        return values


_STEPS = {"outer_iterations": 2, "inner_steps": 3, "network_images": 500, "selection_epochs": 1, "ipc": 5}
_ANY_METHOD = {"method": "margin"}  # which has no options and looks at the network

_NOT_OF_DATA = {name for model in EXPERIMENTS.values() for name in model.model_fields} - {"dataset", "seed", *_WORSE}

STAGES = (
    *(Stage("data", name, _COMPUTING, unused=_NOT_OF_DATA, alike=("seed",)) for name in EXPERIMENTS),
    Stage(
        *("training", "selection", (*_CHOOSING, "lcmat.experiments.learner")),
        chooses=False,
        unused=_CHOICE | _LEARNER | _WORSE,
        instead=_ANY_METHOD,
    ),
    Stage(
        *("evidence", "selection", _CHOOSING),
        unused=(_CHOICE - {"method"}) | _LEARNER | _WORSE,
        standing_for={name: "margin" for name, method in METHODS.items() if not method.evidence},
    ),
    Stage(
        *("selection", "selection", ("lcmat.training*", "lcmat.models*", "lcmat.experiments.batch_statistics")),
        unused=_SELECTOR | _LEARNER | _BOTH | _WORSE | {"rho_choice"},
        instead={"fraction": 0.02},
    ),
    Stage(
        *("learner", "selection", (*_CHOOSING, *_EVIDENCE)),
        chooses=False,
        unused=_CHOICE | (_SELECTOR - {"network", "width"}) | _WORSE,
        instead=_ANY_METHOD,
    ),
    Stage("condensation", "condensation", most={**_STEPS, "evaluations": 1, "evaluation_epochs": 5}),
    Stage("replay", "continual", most={**_STEPS, "epochs": 5}, instead={"num_stages": 2}),
)


@dataclass(frozen=True)
class Task:
    """One stage of one kind of runs."""

    stage: str
    name: str
    run: Experiment
    scale: Scale = FULL

    def as_json(self) -> dict[str, Any]:
        """For `lcmat.sweep.adoption.driven`."""
        named = {"name": self.name, "stage": self.stage, "experiment": self.run.experiment}
        return {**named, "parameters": self.run.canonical(), "scale": asdict(self.scale)}


@dataclass(frozen=True)
class Comparison:
    """What must be compared before runs may be adopted: the tasks, and changed modules that no stage executes."""

    tasks: list[Task]
    missed: set[str]


def comparison(runs: Iterable[Experiment], old: Path, new: Path, scale: Scale) -> Comparison:
    """The stages of runs whose code differs between two copies of the package.

    Args:
        runs: whose records are to be adopted.
        old: folder of the older copy.
        new: folder of the newer one.
        scale: how small the stages are made.
    """
    tasks: dict[str, Task] = {}
    missed: set[str] = set()
    for run in runs:
        untouched = changed(code_of(run), old, new)
        for stage in (stage for stage in STAGES if stage.experiment == run.experiment):
            touched = changed(stage.code(run), old, new, stage.apart)
            name = f"{stage.name} of {run.experiment}: {stage.kind(run)}"
            if touched and name not in tasks:
                tasks[name] = Task(stage.name, name, stage.small(run), scale)
            untouched -= touched
        missed |= untouched
    return Comparison(list(tasks.values()), missed)


def changed(code: Code, old: Path, new: Path, apart: tuple[str, ...] = ()) -> set[str]:
    """Names of the modules behind a run whose like the other copy has not, whatever it is called there."""
    before, after = (_modules(code, root, apart) for root in (old, new))
    return {
        name for one, other in ((before, after), (after, before)) for name in one if one[name] not in other.values()
    }


def _modules(code: Code, root: Path, apart: tuple[str, ...]) -> dict[str, str]:
    try:
        return code.modules(root, apart)
    except (LookupError, ModuleNotFoundError):  # another package at that time, of which all is different
        return {}


def _is_some(value: Any) -> bool:
    """Whether it is a number but not 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0
