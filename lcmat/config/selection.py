"""Parameters of the selection benchmark."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lcmat.config.base import Experiment, recognised, without_repetition
from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.config.feasibility import check_selection
from lcmat.config.registry import METHODS, MODELS, OPTIONS, ZOO_PREFIX

USUAL_WEIGHT_DECAY = 5e-4

PAPER_RADII = (0.01, 0.05, 0.1, 0.5)
"""The values of rho among which the paper chooses (Sec. 4.1)."""


class SelectionParameters(Experiment):
    """One run of the selection benchmark: choose a coreset, train a network on it, measure its accuracy.

    None stands for the default of the data set, network or method and is resolved at once.

    >>> SelectionParameters(method="lcmat-s").rho
    0.1
    >>> SelectionParameters(dataset="cifar10").network
    'resnet18'
    """

    experiment: ClassVar[str] = "selection"

    dataset: str = Field("digits", description="data set, as `lcmat datasets` lists it")
    method: str = Field("lcmat-s", description="selection method, as `lcmat methods` lists it")
    fraction: float = Field(0.05, gt=0, le=1, description="share of each class that is selected")
    seed: int = Field(0, ge=0, lt=2**31, description="of both networks' initial weights and of every random draw")
    rho: float | None = Field(None, ge=0, description="radius of the parameter perturbation (lcmat-s)")
    rho_choice: Literal["held-out"] | None = Field(
        None, description="choose rho among the paper's on training images that are held out, instead of stating it"
    )
    top_k: int | None = Field(None, ge=1, description="Hessian dimensions of largest variance that count (lcmat-s)")
    loss_reduction: Literal["mean-per-batch"] | None = Field(
        None, description="scale the samples' losses as the official code does (gradient-based methods)"
    )
    double_softmax: bool | None = Field(
        None, description="differentiate the loss of softmax(softmax(logits)) as the official baselines do"
    )
    gradients: Literal["logits", "last-layer"] | None = Field(
        None, description="whose gradients are compared: in the logits, or in the last layer's parameters (craig)"
    )
    compared: Literal["features"] | None = Field(
        None, description="compare features by their distances, not gradients by their cosines (facility-location)"
    )
    ridge: float | None = Field(None, ge=0, description="weight of the squared weights in the regression (gradmatch)")
    eta: float | None = Field(None, gt=0, description="size of the gradient step that is judged (glister)")
    rounds: int | None = Field(None, ge=1, description="renewals of the gradient; each choice by default (glister)")
    damping: float | None = Field(None, ge=0, description="added to Hessians, as a share of their mean (adacore)")
    official_kernel: bool | None = Field(None, description="divide by Hessians as the official code does (adacore)")
    cut_lambda: float | None = Field(None, ge=0, description="likeness to all against likeness inside (graph-cut)")
    raw_logits: bool | None = Field(
        None, description="compare logits, not probabilities, as the official code does (least-confidence)"
    )
    official_order: bool | None = Field(
        None, description="choose from the wrong end as the official code does (herding, cal)"
    )
    official_weights: Literal[True] | None = Field(
        None, description="weights as the official code makes them (craig, gradmatch), with weighted=true"
    )
    num_neighbours: int | None = Field(None, ge=1, description="samples that predictions are compared with (cal)")
    batch_norm: Literal["batch"] | None = Field(
        None, description="embed with the statistics of single-class batches, as the official code does"
    )
    across_classes: Literal[True] | None = Field(
        None, description="let all images compete for the budget, instead of a share of each class"
    )
    label_noise: float | None = Field(None, gt=0, lt=1, description="share of training labels replaced by wrong ones")
    imbalance: float | None = Field(None, gt=1, description="size of the largest class by the smallest's, long-tailed")
    weighted: bool = Field(False, description="train with the weights of the coreset (the paper does not)")
    network: str | None = Field(None, description="architecture, of the selecting and of the trained network")
    width: int | None = Field(None, ge=1, description="channels of its first stage; the published width by default")
    learner: str | None = Field(None, description="architecture of the trained network, if it is another one")
    learner_width: int | None = Field(None, ge=1, description="channels of that network's first stage")
    selection_epochs: int | None = Field(None, ge=1, description="epochs of the selecting network, on all images")
    selection_weight_decay: float | None = Field(
        None, ge=0, description="of the selecting network; 0.0005 as in the other training by default"
    )
    selection_optimizer: Literal["adam"] | None = Field(None, description="of the selecting network; SGD by default")
    selection_learning_rate: float | None = Field(
        None, gt=0, description="of the selecting network, if it is not that of the trained one"
    )
    epochs: int | None = Field(None, ge=1, description="epochs of the network trained on the coreset")
    training_steps: int | None = Field(
        None, ge=1, description="steps of this training, in place of its epochs; by default measured at its end alone"
    )
    evaluate_every: int | None = Field(None, ge=1, description="epochs between test accuracies; the last always counts")
    batch_size: int = Field(128, ge=1, description="images per step, in both trainings")
    learning_rate: float = Field(0.1, gt=0, description="of the first step, in both trainings")
    crop_padding: int | None = Field(None, ge=0, description="largest shift of the random crop in pixels")
    flip: bool | None = Field(None, description="mirror half of the images")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the products, in both trainings")
    compile: bool = Field(False, description="use torch.compile, in both trainings")

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Put the defaults of data set, network and method in the place of None."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        dataset, method = (given.get(name, cls.model_fields[name].default) for name in ("dataset", "method"))
        options = METHODS[method].options if _is_key(METHODS, method) else {}
        resolved = {**(DATASET_DEFAULTS[dataset] if _is_key(DATASET_DEFAULTS, dataset) else {}), **options, **given}
        for chosen, replaced in (("rho_choice", ("rho",)), ("training_steps", ("epochs", "evaluate_every"))):
            if chosen in given:
                resolved = {name: value for name, value in resolved.items() if name not in replaced or name in given}
        for network, width in (("network", "width"), ("learner", "learner_width")):
            if _is_key(MODELS, resolved.get(network)):
                resolved.setdefault(width, MODELS[resolved[network]].width)
        if resolved.get("selection_weight_decay") == USUAL_WEIGHT_DECAY:  # the same run must have the same key
            del resolved["selection_weight_decay"]
        return without_repetition(resolved, "learner", "learner_width")

    @field_validator("dataset", "method", "network", "learner")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        """Refuse names that are in no registry."""
        kind = "network" if info.field_name == "learner" else info.field_name
        known: Mapping[str, Any] = {"dataset": DATASET_DEFAULTS, "method": METHODS, "network": MODELS}[kind]
        return recognised(value, kind, known, ZOO_PREFIX if kind == "network" else None)

    @model_validator(mode="after")
    def _width_of_a_learner(self) -> Self:
        """Refuse the width of a network that is not named."""
        if self.learner_width is not None and self.learner is None:
            raise ValueError("learner_width: name the trained network too (learner=); width= is that of both networks")
        return self

    @model_validator(mode="after")
    def _stated_once(self) -> Self:
        """Refuse two statements of the same thing, and the choice of what the method does not have."""
        if self.rho_choice is not None and "rho" not in METHODS[self.method].options:
            raise ValueError(f"rho_choice: method {self.method!r} has no rho; leave it out")
        for one, other in (("rho", "rho_choice"), ("epochs", "training_steps")):
            if None not in (getattr(self, one), getattr(self, other)):
                raise ValueError(f"{one}: {other}= is given too; leave one of them out")
        return self

    @model_validator(mode="after")
    def _options_of_method(self) -> Self:
        """Refuse options that the method does not have."""
        options = METHODS[self.method].options
        for name in sorted(OPTIONS):
            if getattr(self, name) is not None and name not in options:
                has = ", ".join(options) or "no options"
                raise ValueError(f"{name}: method {self.method!r} has none ({self.method}: {has}); leave it out")
        return self

    @model_validator(mode="after")
    def _feasible(self) -> Self:
        """Refuse what would fail after a network has been trained."""
        check_selection(self.canonical())
        return self


def _is_key(table: Mapping[str, Any], name: Any) -> bool:
    """Whether the table has it; what is no key, validation reports later."""
    return isinstance(name, str) and name in table
