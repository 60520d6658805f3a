"""What both ways of filling the memory share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset
from lcmat.data.augmentation.siamese import operations
from lcmat.experiments.seeds import derived_seed

Progress = Callable[[float, int, float, float | None], None]


class Filled(NamedTuple):
    """The memory of one stage and the seconds that it took to make it, training of networks included."""

    images: SyntheticSet
    seconds: float


def stream(parameters: ContinualParameters, purpose: str, stage: int) -> torch.Generator:
    """Random numbers of one purpose in one stage."""
    return torch.Generator().manual_seed(derived_seed(parameters.seed, f"{purpose}: stage {stage}"))


def strategy(published: str, parameters: ContinualParameters) -> str:
    """A strategy of augmentation as far as the parameters allow it.

    >>> strategy("color_flip_scale", ContinualParameters(augment=True))
    'color_scale'
    >>> strategy("color_flip_scale", ContinualParameters(augment=False))
    'none'
    """
    allowed = operations(published) if parameters.augment else ()
    return "_".join(name for name in allowed if name != "flip" or parameters.flip) or "none"


def identity(parameters: ContinualParameters, data: ImageDataset, stage: int, device: str) -> dict[str, Any]:
    """What the bits of anything computed for a stage depend on, beside its recipe and its code."""
    return {
        "data": data.content_hash,
        "statistics": [*data.mean, *data.std],
        "network": parameters.network,
        "width": parameters.width,
        "seed": parameters.seed,
        "stage": stage,
        "device": torch.device(device).type,
        "threads": torch.get_num_threads(),
        "versions": [np.__version__, torch.__version__],
    }
