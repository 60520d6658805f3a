"""How a network is trained, as plain values."""

import math
from dataclasses import dataclass
from typing import Literal

from lcmat.config.arguments import check_fields, checked


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a training run except the network, the data and the random draws.

    The defaults are the paper's protocol for coresets (Sec. 4.1): SGD 0.1 with Nesterov momentum 0.9, weight decay
    5e-4, cosine schedule, batches of 128, random crops with reflection padding 4, horizontal flips.

    Attributes:
        epochs: passes over the data.
        batch_size: images per step; the last, smaller batch is kept.
        learning_rate: of the first step.
        momentum: of SGD, 0 <= momentum < 1.
        nesterov: Nesterov's form of it.
        weight_decay: added to every gradient as weight_decay * parameter.
        optimizer: "sgd" or "adam"; the latter ignores `momentum` and `nesterov`.
        schedule: "cosine" (see `learning_rates`) or "constant".
        crop_padding: largest shift of the random crop in pixels; 0 for none.
        flip: mirror half of the images.
        precision: "float32", or "bfloat16": convolutions and matrix products in bfloat16 by autocast, parameters and
            loss in float32. Training accuracy while it runs is evaluated in the same precision.
        compile: run full batches through `torch.compile`. Same formulas, other rounding: hence part of the recipe.

    Raises:
        ValueError: a value out of its range.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    optimizer: Literal["sgd", "adam"] = "sgd"
    schedule: Literal["cosine", "constant"] = "cosine"
    crop_padding: int = 4
    flip: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        check_fields(self)
        for name, valid, expected in (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "positive and finite"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("nesterov", not self.nesterov or self.momentum > 0, "False without momentum"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "non-negative and finite"),
            ("crop_padding", self.crop_padding >= 0, "at least 0"),
        ):
            if not valid:
                raise ValueError(f"Recipe: {name}={getattr(self, name)!r} must be {expected}")


@checked(num_steps="[0, inf)")
def learning_rates(recipe: Recipe, num_steps: int) -> list[float]:
    """Learning rate of each step.

    "cosine" is the textbook schedule, step by step: eta_t = eta_0 (1 + cos(pi t / num_steps)) / 2 for
    t = 0, ..., num_steps - 1, so that it starts at eta_0 and would reach 0 right after the last step. The official
    code's goes down to 1e-4 instead of 0, an epoch late.

    >>> [round(rate, 3) for rate in learning_rates(Recipe(epochs=1), 4)]
    [0.1, 0.085, 0.05, 0.015]
    """
    if recipe.schedule == "constant":
        return [recipe.learning_rate] * num_steps
    return [recipe.learning_rate * (1 + math.cos(math.pi * step / num_steps)) / 2 for step in range(num_steps)]
