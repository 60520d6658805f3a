"""What a run's networks cost on this machine, timed by a few steps of each, before any run of their kind was done."""

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from statistics import median
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from lcmat.config import CondensationParameters, ContinualParameters, Experiment, SelectionParameters
from lcmat.config.datasets import DATASETS
from lcmat.config.registry import MODELS
from lcmat.sweep.work import Images

_NUM_CLASSES = 10  # the last layer costs next to nothing
_PROBED, _FEWEST = 8, 16  # images
_SECONDS, _MOMENT = 2.0, 0.2

QUIET_CORE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "resnet18": (105, 390),
        "vgg16": (168, 589),
        "convnet": (841, 2315),
        "wrn16-8": (49, 162),
        "inception-v3": (16, 65),
    }
)
"""Images a second, trained on and looked at, of networks of published width on a quiet core that computes in bfloat16.

For 32x32 images; the ConvNet compiled. Other processors differ by a factor of five.
"""


class Kind(NamedTuple):
    """All that the speed of a training depends on."""

    network: str
    width: int | None
    image_shape: tuple[int, int, int]
    batch_size: int
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False


class Pace(NamedTuple):
    """Seconds for an image that is trained on, and for one that is looked at."""

    trained: float
    seen: float

    def seconds(self, images: Images) -> Images:
        """What these images take, in seconds of each sort.

        >>> Pace(0.5, 0.1).seconds(Images(10, 20))
        Images(trained=5.0, seen=2.0)
        """
        return Images(self.trained * images.trained, self.seen * images.seen)


def kinds_of(run: Experiment) -> dict[str, Kind]:
    """Stage of `lcmat.sweep.work.work_of` -> the kind of its training."""
    values = run.canonical()
    spec = DATASETS[values["dataset"]]
    size = values.get("batch_size", 128)
    first = Kind(values["network"], values.get("width"), spec.image_shape, size)
    fast = first._replace(precision=values.get("precision", "float32"), compile=values.get("compile", False))
    match run:
        case SelectionParameters():
            chosen = max(1, round(run.fraction * sum(spec.counts["train"])))
            learner = fast._replace(network=run.learner, width=run.learner_width) if run.learner else fast
            learning = learner._replace(batch_size=min(size, chosen))
            return {"selector": fast, "evidence": fast, "radii": learning, "training": learning}
        case CondensationParameters():
            tested = first._replace(network=run.test_network, width=run.test_width) if run.test_network else first
            return {"condensation": fast._replace(batch_size=run.real_batch or size), "evaluation": tested}
        case ContinualParameters():
            return {"memory": first, "training": first}
    raise TypeError(f"nothing is known of the networks of {run.experiment!r}: describe them in {__name__}")


@cache
def pace_of(kind: Kind) -> Pace | None:
    """Time a few steps on this machine; where torch cannot, take the table; None where that has no such network."""
    try:
        return timed(kind)
    except (RuntimeError, ImportError):  # no compiler, no memory, no torchvision
        if kind.network not in QUIET_CORE or kind.width != MODELS[kind.network].width:
            return None
        trained, seen = QUIET_CORE[kind.network]
        return Pace(1 / trained, 1 / seen)
    except ValueError:  # a network that cannot take these images
        return None


def timed(kind: Kind) -> Pace:
    """Train an untrained network on noise: some images to see how fast it is, then as many as two seconds allow.

    At most a batch, and at least 16, from where on it hardly matters how many. On as many threads as a run; on one, in
    seconds of the processor, so that what else goes on at this moment does not count.

    Raises:
        ValueError: there is no such network, or it cannot take these images.
        RuntimeError: torch cannot train it here.
    """
    import torch

    from lcmat.records.machine import chosen_device

    threads, own = torch.get_num_threads(), int(os.environ.get("LCMAT_THREADS") or 1)
    torch.set_num_threads(own)
    clock = time.process_time if own == 1 and chosen_device() == "cpu" else time.perf_counter
    try:
        probe, _ = _steps(kind._replace(compile=False), min(_PROBED, kind.batch_size))
        probe()  # whatever is done but once
        size = min(kind.batch_size, max(_FEWEST, int(_SECONDS / _seconds(probe, clock) * _PROBED)))
        train, look = _steps(kind, size)
        if kind.compile:
            train(), look()
        return Pace(_seconds(train, clock) / size, _seconds(look, clock) / size)
    finally:
        torch.set_num_threads(threads)


def _steps(kind: Kind, size: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One training step of the network on so many images, and one look at them."""
    import torch

    from lcmat.data import ImageDataset
    from lcmat.models import build
    from lcmat.records.machine import chosen_device
    from lcmat.training.recipe import Recipe
    from lcmat.training.steps import Trainer

    channels, height, _ = kind.image_shape
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (size, *kind.image_shape), dtype=torch.uint8, generator=generator)
    names, grey = tuple(map(str, range(_NUM_CLASSES))), (0.5,) * channels
    data = ImageDataset("noise", "train", images, torch.arange(size) % _NUM_CLASSES, names, grey, grey, "", "Drawn.")
    network = build(kind.network, num_classes=_NUM_CLASSES, in_channels=channels, image_size=height, width=kind.width)
    recipe = Recipe(epochs=1, batch_size=size, learning_rate=1e-9, precision=kind.precision, compile=kind.compile)
    trainer = Trainer(network, data, recipe, generator, None, chosen_device())

    def train() -> float:
        return trainer.run_epoch(1, trainer.begin_epoch(), lambda epoch: None)

    return train, lambda: trainer.accuracy_percent(data)


def _seconds(act: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Median duration of as many repetitions as a moment allows, of what takes long of one."""
    spent: list[float] = []
    while sum(spent) < _MOMENT:
        started = clock()
        act()
        spent.append(clock() - started)
    return median(spent)
