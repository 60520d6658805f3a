"""The paper's Figure 7: the images that each method chooses of every class, and how typical of it they are.

`lcmat measure selected-images cifar10` trains a selecting network (or takes its embedding from the
cache), selects, and writes what the chapter on LCMat-S shows into `book/measurements/selected-images/` and
`book/figures/`. On handwritten digits the chapter selects itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lcmat.config import SelectionParameters
from lcmat.data.dataset import ImageDataset
from lcmat.experiments import selection
from lcmat.experiments.embedding import selector_view
from lcmat.experiments.session import begin
from lcmat.files.paths import atomic_write, project_folder
from lcmat.measurements.contact_sheet import contact_sheet
from lcmat.records.measurements import Row
from lcmat.selection import Coreset

FRACTION = 0.001
SEED = 0
SELECTOR: Mapping[str, Any] = MappingProxyType(
    {"network": "convnet", "width": 32, "selection_epochs": 10, "precision": "float32", "compile": True}
)
"""As in the `cpu` profile. Other processors round otherwise, so that its records may stem from other images."""


class Candidate(NamedTuple):
    """A method with its options; the figure shows those that are drawn."""

    title: str
    method: str
    options: Mapping[str, float] = MappingProxyType({})
    drawn: bool = True


CANDIDATES = (
    Candidate("Uniform", "uniform"),
    Candidate("k-Center", "k-center"),
    Candidate("Craig", "craig"),
    Candidate("LCMat-S, ρ = 0.1", "lcmat-s", {"rho": 0.1}),
    Candidate("LCMat-S, ρ = 0", "lcmat-s", {"rho": 0.0}, drawn=False),
    Candidate("LCMat-S, ρ = 0.5", "lcmat-s", {"rho": 0.5}, drawn=False),
)


class Typicality(NamedTuple):
    """How usual each of n training images is within its class, float64 (n,) each."""

    feature_rank: Tensor  # share of the class whose features are nearer to the class's mean
    pixel_rank: Tensor  # share of the class whose pixels are
    probability: Tensor  # that the network gives to the label
    correct: Tensor  # 1 where the label is the most probable class


def distance_ranks(points: Tensor, labels: Tensor) -> Tensor:
    """Share of a sample's class that is nearer to the mean of the class: 0 for the nearest, 1 for the farthest.

    Args:
        points: float64 (n, d).
        labels: class numbers, int64 (n,).

    Returns:
        float64 (n,). Uniformly drawn samples have a mean of one half. A class of one sample has rank 0.

    >>> distance_ranks(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([0, 0, 0]))
    tensor([0.5000, 0.0000, 1.0000], dtype=torch.float64)
    """
    ranks = torch.zeros(len(labels), dtype=torch.float64)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        distances = (points[members] - points[members].mean(dim=0)).norm(dim=1)
        nearer = torch.searchsorted(distances.sort().values, distances)
        ranks[members] = nearer.double() / max(len(members) - 1, 1)
    return ranks


def typicality(train: ImageDataset, features: Tensor, logits: Tensor) -> Typicality:
    """Ranks, probability and correctness of every training image, as the selecting network sees it."""
    probabilities = logits.double().softmax(dim=1)
    return Typicality(
        distance_ranks(features.double(), train.labels),
        distance_ranks(train.images.flatten(1).double(), train.labels),
        probabilities.gather(1, train.labels[:, None])[:, 0],
        (probabilities.argmax(dim=1) == train.labels).double(),
    )


def rows_of(title: str, coreset: Coreset, labels: Tensor, usual: Typicality) -> list[Row]:
    """A row for each chosen image, in the order of the coreset: class by class, best first.

    Args:
        title: of the candidate.
        coreset: what it chose.
        labels: of all n training images.
        usual: `typicality` of all of them.
    """
    return [
        {
            "candidate": title,
            "label": int(labels[row]),
            "row": row,
            "weight": weight,
            **{name: float(values[row]) for name, values in usual._asdict().items()},
        }
        for row, weight in zip(coreset.indices.tolist(), coreset.weights.tolist(), strict=True)
    ]


def picture(train: ImageDataset, coresets: Mapping[str, Coreset]) -> bytes:
    """The chosen images as a PNG: a block for each method, a row for each class, best first; equally many of each."""
    colored = train.images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    blocks = {
        title: colored[coreset.indices].unflatten(0, (train.num_classes, -1)).numpy()
        for title, coreset in coresets.items()
    }
    return contact_sheet(blocks, train.class_names)


def picture_name(dataset: str) -> str:
    """File of the picture below `book/figures`."""
    return f"selected-{dataset}.png"


def parameters_of(dataset: str, candidate: Candidate) -> SelectionParameters:
    """Parameters of the run that would train on these images."""
    settings = {**SELECTOR, **candidate.options}
    return SelectionParameters(dataset=dataset, seed=SEED, fraction=FRACTION, method=candidate.method, **settings)


def measure_dataset(dataset: str) -> tuple[dict[str, Any], list[Row]]:
    """A row for each image chosen by each candidate; their picture is written into `book/figures/`."""
    runs = {candidate.title: parameters_of(dataset, candidate) for candidate in CANDIDATES}
    first = runs[CANDIDATES[0].title]
    device = begin(first).device
    splits = selection.load_data(first)
    view = selector_view(first, splits, device)
    choices = {title: selection.choose(run, view, splits) for title, run in runs.items()}
    usual = typicality(splits.train, view.features, view.logits)
    labels = splits.train.labels
    rows = [row for title, item in choices.items() for row in rows_of(title, item.coreset, labels, usual)]
    drawn = [candidate.title for candidate in CANDIDATES if candidate.drawn]
    png = picture(splits.train, {title: choices[title].coreset for title in drawn})
    atomic_write(project_folder() / "book" / "figures" / picture_name(dataset), png)
    content = {
        "dataset": dataset,
        "network": f"ConvNet, width {SELECTOR['width']}, {SELECTOR['selection_epochs']} epochs on all training images",
        "selector_test_accuracy_percent": view.test_accuracy_percent,
        "fraction": FRACTION,
        "seed": SEED,
        "class_sizes": labels.bincount().tolist(),
        "class_names": splits.train.class_names,
        "mistakes": float(1 - usual.correct.mean()),
        "data": splits.train.provenance,
        "content_hash": splits.train.content_hash,
        "picture_sha256": hashlib.sha256(png).hexdigest(),
        "wall_seconds": round(view.seconds + sum(item.seconds for item in choices.values())),
    }
    return content, rows
