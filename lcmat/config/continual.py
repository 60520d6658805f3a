"""Parameters of class-incremental learning with a replay memory."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lcmat.config.base import Experiment, recognised
from lcmat.config.condensation_defaults import CONTROLS, METHOD_DEFAULTS
from lcmat.config.datasets import DATASETS
from lcmat.config.defaults import DATASET_DEFAULTS
from lcmat.config.feasibility import check_images_per_class
from lcmat.config.registry import METHODS, MODELS, OBJECTIVES

REPLAY_METHODS = (
    *(name for name, method in METHODS.items() if not method.evidence),
    *(name for name in OBJECTIVES if name not in CONTROLS),
)
"""What can fill the memory: selection methods that need no evidence beyond the last layer, and condensation. Controls
cannot: what strength would equal LCMat-C's changes with each stage."""

_IMAGES = {"network": "convnet", "augment": True, "selection_epochs": 10, "epochs": 1000, "learning_rate": 0.01}
_DIGITS = {"network": "digits-net", "augment": False, "selection_epochs": 5, "epochs": 40, "learning_rate": 0.05}
_DIGITS_CONDENSATION = {"init": "real", "outer_iterations": 4, "inner_steps": 5, "network_epochs": 1, "real_batch": 32}
_DIGITS_DM = {"init": "real", "outer_iterations": 60, "real_batch": 32}

_OF_CONDENSATION = (
    "init",
    "outer_iterations",
    "inner_steps",
    "network_epochs",
    "network_images",
    "real_batch",
    "image_learning_rate",
)


class ContinualParameters(Experiment):
    """One run of class-incremental learning: fill a memory stage by stage, train a new network on it after each.

    None stands for the default of the data set, network or method and is resolved at once; for the steps of
    condensation it stands for the published value wherever no other is written here.

    >>> ContinualParameters(method="lcmat-c").rho, ContinualParameters(method="lcmat-s").rho
    (10.0, 0.1)
    >>> ContinualParameters(dataset="cifar100", seed=3).class_order_seed
    3
    """

    experiment: ClassVar[str] = "continual"

    dataset: str = Field("digits", description="data set, as `lcmat datasets` lists it")
    method: str = Field("lcmat-c", description="what fills the memory: a selection method or a condensation objective")
    num_stages: int = Field(5, ge=1, description="stages, of equally many classes each")
    ipc: int = Field(10, ge=1, description="images of each class in the memory")
    seed: int = Field(0, ge=0, lt=2**31, description="of initial weights and of every random draw")
    class_order_seed: int | None = Field(
        None, ge=0, lt=2**31, description="of the order of the classes; the run's seed by default"
    )
    rho: float | None = Field(None, ge=0, description="radius (lcmat-s), or strength of the penalty (lcmat-c)")
    network: str | None = Field(None, description="architecture of all networks")
    width: int | None = Field(None, ge=1, description="channels of its first stage; the published width by default")
    augment: bool | None = Field(None, description="transform images, in condensation and in learning")
    flip: bool | None = Field(None, description="mirroring is one of these transformations")
    selection_epochs: int | None = Field(
        None, ge=1, description="epochs of the selecting network, on the stage's images (selection methods)"
    )
    init: Literal["noise", "real", "herding"] | None = Field(None, description="first images (condensation)")
    outer_iterations: int | None = Field(None, ge=0, description="networks that the images meet (condensation)")
    inner_steps: int | None = Field(None, ge=1, description="steps of the images with each of them (condensation)")
    network_epochs: int | None = Field(None, ge=1, description="epochs of a network between two steps (condensation)")
    network_images: int | None = Field(None, ge=1, description="most images of such an epoch (condensation)")
    real_batch: int | None = Field(None, ge=1, description="original images of a class in a step (condensation)")
    image_learning_rate: float | None = Field(None, gt=0, description="of the images (condensation)")
    epochs: int | None = Field(None, ge=1, description="epochs of each network trained on the memory")
    batch_size: int = Field(64, ge=1, description="images per step of that training")
    learning_rate: float | None = Field(None, gt=0, description="of its first epoch")

    @property
    def condenses(self) -> bool:
        """Whether the memory holds condensed images instead of selected ones."""
        return _is_objective(self.method)

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Put the defaults of data set, method and network in the place of None."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        dataset, method = (given.get(name, cls.model_fields[name].default) for name in ("dataset", "method"))
        order = {"class_order_seed": given.get("seed", cls.model_fields["seed"].default)}
        resolved = {**order, **_dataset_defaults(dataset), **_method_defaults(dataset, method), **given}
        if _is_objective(method) and "selection_epochs" not in given:
            resolved.pop("selection_epochs", None)
        network = resolved.get("network")
        if isinstance(network, str) and network in MODELS:
            resolved.setdefault("width", MODELS[network].width)
        return resolved

    @field_validator("dataset", "method", "network")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        """Refuse names that are in no registry, and methods that need what a stage does not give them."""
        known = {
            "dataset": DATASET_DEFAULTS,
            "method": dict.fromkeys(REPLAY_METHODS),
            "network": MODELS,
        }[info.field_name]
        if info.field_name == "method" and value in METHODS and METHODS[value].evidence:
            needed = ", ".join(METHODS[value].evidence)
            raise ValueError(f"{value!r} needs {needed}, which no stage computes; known: {', '.join(known)}")
        return recognised(value, info.field_name, known)

    @model_validator(mode="after")
    def _options_of_method(self) -> Self:
        """Refuse what the method does not have, and a variance over one image."""
        without_rho = () if "rho" in _method_defaults(self.dataset, self.method) else ("rho",)
        for name in (*(("selection_epochs",) if self.condenses else _OF_CONDENSATION), *without_rho):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: method {self.method!r} has none; leave it out")
        if self.condenses and self.rho and self.real_batch == 1:
            raise ValueError("real_batch: the variance of one image is undefined; take 2 or more, or rho=0")
        if self.condenses and self.rho and self.ipc < 2:
            raise ValueError(f"ipc: {self.method!r} compares variances, for which it takes two images of each class")
        return self

    @model_validator(mode="after")
    def _feasible(self) -> Self:
        """Refuse what would fail in the midst of the stages."""
        num_classes = DATASETS[self.dataset].num_classes
        if num_classes % self.num_stages:
            raise ValueError(f"num_stages: {num_classes} classes cannot be cut into {self.num_stages} equal ones")
        if not self.condenses:
            check_images_per_class(self.canonical())
        return self


def _is_objective(method: Any) -> bool:
    return isinstance(method, str) and method in OBJECTIVES


def _dataset_defaults(dataset: Any) -> Mapping[str, Any]:
    if not isinstance(dataset, str) or dataset not in DATASET_DEFAULTS:
        return {}  # validation reports it
    return {**(_DIGITS if dataset == "digits" else _IMAGES), "flip": DATASET_DEFAULTS[dataset]["flip"]}


def _method_defaults(dataset: Any, method: Any) -> Mapping[str, Any]:
    """Its rho, and on digits the steps of a condensation that takes a fraction of a second."""
    if not _is_objective(method):
        options = METHODS[method].options if isinstance(method, str) and method in METHODS else {}
        return {name: value for name, value in options.items() if name == "rho"}
    steps = (_DIGITS_DM if method == "dm" else _DIGITS_CONDENSATION) if dataset == "digits" else {}
    return {**steps, **{name: value for name, value in METHOD_DEFAULTS[method].items() if name == "rho"}}
