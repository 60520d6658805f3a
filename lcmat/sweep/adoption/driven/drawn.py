"""Made-up images, features and logits, drawn from a fixed seed."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

_SEED = 20230425


def generator(number: int = 0) -> torch.Generator:
    """The same numbers in both trees."""
    return torch.Generator().manual_seed(_SEED + number)


def splits(dataset: str, images: int, test_images: int) -> Any:
    """Made-up splits with the shape and the classes of a data set."""
    from lcmat.data import Splits

    train = split(dataset, "train", images)
    return Splits(train, replace(split(dataset, "test", test_images), mean=train.mean, std=train.std))


def split(dataset: str, name: str, count: int) -> Any:
    """Noise around a pattern for each class, of which a network can learn something; the classes take turns."""
    from lcmat.data import DATASETS, ImageDataset
    from lcmat.data.dataset import channel_statistics, content_hash

    spec = DATASETS[dataset]
    shape = (spec.channels, spec.image_size, spec.image_size)
    patterns = torch.randint(128, (spec.num_classes, *shape), generator=generator())
    labels = torch.arange(count) % spec.num_classes
    noise = torch.randint(128, (count, *shape), generator=generator(1 + (name == "test")))
    images = (patterns[labels] + noise).to(torch.uint8)
    mean, std = channel_statistics(images)
    names, hashed = tuple(map(str, range(spec.num_classes))), content_hash(images, labels)
    return ImageDataset(dataset, name, images, labels, names, mean, std, hashed, "Drawn.")


def labelled(labels: Tensor) -> Any:
    """Splits with these labels, whose images nobody looks at."""
    from lcmat.data import Splits

    one = split("digits", "train", 1)
    blank = replace(one, images=one.images[:, :, :1, :1].expand(len(labels), 1, 1, 1).contiguous(), labels=labels)
    return Splits(blank, blank)


def evidence_of(method: str) -> tuple[str, ...]:
    """Names of what a method must be told beyond the view; of condensation nothing."""
    from lcmat.selection import METHODS

    return METHODS[method].evidence if method in METHODS else ()


def view(run: Any, data: Any, dimensions: int) -> tuple[Any, dict[str, Any]]:
    """What a selecting network that has learnt something might see, and the evidence that the run's method needs.

    Each sample is there twice, so that the rule for ties shows.
    """
    from lcmat.curvature import LastLayer
    from lcmat.experiments.embedding import SelectorView
    from lcmat.experiments.held_out import held_out

    labels, numbers = data.train.labels, generator()
    features = torch.randn(len(labels), dimensions, generator=numbers).relu()
    features[:, 0] += labels
    logits = features @ torch.randn(dimensions, data.train.num_classes, generator=numbers) / dimensions**0.5
    logits[torch.arange(len(labels)), labels] += 2
    features, logits = (torch.cat([each[: len(labels) // 2]] * 2) for each in (features, logits))
    known: dict[str, Any] = {"features": features, "logits": logits, "bias": True}
    seen = SelectorView(**{name: known.get(name, 0.0) for name in SelectorView._fields})
    told: dict[str, Any] = {}
    for name in evidence_of(run.method):
        told[name] = torch.rand(len(labels) // 2, generator=numbers, dtype=torch.float64).repeat(2)
        if name == "validation":
            rows = held_out(run, data)
            told[name] = LastLayer(features[rows], logits[rows], labels[rows])
    return seen, told
