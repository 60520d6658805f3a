"""Sets of real images for the condensation benchmark: what a learnt set has to beat."""

import time

import torch

from lcmat.condensation import SyntheticSet, initial_set
from lcmat.config import CondensationParameters, SelectionParameters
from lcmat.curvature.last_layer import LastLayer
from lcmat.data import ImageDataset, Splits
from lcmat.experiments.embedding import SelectorView, selector_view
from lcmat.experiments.seeds import derived_seed
from lcmat.selection import METHODS
from lcmat.training.loop import Progress


def chosen_set(
    parameters: CondensationParameters, splits: Splits, device: str, progress: Progress | None = None
) -> tuple[SyntheticSet, float]:
    """Take `ipc` real images of each class: at random, by herding, or by k-center.

    The last two look at the features of a network of the same architecture trained on all training images, which the
    cache keeps; they differ from the selection benchmark in that every class has the same number.

    Args:
        parameters: of the run.
        splits: of the data set; the test split is only for the network's accuracy, which is not used.
        device: where the network is trained.
        progress: called after each of its epochs.

    Returns:
        The set, and the seconds it took, those of the network included.
    """
    if parameters.method == "random":
        started = time.perf_counter()
        random = initial_set(splits.train, parameters.ipc, "real", generator=stream(parameters, "initial images"))
        return random, time.perf_counter() - started
    view = selector_view(_selecting(parameters), splits, device, progress)
    started = time.perf_counter()
    chosen = _as_set(splits.train, _rows(parameters, view, splits.train))
    return chosen, view.seconds + time.perf_counter() - started


def stream(parameters: CondensationParameters, purpose: str) -> torch.Generator:
    """Random numbers for one purpose of a run, the same for every method."""
    return torch.Generator().manual_seed(derived_seed(parameters.seed, purpose))


def _selecting(parameters: CondensationParameters) -> SelectionParameters:
    """The run of the selection benchmark whose network is looked at."""
    return SelectionParameters(
        dataset=parameters.dataset,
        method=parameters.method,
        network=parameters.network,
        width=parameters.width,
        selection_epochs=parameters.selection_epochs,
        seed=parameters.seed,
    )


def _rows(parameters: CondensationParameters, view: SelectorView, train: ImageDataset) -> torch.Tensor:
    """Rows of the chosen images, class after class."""
    features, generator = view.features.double(), stream(parameters, "selection")
    choose, rows = METHODS[parameters.method].function, []
    for label in range(train.num_classes):
        of_class = (train.labels == label).nonzero()[:, 0]
        layer = LastLayer(features[of_class], view.logits[of_class].double(), train.labels[of_class])
        chosen = choose(layer, parameters.ipc, generator)
        rows.append(of_class[chosen.indices])
    return torch.cat(rows)


def _as_set(data: ImageDataset, rows: torch.Tensor) -> SyntheticSet:
    return SyntheticSet(data.normalized(rows), data.labels[rows], data.class_names, data.mean, data.std)
