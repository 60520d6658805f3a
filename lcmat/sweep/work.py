"""How much there is to do in each stage of a run, counted in images that go through a network.

A synthetic image whose gradient is differentiated once more counts three times. What a step costs whatever its size is
left out, so that a run with larger batches is judged too long on networks as small as those of the digits.
"""

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from lcmat.config import CondensationParameters, ContinualParameters, Experiment, SelectionParameters
from lcmat.config.datasets import DATASETS
from lcmat.config.registry import METHODS
from lcmat.config.selection import PAPER_RADII

if TYPE_CHECKING:
    from lcmat.condensation.recipe import CondensationRecipe

_FORWARD = 1 / 3
_TWICE = 3
_SCORING_NETWORKS = {"error_norms": 3, "gradient_norms": 3, "forgetting_events": 1}
"""Evidence -> networks that are trained for it, each like the selecting one."""


class Images(NamedTuple):
    """Images that go through a network and back, and images that are only looked at, which takes a third of that.

    >>> Images(10.0, 6.0).passes
    12.0
    """

    trained: float
    seen: float = 0.0

    @property
    def passes(self) -> float:
        """Both, in images that go through and back."""
        return self.trained + _FORWARD * self.seen


Work = dict[str, Images]


def work_of(run: Experiment) -> Work:
    """Stage -> images; a stage that is missing takes as long whatever the parameters say.

    >>> work_of(SelectionParameters(fraction=1.0, epochs=2))["training"]
    Images(trained=2874.0, seen=360)
    """
    counts = DATASETS[run.canonical()["dataset"]].counts
    train, test, classes = sum(counts["train"]), sum(counts["test"]), len(counts["train"])
    match run:
        case SelectionParameters():
            return _of_selection(run, train, test)
        case CondensationParameters():
            return _of_condensation(run, train, test, classes)
        case ContinualParameters():
            return _of_replay(run, train, test, classes)
    raise TypeError(f"nothing is known of the stages of {run.experiment!r}: describe them in {__name__}")


def needs_view(run: Experiment) -> bool:
    """Whether a network must be trained on all images before the run can choose some."""
    values = run.canonical()
    return "selection_epochs" in values and METHODS[values["method"]].looks


def passes(recipe: "CondensationRecipe", num_classes: int, num_images: int) -> tuple[int, int]:
    """Images of a whole condensation that go through the network and back once, and synthetic ones that do so twice.

    DM, which compares features, does a third for both.

    Args:
        recipe: of the condensation.
        num_classes: of the data.
        num_images: originals, equally many of each class.
    """
    decoded = recipe.ipc * recipe.factor**2
    real, synthetic = min(recipe.real_batch, num_images // num_classes), min(recipe.synthetic_batch or decoded, decoded)
    steps = recipe.num_steps
    trainings = 0 if recipe.train_on == "nothing" else steps - steps // recipe.inner_steps
    learnt = num_classes * decoded if recipe.train_on == "synthetic" else num_images
    seen = recipe.network_epochs * min(recipe.network_images or learnt, learnt)
    return steps * num_classes * real + trainings * seen, steps * num_classes * synthetic


def _of_selection(run: SelectionParameters, train: int, test: int) -> Work:
    assert run.selection_epochs
    size = run.fraction * train
    epochs = run.epochs or max(1, round((run.training_steps or 0) / ceil(size / run.batch_size)))
    evaluations = ceil(epochs / (run.evaluate_every or epochs))
    tuning = {"radii": _training(len(PAPER_RADII) * epochs, size, 0)} if run.rho_choice else {}
    networks = sum(_SCORING_NETWORKS.get(name, 0) for name in METHODS[run.method].evidence)
    scoring = {"evidence": _training(networks * run.selection_epochs, train, networks * train)} if networks else {}
    # The selecting network is tested once, and looks at all images.
    viewing = {"selector": _training(run.selection_epochs, train, train + test)} if needs_view(run) else {}
    return {**viewing, **scoring, **tuning, "training": _training(epochs, size, evaluations * test)}


def _of_condensation(run: CondensationParameters, train: int, test: int, classes: int) -> Work:
    assert run.evaluation_epochs
    times = run.evaluations
    evaluation = _training(times * run.evaluation_epochs, classes * run.ipc, times * test)
    if run.outer_iterations is not None:
        from lcmat.experiments.condensing import recipe  # imports torch

        return {"condensation": _condensing(recipe(run, classes), classes, train), "evaluation": evaluation}
    choosing = {"condensation": _training(run.selection_epochs, train, train + test)} if run.selection_epochs else {}
    return {**choosing, "evaluation": evaluation}


def _of_replay(run: ContinualParameters, train: int, test: int, classes: int) -> Work:
    """The memory grows from stage to stage, and so do the test images; the last stage has all."""
    assert run.epochs
    grown = (run.num_stages + 1) / 2
    training = _training(run.epochs, grown * classes * run.ipc, grown * test)
    if run.selection_epochs:
        return {"memory": _training(run.selection_epochs, train, train), "training": training}
    from lcmat.experiments.memory.condensed import condensation_recipe  # imports torch

    new, images = max(1, classes // run.num_stages), train // run.num_stages
    condensing = _condensing(condensation_recipe(run), new, images)
    return {"memory": Images(run.num_stages * condensing.trained), "training": training}


def _training(epochs: int, images: float, seen: float) -> Images:
    """Training on so many images, and looking at others."""
    return Images(epochs * images, seen)


def _condensing(recipe: "CondensationRecipe", num_classes: int, num_images: int) -> Images:
    once, twice = passes(recipe, num_classes, num_images)
    return Images(once + _TWICE * twice)
