"""The selecting network's view of the training set, computed once and shared by all methods and fractions."""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.data import Splits
from lcmat.experiments import training_fingerprint
from lcmat.experiments.batch_statistics import embed_with_batch_statistics
from lcmat.experiments.selecting import check_finite, selecting_network, selector_identity
from lcmat.models.last_layer import last_linear
from lcmat.records.caching import Stored, cached
from lcmat.training import embed
from lcmat.training.loop import Progress


class SelectorView(NamedTuple):
    """Features (n, d) and logits (n, c) of the training set, float32, and what it took to get them.

    `test_accuracy_percent` is the selecting network's own, None without one; `seconds` its training and the embedding;
    `bias` tells whether its last layer has one.
    """

    features: Tensor
    logits: Tensor
    test_accuracy_percent: float | None
    seconds: float
    bias: bool = True


def selector_view(
    parameters: SelectionParameters,
    splits: Splits,
    device: str,
    progress: Progress | None = None,
    *,
    held_out: Tensor | None = None,
) -> SelectorView:
    """What the selecting network makes of all training images, from the cache or from its weights.

    Args:
        parameters: of the run; `batch_norm` says with whose statistics the network looks.
        splits: of the data set.
        device: where to compute.
        progress: called while the network is trained.
        held_out: rows of the training images that the network is not trained on; None: it is trained on all.
    """

    def compute(_: Path) -> Stored:
        selecting = selecting_network(parameters, splits, device, progress, held_out=held_out)
        started = time.perf_counter()
        see = embed_with_batch_statistics if parameters.batch_norm else embed
        embedding = see(selecting.network, splits.train, device=device)
        check_finite(*embedding)
        seconds = selecting.seconds + time.perf_counter() - started
        bias = last_linear(selecting.network).bias is not None
        details = {"test_accuracy_percent": selecting.test_accuracy_percent, "seconds": seconds, "bias": bias}
        return Stored({"features": embedding.features, "logits": embedding.logits}, details)

    looking = {
        "batch_norm": parameters.batch_norm,
        "view code": training_fingerprint(str(parameters.network), __name__),
    }
    identity = {**selector_identity(parameters, splits, device, held_out), **looking}
    tensors, details = cached("embeddings", parameters.dataset, identity, compute)
    return SelectorView(tensors["features"], tensors["logits"], **details)


def no_view(splits: Splits) -> SelectorView:
    """What a method that looks at no network is given: no features, equal logits, and no network was trained."""
    n, classes = len(splits.train), splits.train.num_classes
    return SelectorView(torch.empty(n, 0), torch.zeros(n, classes), None, 0.0)
