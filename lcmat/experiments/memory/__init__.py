"""What a stage of class-incremental learning leaves in the memory: real images or condensed ones."""

from collections.abc import Callable

from lcmat.config import ContinualParameters
from lcmat.data import ImageDataset
from lcmat.experiments.memory.condensed import condensed_memory
from lcmat.experiments.memory.selected import selected_memory
from lcmat.experiments.memory.stage import Filled
from lcmat.training.loop import Progress

__all__ = ["Filled", "fill"]


def fill(
    parameters: ContinualParameters,
    data: ImageDataset,
    stage: int,
    device: str,
    progress: Callable[[str], Progress] | None = None,
) -> Filled:
    """Keep `ipc` images of each class of a stage, with the help of networks trained on that stage's images alone.

    Args:
        parameters: of the run.
        data: the stage's training images, labels from 0; nothing else is looked at.
        stage: its number, from 0; names the random streams.
        device: where to compute.
        progress: name -> callback after each epoch or step.
    """
    name = f"stage {stage + 1}: memory"
    make = condensed_memory if parameters.condenses else selected_memory
    return make(parameters, data, stage, device, progress and progress(name))
