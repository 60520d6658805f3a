"""Which images a step compares, and under which transformations: all its draws, before anything is computed."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lcmat.condensation.recipe import CondensationRecipe
from lcmat.data.augmentation.siamese import Transformation, draw_transformation


class ClassBatch(NamedTuple):
    """Of k classes that go through the network together."""

    classes: tuple[int, ...]
    real: Tensor  # rows of the original data, int64 (k, b)
    synthetic: Tensor  # positions among the decoded images of each class, int64 (k, s)
    transformations: tuple[Transformation, ...]  # one for each class, the same for real and synthetic images


def draw_batches(
    rows_of_class: Sequence[Tensor], recipe: CondensationRecipe, generator: torch.Generator
) -> list[ClassBatch]:
    """Draw a batch and a transformation for each class; the draws do not depend on `classes_per_pass`.

    Args:
        rows_of_class: for each class its rows in the original data, int64; `real_batch` of them are drawn without
            repetition, or all where there are fewer.
        recipe: sizes, strategy and objective. A pooled objective takes all classes together, and from each as many
            real images as the smallest draw has.
        generator: on the CPU.

    Returns:
        Batches of at most `classes_per_pass` classes in their order; classes with fewer images stand apart.

    >>> rows = [torch.arange(5), torch.arange(5, 10), torch.arange(10, 12)]
    >>> recipe = CondensationRecipe(real_batch=3, classes_per_pass=10)
    >>> [(batch.classes, tuple(batch.real.shape)) for batch in draw_batches(rows, recipe, torch.Generator())]
    [((0, 1), (2, 3)), ((2,), (1, 2))]
    """
    each = [_draw(label, rows, recipe, generator) for label, rows in enumerate(rows_of_class)]
    if recipe.matched.pooled:
        smallest = min(batch.real.shape[1] for batch in each)
        return [_joined([batch._replace(real=batch.real[:, :smallest]) for batch in each])]
    groups: list[list[ClassBatch]] = []
    for batch in each:
        if groups and len(groups[-1]) < recipe.classes_per_pass and batch.real.shape == groups[-1][0].real.shape:
            groups[-1].append(batch)
        else:
            groups.append([batch])
    return [_joined(group) for group in groups]


def _draw(label: int, rows: Tensor, recipe: CondensationRecipe, generator: torch.Generator) -> ClassBatch:
    real = rows[torch.randperm(len(rows), generator=generator)[: recipe.real_batch]]
    synthetic = torch.randperm(recipe.ipc * recipe.factor**2, generator=generator)[: recipe.synthetic_batch]
    drawn = draw_transformation(recipe.augmentation, combine=recipe.combine, generator=generator)
    return ClassBatch((label,), real[None], synthetic[None], (drawn,))


def _joined(batches: Sequence[ClassBatch]) -> ClassBatch:
    return ClassBatch(
        classes=tuple(label for batch in batches for label in batch.classes),
        real=torch.cat([batch.real for batch in batches]),
        synthetic=torch.cat([batch.synthetic for batch in batches]),
        transformations=tuple(drawn for batch in batches for drawn in batch.transformations),
    )
