"""The selecting network's view as the official code takes it: batch norm sees batches of a single class."""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lcmat.data import ImageDataset
from lcmat.models.last_layer import Embedding, joined, look
from lcmat.selection.official import OFFICIAL_BATCH_SIZE
from lcmat.training.evaluation import memory_layout, on_device


def embed_with_batch_statistics(network: nn.Module, data: ImageDataset, *, device: str = "cpu") -> Embedding:
    """Features and logits of every image, normalised by its batch: 128 images of its class, in file order.

    The official code never calls `eval()` before it takes the per-sample quantities, so batch norm uses these batches'
    means and variances instead of the running ones: an image's features depend on its neighbours in the file. Dropout
    stays off here.

    Args:
        network: left as it is.
        data: n images, in whose order the rows are.
        device: where to compute.

    Raises:
        ValueError: the network has no batch norm, or as `lcmat.training.embed`.
    """
    layout = memory_layout(network, torch.device(device))
    network = copy.deepcopy(network).to(device, memory_format=layout).eval()  # type: ignore[call-overload]
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        raise ValueError(f"batch_norm='batch' needs a network with batch norm, and {type(network).__name__} has none")
    for layer in layers:
        layer.train()
    resident = on_device(data, device)
    rows_of_class = [(data.labels == label).nonzero().flatten() for label in range(data.num_classes)]
    batches = [batch for rows in rows_of_class for batch in rows.split(OFFICIAL_BATCH_SIZE) if len(batch)]
    found = joined(look(network, resident.normalized(batch).contiguous(memory_format=layout)) for batch in batches)
    places = torch.cat(batches).argsort()
    return Embedding(found.features[places], found.logits[places])
