"""How many samples each class contributes to a coreset."""

from reprlib import repr as shortened

import torch
from torch import Tensor

from lcmat.config.arguments import checked
from lcmat.config.warning import warn


@checked(labels="int n")
def class_budgets(labels: Tensor, *, fraction: float | None = None, size: int | None = None) -> dict[int, int]:
    """Budgets per class present in ``labels``, from a fraction of each class or from a total size.

    Args:
        labels: class numbers, int64 ``(n,)``.
        fraction: in (0, 1]; each class gets ``round(fraction * n_c)``.  As in the official code Python's rounding takes
            halves to the even number: 0.5 % of 500 images is 2 images, so really 0.4 %.
        size: in ``0 .. n``; shared in proportion to the class sizes, remainders to the largest fractional parts
            (of equal ones to the lowest class).  A class that would get none gets one, from
            the class that has most above its share, if there are as many to choose as classes.

    Returns:
        ``{class: budget}``, ascending classes.

    Raises:
        ValueError: not exactly one of ``fraction`` and ``size``; one out of range; a class left empty by rounding of
            the fraction.

    Warns:
        UserWarning: ``size`` is smaller than the number of classes; the message names those left out.

    >>> class_budgets(torch.tensor([0, 0, 0, 0, 1, 1]), fraction=0.5)
    {0: 2, 1: 1}
    >>> class_budgets(torch.tensor([0, 0, 0, 0, 1, 1]), size=4)
    {0: 3, 1: 1}
    >>> class_budgets(torch.arange(3).repeat_interleave(torch.tensor([4, 7, 10])), size=7)  # 4/3, 7/3 and 10/3
    {0: 2, 1: 2, 2: 3}
    >>> class_budgets(torch.tensor([0] * 99 + [1]), size=2)
    {0: 1, 1: 1}
    """
    if (fraction is None) == (size is None):
        raise ValueError(f"give either fraction or size, got fraction={fraction} and size={size}")
    classes, counts = (part.tolist() for part in torch.unique(labels, return_counts=True))
    budgets = _by_fraction(classes, counts, fraction) if fraction is not None else _by_size(counts, size or 0)
    if 0 in budgets and size:
        without = [label for label, budget in zip(classes, budgets, strict=True) if budget == 0]
        warn(
            f"size {size} leaves the classes {shortened(without)} without a sample, and no weight stands for theirs: "
            f"choose at least {len(classes)}, or let the classes compete with balanced=False"
        )
    return dict(zip(classes, budgets, strict=True))


def _by_fraction(classes: list[int], counts: list[int], fraction: float) -> list[int]:
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie in (0, 1], got {fraction}")
    budgets = [round(fraction * count) for count in counts]
    if 0 in budgets:
        empty = budgets.index(0)
        raise ValueError(
            f"fraction {fraction:g} of the {counts[empty]} samples of class {classes[empty]} rounds to 0 samples: "
            f"use a fraction above {-(-50000 // min(counts)) / 100000:g}, or merge or leave out that class"
        )
    return budgets


def _by_size(counts: list[int], size: int) -> list[int]:
    total = sum(counts)
    if not 0 <= size <= total:
        raise ValueError(f"size must lie in 0 .. {total}, the number of samples, got {size}")
    shares = [size * count for count in counts]  # times the total: whole numbers, of which equal ones are equal
    budgets = [share // total for share in shares] if total else []
    by_remainder = sorted(range(len(budgets)), key=lambda c: -(shares[c] % total))  # stable: lowest class first
    for position in by_remainder[: size - sum(budgets)]:
        budgets[position] += 1
    return _none_empty(budgets, shares, total) if size >= len(budgets) else budgets


def _none_empty(budgets: list[int], shares: list[int], total: int) -> list[int]:
    """At least one of each class, where there are as many: no choice stands for the samples of an empty one."""
    for empty in [position for position, budget in enumerate(budgets) if budget == 0]:
        richest = max(
            (position for position, budget in enumerate(budgets) if budget > 1),
            key=lambda position: budgets[position] * total - shares[position],
        )
        budgets[richest] -= 1
        budgets[empty] = 1
    return budgets
