"""The one entry point to every selection method: `select`."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lcmat.config.arguments import check_tensors, checked
from lcmat.config.base import recognised
from lcmat.config.registry import METHODS, Method
from lcmat.config.warning import warn
from lcmat.curvature.last_layer import LastLayer
from lcmat.numerics.arrays import as_tensor, check_finite, whole_numbers
from lcmat.selection.budgets import class_budgets
from lcmat.selection.coreset import Coreset, concatenate
from lcmat.selection.options import check_keywords


@checked()
def select(
    method: str,
    features: Any,
    logits: Any,
    labels: Any,
    *,
    fraction: float | None = None,
    size: int | None = None,
    seed: int = 0,
    balanced: bool = True,
    bias: bool = True,
    **options: Any,
) -> Coreset:
    """Select a coreset from a network's last-layer inputs and outputs.

    Each class is selected from on its own, in float64: beside what is given, memory holds one class.  Nothing global is
    seeded or read: the result is a function of the arguments.

    Args:
        method: a name in `METHODS`, for instance ``"lcmat-s"`` or ``"uniform"``.
        features: inputs of the last linear layer for every training sample, ``(n, d)``, eval mode: a tensor of any real
            dtype, or an array, which may be of a file mapped into memory.
        logits: its outputs, ``(n, c)``, at least two columns; likewise.
        labels: class numbers, integers ``(n,)``.
        fraction: choose ``round(fraction * n_c)`` of each class; or
        size: choose this many in all, shared in proportion to the classes, at least one of each.
        seed: for methods that draw random numbers.
        balanced: whether each class gets its share; otherwise all samples compete, whatever their class.
        bias: whether the last layer has one; a layer without has no bias terms in its gradients and Hessians.
        options: the method's own, for ``"lcmat-s"`` ``rho=0.1`` and ``top_k=100``; and the evidence that it needs
            beyond the last layer, numbers with a row for each sample or a `LastLayer` of other samples.

    Returns:
        The coreset: class by class, best first within a class.

    Raises:
        ValueError: an unknown method or option, missing evidence, or an argument of the wrong shape, type or range; the
            message names it.

    Warns:
        UserWarning: the logits look like probabilities.

    >>> coreset = select("lcmat-s", torch.eye(4), 2 * torch.eye(4), [0, 0, 1, 1], size=2, rho=0.5)
    >>> coreset.indices, coreset.weights
    (tensor([0, 2]), tensor([2., 2.], dtype=torch.float64))
    """
    chosen = METHODS[recognised(method, "method", METHODS)]
    samples = _samples("", features, logits, labels)
    told = checked_options(method, chosen, options, len(samples.labels))
    generator = torch.Generator().manual_seed(int(seed))
    groups = samples.labels if balanced else torch.zeros_like(samples.labels)
    budgets = class_budgets(groups, fraction=fraction, size=size)
    order = groups.argsort(stable=True).split(groups.unique(return_counts=True)[1].tolist())
    parts = []
    for (group, budget), members in zip(budgets.items(), order, strict=False):
        own = {name: _of_group(value, members, group, balanced) for name, value in told.items()}
        own |= {"bias": bias} if chosen.sees_bias else {}
        part = chosen.function(_rows(samples, members, looks=chosen.looks), budget, generator, **own)
        parts.append(Coreset(members.cpu()[part.indices], part.weights, part.gains))
    return concatenate(parts)


def checked_options(name: str, method: Method, options: Mapping[str, Any], size: int | None = None) -> dict[str, Any]:
    """A method's options and evidence, the latter as tensors, refused where the method cannot use them.

    Args:
        name: of the method.
        method: its entry in the registry.
        options: the keyword arguments of the call.
        size: number of samples, of which the evidence must have a row each; None where it is not known yet.

    Raises:
        ValueError: the message names the argument.
    """
    kinds = {keyword: None if options.get(keyword) is None else method.kinds[keyword] for keyword in method.evidence}
    tensors = {keyword: as_tensor(keyword, options[keyword]) for keyword, kind in kinds.items() if kind is Tensor}
    told = {**options, **tensors}
    check_keywords(name, method, told)
    for keyword, values in tensors.items():
        if values.ndim == 0 or (size is not None and len(values) != size):
            rows, samples = len(values) if values.ndim else "no", "the" if size is None else size
            raise ValueError(f"{keyword} has {rows} rows for {samples} samples")
        check_finite(keyword, values)
    others = {keyword: told[keyword] for keyword, kind in kinds.items() if kind is LastLayer}
    return told | {keyword: _samples(f"{keyword}.", *value) for keyword, value in others.items()}


def _samples(prefix: str, features: Any, logits: Any, labels: Any) -> LastLayer:
    """The same samples as tensors in their own dtypes, checked without a copy of them."""
    names = [prefix + name for name in LastLayer._fields]
    matrices = [as_tensor(name, values) for name, values in zip(names, (features, logits), strict=False)]
    numbers = whole_numbers(names[2], labels)
    if matrices[1].ndim == 2 and matrices[1].shape[1] == 1:
        raise ValueError(
            f"{names[1]} must have a column for each class, at least 2, got 1: the softmax of a single one is 1, "
            "without gradient and curvature. For one logit z of two classes give the columns 0 and z"
        )
    check_tensors(dict(zip(names, (*matrices, numbers), strict=True)), ("all n d", "all n c", "int<c n"))
    for name, values in zip(names, matrices, strict=False):
        check_finite(name, values)
    if _like_probabilities(matrices[1]):
        warn(
            f"the {names[1]} lie in 0 .. 1 and each row sums to 1: are they probabilities? Give what the last linear "
            "layer puts out, before any softmax"
        )
    return LastLayer(matrices[0], matrices[1], numbers.to(matrices[0].device))


def _like_probabilities(logits: Tensor) -> bool:
    """Whether the first rows are shares of 1; the logits of a network never are."""
    first = logits[:1024].double()
    return len(first) > 0 and bool((first >= 0).all() and ((first.sum(dim=1) - 1).abs() < 1e-3).all())


def _rows(samples: LastLayer, members: Tensor, *, looks: bool) -> LastLayer:
    """Some of the samples, in float64; of a method that does not look at the network, the labels alone."""
    columns = slice(None) if looks else slice(0)
    features, logits = (_float64(values[:, columns], members) for values in samples[:2])
    return LastLayer(features, logits, samples.labels[members])


def _of_group(value: Any, members: Tensor, group: int, balanced: bool) -> Any:
    """Evidence cut to the group, the members' rows of a tensor or the samples of a `LastLayer`; an option as it is."""
    if isinstance(value, LastLayer):
        own = value.labels == group if balanced else torch.ones_like(value.labels, dtype=torch.bool)
        return _rows(value, own.nonzero().flatten(), looks=True)
    return _float64(value, members) if isinstance(value, Tensor) else value


def _float64(values: Tensor, rows: Tensor) -> Tensor:
    chosen = values[rows.to(values.device)]
    return (chosen.cpu() if chosen.device.type == "mps" else chosen).double()  # Apple's GPUs have no float64
