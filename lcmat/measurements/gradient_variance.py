"""How well the gradient variance stands in for the Hessian diagonal, epoch by epoch and class by class.

`lcmat measure gradient-variance fashion-mnist` trains networks, measures after every epoch, and writes
what the chapter on the gradient variance shows into `book/measurements/gradient-variance/`. On handwritten digits the
chapter measures itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scipy.stats import spearmanr
from torch import Tensor

from lcmat import data, models, training
from lcmat.curvature.last_layer import hessian_diagonals, per_sample_gradients
from lcmat.curvature.moments import gradient_variance, mean_gradient, mean_hessian_diagonal, second_moment
from lcmat.data.dataset import ImageDataset
from lcmat.records.measurements import Row

ALL_CLASSES = -1
SUBSET_SIZES = (10, 50)
NUM_SUBSETS = 100

Samples = tuple[Tensor, Tensor, Tensor]
"""What the last layer sees of a set: features (n, d), logits (n, c) in float64 and labels (n,)."""


def agreement(candidate: Tensor, reference: Tensor) -> tuple[float, float]:
    """Cosine of the angle between two tensors, and the norm of the first divided by that of the second.

    >>> agreement(torch.tensor([0.0, 3.0]), torch.tensor([0.0, 4.0]))
    (1.0, 0.75)
    """
    lengths = candidate.norm(), reference.norm()
    return float((candidate * reference).sum() / (lengths[0] * lengths[1])), float(lengths[0] / lengths[1])


def stand_in_row(samples: Samples) -> Row:
    """Empirical Fisher diagonal and gradient variance of a set, each compared with the Hessian diagonal."""
    features, logits, labels = samples
    hessian, fisher = mean_hessian_diagonal(features, logits), second_moment(*samples)
    fisher_cosine, fisher_ratio = agreement(fisher, hessian)
    variance_cosine, variance_ratio = agreement(gradient_variance(*samples), hessian)
    probability = logits.softmax(dim=1).gather(1, labels[:, None])
    return {
        "samples": len(labels),
        "loss": float(-probability.log().mean()),
        "probability": float(probability.mean()),
        "mean_share": float(mean_gradient(*samples).square().sum() / fisher.sum()),
        "fisher_cosine": fisher_cosine,
        "fisher_ratio": fisher_ratio,
        "variance_cosine": variance_cosine,
        "variance_ratio": variance_ratio,
    }


def differences(samples: Samples, subsets: list[Tensor]) -> dict[str, Tensor]:
    """How far each subset is from the whole set, ``(len(subsets), c (d + 1))`` for each of the four quantities."""
    gradients = per_sample_gradients(*samples).flatten(1)
    rows = {
        "hessian": hessian_diagonals(*samples[:2]).flatten(1),
        "gradient": gradients,
        "fisher": gradients.square(),
    }
    # One matrix product takes all the means; the first is that of the whole set.
    subsets = [torch.arange(len(gradients)), *subsets]
    sizes = torch.tensor([float(len(subset)) for subset in subsets], dtype=gradients.dtype)[:, None]
    members = torch.zeros(len(subsets), len(gradients), dtype=gradients.dtype)
    for member, subset in zip(members, subsets, strict=True):
        member[subset] = 1
    means = {name: members / sizes @ row for name, row in rows.items()}
    means["variance"] = (means["fisher"] - means["gradient"].square()) * sizes / (sizes - 1)
    return {name: mean[1:] - mean[0] for name, mean in means.items()}


def rank_row(gaps: Mapping[str, Tensor]) -> Row:
    """Spearman correlations, over the subsets, of the Hessian gap with each gap that could stand in for it.

    The gap of variances is taken in three norms, each against the Hessian gap in the same norm; the others, which say
    how much of it any distance between subset and set would show, against the Hessian gap in the sum norm.
    """
    sums = {name: gap.abs().sum(dim=1) for name, gap in gaps.items()}
    return {
        "variance_rank_sum": _spearman(sums["variance"], sums["hessian"]),
        "variance_rank_euclidean": _spearman(gaps["variance"].norm(dim=1), gaps["hessian"].norm(dim=1)),
        "variance_rank_max": _spearman(gaps["variance"].abs().amax(dim=1), gaps["hessian"].abs().amax(dim=1)),
        "fisher_rank_sum": _spearman(sums["fisher"], sums["hessian"]),
        "gradient_rank": _spearman(gaps["gradient"].norm(dim=1), sums["hessian"]),
    }


def _spearman(left: Tensor, right: Tensor) -> float:
    return float(spearmanr(left.numpy(), right.numpy()).statistic)


def measure(samples: Samples, sizes: tuple[int, ...], num_subsets: int, generator: torch.Generator) -> list[Row]:
    """One row for each class and one for all, with the rank correlations over random subsets of each size.

    Args:
        samples: the training set T as the last layer sees it.
        sizes: of the random subsets, drawn from the same class (or from all).
        num_subsets: of each size.
        generator: of the draws.

    Raises:
        ValueError: a class has so few samples that no subset of it has a variance and a gap.
    """
    rows = []
    for label in [ALL_CLASSES, *range(samples[1].shape[1])]:
        members = torch.arange(len(samples[2])) if label == ALL_CLASSES else (samples[2] == label).nonzero().flatten()
        if len(members) < 4:
            raise ValueError(f"measured: class {label} has {len(members)} samples, and subsets need 4: take more")
        part = (samples[0][members], samples[1][members], samples[2][members])
        row = {"label": label, **stand_in_row(part)}
        for size in sizes:
            drawn = min(size, len(members) // 2)  # a whole set has no gap to rank
            draws = [torch.randperm(len(members), generator=generator)[:drawn] for _ in range(num_subsets)]
            row |= {f"{name}_{size}": value for name, value in rank_row(differences(part, draws)).items()}
        rows.append(row)
    return rows


def last_layer_view(network: models.Network, chosen: ImageDataset) -> Samples:
    """Features, logits and labels of some images in evaluation mode, float64."""
    view = training.embed(network, chosen)
    return view.features.double(), view.logits.double(), chosen.labels


def trajectory(
    train_set: ImageDataset, *, width: int, epochs: int, measured: int, seed: int, num_subsets: int = NUM_SUBSETS
) -> list[Row]:
    """Train one network at a constant rate, without augmentation, and measure before the first and after each epoch.

    Args:
        train_set: what is trained on.
        width: of the ConvNet.
        epochs: passes over it.
        measured: how many of these images the measurement looks at, drawn once.
        seed: of the network, the shuffles and the draws.
        num_subsets: random subsets of each size of `SUBSET_SIZES`.

    Returns:
        Rows of `measure` with the columns seed and epoch; epoch 0 is the untrained network.
    """
    shape = train_set.images.shape
    network = models.build(
        "digits-net" if shape[2] == 8 else "convnet",
        num_classes=train_set.num_classes,
        in_channels=shape[1],
        image_size=shape[2],
        width=width,
        seed=seed,
    )
    generator, draws = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)
    chosen = train_set.subset(torch.randperm(len(train_set), generator=draws)[:measured])
    rows: list[Row] = []

    def record(epoch: float, *_: object) -> None:
        found = measure(last_layer_view(network, chosen), SUBSET_SIZES, num_subsets, draws)
        rows.extend({"seed": seed, "epoch": int(epoch), **row} for row in found)

    record(0)
    recipe = training.Recipe(epochs=epochs, schedule="constant", crop_padding=0, flip=False)
    training.train(network, train_set, recipe=recipe, generator=generator, progress=record)
    return rows


def measure_dataset(
    dataset: str,
    *,
    width: int = 32,
    epochs: int = 10,
    images: int = 30_000,
    measured: int = 5_000,
    seeds: tuple[int, ...] = (0, 1),
) -> tuple[Row, list[Row]]:
    """Measure the `trajectory` of a network for each seed.

    Args:
        dataset: its name.
        width: of the ConvNet.
        epochs: passes over the images.
        images: trained on, drawn at random.
        measured: how many of them are measured.
        seeds: of the networks.
    """
    full = data.load(dataset).train
    chosen = full.subset(torch.randperm(len(full), generator=torch.Generator().manual_seed(0))[:images])
    settings = {"width": width, "epochs": epochs, "measured": measured}
    content = {
        "dataset": dataset,
        "network": f"ConvNet, width {width}",
        **settings,
        "images": len(chosen),
        "seeds": seeds,
        "subset_sizes": SUBSET_SIZES,
        "num_subsets": NUM_SUBSETS,
        "data": full.provenance,
        "content_hash": full.content_hash,
    }
    return content, [row for seed in seeds for row in trajectory(chosen, seed=seed, **settings)]
