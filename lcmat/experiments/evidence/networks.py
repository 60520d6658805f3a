"""Training networks for evidence, and keeping what was learnt from them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.curvature import LastLayer
from lcmat.data import Splits
from lcmat.experiments import measurement_fingerprint
from lcmat.experiments.caching import Stored, cached
from lcmat.experiments.embedding import Progress, make_network, selector_identity, selector_recipe
from lcmat.experiments.seeds import derived_seed
from lcmat.models import Network
from lcmat.training import train

Progresses = Callable[[str], Progress]


class Gathered(NamedTuple):
    """Evidence, and the seconds that computing it took."""

    value: Tensor | LastLayer
    seconds: float


Provider = Callable[[SelectionParameters, Splits, str, Progresses | None], Gathered]


def trained_network(
    parameters: SelectionParameters,
    splits: Splits,
    purpose: str,
    device: str,
    progress: Progresses | None = None,
    watch: Callable[[Network], None] | None = None,
) -> Network:
    """Train a network as the selecting network is trained, on all training images.

    Args:
        parameters: of the run.
        splits: of the data set.
        purpose: names the streams of random draws: "selector" gives the selecting network itself, bit for bit on the
            CPU, any other name a network of another seed.
        device: where to train.
        progress: stage -> callback after each epoch.
        watch: called with the network after each epoch; must leave it as it is.
    """
    network = make_network(parameters, splits.train, purpose)
    report = progress and progress(purpose)

    def after_epoch(epoch: int, epochs: int, loss: float, accuracy: float | None) -> None:
        if watch:
            watch(network)
        if report:
            report(epoch, epochs, loss, accuracy)

    train(
        network,
        splits.train,
        recipe=selector_recipe(parameters),
        generator=torch.Generator().manual_seed(derived_seed(parameters.seed, f"{purpose}: draws")),
        device=device,
        progress=after_epoch,
    )
    return network


def kept(
    module: str, parameters: SelectionParameters, splits: Splits, device: str, compute: Callable[[], dict[str, Tensor]]
) -> Stored:
    """Take a provider's tensors from the cache, or compute and keep them; `details["seconds"]` is what that took.

    Args:
        module: the provider's dotted name; other code of it does not share its tensors.
        parameters: of the run.
        splits: of the data set.
        device: where it computes.
        compute: gives the tensors by name.
    """
    assert parameters.network is not None
    code = measurement_fingerprint(module, networks=[parameters.network])

    def timed(_: Path) -> Stored:
        started = time.perf_counter()
        tensors = compute()
        return Stored(tensors, {"seconds": time.perf_counter() - started})

    identity = {**selector_identity(parameters, splits, device), "evidence": module, "evidence code": code}
    return cached("evidence", parameters.dataset, identity, timed)
