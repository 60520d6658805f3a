"""Class-incremental learning with a replay memory: stages, memory, and what a matrix of accuracies says of forgetting.

Classes arrive in stages. Of each class a few images are kept, selected or condensed, and after each stage a new network
is trained on all that is kept (GDumb: Prabhu et al., ECCV 2020; paper Figure 5).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lcmat.condensation.synthetic import SyntheticSet
from lcmat.data.dataset import ImageDataset, content_hash


def class_stages(num_classes: int, num_stages: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Cut a random order of the classes into stages of equal size.

    Args:
        num_classes: c.
        num_stages: a divisor of c.
        generator: of the order, on the CPU.

    Returns:
        For each stage its classes, int64 (c / num_stages,).

    Raises:
        ValueError: the stages would differ in size.

    >>> [len(classes) for classes in class_stages(10, 5, torch.Generator())]
    [2, 2, 2, 2, 2]
    """
    if num_stages < 1 or num_classes % num_stages:
        raise ValueError(f"{num_classes} classes cannot be cut into {num_stages} equal stages: give a divisor")
    stages: tuple[Tensor, ...] = torch.randperm(num_classes, generator=generator).split(num_classes // num_stages)
    return stages


def of_classes(data: ImageDataset, classes: Tensor) -> ImageDataset:
    """The images of some classes, whose new labels are the positions among these classes.

    Args:
        data: labelled images.
        classes: int64 (k,), all different.

    Returns:
        A data set of k classes; its images keep their order, mean and std stay those of `data`.

    >>> images = torch.zeros(3, 1, 1, 1, dtype=torch.uint8)
    >>> data = ImageDataset("toy", "train", images, torch.tensor([0, 1, 2]), ("a", "b", "c"), (0.0,), (1.0,), "", "")
    >>> stage = of_classes(data, torch.tensor([2, 0]))
    >>> stage.labels, stage.class_names
    (tensor([1, 0]), ('c', 'a'))
    """
    position = torch.full((data.num_classes,), -1)
    position[classes] = torch.arange(len(classes))
    labels = position[data.labels]
    rows = (labels >= 0).nonzero().flatten()
    images, labels = data.images[rows], labels[rows]
    names = tuple(data.class_names[label] for label in classes)
    return replace(data, images=images, labels=labels, class_names=names, content_hash=content_hash(images, labels))


def joined(memories: Sequence[SyntheticSet]) -> SyntheticSet:
    """The replay memory: the union of what the stages kept, the classes numbered in the order in which they came.

    Args:
        memories: one set for each stage, labels from 0 in each, all normalised alike.

    Returns:
        A set of all their classes.

    Raises:
        ValueError: there is none, or they differ in images per class, normalisation or factor.
    """
    kinds = {(memory.ipc, memory.mean, memory.std, memory.factor) for memory in memories}
    if len(kinds) != 1:
        raise ValueError(
            f"memories of one kind can be joined, not {len(kinds)} kinds (ipc, mean, std, factor): {kinds}"
        )
    labels: list[Tensor] = []
    names: tuple[str, ...] = ()
    for memory in memories:
        labels.append(memory.labels + len(names))
        names += memory.class_names
    images = torch.cat([memory.images for memory in memories])
    return replace(memories[0], images=images, labels=torch.cat(labels), class_names=names)


def stage_accuracies(logits: Tensor, labels: Tensor, num_stages: int, *, own_classes: bool = False) -> Tensor:
    """Accuracy on the test images of each stage seen so far, a row of the accuracy matrix.

    Args:
        logits: of a network that knows k classes, numbered in the order in which they came, (n, k).
        labels: of images of all these classes, int64 (n,).
        num_stages: that have brought these classes, equally many each.
        own_classes: compare the logits of the image's own stage alone, as if the stage were told ("task-incremental").

    Returns:
        float64 (num_stages,), in percent.

    Raises:
        ValueError: logits are not finite, or the classes do not fit the stages.

    >>> stage_accuracies(torch.tensor([[3.0, 1.0, 2.0, 0.0], [0.0, 3.0, 1.0, 2.0]]), torch.tensor([0, 3]), 2)
    tensor([100.,   0.], dtype=torch.float64)
    """
    if logits.shape[1] % num_stages or not logits.isfinite().all():
        raise ValueError(
            f"logits {tuple(logits.shape)} of {num_stages} stages must be finite, with equally many a stage"
        )
    stages = torch.arange(logits.shape[1]) // (logits.shape[1] // num_stages)
    if own_classes:
        logits = logits.masked_fill(stages != stages[labels][:, None], -torch.inf)
    correct = (logits.argmax(dim=1) == labels).double()
    return torch.stack([100 * correct[stages[labels] == stage].mean() for stage in range(num_stages)])


def seen_accuracy(matrix: Tensor, counts: Tensor) -> Tensor:
    """Accuracy over all classes seen after each stage: the curve of paper Figure 5.

    ``A_k = sum_{j <= k} n_j a_kj / sum_{j <= k} n_j``; with equally many test images n_j it is the average accuracy
    of Chaudhry et al. (ECCV 2018).

    Args:
        matrix: a_kj, float64 (t, t): after stage k, percent on the test images of stage j; only j <= k is read.
        counts: n_j, test images of each stage, (t,).

    Returns:
        (t,), in percent.

    >>> seen_accuracy(torch.tensor([[90.0, torch.nan], [60.0, 80.0]]), torch.tensor([10, 30]))
    tensor([90., 75.], dtype=torch.float64)
    """
    weights = counts.double().expand(matrix.shape).tril()
    return (matrix.double().tril().nan_to_num() * weights).sum(dim=1) / weights.sum(dim=1)


def forgetting(matrix: Tensor) -> Tensor:
    """By how much the accuracy on earlier stages lies below its best (Chaudhry et al., ECCV 2018).

    ``F_k = 1/(k-1) sum_{j < k} ( max_{j <= l < k} a_lj - a_kj )``

    Args:
        matrix: a_kj as for `seen_accuracy`.

    Returns:
        float64 (t - 1,): F_2 ... F_t in percentage points; a mean over stages. Negative where accuracy has grown.

    >>> forgetting(torch.tensor([[90.0, 0, 0], [60.0, 80.0, 0], [70.0, 50.0, 90.0]]))
    tensor([30., 25.], dtype=torch.float64)
    """
    matrix = matrix.double()
    drops = [
        torch.stack([matrix[stage:k, stage].max() - matrix[k, stage] for stage in range(k)]).mean()
        for k in range(1, len(matrix))
    ]
    return torch.stack(drops) if drops else matrix.new_empty(0)


def backward_transfer(matrix: Tensor) -> float:
    """How the last network does on earlier stages, against the network right after each (Lopez-Paz & Ranzato 2017).

    ``BWT = 1/(t-1) sum_{j < t} ( a_tj - a_jj )``

    Args:
        matrix: a_kj as for `seen_accuracy`, at least two stages.

    Returns:
        Percentage points, a mean over stages; below zero where accuracy was lost.

    Raises:
        ValueError: a single stage has nothing before it.

    >>> backward_transfer(torch.tensor([[90.0, 0, 0], [60.0, 80.0, 0], [70.0, 50.0, 90.0]]))
    -25.0
    """
    if len(matrix) < 2:
        raise ValueError("one stage has no earlier one to transfer to: backward transfer needs two or more")
    return float((matrix[-1] - matrix.diagonal())[:-1].double().mean())
