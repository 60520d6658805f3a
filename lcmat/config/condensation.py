"""Parameters of the condensation benchmark."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lcmat.config.base import Experiment, recognised, without_repetition
from lcmat.config.condensation_defaults import (
    CONTROLS,
    DATASET_SETTINGS,
    METHOD_PARAMETERS,
    REAL_METHODS,
    SCALED_RATES,
    applicable,
    method_defaults,
)
from lcmat.config.feasibility import check_augmentations, check_images_per_class, check_networks
from lcmat.config.registry import MODELS, OBJECTIVES, ZOO_PREFIX

EVALUATION = (
    *("test_network", "test_width", "evaluations", "evaluation_epochs", "evaluation_learning_rate"),
    *("evaluation_augmentation", "evaluation_cutmix"),
)
"""Parameters that only the training on the finished set depends on."""


class CondensationParameters(Experiment):
    """One run of the condensation benchmark: make a few images per class, train networks on them, test these.

    None stands for the default of the data set, network or method and is resolved at once. By default all methods that
    learn images do equal work: as many steps of the images, each against as many original images, and networks trained
    on as many images between two steps.

    >>> CondensationParameters(method="lcmat-c").canonical()["train_on"]
    'original'
    >>> CondensationParameters(method="random").outer_iterations is None
    True
    """

    experiment: ClassVar[str] = "condensation"

    dataset: str = Field("digits", description="data set, as `lcmat datasets` lists it")
    method: str = Field("lcmat-c", description="an objective of `lcmat.condensation`, random, herding or k-center")
    ipc: int = Field(10, ge=1, description="images per class")
    seed: int = Field(0, ge=0, lt=2**31, description="of all networks' initial weights and of every random draw")
    rho: float | None = Field(None, ge=0, description="strength of the penalty, which enters as rho / 2")
    norm: Literal["l2", "l1", "squared"] | None = Field(None, description="size of the penalty's difference")
    strength_at: Literal["real", "noise", "nowhere"] | None = Field(
        None, description="images at which a control's rho is scaled to pull as hard as LCMat-C's penalty (controls)"
    )
    distance: Literal["layerwise", "squared", "cosine"] | None = Field(None, description="of the mean gradients")
    layers: Literal["all", "weights", "convolutions"] | None = Field(None, description="whose gradients are compared")
    init: Literal["noise", "real", "herding"] | None = Field(None, description="images that the learning starts from")
    outer_iterations: int | None = Field(None, ge=0, description="networks that the images meet; dm: one in every step")
    inner_steps: int | None = Field(None, ge=1, description="steps of the images for each of them")
    real_batch: int | None = Field(None, ge=1, description="original images of each class in a step")
    image_learning_rate: float | None = Field(None, gt=0, description="of the synthetic images")
    augmentation: str | None = Field(None, description="of real and synthetic images in a step, joined by underscores")
    train_on: Literal["original", "synthetic", "nothing"] | None = Field(
        None, description="what a network learns between two steps of the images"
    )
    network_learning_rate: float | None = Field(None, gt=0, description="of this learning")
    network_images: int | None = Field(None, ge=1, description="images it sees in it, in passes over the smaller sets")
    network_augmentation: str | None = Field(None, description="of these images")
    cutmix: float | None = Field(None, ge=0, le=1, description="probability of CutMix in it")
    network: str | None = Field(None, description="architecture that the images are made with")
    width: int | None = Field(None, ge=1, description="channels of its first stage; the published width by default")
    classes_per_pass: int | None = Field(None, ge=1, description="classes that go through the network together")
    selection_epochs: int | None = Field(None, ge=1, description="epochs of the selecting network (herding, k-center)")
    test_network: str | None = Field(None, description="architecture trained on the images, if it is another one")
    test_width: int | None = Field(None, ge=1, description="channels of that network's first stage")
    evaluations: int = Field(1, ge=1, description="networks trained on the images; their mean accuracy counts")
    evaluation_epochs: int | None = Field(None, ge=1, description="epochs of each")
    evaluation_learning_rate: float | None = Field(None, gt=0, description="of the first epoch")
    evaluation_augmentation: str | None = Field(None, description="of the images in it")
    evaluation_cutmix: float | None = Field(None, ge=0, le=1, description="probability of CutMix in it")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of products with original images")
    compile: bool = Field(False, description="use torch.compile for them")

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Put the defaults of data set, network and method in the place of None."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        dataset, method = (given.get(name, cls.model_fields[name].default) for name in ("dataset", "method"))
        if not (isinstance(dataset, str) and isinstance(method, str) and method in METHOD_PARAMETERS):
            return given
        resolved = {**_defaults(dataset, method, given.get("ipc", cls.model_fields["ipc"].default)), **given}
        return without_repetition(_with_widths(resolved, given), "test_network", "test_width")

    @field_validator("dataset", "method", "network", "test_network")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        """Refuse names that are in no registry."""
        kind = "network" if info.field_name == "test_network" else info.field_name
        known: Mapping[str, Any] = {"dataset": DATASET_SETTINGS, "method": METHOD_PARAMETERS, "network": MODELS}[kind]
        return recognised(value, kind, known, ZOO_PREFIX if kind == "network" else None)

    @model_validator(mode="after")
    def _width_of_a_test_network(self) -> Self:
        """Refuse the width of a network that is not named."""
        if self.test_width is not None and self.test_network is None:
            raise ValueError("test_width: name the tested network too (test_network=); width= is that of both networks")
        return self

    @model_validator(mode="after")
    def _parameters_of_method(self) -> Self:
        """Refuse parameters that the method does not have."""
        own = METHOD_PARAMETERS[self.method]
        for name in {each for known in METHOD_PARAMETERS.values() for each in known}:
            if getattr(self, name) is not None and name not in own:
                has = ", ".join(own) or "none beyond those of every run"
                raise ValueError(f"{name}: method {self.method!r} has none ({self.method}: {has}); leave it out")
        return self

    @model_validator(mode="after")
    def _biases_have_no_rows(self) -> Self:
        """Refuse to compare, output channel by output channel, what has one number for each."""
        if (self.distance, self.layers) == ("layerwise", "all"):
            raise ValueError(
                "layers: the layerwise distance compares the rows of matrices, which biases do not have; take "
                "layers=weights, or distance=squared or cosine"
            )
        return self

    @model_validator(mode="after")
    def _variance_needs_images(self) -> Self:
        """Refuse the variance of one image, which is 0/0: also where it sets the strength of a control."""
        compared = self.method in CONTROLS and self.strength_at != "nowhere"
        objective = OBJECTIVES.get("lcmat-c" if compared else self.method)
        fewest = objective.fewest if objective else 1
        if self.ipc < fewest and self.rho:
            instead = "strength_at=nowhere" if compared else "rho=0"
            raise ValueError(f"ipc: the variance of one image per class is undefined; take {fewest}, or {instead}")
        if (self.real_batch or fewest) < fewest and self.rho:
            raise ValueError(f"real_batch: the variance of one image is undefined; take {fewest} or more, or rho=0")
        return self

    @model_validator(mode="after")
    def _feasible(self) -> Self:
        """Refuse what would fail after images have been learnt or a network trained."""
        values = self.canonical()
        check_networks(values, ("network", "width"), ("test_network", "test_width"))
        check_augmentations(values, "augmentation", "network_augmentation", "evaluation_augmentation")
        if self.method in REAL_METHODS:
            check_images_per_class(values)
        if self.compile and (self.classes_per_pass or 1) > 1:
            raise ValueError("compile: it works on one class at a time; take classes_per_pass=1")
        return self


def _defaults(dataset: str, method: str, ipc: Any) -> dict[str, Any]:
    """What the method does with this data set unless told otherwise."""
    values = {**applicable(method, DATASET_SETTINGS.get(dataset, {})), **method_defaults(dataset, method)}
    if method in SCALED_RATES and isinstance(ipc, int):
        values["image_learning_rate"] *= ipc / 10
    return values


def _with_widths(resolved: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A network that is named without its width has the published one, not that of the data set's default network."""
    widths = {}
    for network, width in (("network", "width"), ("test_network", "test_width")):
        name = str(resolved.get(network))
        published = MODELS[name].width if name in MODELS else None
        named = network in given and width not in given
        widths[width] = published if named else resolved.get(width, published)
    return {**resolved, **{name: value for name, value in widths.items() if value is not None or name in resolved}}
