"""The one entry point to every selection method: `select`."""

import numbers
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lcmat.config.base import recognised
from lcmat.config.registry import METHODS
from lcmat.curvature.last_layer import LastLayer, check_samples
from lcmat.selection.budgets import class_budgets
from lcmat.selection.coreset import Coreset, concatenate
from lcmat.selection.options import check_keywords


def select(
    method: str,
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    fraction: float | None = None,
    size: int | None = None,
    seed: int = 0,
    balanced: bool = True,
    bias: bool = True,
    **options: Any,
) -> Coreset:
    """Select a coreset from a network's last-layer inputs and outputs.

    Each class is selected from on its own, in float64.  Nothing global is seeded or read: the result is a function of
    the arguments.

    Args:
        method: a name in `METHODS`, for instance ``"lcmat-s"`` or ``"uniform"``.
        features: inputs of the last linear layer for every training sample, ``(n, d)``, eval mode.
        logits: its outputs, ``(n, c)``.
        labels: class numbers, integers ``(n,)``.
        fraction: choose ``round(fraction * n_c)`` of each class; or
        size: choose this many in all, shared in proportion to the classes.
        seed: for methods that draw random numbers.
        balanced: whether each class gets its share; otherwise all samples compete, whatever their class.
        bias: whether the last layer has one; a layer without has no bias terms in its gradients and Hessians.
        options: the method's own, for ``"lcmat-s"`` ``rho=0.1`` and ``top_k=100``; and the evidence that it needs
            beyond the last layer, tensors with a row for each sample or a `LastLayer` of other samples.

    Returns:
        The coreset: class by class, best first within a class.

    Raises:
        ValueError: an unknown method or option, missing evidence, or an argument of the wrong shape, type or range; the
            message names it.

    >>> coreset = select("lcmat-s", torch.eye(4), torch.eye(4), torch.tensor([0, 0, 1, 1]), size=2, rho=0.5)
    >>> coreset.indices, coreset.weights
    (tensor([0, 2]), tensor([2., 2.], dtype=torch.float64))
    """
    chosen = METHODS[recognised(method, "method", METHODS)]
    check_keywords(method, chosen, options)
    features, logits = (_float64(name, values) for name, values in (("features", features), ("logits", logits)))
    labels = torch.as_tensor(labels)
    labels = labels.to(features.device, labels.dtype if labels.is_floating_point() else torch.int64)
    check_samples(features, logits, labels)
    _check_evidence(options, len(labels))
    generator = torch.Generator().manual_seed(_whole_number("seed", seed))
    groups = labels if balanced else torch.zeros_like(labels)
    parts = []
    for group, budget in class_budgets(groups, fraction=fraction, size=size).items():
        members = (groups == group).nonzero().flatten()
        own = {name: _of_group(name, value, members, group, balanced) for name, value in options.items()}
        own |= {"bias": bias} if chosen.sees_bias else {}
        layer = LastLayer(features[members], logits[members], labels[members])
        part = chosen.function(layer, budget, generator, **own)
        parts.append(Coreset(members.cpu()[part.indices], part.weights, part.gains))
    return concatenate(parts)


def _of_group(name: str, value: Any, members: Tensor, group: int, balanced: bool) -> Any:
    """Evidence cut to the group, the members' rows of a tensor or the samples of a `LastLayer`; an option as it is."""
    if isinstance(value, LastLayer):
        other = LastLayer(_float64(name, value.features), _float64(name, value.logits), value.labels)
        keep = other.labels == group if balanced else torch.ones_like(other.labels, dtype=torch.bool)
        return LastLayer(*(part[keep] for part in other))
    if isinstance(value, Tensor):
        return _float64(name, value)[members]
    return value


def _check_evidence(options: Mapping[str, Any], size: int) -> None:
    for name, value in options.items():
        if isinstance(value, Tensor) and len(value) != size:
            raise ValueError(f"{name} has {len(value)} rows for {size} samples")


def _whole_number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def _float64(name: str, values: Tensor) -> Tensor:
    values = torch.as_tensor(values).detach()
    values = (values.cpu() if values.device.type == "mps" else values).double()  # Apple's GPUs have no float64
    if not values.isfinite().all():
        raise ValueError(f"{name} contain NaN or infinity: did the network's training diverge?")
    return values
