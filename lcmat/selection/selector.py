"""The one entry point to every selection method: `select`."""

import numbers
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from lcmat.curvature import check_samples
from lcmat.selection.budgets import class_budgets
from lcmat.selection.coreset import Coreset, concatenate
from lcmat.selection.registry import METHODS


def select(
    method: str,
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    fraction: float | None = None,
    size: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Coreset:
    """Select a class-balanced coreset from a network's last-layer inputs and outputs.

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
        options: the method's own, for ``"lcmat-s"`` ``rho=0.1`` and ``top_k=100``.

    Returns:
        The coreset: class by class, best first within a class.

    Raises:
        ValueError: an unknown method or option, or an argument of the wrong shape, type or range; the message names it.

    >>> coreset = select("lcmat-s", torch.eye(4), torch.eye(4), torch.tensor([0, 0, 1, 1]), size=2, rho=0.5)
    >>> coreset.indices, coreset.weights
    (tensor([0, 2]), tensor([2., 2.], dtype=torch.float64))
    """
    chosen = _look_up(method, METHODS, "method")
    for name in options:
        _look_up(name, chosen.options, f"option of method {method!r}")
    _check_numbers(method, {"seed": seed, **options}, {"seed": 0, **chosen.options})
    features, logits = (_float64(name, values) for name, values in (("features", features), ("logits", logits)))
    labels = torch.as_tensor(labels)
    labels = labels.to(features.device, labels.dtype if labels.is_floating_point() else torch.int64)
    check_samples(features, logits, labels)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for label, budget in class_budgets(labels, fraction=fraction, size=size).items():
        members = (labels == label).nonzero().flatten()
        part = chosen.function(features[members], logits[members], labels[members], budget, generator, **options)
        parts.append(Coreset(members.cpu()[part.indices], part.weights, part.gains))
    return concatenate(parts)


def _look_up(name: str, known: Mapping[str, Any], kind: str) -> Any:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    raise ValueError(f"{name!r} is no {kind}; {hint}")


def _check_numbers(method: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """A number option takes numbers only, a whole-number one whole numbers only."""
    for name, value in given.items():
        default = defaults[name]
        wanted = numbers.Integral if isinstance(default, int) else numbers.Real
        if isinstance(default, int | float) and (isinstance(value, bool) or not isinstance(value, wanted)):
            form = "a whole number" if wanted is numbers.Integral else "a number"
            raise ValueError(f"{name} of method {method!r} must be {form}, got {value!r}")


def _float64(name: str, values: Tensor) -> Tensor:
    values = torch.as_tensor(values).detach()
    values = (values.cpu() if values.device.type == "mps" else values).double()  # Apple's GPUs have no float64
    if not values.isfinite().all():
        raise ValueError(f"{name} contain NaN or infinity: did the network's training diverge?")
    return values
