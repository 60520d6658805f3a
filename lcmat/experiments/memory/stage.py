"""What both ways of filling the memory share."""

from dataclasses import asdict
from typing import Any, NamedTuple

import torch

from lcmat.condensation.synthetic import SyntheticSet
from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset
from lcmat.data.augmentation.siamese import operations
from lcmat.experiments.seeds import derived_seed
from lcmat.records.caching import identity_on


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


def identity(
    parameters: ContinualParameters, data: ImageDataset, stage: int, device: str, *, recipe: Any, code: str
) -> dict[str, Any]:
    """What the bits of anything computed for a stage depend on.

    Args:
        parameters: of the run.
        data: the stage's training images.
        stage: its number, from 0.
        device: where it is computed.
        recipe: how, a dataclass.
        code: fingerprint of the code that does it.
    """
    known = {
        "data": data.content_hash,
        "statistics": [*data.mean, *data.std],
        "network": parameters.network,
        "width": parameters.width,
        "seed": parameters.seed,
        "stage": stage,
        "recipe": asdict(recipe),
        "code": code,
    }
    return identity_on(device, known)
